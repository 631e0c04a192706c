import ApusBroker
import ApusLoop
import ApusMemory
import ApusMessage
import MQTTCodec
import Testing

@testable import ApusTransport

@Suite("Simulation of the loops")
struct LoopSimulationTests {
    private func expectNoFailure(_ world: LoopWorld) {
        let first = world.failures.prefix(5)
        #expect(first.isEmpty, "seed \(world.seed): \(first)")
    }

    @Test(arguments: 1...150 as ClosedRange<UInt64>)
    func `nothing is lost or forgotten whatever the network does`(seed: UInt64) throws {
        let scenario = try LoopScenario(seed: seed)
        scenario.run()
        scenario.rest()
        expectNoFailure(scenario.world)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `a seed is a run`(seed: UInt64) throws {
        let runs = try (0..<2).map { _ in
            let scenario = try LoopScenario(seed: seed)
            scenario.run()
            scenario.rest()
            return [scenario.world.ticks, scenario.world.messages.count, Int(scenario.world.kernel.now)]
        }
        #expect(runs[0] == runs[1])
    }

    @Test func `loops that sleep are helped`() throws {
        let helped = try (1...20 as ClosedRange<UInt64>).map { seed in
            let scenario = try LoopScenario(seed: seed)
            scenario.run()
            return scenario.world.helped
        }
        #expect(helped.reduce(0, +) > 100)
    }

    // MARK: - Fairness

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `floods hold nobody up beyond the tick that hears of him`(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let world = try LoopWorld(seed: seed, loops: .random(in: 1...2, using: &random))
        world.kernel.unkindness = 0
        let flooders = (0..<Int.random(in: 1...3, using: &random)).map { _ in
            world.add(Bool.random(using: &random) ? .plain : .webSocket, .v3_1_1, isCore: false)
        }
        let others = (0..<5).map { _ in world.add(.plain, .v5, isCore: false) }
        for client in flooders { world.open(client, receiveCapacity: 1 << 20) }
        world.settle()
        let publish = MQTT.publish("flood", MQTT.pattern(8_000))
        for client in flooders {
            client.socket?.flood = client.kind == .webSocket ? WebSocketBytes.frame(publish) : publish
            if let socket = client.socket { world.kernel.arrive(socket, limit: .max) }
        }
        for _ in 0..<20 {
            for client in others {
                client.ping()
                if let socket = client.socket { world.kernel.arrive(socket, limit: .max) }
            }
            for loop in 0..<world.loops.count where world.isDue(loop) { world.tick(loop) }
            for client in others { world.read(client) }
            #expect(others.map(\.pings) == [0, 0, 0, 0, 0], "seed \(seed)")
            // The floods come on, too.
            #expect(flooders.allSatisfy { ($0.socket?.readThisTick ?? 0) >= LoopWorld.Loop.readBudget })
        }
        for client in flooders { client.socket?.flood = [] }
        world.settle()
        expectNoFailure(world)
    }

    // MARK: - Deadlines

    @Test(arguments: SimulatedClient.Kind.allCases, [0, 5_000, 9_900] as [Int64])
    func `CONNECT has ten seconds from the accept, whatever comes before it`(
        kind: SimulatedClient.Kind,
        pause: Int64,
    ) throws {
        let world = try LoopWorld(seed: 1, loops: 2)
        world.kernel.unkindness = 0
        let start = world.kernel.now
        let listener = kind.rawValue
        let socket = try #require(world.kernel.connect(listener, receiveCapacity: 4_096, sendCapacity: 4_096))
        world.run(until: start + pause)
        switch kind {
        case .plain: socket.inFlight = Array(MQTT.connect("slow").dropLast())
        case .proxied: socket.inFlight = ProxyTests.line
        case .webSocket: socket.inFlight = WebSocketBytes.request
        }
        world.kernel.arrive(socket, limit: .max)
        world.run(until: start + 9_999)
        #expect(!socket.isShutByBroker && !socket.isClosed)
        world.run(until: start + 10_128)
        #expect(socket.isShutByBroker || socket.isClosed)
        world.run(until: start + 13_000)
        #expect(socket.isClosed)
        world.checkEmptiness()
        expectNoFailure(world)
    }

    @Test(arguments: [0, 1])
    func `a connection that moves keeps its ten seconds`(loop: Int) throws {
        let world = try LoopWorld(seed: 1, loops: 2, answersLater: true)
        world.kernel.unkindness = 0
        let start = world.kernel.now
        let connected = world.kernel.connect(0, receiveCapacity: 4_096, sendCapacity: 4_096, loop: loop)
        let socket = try #require(connected)
        world.run(until: start + 9_500)
        let away = (0...).lazy.map { "mover \($0)" }.first { world.broker.homeShard(of: $0) != loop }
        socket.inFlight = MQTT.connect(try #require(away))
        world.kernel.arrive(socket, limit: .max)
        world.run(until: start + 9_999)
        #expect(socket.loop == 1 - loop)
        #expect(!socket.isShutByBroker && !socket.isClosed)
        world.run(until: start + 10_128)
        #expect(socket.isShutByBroker)
        expectNoFailure(world)
    }

    // MARK: - Shutdown

    @Test(arguments: 1...60 as ClosedRange<UInt64>)
    func `a shutdown says goodbye and ends within its grace`(seed: UInt64) throws {
        let scenario = try LoopScenario(seed: seed)
        scenario.run()
        let world = scenario.world
        var random = SplitMix(state: seed)
        let grace = Int64.random(in: 0...5_000, using: &random)
        let stalled: Set<Int> = [.random(in: 0..<world.clients.count, using: &random)]
        let connected = world.clients.filter { $0.phase == .connected }
        let end = world.kernel.now + grace
        for mailbox in world.environment.mailboxes { mailbox.post(.shutdown(graceMilliseconds: grace)) }
        for _ in 0..<20_000 where world.isFinished.contains(false) {
            if !world.turn(stalled: stalled) { world.passToNextDeadline(limit: end) }
        }
        if world.isFinished.contains(false) { world.fail("loops run on after the end") }
        for client in connected where !stalled.contains(client.index) && client.version == .v5 && grace > 0 {
            // An earlier connection of its own may have come later and taken the session over.
            if client.goodbye == nil { world.fail("\(client.name) heard no goodbye") }
        }
        for client in connected { world.end(client) }
        world.forgetMail()
        if !world.kernel.sockets.isEmpty { world.fail("\(world.kernel.sockets.count) sockets are left") }
        expectNoFailure(world)
    }
}
