import ApusLoop
import ApusMemory

@testable import ApusTransport

/// The system below all loops of a simulation: sockets in memory, listeners, pollers, and a clock that the test moves.
///
/// It is as unkind as a real one may be: sends take a part, pollers tell late and in any order and sometimes for no
/// reason, bytes arrive while a loop is at work, descriptors run out. It never forgets to tell.
final class SimulatedKernel {
    struct Listening {
        var waiting: [Int32] = []
        var isPaused = false
        var isClosed = false
    }

    var random: SplitMix
    var now: Int64 = 1_700_000_000_000
    private(set) var sockets: [Int32: SimulatedSocket] = [:]
    /// The listeners of each loop.
    var listenings: [[Listening]]
    let wakeUps: [WakeUp]
    /// Sockets of which a loop is to be told, in the order of the news.
    private var lists: [[Int32]]
    /// One in so many times the system is unkind; 0 for never.
    var unkindness = 8
    /// How many more calls of `accept` find no descriptor.
    var exhaustions = 0
    var failures: [String] = []
    /// What another thread does while a loop is at work.
    var meanwhile: () -> Void = {}
    /// Numbers that no process has.
    private var nextNumber: Int32 = 1 << 30

    init(seed: UInt64, loops: Int, listeners: Int, wakeUps: [WakeUp]) {
        random = SplitMix(state: seed)
        self.wakeUps = wakeUps
        lists = [[Int32]](repeating: [], count: loops)
        listenings = [[Listening]](repeating: [Listening](repeating: Listening(), count: listeners), count: loops)
    }

    func isUnkind() -> Bool { unkindness > 0 && Int.random(in: 0..<unkindness, using: &random) == 0 }

    // MARK: - The client's side

    /// A connection that waits to be accepted by one of the loops.
    func connect(_ listener: Int, receiveCapacity: Int, sendCapacity: Int, loop: Int? = nil) -> SimulatedSocket? {
        let loop = loop ?? Int.random(in: 0..<listenings.count, using: &random)
        guard !listenings[loop][listener].isClosed else { return nil }
        nextNumber += 1
        let socket = SimulatedSocket(
            number: nextNumber,
            receiveCapacity: receiveCapacity,
            sendCapacity: sendCapacity,
        )
        sockets[socket.number] = socket
        listenings[loop][listener].waiting.append(socket.number)
        return socket
    }

    /// Lets bytes of the client come to the broker's side.
    @discardableResult
    func arrive(_ socket: SimulatedSocket, limit: Int) -> Bool {
        guard socket.arrive(limit: limit) else { return false }
        list(socket)
        return true
    }

    /// The client takes up to `limit` bytes.
    func read(_ socket: SimulatedSocket, limit: Int) -> [UInt8] {
        let bytes = Array(socket.toClient.prefix(limit))
        socket.toClient.removeFirst(bytes.count)
        if !bytes.isEmpty, socket.wantsRoom {
            socket.wantsRoom = false
            list(socket)
        }
        return bytes
    }

    /// The client is gone: with an end behind what it sent, or with a reset.
    func leave(_ socket: SimulatedSocket, withReset: Bool) {
        guard !socket.isLeft else { return }
        socket.isLeft = true
        socket.toClient = []
        if withReset || socket.wantsRoom { return reset(socket) }
        socket.isEndInFlight = true
    }

    private func reset(_ socket: SimulatedSocket) {
        socket.isReset = true
        socket.inFlight = []
        socket.flood = []
        list(socket)
    }

    // MARK: - The poller

    private func list(_ socket: SimulatedSocket) {
        guard let loop = socket.loop, !socket.isListed, !socket.isClosed else { return }
        socket.isListed = true
        lists[loop].append(socket.number)
    }

    /// Whether a wait of the loop would end at once.
    func hasEvents(_ loop: Int) -> Bool {
        if wakeUps[loop].isSignalled { return true }
        if listenings[loop].contains(where: { !$0.isPaused && !$0.isClosed && !$0.waiting.isEmpty }) { return true }
        return lists[loop].contains { sockets[$0]?.event != nil }
    }

