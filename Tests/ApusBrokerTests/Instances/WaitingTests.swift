import ApusMessage
import MQTTCodec
import Synchronization
import Testing

@testable import ApusBroker

/// `offlineMessages` and `offlineSeconds` (apsaramq-facts 3.3, 7).
@Suite("Limits of what waits for clients that are away", .serialized)
struct WaitingTests {
    private let instances = ScriptedInstances(["A", "B"])

    private func limit(_ limits: LimitOverrides) {
        instances.change("A") { $0.limits = InstanceLimits(.standard, limits) }
    }

    private func harness(_ shards: Int = 1, _ limits: LimitOverrides) -> ShardHarness {
        limit(limits)
        return ShardHarness(shards: shards, instances: instances)
    }

    /// A client that has subscribed to its own topic and gone.
    private func leave(_ harness: ShardHarness, _ name: String, _ id: String = "A") {
        let client = harness.client(name, expiry: 1_000_000, through: id)
        client.subscribe("to/\(name)", qos: .exactlyOnce)
        client.disconnect()
    }

    private func back(_ harness: ShardHarness, _ name: String, _ id: String = "A") -> ScriptedClient {
        harness.client(name, clean: false, expiry: 1_000_000, through: id)
    }

    private func publish(_ client: ScriptedClient, _ name: String, _ numbers: ClosedRange<Int>) {
        for number in numbers { client.publish("to/\(name)", "\(number)", qos: .atLeastOnce, id: UInt16(number)) }
    }

    private func waiting(_ harness: ShardHarness, _ instance: InstanceNumber = .a) -> Int {
        harness.broker.instance(instance).waitingMessages.load(ordering: .relaxed)
    }

    // MARK: - Messages

    @Test(arguments: [1, 2])
    func `past the instance's limit the oldest of the session at hand goes, and the log names the limit`(shards: Int) {
        let harness = harness(shards, LimitOverrides([.offlineMessages: 5]))
        let names = (0..<2).map { harness.clientID(onShard: $0 % shards, "c\($0)x") }
        for name in names { leave(harness, name) }
        leave(harness, names[0], "B")
        let publisher = harness.client("p", through: "A")
        publish(publisher, names[0], 1...3)
        publish(publisher, names[1], 1...2)
        #expect(waiting(harness) == 5)
        #expect(harness.dropped(.queueFull) == 0)
        publish(publisher, names[1], 3...5)
        #expect(waiting(harness) == 5)
        #expect(harness.dropped(.queueFull) == 3)
        let event = harness.events.fields(of: "message.dropped").first
        #expect(event?["reason"] == "queue_full")
        #expect(event?["explanation"]?.contains("offlineMessages of 5") == true)
        // The other instance has its own.
        publish(harness.client("p", through: "B"), names[0], 1...9)
        #expect(back(harness, names[0], "B").takePayloads().count == 9)
        #expect(back(harness, names[0]).takePayloads() == ["1", "2", "3"])
        #expect(waiting(harness) == 2)
        #expect(back(harness, names[1]).takePayloads() == ["4", "5"])
        #expect(waiting(harness) == 0)
    }

    @Test func `a session with nothing in its queue gets none while others fill the instance`() {
        let harness = harness(1, LimitOverrides([.offlineMessages: 2]))
        for name in ["full", "late"] { leave(harness, name) }
        let publisher = harness.client("p", through: "A")
        publish(publisher, "full", 1...2)
        publish(publisher, "late", 1...1)
        #expect(harness.dropped(.queueFull) == 1)
        let late = back(harness, "late")
        #expect(late.takePayloads() == [])
        publish(publisher, "late", 2...2)
        #expect(late.takePayloads() == ["2"])
    }

    @Test func `what a connected client has not taken yet is not counted until it leaves`() {
        let harness = harness(1, LimitOverrides([.offlineMessages: 3]))
        let client = harness.client("slow", expiry: 100, through: "A") { $0.receiveMaximum = 1 }
        client.subscribe("to/slow", qos: .atLeastOnce)
        let publisher = harness.client("p", through: "A")
        publish(publisher, "slow", 1...6)
        #expect(waiting(harness) == 0)
        #expect(harness.dropped(.queueFull) == 0)
        client.lose()
        // The first one is under way.
        #expect(waiting(harness) == 5)
        publish(publisher, "slow", 7...7)
        #expect(waiting(harness) == 5)
        #expect(harness.dropped(.queueFull) == 1)
        let again = harness.client("slow", clean: false, expiry: 100, through: "A")
        #expect(again.takePayloads() == ["1", "3", "4", "5", "6", "7"])
        #expect(waiting(harness) == 0)
    }

