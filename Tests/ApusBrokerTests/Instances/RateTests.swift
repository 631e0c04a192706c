import ApusMessage
import MQTTCodec
import Testing

@testable import ApusBroker

/// `publishPerSecond` and `clientPublishPerSecond`: more is not read until the next second, and nothing is lost.
@Suite("Rates of an instance", .serialized)
struct RateTests {
    private let instances = ScriptedInstances(["A", "B"])

    private func harness(_ shards: Int = 1, _ limits: LimitOverrides) -> ShardHarness {
        instances.change("A") { $0.limits = InstanceLimits(.standard, limits) }
        return ShardHarness(shards: shards, instances: instances)
    }

    private func watcher(_ harness: ShardHarness) -> ScriptedClient {
        let watcher = harness.client("watcher", through: "A")
        watcher.subscribe("t", qos: .exactlyOnce)
        return watcher
    }

    /// The next second begins; timers are a little late.
    private func nextSecond(_ harness: ShardHarness) {
        harness.advance(seconds: Double(1000 - harness.now.milliseconds % 1000 + 200) / 1000)
    }

    /// All in one write, as a client that does not wait sends them.
    private func burst(_ client: ScriptedClient, _ numbers: ClosedRange<Int>, qos: QoS = .atMostOnce) {
        var bytes: [UInt8] = []
        for number in numbers {
            let id = qos == .atMostOnce ? 0 : PacketIdentifier(number)
            let publish = Publish(topic: "t", payload: Array("\(number)".utf8), qos: qos, packetIdentifier: id)
            Packet.publish(publish).encode(into: &bytes, version: client.version)
        }
        client.send(bytes: bytes)
    }

    @Test(arguments: [QoS.atMostOnce, .atLeastOnce], [ProtocolVersion.v3_1_1, .v5])
    func `a client's burst goes on in the following seconds, in order and whole`(qos: QoS, version: ProtocolVersion) {
        let harness = harness(1, LimitOverrides([.clientPublishPerSecond: 10]))
        let watcher = watcher(harness)
        let client = harness.client("c", version, through: "A")
        burst(client, 1...25, qos: qos)
        #expect(watcher.takePayloads() == (1...10).map(String.init))
        harness.advance(seconds: 0.9)
        #expect(watcher.takePayloads() == [])
        nextSecond(harness)
        #expect(watcher.takePayloads() == (11...20).map(String.init))
        nextSecond(harness)
        #expect(watcher.takePayloads() == (21...25).map(String.init))
        #expect(client.takeAcknowledgements().count == (qos == .atMostOnce ? 0 : 25))
        #expect(harness.counters.throttled == 2)
        let event = harness.events.fields(of: "client.throttled").first
        #expect(event?["limit"]?.contains("10") == true)
        #expect(!client.isClosed)
    }

    @Test func `one client's limit is not another's`() {
        let harness = harness(1, LimitOverrides([.clientPublishPerSecond: 3]))
        let watcher = watcher(harness)
        for name in ["a", "b"] { burst(harness.client(name, through: "A"), 1...5) }
        #expect(watcher.takePayloads().count == 6)
        burst(harness.client("c", through: "B"), 1...5)
        #expect(harness.counters.throttled == 2)
    }

    @Test(arguments: [1, 2, 3], [1, 10, 64, 1000])
    func `the instance's limit is used up whole, by one client as by many, and no further`(shards: Int, limit: Int) {
        for count in [1, 2, 7] {
            let harness = harness(shards, LimitOverrides([.publishPerSecond: limit]))
            let watcher = watcher(harness)
            let clients = (0..<count).map {
                harness.client(harness.clientID(onShard: $0 % shards, "c\($0)x"), through: "A")
            }
            let each = limit * 3 / count + 1
            for client in clients { burst(client, 1...each) }
            var total = 0
            for _ in 0..<2 {
                let came = watcher.takePayloads().count
                // What one shard has taken and not used is no other's in this second.
                let reserve = (shards - 1) * max(1, limit / (shards * 64))
                #expect(came <= limit)
                #expect(came >= limit - reserve)
                total += came
                nextSecond(harness)
            }
            harness.advance(seconds: 10)
            total += watcher.takePayloads().count
            #expect(total == each * count)
        }
    }

    @Test func `a throttled client's other packets wait with it, in order`() {
        let harness = harness(1, LimitOverrides([.clientPublishPerSecond: 1]))
        let client = harness.client("c", through: "A")
        burst(client, 1...2)
        client.send(.pingReq)
        #expect(client.takeAll().isEmpty)
        #expect(harness.isReadingPaused(client))
        nextSecond(harness)
        #expect(client.takeAll().map(\.type) == [.pingResp])
        #expect(!harness.isReadingPaused(client))
    }

    @Test func `reading is not paused before there is one too many`() {
        let harness = harness(1, LimitOverrides([.clientPublishPerSecond: 2]))
        let client = harness.client("c", through: "A")
        burst(client, 1...2)
        client.send(.pingReq)
        #expect(client.takeAll().map(\.type) == [.pingResp])
        #expect(harness.counters.throttled == 0)
    }

