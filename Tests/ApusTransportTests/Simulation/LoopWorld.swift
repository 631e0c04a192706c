import ApusBroker
import ApusLocks
import ApusLoop
import ApusMemory
import ApusMessage
import ApusStore
import MQTTCodec

@testable import ApusTransport

/// The real loops of a broker over a simulated system, with their clients, on one thread and moved by nothing but a seed.
final class LoopWorld {
    typealias Loop = ShardLoop<SimulatedNetwork>
    /// Of each listener; more than any run has.
    private static let maximumConnections = 300

    let seed: UInt64
    let kernel: SimulatedKernel
    let broker: Broker
    let environment: LoopEnvironment
    let authenticator: PatientAuthenticator
    private(set) var loops: [Box] = []
    /// Who reaches them from within one of them.
    private let neighbours = Neighbours()
    /// When each loop's wait is over without an event.
    var wakesAt: [Int64] = []
    var isFinished: [Bool]
    var ticks = 0
    var clients: [SimulatedClient] = []
    /// Connections of peers that say something and then nothing any more.
    var silent: [SimulatedSocket] = []
    var messages: [SimulatedMessage] = []
    private var ownFailures: [String] = []
    private var helping = SplitMix(state: 0)
    /// How often a loop did something on the thread of another.
    private(set) var helped = 0

    init(
        seed: UInt64,
        loops count: Int,
        answersLater: Bool = false,
        limits change: (inout Limits) -> Void = { _ in },
        configure: (inout TransportConfiguration) -> Void = { _ in },
    ) throws {
        self.seed = seed
        var listeners = SimulatedClient.Kind.allCases.map { kind in
            ListenerConfiguration.local(kind == .webSocket ? .webSocket : .tcp, name: "\(kind)")
        }
        listeners[SimulatedClient.Kind.proxied.rawValue].proxyProtocol = .any
        for index in listeners.indices { listeners[index].maximumConnections = Self.maximumConnections }
        var configuration = TransportConfiguration(listeners: listeners, shardCount: count)
        configure(&configuration)
        var brokerConfiguration = BrokerConfiguration(shardCount: count, seed: seed)
        brokerConfiguration.statisticsSeconds = 0
        change(&brokerConfiguration.limits)
        authenticator = PatientAuthenticator(answersLater: answersLater)
        let broker = Broker(
            configuration: brokerConfiguration,
            authenticator: authenticator,
            authorizer: nil,
            events: EventLog(),
        )
        self.broker = broker
        let wakeUps = try (0..<count).map { _ in try WakeUp() }
        kernel = SimulatedKernel(seed: seed, loops: count, listeners: listeners.count, wakeUps: wakeUps)
        let gates = configuration.listeners.enumerated().map { ListenerGate($1, index: $0, context: nil) }
        let neighbours = neighbours
        environment = LoopEnvironment(
            broker: broker,
            configuration: configuration,
            makeShard: { Shard(index: $0, broker: broker, store: MemoryStore(), now: $1) },
            gates: gates,
            wakeUps: wakeUps,
            mailboxes: wakeUps.map { Mailbox(wakeUp: $0) },
            help: { neighbours.world?.help($0, $1) ?? false },
        )
        let mailboxes = environment.mailboxes
        broker.connectMail { shard, mail in mailboxes[shard].post(.mail(mail)) }
        kernel.meanwhile = { [authenticator] in authenticator.answerAll() }
        isFinished = [Bool](repeating: false, count: count)
        for index in 0..<count {
            let network = SimulatedNetwork(kernel, loop: index)
            loops.append(Box(Loop(index: index, server: environment, network: network, gates: gates)))
            wakesAt.append(.max)
            fallAsleep(index)
        }
        helping = SplitMix(state: ~seed)
        neighbours.world = self
    }

    var failures: [String] {
        ownFailures + kernel.failures + clients.flatMap(\.failures)
    }

    func fail(_ text: String) { ownFailures.append(text) }

    // MARK: - Loops

    /// A loop that another may change while this one is at work.
    final class Box {
        var it: Loop

        init(_ loop: consuming Loop) { it = loop }
    }

    /// All of a run is on one thread.
    private final class Neighbours: @unchecked Sendable {
        weak var world: LoopWorld?
    }

    /// What a sleeping loop does for another one; not always, as its own thread may just wake up.
    private func help(_ loop: Int, _ mail: ShardMail) -> Bool {
        guard !isFinished[loop], Bool.random(using: &helping), loops[loop].it.help(mail) else { return false }
        helped += 1
        checkBounds(loop)
        return true
    }