    @Test func `the count comes down with the session's end, whatever ends it`() {
        let harness = harness(2, LimitOverrides([.offlineMessages: 100]))
        let publisher = harness.client("p", through: "A")
        let ends: [(String) -> Void] = [
            { harness.client($0, clean: true, through: "A").disconnect() },
            { name in
                harness.broker.postToAll(
                    .end(.a, clientID: name, .administrativeAction, explanation: "ended", endsSession: true)
                )
                harness.settle()
            },
            { _ in harness.advance(seconds: 1_000_001) },
        ]
        for (at, end) in ends.enumerated() {
            leave(harness, "c\(at)")
            publish(publisher, "c\(at)", 1...4)
            #expect(waiting(harness) == 4)
            end("c\(at)")
            #expect(waiting(harness) == 0)
        }
        leave(harness, "last")
        publish(publisher, "last", 1...4)
        instances.delete("A")
        harness.announceChange(of: .a)
        #expect(waiting(harness) == 0)
    }

    @Test func `messages of a group are counted where they wait`() {
        let harness = harness(1, LimitOverrides([.offlineMessages: 100]))
        let members = ["a", "b"].map { harness.client($0, expiry: 100, through: "A") { $0.receiveMaximum = 1 } }
        for member in members { member.subscribe("$share/g/to/x", qos: .atLeastOnce) }
        publish(harness.client("p", through: "A"), "x", 1...10)
        members[0].lose()
        #expect(waiting(harness) == 0)
        members[1].lose()
        // All but one, which is under way.
        #expect(waiting(harness) == 9)
        let again = harness.client("b", clean: false, expiry: 100, through: "A")
        #expect(Set(again.takePayloads()) == Set((1...10).map(String.init)))
        #expect(waiting(harness) == 0)
    }

    @Test func `a P2P message is counted as any other`() {
        let harness = harness(1, LimitOverrides([.offlineMessages: 2]))
        instances.change("A") { $0.policies.p2p = true }
        leave(harness, "dev")
        let sender = harness.client("p", expiry: 10, through: "A")
        for number in 1...3 as ClosedRange<UInt16> {
            sender.publish("t/p2p/dev", "\(number)", qos: .atLeastOnce, id: number)
        }
        #expect(waiting(harness) == 2)
        #expect(back(harness, "dev").takePayloads() == ["2", "3"])
    }

    @Test(arguments: [1, 2])
    func `after a restart what waits is counted, and what went stays gone`(shards: Int) throws {
        limit(LimitOverrides([.offlineMessages: 3]))
        let broker = try DurableBroker(shards: shards, instances: instances)
        let name = broker.harness.clientID(onShard: shards - 1)
        let client = broker.client(name, expiry: 1_000_000, through: "A")
        client.subscribe("to/\(name)", qos: .atLeastOnce)
        broker.commit()
        client.disconnect()
        publish(broker.client("p", through: "A"), name, 1...4)
        try broker.restart()
        #expect(waiting(broker.harness) == 3)
        publish(broker.client("p", through: "A"), name, 5...5)
        try broker.restart()
        #expect(waiting(broker.harness) == 3)
        let again = broker.client(name, clean: false, expiry: 1_000_000, through: "A")
        #expect(again.takePayloads() == ["3", "4", "5"])
        #expect(waiting(broker.harness) == 0)
    }

    // MARK: - Seconds