    func wait(_ loop: Int) -> [Poller.Event] {
        var events: [Poller.Event] = []
        var late: [Int32] = []
        let list = lists[loop]
        lists[loop] = []
        for number in list {
            guard let socket = sockets[number], !socket.isClosed, socket.loop == loop else { continue }
            if isUnkind() {
                late.append(number)
                continue
            }
            socket.isListed = false
            if let event = socket.event { events.append(event) }
        }
        lists[loop] = late
        if unkindness > 0, let stray = sockets.keys.sorted().randomElement(using: &random), isUnkind(),
            let socket = sockets[stray], socket.loop == loop, !socket.isListed, let event = socket.event
        {
            events.append(event)
        }
        for listener in listenings[loop].indices {
            let listening = listenings[loop][listener]
            guard !listening.isPaused, !listening.isClosed, !listening.waiting.isEmpty else { continue }
            events.append(Poller.Event(token: LinkToken.listener(listener).rawValue, isReadable: true))
        }
        if wakeUps[loop].isSignalled || isUnkind() {
            events.append(Poller.Event(token: LinkToken.wakeUp.rawValue, isReadable: true))
        }
        if unkindness > 0 { events.shuffle(using: &random) }
        for socket in sockets.values where socket.loop == loop { socket.readThisTick = 0 }
        return events
    }

    func add(_ number: Int32, token: UInt64, loop: Int) {
        guard let socket = open(number) else { return }
        if socket.loop != nil { failures.append("\(number) is registered twice") }
        socket.loop = loop
        socket.token = token
        socket.isListed = false
        list(socket)
    }

    func remove(_ number: Int32) {
        guard let socket = open(number) else { return }
        if let loop = socket.loop { lists[loop].removeAll { $0 == number } }
        socket.loop = nil
        socket.isListed = false
    }

    // MARK: - The broker's side

    /// The socket, which must be open.
    func open(_ number: Int32) -> SimulatedSocket? {
        if let socket = sockets[number], !socket.isClosed { return socket }
        failures.append("a call on \(number), which is closed")
        return nil
    }

    func receive(_ number: Int32, room: Int, takes: Bool = true) -> (bytes: [UInt8], result: ReadResult) {
        guard let socket = open(number) else { return ([], .endOfStream) }
        if socket.waiting > 0 {
            let bytes = socket.look(limit: room)
            if takes {
                socket.take(bytes.count)
                if socket.readThisTick > 8 << 20 {
                    failures.append("a tick that does not end")
                    socket.flood = []
                }
                // What the client sends meanwhile is news behind this read.
                if !socket.flood.isEmpty || isUnkind() { arrive(socket, limit: .max) }
            }
            return (bytes, .bytes(bytes.count, more: bytes.count == room))
        }
        if socket.isReset, !socket.isResetReported {
            socket.isResetReported = takes
            return ([], .failed(.system(SystemError(code: 104, call: "recv"))))
        }
        return ([], socket.isReset || socket.hasEnded ? .endOfStream : .wouldBlock)
    }

    func send(_ number: Int32, _ queue: inout OutputQueue, _ pool: inout ChunkPool) -> SendResult {
        guard let socket = open(number) else { return .failed(.system(SystemError(code: 9, call: "send"))) }
        if Bool.random(using: &random) { meanwhile() }
        if socket.isShutByBroker, !queue.isEmpty { failures.append("bytes behind the end of \(number)") }
        var total = 0
        while !queue.isEmpty {
            if socket.isReset { return .failed(.system(SystemError(code: 32, call: "send"))) }
            var room = min(socket.room, queue.count)
            let isShort = isUnkind()
            // Short of memory, the system takes less than there is room for; that it will take more is news then.
            if isShort { room = Int.random(in: 0...room, using: &random) }
            let bytes = queue.copyBytes().prefix(room)
            if !socket.isLeft { socket.toClient += bytes }
            queue.removeFirst(bytes.count, pool: &pool)
            total += bytes.count
            // A peer that is gone answers by a reset.
            if socket.isLeft, !bytes.isEmpty, isUnkind() { reset(socket) }
            if !queue.isEmpty {
                socket.wantsRoom = true
                if isShort, socket.room > 0 {
                    socket.wantsRoom = false
                    list(socket)
                }
                return .blocked(total)
            }
        }
        return .sentAll(total)
    }