    private func fallAsleep(_ loop: Int) {
        let timeout = loops[loop].it.timeoutUnlessMail()
        wakesAt[loop] = timeout.map { kernel.now + $0 } ?? .max
    }

    /// Whether the loop's wait is over.
    func isDue(_ loop: Int) -> Bool {
        !isFinished[loop] && (wakesAt[loop] <= kernel.now || kernel.hasEvents(loop))
    }

    /// Ends the loop's wait, does its work and lets it wait again.
    func tick(_ loop: Int) {
        guard !isFinished[loop] else { return }
        ticks += 1
        let count = loops[loop].it.network.wait(timeoutMilliseconds: 0)
        loops[loop].it.work(count)
        checkBounds(loop)
        if loops[loop].it.isFinished {
            loops[loop].it.cutOff()
            isFinished[loop] = true
        } else {
            fallAsleep(loop)
        }
    }

    private func checkBounds(_ loop: Int) {
        for socket in kernel.sockets.values where socket.loop == loop {
            if socket.readThisTick >= 2 * Loop.readBudget {
                fail("\(socket.readThisTick) bytes of one socket in a tick")
            }
        }
        let limit = broker.configuration.limits.outputBytesPerConnection
        forEachLink(loop) { index in
            let slot = Int(loops[loop].it.links[index].slot)
            guard slot >= 0 else { return }
            let waiting = loops[loop].it.shard.withOutput(slot) { queue, _ in queue.count }
            // One message more than the bound, and what nobody can hold back.
            if waiting > limit + 66_000 { fail("\(waiting) bytes of output") }
        }
    }

    func forEachLink(_ loop: Int, _ body: (Int) -> Void) {
        var next = 0
        while let index = loops[loop].it.links.firstOccupied(from: next) {
            next = index + 1
            body(index)
        }
    }

    /// Lets time pass to the next deadline of a loop, but not beyond `limit`.
    func passToNextDeadline(limit: Int64) {
        let next = (0..<loops.count).map { isFinished[$0] ? .max : wakesAt[$0] }.min() ?? .max
        kernel.now = max(kernel.now, min(next, limit))
    }

    /// Lets the loops alone work until this time.
    func run(until limit: Int64) {
        while true {
            while let loop = (0..<loops.count).first(where: isDue) { tick(loop) }
            guard kernel.now < limit else { return }
            passToNextDeadline(limit: limit)
        }
    }

    /// Drops what nobody will read any more, as the end of the process does.
    func forgetMail() {
        for mailbox in environment.mailboxes {
            for letter in mailbox.drain() {
                switch letter {
                case .moved(let parcel): if let link = parcel.take() { kernel.close(link.socket.number) }
                case .accepted(let parcel): if let link = parcel.take() { kernel.close(link.socket.number) }
                case .mail, .shutdown: break
                }
            }
        }
    }

    // MARK: - Clients

    func add(_ kind: SimulatedClient.Kind, _ version: ProtocolVersion, isCore: Bool) -> SimulatedClient {
        let client = SimulatedClient(index: clients.count, kind: kind, version: version, isCore: isCore)
        clients.append(client)
        return client
    }

    func open(_ client: SimulatedClient, receiveCapacity: Int? = nil, sendCapacity: Int? = nil) {
        let socket = kernel.connect(
            client.kind.rawValue,
            receiveCapacity: receiveCapacity ?? .random(in: 100...100_000, using: &kernel.random),
            sendCapacity: sendCapacity ?? .random(in: 100...30_000, using: &kernel.random),
        )
        if let socket { client.connect(through: socket) }
    }

    func end(_ client: SimulatedClient, withReset: Bool = false) {
        if let socket = client.socket { kernel.leave(socket, withReset: withReset) }
        client.leave()
    }

    /// The client reads; when its connection is over it goes.
    func read(_ client: SimulatedClient, limit: Int = .max) {
        guard let socket = client.socket else { return }
        if client.receive(kernel.read(socket, limit: limit), &messages) { end(client) }
    }

    // MARK: - Rest

    /// Lets everything that is on its way arrive, with all clients connected, and looks that nothing was forgotten.
    ///
    /// The clock stands still, except for listeners that rest: no deadline may cover up for a lost wake-up.
    func settle(staysConnected: Bool = true) {
        kernel.unkindness = 0
        kernel.exhaustions = 0
        for _ in 0..<20_000 {
            if staysConnected { for client in clients where client.phase == .offline { open(client) } }
            if turn() { continue }
            guard kernel.listenings.joined().contains(where: { $0.isPaused && !$0.waiting.isEmpty }) else {
                return checkRest()
            }
            kernel.now += 200
        }
        fail("no rest")
    }

