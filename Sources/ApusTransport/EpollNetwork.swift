internal import ApusLoop
internal import ApusMemory

/// The system's sockets, with epoll to tell of events.
struct EpollNetwork: LoopNetwork, ~Copyable, Sendable {
    /// Where the loop's own thread waits, while others may be in the loop.
    let events: EpollEvents
    private let clock: Clock
    private var listeners = Slab<Listener>()

    /// - Parameter wakeUp: ends the loop's waiting.
    init(clock: Clock, wakeUp: WakeUp) throws(SystemError) {
        let poller = try Poller()
        try poller.add(wakeUp.fileDescriptor, token: LinkToken.wakeUp.rawValue)
        self.clock = clock
        events = EpollEvents(poller)
    }

    func now() -> Int64 { clock.now() }

    func nanoseconds() -> Int64 { Clock.monotonicNanoseconds() }

    // MARK: - Events

    func event(_ position: Int) -> Poller.Event { events.poller[position] }

    func add(_ descriptor: Int32, token: UInt64) throws(SystemError) {
        try events.poller.add(descriptor, token: token)
    }

    func remove(_ descriptor: Int32) { events.poller.remove(descriptor) }

    // MARK: - Sockets

    func receive(_ descriptor: Int32, into buffer: inout ReadBuffer) -> ReadResult { buffer.receive(descriptor) }

    func receive(_ descriptor: Int32, into buffer: inout ReadBuffer, limit: Int) -> ReadResult {
        buffer.receive(descriptor, limit: limit)
    }

    func peek(_ descriptor: Int32, into buffer: inout ReadBuffer, limit: Int) -> ReadResult {
        buffer.peek(descriptor, limit: limit)
    }

    func send(_ descriptor: Int32, _ queue: inout OutputQueue, _ pool: inout ChunkPool) -> SendResult {
        Socket.send(descriptor, &queue, &pool)
    }

    func shutdownWriting(_ descriptor: Int32) { Socket.shutdownWriting(descriptor) }

    func probe(_ descriptor: Int32) { Socket.probe(descriptor) }
    func setSendBuffer(_ descriptor: Int32, bytes: Int) { Socket.setSendBuffer(descriptor, bytes: bytes) }

    func close(_ descriptor: consuming Descriptor) {}

    // MARK: - Listeners

    /// Takes the next listener of this loop; they are named in the order in which they come.
    mutating func listen(_ listener: consuming sending Listener) throws(SystemError) {
        try resume(listeners.insert(listener))
    }

    func accept(_ listener: Int) -> Listener.Accepted { listeners[listener].accept() }

    mutating func refuseOne(_ listener: Int) -> Bool { listeners[listener].refuseOne() }

    func pause(_ listener: Int) { events.poller.remove(listeners[listener].fileDescriptor) }

    func resume(_ listener: Int) throws(SystemError) {
        let token = LinkToken.listener(listener).rawValue
        try events.poller.addLevelTriggered(listeners[listener].fileDescriptor, token: token)
    }

    mutating func closeListeners() { listeners = Slab() }
}

/// What tells one loop of events; it stays where it is when the network moves.
final class EpollEvents: Sendable {
    fileprivate let poller: Poller

    fileprivate init(_ poller: consuming Poller) { self.poller = poller }

    /// Waits until something happens, but no longer than this: 0 does not wait, nil waits for ever.
    ///
    /// A signal of the loop's `WakeUp` ends it too. It may end for no reason. For the loop's own thread alone.
    ///
    /// - Returns: how many events came.
    func wait(timeoutMilliseconds: Int64?) -> Int { poller.wait(timeoutMilliseconds: timeoutMilliseconds) }
}
