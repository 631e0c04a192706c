internal import ApusLoop
internal import ApusMemory

/// The system's sockets, with epoll to tell of events.
struct EpollNetwork: LoopNetwork, ~Copyable, Sendable {
    private let clock: Clock
    private var poller: Poller
    private var listeners = Slab<Listener>()

    /// - Parameter wakeUp: ends the loop's waiting.
    init(clock: Clock, wakeUp: WakeUp) throws(SystemError) {
        let poller = try Poller()
        try poller.add(wakeUp.fileDescriptor, token: LinkToken.wakeUp.rawValue)
        self.clock = clock
        self.poller = poller
    }

    func now() -> Int64 { clock.now() }

    func nanoseconds() -> Int64 { Clock.monotonicNanoseconds() }

    // MARK: - Events

    mutating func wait(timeoutMilliseconds: Int64?) -> Int { poller.wait(timeoutMilliseconds: timeoutMilliseconds) }

    func event(_ position: Int) -> Poller.Event { poller[position] }

    func add(_ descriptor: Int32, token: UInt64) throws(SystemError) { try poller.add(descriptor, token: token) }

    func remove(_ descriptor: Int32) { poller.remove(descriptor) }

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

    func pause(_ listener: Int) { poller.remove(listeners[listener].fileDescriptor) }

    func resume(_ listener: Int) throws(SystemError) {
        let token = LinkToken.listener(listener).rawValue
        try poller.addLevelTriggered(listeners[listener].fileDescriptor, token: token)
    }

    mutating func closeListeners() { listeners = Slab() }
}
