import ApusMemory
import ApusMessage
import MQTTCodec

@testable import ApusTransport

/// What a seed decides, and the run that follows from it.
struct LoopScenario {
    let world: LoopWorld
    private let steps: Int

    init(seed: UInt64) throws {
        var random = SplitMix(state: seed &* 7_919)
        let isTight = Bool.random(using: &random)
        world = try LoopWorld(
            seed: seed,
            loops: .random(in: 1...4, using: &random),
            answersLater: Int.random(in: 0..<3, using: &random) == 0,
            limits: {
                $0.inFlightMessages = 20
                $0.queuedMessagesPerSession = 100_000
                $0.queuedBytesPerSession = 1 << 30
                $0.outputBytesPerConnection = isTight ? 2_000 : 60_000
                if isTight { $0.shardBacklogBytes = 500 }
            },
        )
        let count = Int.random(in: 3...8, using: &random)
        for index in 0..<count {
            let kind = SimulatedClient.Kind.allCases.randomElement(using: &random) ?? .plain
            _ = world.add(kind, Bool.random(using: &random) ? .v5 : .v3_1_1, isCore: index < 2)
        }
        steps = .random(in: 300...1_500, using: &random)
    }

    /// Begins with all connected, then lets chance rule.
    func run() {
        world.settle()
        for client in world.clients where client.isCore { client.subscribe() }
        world.settle()
        world.kernel.unkindness = 6
        for _ in 0..<steps { step() }
    }

    /// Lets everything come to rest, then everybody go.
    func rest() {
        guard world.failures.isEmpty else { return }
        world.settle()
        checkDeliveries()
        guard world.failures.isEmpty else { return }
        leaveAll()
    }

    // MARK: - Steps

    private func random(_ range: Range<Int>) -> Int { .random(in: range, using: &world.kernel.random) }

    private func step() {
        let kernel = world.kernel
        switch random(0..<100) {
        case 0..<30:
            if let client = world.clients.randomElement(using: &kernel.random) { act(client) }
        case 30..<50:
            if let number = kernel.sockets.keys.sorted().randomElement(using: &kernel.random),
                let socket = kernel.sockets[number]
            {
                kernel.arrive(socket, limit: random(1..<20_000))
            }
        case 50..<78:
            let loop = random(0..<world.loops.count)
            // A wait may also end for no reason.
            if world.isDue(loop) || random(0..<20) == 0 { world.tick(loop) }
        case 78..<92:
            if let client = world.clients.randomElement(using: &kernel.random) {
                world.read(client, limit: random(1..<20_000))
            }
        case 92..<94: world.authenticator.answerAll()
        case 94..<95: kernel.exhaustions = random(1..<4)
        case 95..<96: openSilent()
        default: kernel.now += Int64(random(0..<300))
        }
    }

    private func act(_ client: SimulatedClient) {
        switch client.phase {
        case .offline: if random(0..<3) == 0 { world.open(client) }
        case .connecting: if random(0..<40) == 0 { world.end(client, withReset: random(0..<2) == 0) }
        case .connected: actConnected(client)
        }
    }

    private func actConnected(_ client: SimulatedClient) {
        switch random(0..<100) {
        case 0..<45: for _ in 0..<random(1..<5) { publish(client) }
        case 45..<88: if !client.owed.isEmpty { client.acknowledge(0) }
        case 88..<95: client.ping()
        case 95..<97:
            client.send(.disconnect(Disconnect()))
            world.end(client)
        default: world.end(client, withReset: random(0..<2) == 0)
        }
    }

    private func publish(_ client: SimulatedClient) {
        guard client.outgoingCount < 8 else { return }
        let message = SimulatedMessage(
            publisher: client.index,
            topic: "t/\(random(0..<3))",
            qos: QoS.allCases[random(0..<3)],
            padding: random(0..<4) == 0 ? random(4_000..<50_000) : random(0..<200),
        )
        world.messages.append(message)
        client.publish(world.messages.count - 1, message)
    }

    /// Somebody who says the beginning of something.
    private func openSilent() {
        let listener = random(0..<3)
        guard let socket = world.kernel.connect(listener, receiveCapacity: 5_000, sendCapacity: 5_000) else { return }
        let words = [Array("PROXY TCP4 19".utf8), Array("GET /mqtt HTTP/1.1\r\n".utf8), [0x10, 0x40, 0x00]]
        socket.inFlight = words[random(0..<3)]
        if random(0..<3) == 0 { world.kernel.leave(socket, withReset: random(0..<2) == 0) }
        world.silent.append(socket)
    }

    // MARK: - Checks

    private func checkDeliveries() {
        for client in world.clients where client.outgoingCount > 0 { world.fail("\(client.name): unacknowledged") }
        for client in world.clients where client.isCore {
            for (number, message) in world.messages.enumerated() {
                let count = client.seen[number] ?? 0
                if message.qos != .atLeastOnce, count > 1 {
                    world.fail("\(client.name): \(number) came \(count) times")
                }
                if message.isAccepted, count == 0 { world.fail("\(client.name): \(number) did not come") }
            }
        }
    }

    /// When everybody has gone, or was silent for too long, nothing may be left.
    private func leaveAll() {
        for client in world.clients { world.end(client) }
        world.settle(staysConnected: false)
        world.kernel.now += 10_200
        world.settle(staysConnected: false)
        world.kernel.now += 2_200
        world.settle(staysConnected: false)
        world.checkEmptiness()
    }
}
