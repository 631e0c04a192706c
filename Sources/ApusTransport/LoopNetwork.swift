internal import ApusLoop
internal import ApusMemory

/// What a shard's loop needs of the world: sockets, listeners, the time, and to be told when something happens.
///
/// The seam between `ShardLoop` and the system: `EpollNetwork` stands behind it in the broker, a simulated network in the
/// tests. One loop owns it; a loop is generic over it, and the compiler makes the one loop of the broker of it, so that
/// nothing is looked up when it runs (docs/decisions/0007-a-seam-under-the-loop.md).
///
/// Sockets are named by their numbers, as the system does; who owns one has a `Descriptor`, which goes back through
/// `close`. TLS is above the seam for its bytes and below it for its socket: sessions read and write for themselves.
protocol LoopNetwork: ~Copyable {
    /// Milliseconds since the Unix epoch that never run backwards; the same clock for all loops.
    func now() -> Int64
    /// Nanoseconds of a monotonic clock, the same for all loops, to measure with.
    func nanoseconds() -> Int64

    // MARK: - Events

    /// An event of the last wait of the loop's own thread.
    func event(_ position: Int) -> Poller.Event

    /// From now on events name the socket by this token, each once: what is there already counts as new.
    ///
    /// An edge that came must be used up: reading goes on until `wouldBlock` or a short read, sending until `blocked`.
    func add(_ descriptor: Int32, token: UInt64) throws(SystemError)

    /// No events any more, for a socket that goes to another loop.
    func remove(_ descriptor: Int32)

    // MARK: - Sockets

    /// Reads once, at most as much as the buffer holds.
    func receive(_ descriptor: Int32, into buffer: inout ReadBuffer) -> ReadResult
    /// Reads once, at most so many bytes.
    func receive(_ descriptor: Int32, into buffer: inout ReadBuffer, limit: Int) -> ReadResult
    /// Looks at what the next read will bring.
    func peek(_ descriptor: Int32, into buffer: inout ReadBuffer, limit: Int) -> ReadResult
    /// Sends until the queue is empty or the socket takes no more; an event tells when it does again.
    func send(_ descriptor: Int32, _ queue: inout OutputQueue, _ pool: inout ChunkPool) -> SendResult
    /// Tells the peer that no more comes; reading goes on.
    func shutdownWriting(_ descriptor: Int32)
    func setSendBuffer(_ descriptor: Int32, bytes: Int)
    /// Makes the system find out within seconds whether the peer still lives; a dead one ends the connection.
    func probe(_ descriptor: Int32)
    /// Ends the connection, gracefully only if nothing is left to read. No event of it comes any more.
    func close(_ descriptor: consuming Descriptor)

    // MARK: - Listeners, named by their order

    /// Takes the next waiting connection.
    func accept(_ listener: Int) -> Listener.Accepted
    /// Makes a waiting connection end when no descriptor is left for it; false when that is not possible either.
    mutating func refuseOne(_ listener: Int) -> Bool
    /// Reports nothing of the listener until `resume`.
    func pause(_ listener: Int)
    /// Reports the listener, from now on and again and again, as long as somebody waits.
    func resume(_ listener: Int) throws(SystemError)
    mutating func closeListeners()
}