    func shutdownWriting(_ number: Int32) { open(number)?.isShutByBroker = true }

    func close(_ number: Int32) {
        guard let socket = open(number) else { return }
        // What was not read makes the end a reset, which overtakes what was sent.
        if socket.waiting > 0, isUnkind() { socket.toClient = [] }
        remove(number)
        socket.isClosed = true
        sockets[number] = nil
    }

    // MARK: - Listeners

    func accept(_ loop: Int, _ listener: Int) -> Listener.Accepted {
        if exhaustions > 0 {
            exhaustions -= 1
            return .exhausted(SystemError(code: 24, call: "accept"))
        }
        guard !listenings[loop][listener].waiting.isEmpty else { return .nobody }
        let number = listenings[loop][listener].waiting.removeFirst()
        // Those of a unix socket are dealt out by the loop that accepts them.
        let port = UInt16(truncatingIfNeeded: number)
        let peer = isUnkind() ? SocketAddress.unix(path: "") : .ipv4(0x7F00_0001, port: port)
        return .connection(Descriptor(owning: number), peer: peer)
    }

    func closeListeners(_ loop: Int) {
        for listener in listenings[loop].indices {
            listenings[loop][listener].isClosed = true
            for number in listenings[loop][listener].waiting {
                sockets[number]?.isClosed = true
                sockets[number] = nil
            }
            listenings[loop][listener].waiting = []
        }
    }
}

/// One loop's view of it.
struct SimulatedNetwork: LoopNetwork {
    let kernel: SimulatedKernel
    let loop: Int
    private var events: [Poller.Event] = []

    init(_ kernel: SimulatedKernel, loop: Int) {
        self.kernel = kernel
        self.loop = loop
    }

    func now() -> Int64 { kernel.now }
    func nanoseconds() -> Int64 { kernel.now * 1_000_000 }

    mutating func wait(timeoutMilliseconds: Int64?) -> Int {
        events = kernel.wait(loop)
        return events.count
    }

    func event(_ position: Int) -> Poller.Event { events[position] }
    func add(_ descriptor: Int32, token: UInt64) { kernel.add(descriptor, token: token, loop: loop) }
    func remove(_ descriptor: Int32) { kernel.remove(descriptor) }

    func receive(_ descriptor: Int32, into buffer: inout ReadBuffer) -> ReadResult {
        receive(descriptor, into: &buffer, limit: buffer.capacity)
    }

    func receive(_ descriptor: Int32, into buffer: inout ReadBuffer, limit: Int) -> ReadResult {
        let (bytes, result) = kernel.receive(descriptor, room: min(limit, buffer.capacity))
        buffer.fill(bytes.span)
        return result
    }

    func peek(_ descriptor: Int32, into buffer: inout ReadBuffer, limit: Int) -> ReadResult {
        let (bytes, result) = kernel.receive(descriptor, room: min(limit, buffer.capacity), takes: false)
        buffer.fill(bytes.span)
        return result
    }

    func send(_ descriptor: Int32, _ queue: inout OutputQueue, _ pool: inout ChunkPool) -> SendResult {
        kernel.send(descriptor, &queue, &pool)
    }

    func shutdownWriting(_ descriptor: Int32) { kernel.shutdownWriting(descriptor) }
    func setSendBuffer(_ descriptor: Int32, bytes: Int) {}
    func probe(_ descriptor: Int32) {}
    func close(_ descriptor: consuming Descriptor) { kernel.close(descriptor.release()) }

    func accept(_ listener: Int) -> Listener.Accepted { kernel.accept(loop, listener) }
    func refuseOne(_ listener: Int) -> Bool { false }
    func pause(_ listener: Int) { kernel.listenings[loop][listener].isPaused = true }
    func resume(_ listener: Int) { kernel.listenings[loop][listener].isPaused = false }
    func closeListeners() { kernel.closeListeners(loop) }
}
