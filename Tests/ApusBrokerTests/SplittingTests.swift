import ApusMemory
import ApusMessage
import ApusTopics
import MQTTCodec
import Testing

@testable import ApusBroker

@Suite("Bytes that come in pieces")
struct SplittingTests {
    /// Two clients that use every packet there is; what both receive.
    private func conversation(_ version: ProtocolVersion, cut: @escaping ([UInt8]) -> [[UInt8]]) -> [Packet] {
        let harness = ShardHarness(shards: 2)
        harness.cut = cut
        let one = harness.client(harness.clientID(onShard: 1), version, clean: false, expiry: 100) {
            $0.keepAliveSeconds = 30
            $0.userName = "user"
            $0.password = [1, 2, 3]
            $0.will = Will(topic: "will", payload: [9], qos: .atLeastOnce)
        }
        let two = harness.client(harness.clientID(onShard: 0), version)
        var seen: [Packet] = [one, two].compactMap { $0.connAck.map(Packet.connAck) }
        let look = {
            seen += one.takeAll()
            seen += two.takeAll()
        }
        one.subscribe("a/+", qos: .exactlyOnce)
        two.subscribe("will", qos: .atLeastOnce)
        two.publish("a/zero", "0")
        two.publish("a/one", "1", qos: .atLeastOnce, id: 1)
        two.publish("a/two", String(repeating: "2", count: 200), qos: .exactlyOnce, id: 2)
        two.acknowledge(.pubRel, 2)
        look()
        one.acknowledge(.pubAck, 1)
        one.acknowledge(.pubRec, 2)
        one.acknowledge(.pubComp, 2)
        one.send(.pingReq, .pingReq)
        one.send(.unsubscribe(Unsubscribe(packetIdentifier: 8, topicFilters: ["a/+", "b"])))
        two.publish("a/b", "not wanted")
        look()
        one.lose()
        two.disconnect()
        look()
        return seen
    }

    @Test(arguments: ProtocolVersion.allCases)
    func `byte by byte brings the same answers`(version: ProtocolVersion) {
        let whole = conversation(version) { [$0] }
        #expect(whole.count == 13)
        #expect(conversation(version) { $0.map { [$0] } } == whole)
    }

    @Test(arguments: ProtocolVersion.allCases)
    func `each packet split at every byte brings the same answers`(version: ProtocolVersion) {
        let whole = conversation(version) { [$0] }
        for at in 1..<230 {
            let split = conversation(version) { bytes in
                at < bytes.count ? [Array(bytes[..<at]), Array(bytes[at...])] : [bytes]
            }
            guard split == whole else {
                Issue.record("split at \(at) the answers differ")
                return
            }
        }
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func `random pieces bring the same answers`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let whole = conversation(.v5) { [$0] }
        let split = conversation(.v5) { bytes in
            var pieces: [[UInt8]] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1...9, using: &random))
                pieces.append(Array(piece))
                rest = rest.dropFirst(piece.count)
            }
            return pieces
        }
        #expect(split == whole, "seed \(seed)")
    }

    @Test(arguments: ProtocolVersion.allCases)
    func `a conversation that breaks off at any byte leaves nothing behind`(version: ProtocolVersion) {
        var bytes: [UInt8] = []
        let connect = Connect(version: version, clientIdentifier: "c", will: Will(topic: "w", payload: [1]))
        Packet.connect(connect).encode(into: &bytes, version: version)
        let requests = [Subscribe.Request("#", SubscriptionOptions(qos: .exactlyOnce))]
        Packet.subscribe(Subscribe(packetIdentifier: 1, requests: requests)).encode(into: &bytes, version: version)
        let publish = Publish(topic: "t", payload: [1], qos: .exactlyOnce, packetIdentifier: 3)
        Packet.publish(publish).encode(into: &bytes, version: version)
        for end in 0...bytes.count {
            let harness = ShardHarness()
            let client = harness.open(version)
            client.send(bytes: Array(bytes[..<end]))
            client.lose()
            #expect(harness.connectionCount == 0)
            #expect(harness.sessionCount == 0)
            #expect(harness.usedBytes == 0)
            #expect(harness.broker.instance(.none).subscriptions.counts.subscriptions == 0)
        }
    }
}