    /// One round in which everybody does all that he can, except those who have stopped to read.
    ///
    /// - Returns: whether anything happened.
    func turn(stalled: Set<Int> = []) -> Bool {
        var isBusy = authenticator.answerAll()
        for number in kernel.sockets.keys.sorted() {
            guard let socket = kernel.sockets[number] else { continue }
            if socket.flood.isEmpty, kernel.arriveAll(socket) { isBusy = true }
        }
        for loop in 0..<loops.count where isDue(loop) {
            tick(loop)
            isBusy = true
        }
        for client in clients where !stalled.contains(client.index) {
            if let socket = client.socket, !socket.toClient.isEmpty || socket.isClosed || socket.isShutByBroker {
                isBusy = true
            }
            read(client)
            while client.phase == .connected, !client.owed.isEmpty {
                client.acknowledge(0)
                isBusy = true
            }
        }
        return isBusy
    }

    /// Nobody has anything to do: then nothing may be left undone.
    private func checkRest() {
        var known: Set<Int32> = []
        for loop in 0..<loops.count where !isFinished[loop] {
            if !environment.mailboxes[loop].isEmpty { fail("loop \(loop) sleeps with mail") }
            if loops[loop].it.shard.nextDirty() != nil { fail("loop \(loop) sleeps with a dirty connection") }
            if !loops[loop].it.ready.isEmpty { fail("loop \(loop) sleeps with bytes left") }
            var open = 0
            forEachLink(loop) { index in
                known.insert(loops[loop].it.links[index].socket.number)
                if checkRest(loop, index) { open += 1 }
            }
            if open != loops[loop].it.shard.connectionCount { fail("loop \(loop): links and connections differ") }
        }
        for socket in kernel.sockets.values where socket.loop != nil && !known.contains(socket.number) {
            fail("\(socket.number) belongs to nobody")
        }
        for client in clients where client.phase == .connecting { fail("\(client.name) waits for its CONNACK") }
        for client in clients where client.pings > 0 { fail("\(client.name) waits for its PINGRESP") }
    }

    /// With all connections gone nothing may count as one.
    func checkEmptiness() {
        if !kernel.sockets.isEmpty { fail("\(kernel.sockets.count) sockets are left") }
        for gate in environment.gates {
            for _ in 0..<Self.maximumConnections where !gate.enter() {
                fail("\(gate.configuration.name) counts too many")
            }
            if gate.enter() { fail("\(gate.configuration.name) counts too few") }
        }
    }

    /// - Returns: whether the shard has it.
    private func checkRest(_ loop: Int, _ index: Int) -> Bool {
        let number = loops[loop].it.links[index].socket.number
        let slot = Int(loops[loop].it.links[index].slot)
        guard let socket = kernel.sockets[number] else {
            fail("\(number) is closed and still there")
            return slot >= 0
        }
        // A PROXY header that is not complete stays in the socket.
        let isLookedAt = loops[loop].it.links[index].phase == .proxyHeader && silent.contains { $0 === socket }
        if socket.waiting > 0, !isLookedAt {
            fail("\(number), \(loops[loop].it.links[index].phase): \(socket.waiting) bytes unread")
        }
        if socket.hasEnded || socket.isReset { fail("\(number): its end was not noticed") }
        guard slot >= 0 else { return false }
        if loops[loop].it.shard.withOutput(slot, { queue, _ in queue.count }) > 0, socket.room > 0 {
            fail("\(number): output was not sent")
        }
        return true
    }
}

extension SimulatedKernel {
    /// Lets everything arrive for which there is room.
    func arriveAll(_ socket: SimulatedSocket) -> Bool { arrive(socket, limit: .max) }
}

/// Admits everybody, at once or when the simulation lets it answer.
final class PatientAuthenticator: Authenticator {
    private let answersLater: Bool
    private let waiting = Guarded<[(AuthenticationRequest, @Sendable (AuthenticationOutcome) -> Void)]>([])

    init(answersLater: Bool) { self.answersLater = answersLater }

    func authenticate(_ request: AuthenticationRequest, reply: @escaping @Sendable (AuthenticationOutcome) -> Void) {
        if answersLater { return waiting.withLock { $0.append((request, reply)) } }
        reply(.accepted(Principal(clientID: request.clientID, userName: nil)))
    }

    func enhancedAuthentication(method: String, request: AuthenticationRequest) -> (any EnhancedAuthentication)? { nil }

    /// - Returns: whether there was anything to answer.
    @discardableResult
    func answerAll() -> Bool {
        let requests = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for (request, reply) in requests { reply(.accepted(Principal(clientID: request.clientID, userName: nil))) }
        return !requests.isEmpty
    }
}