    @Test func `a packet in pieces is counted once`() {
        let harness = harness(1, LimitOverrides([.clientPublishPerSecond: 3]))
        harness.cut = { $0.map { [$0] } }
        let watcher = watcher(harness)
        let client = harness.client("c", through: "A")
        burst(client, 1...7)
        #expect(watcher.takePayloads() == ["1", "2", "3"])
        nextSecond(harness)
        #expect(watcher.takePayloads() == ["4", "5", "6"])
        nextSecond(harness)
        #expect(watcher.takePayloads() == ["7"])
    }

    @Test func `a throttled connection is not closed for its keep alive, nor taken for a ghost`() {
        instances.change("A") { $0.policies.duplicateClientID = .refuse }
        let harness = harness(1, LimitOverrides([.clientPublishPerSecond: 1]))
        let watcher = watcher(harness)
        let client = harness.client("c", through: "A") { $0.keepAliveSeconds = 5 }
        burst(client, 1...30)
        harness.advance(seconds: 20)
        #expect(!client.isClosed)
        #expect(harness.connect("c", through: "A").takeConnAck()?.reasonCode == .clientIdentifierNotValid)
        harness.advance(seconds: 12)
        #expect(!client.isClosed)
        #expect(watcher.takePayloads().count == 30)
        // From then on its silence counts again.
        harness.advance(seconds: 10)
        #expect(client.takeDisconnect()?.reasonCode == .keepAliveTimeout)
    }

    @Test func `it may be closed meanwhile, from either side`() {
        let harness = harness(1, LimitOverrides([.clientPublishPerSecond: 1]))
        let watcher = watcher(harness)
        let lost = harness.client("c", through: "A")
        burst(lost, 1...3)
        lost.lose()
        let ended = harness.client("d", through: "A")
        burst(ended, 1...3)
        let mail = ShardMail.end(.a, clientID: "d", .administrativeAction, explanation: "kicked", endsSession: true)
        harness.broker.postToAll(mail)
        harness.settle()
        #expect(ended.takeDisconnect()?.reasonCode == .administrativeAction)
        let fresh = harness.client("c", through: "A")
        harness.advance(seconds: 3)
        #expect(!fresh.isClosed)
        #expect(watcher.takePayloads() == ["1", "1"])
        #expect(harness.connectionCount == 2)
        #expect(harness.timerCount < 10)
    }

    @Test func `a DISCONNECT behind a burst comes after it`() {
        let harness = harness(1, LimitOverrides([.clientPublishPerSecond: 2]))
        let watcher = watcher(harness)
        let client = harness.client("c", through: "A") {
            $0.will = Will(topic: "t", payload: Array("will".utf8), qos: .atMostOnce)
        }
        burst(client, 1...5)
        client.disconnect()
        harness.advance(seconds: 5)
        #expect(watcher.takePayloads() == (1...5).map(String.init))
        #expect(client.isClosed)
    }

    @Test func `a limit that is lifted, or set, holds from the next second on`() {
        let harness = harness(1, LimitOverrides([.clientPublishPerSecond: 1]))
        let watcher = watcher(harness)
        let client = harness.client("c", through: "A")
        burst(client, 1...5)
        instances.change("A") { $0.limits.clientPublishPerSecond = 0 }
        harness.announceChange(of: .a)
        nextSecond(harness)
        #expect(watcher.takePayloads() == (1...5).map(String.init))
        instances.change("A") { $0.limits.publishPerSecond = 2 }
        harness.announceChange(of: .a)
        nextSecond(harness)
        burst(client, 1...5)
        #expect(watcher.takePayloads() == ["1", "2"])
    }

    @Test(arguments: [1, 2])
    func `a client that floods keeps no other out`(shards: Int) {
        let harness = harness(shards, LimitOverrides([.publishPerSecond: 10]))
        let quiet = (0..<3).map { harness.client(harness.clientID(onShard: $0 % shards, "quiet\($0)"), through: "A") }
        let watcher = harness.client("watcher", through: "A")
        watcher.subscribe("quiet")
        for flood in ["f", "g"] { burst(harness.client(flood, through: "A"), 1...1000) }
        for _ in 0..<5 {
            for client in quiet { client.publish("quiet") }
            nextSecond(harness)
            nextSecond(harness)
            #expect(watcher.takePayloads().count == 3)
        }
    }

    @Test func `connections to several shards share the second fairly enough that none starves`() {
        let harness = harness(2, LimitOverrides([.publishPerSecond: 100]))
        let watcher = harness.client("watcher", through: "B")
        _ = watcher
        let clients = (0..<4).map { harness.client(harness.clientID(onShard: $0 % 2, "c\($0)x"), through: "A") }
        let inside = self.watcher(harness)
        for client in clients { burst(client, 1...200) }
        harness.advance(seconds: 20)
        #expect(inside.takePayloads().count == 800)
        #expect(clients.allSatisfy { !$0.isClosed })
    }
}