    @Test(arguments: [(59.0, true), (61.0, false)])
    func `a message that waited longer counts as expired when its turn comes`(seconds: Double, isDelivered: Bool) {
        let harness = harness(2, LimitOverrides([.offlineSeconds: 60]))
        for shard in 0..<2 {
            let name = harness.clientID(onShard: shard)
            leave(harness, name)
            leave(harness, name, "B")
            for id in ["A", "B"] { publish(harness.client("p", through: id), name, 1...1) }
            harness.advance(seconds: seconds)
            publish(harness.client("p", through: "A"), name, 2...2)
            #expect(back(harness, name).takePayloads() == (isDelivered ? ["1", "2"] : ["2"]))
            #expect(harness.dropped(.expired) == (isDelivered ? 0 : UInt64(shard) + 1))
            #expect(back(harness, name, "B").takePayloads() == ["1"])
        }
    }

    @Test func `the expiry that a 5.0 receiver sees is the publisher's alone`() {
        let harness = harness(1, LimitOverrides([.offlineSeconds: 60]))
        leave(harness, "c")
        let publisher = harness.client("p", through: "A")
        publisher.publish("to/c", "none", qos: .atLeastOnce, id: 1)
        publisher.publish("to/c", "long", qos: .atLeastOnce, id: 2) { $0.messageExpiryInterval = 1000 }
        publisher.publish("to/c", "short", qos: .atLeastOnce, id: 3) { $0.messageExpiryInterval = 20 }
        harness.advance(seconds: 30)
        let messages = back(harness, "c").takePublishes()
        #expect(messages.map(\.text) == ["none", "long"])
        #expect(messages.map(\.messageExpiryInterval) == [nil, 970])
    }

    @Test func `a retained message has no age, however long it waits`() {
        let harness = harness(1, LimitOverrides([.offlineSeconds: 60]))
        let publisher = harness.client("p", through: "A")
        for number in 1...3 as ClosedRange<UInt16> {
            publisher.publish("r/\(number)", "\(number)", qos: .atLeastOnce, id: number, retain: true)
        }
        harness.advance(seconds: 100)
        let client = harness.client("c", expiry: 1000, through: "A") { $0.receiveMaximum = 1 }
        client.subscribe("r/+", qos: .atLeastOnce)
        #expect(client.takePublishes().count == 1)
        client.acknowledge(.pubAck, 1)
        client.acknowledge(.pubAck, 2)
        #expect(client.takePublishes().count == 2)
        #expect(harness.dropped(.expired) == 0)
    }

    @Test func `what is under way is sent again, however old`() {
        let harness = harness(1, LimitOverrides([.offlineSeconds: 60]))
        let client = harness.client("c", expiry: 1000, through: "A")
        client.subscribe("to/c", qos: .atLeastOnce)
        publish(harness.client("p", through: "A"), "c", 1...1)
        client.lose()
        harness.advance(seconds: 100)
        #expect(back(harness, "c").takePayloads() == ["1"])
    }

    @Test func `the age goes on over a restart`() throws {
        limit(LimitOverrides([.offlineSeconds: 60]))
        let broker = try DurableBroker(instances: instances)
        let client = broker.client("c", expiry: 1_000_000, through: "A")
        client.subscribe("to/c", qos: .atLeastOnce)
        broker.commit()
        client.disconnect()
        publish(broker.client("p", through: "A"), "c", 1...1)
        broker.advance(seconds: 30)
        publish(broker.client("p", through: "A"), "c", 2...2)
        try broker.restart(after: 40)
        let again = broker.client("c", clean: false, expiry: 1_000_000, through: "A")
        #expect(again.takePayloads() == ["2"])
        #expect(broker.harness.dropped(.expired) == 1)
        again.acknowledge(.pubAck, 1)
        try broker.restart()
        #expect(broker.client("c", clean: false, expiry: 1_000_000, through: "A").takePayloads() == [])
    }

    @Test func `a lower limit holds for what waits already, 0 lifts it`() {
        for (seconds, expected) in [(10, []), (0, ["1"])] as [(Int, [String])] {
            let harness = harness(1, LimitOverrides([.offlineSeconds: 60]))
            leave(harness, "c")
            publish(harness.client("p", through: "A"), "c", 1...1)
            harness.advance(seconds: seconds == 0 ? 100 : 30)
            instances.change("A") { $0.limits.offlineSeconds = seconds }
            harness.announceChange(of: .a)
            #expect(back(harness, "c").takePayloads() == expected)
        }
    }
}
