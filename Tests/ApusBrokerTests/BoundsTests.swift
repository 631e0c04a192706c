import ApusMemory
import ApusMessage
import ApusTopics
import MQTTCodec
import Testing

@testable import ApusBroker

@Suite("Slow consumers and full queues")
struct BoundsTests {
    @Test(arguments: [0, 1])
    func `past the output bound QoS 0 is dropped and counted, QoS 1 waits and comes in order`(shard: Int) {
        let bound = 5_000
        let harness = ShardHarness(shards: 2) { $0.limits.outputBytesPerConnection = bound }
        let slow = harness.client(harness.clientID(onShard: shard))
        slow.subscribe("t", qos: .atLeastOnce)
        slow.reads = false
        let publisher = harness.client(harness.clientID(onShard: 0, "p"))
        let payload = String(repeating: "x", count: 90)
        for index in 0..<200 {
            publisher.publish("t", "\(index) \(payload)", qos: .atLeastOnce, id: 1)
            publisher.publish("t", "zero \(payload)")
            #expect(harness.unsentBytes(slow) < bound + 200)
        }
        #expect(!slow.isClosed)
        harness.resumeReading(slow)
        let got = slow.takePublishes()
        #expect(got.filter { $0.qos == .atLeastOnce }.map(\.text) == (0..<200).map { "\($0) \(payload)" })
        let zeros = got.count { $0.qos == .atMostOnce }
        #expect(zeros < 60)
        #expect(harness.dropped(.slowConsumer) == UInt64(200 - zeros))
    }

    @Test func `a client that reads little by little gets everything in order`() {
        let harness = ShardHarness { $0.limits.outputBytesPerConnection = 1_000 }
        let slow = harness.client("s")
        slow.subscribe("t", qos: .exactlyOnce)
        slow.reads = false
        let publisher = harness.client("p")
        for index in 0..<100 { publisher.publish("t", "\(index)", qos: .atLeastOnce, id: 1) }
        var got: [String] = []
        for _ in 0..<2_000 {
            harness.read(slow, limit: 7)
            for publish in slow.takePublishes() {
                got.append(publish.text)
                slow.acknowledge(.pubAck, publish.packetIdentifier)
            }
        }
        #expect(got == (0..<100).map { "\($0)" })
    }

    @Test func `a full queue drops its oldest message, counts it and says so once in a while`() {
        let harness = ShardHarness { $0.limits.queuedMessagesPerSession = 10 }
        let client = harness.client("c", expiry: 100)
        client.subscribe("t", qos: .atLeastOnce)
        client.lose()
        let publisher = harness.client("p")
        for index in 0..<25 { publisher.publish("t", "\(index)", qos: .atLeastOnce, id: 1) }
        #expect(harness.dropped(.queueFull) == 15)
        let events = harness.events.fields(of: "message.dropped")
        #expect((1...5).contains(events.count))
        #expect(events.first?["client_id"] == "c")
        #expect(events.first?["reason"] == "queue_full")
        #expect(harness.client("c", clean: false).takePayloads() == (15..<25).map { "\($0)" })
    }

    @Test func `what a burst of drops leaves out is told when it is over, and once`() {
        let harness = ShardHarness { $0.limits.queuedMessagesPerSession = 10 }
        let client = harness.client("c", expiry: 100)
        client.subscribe("t", qos: .atLeastOnce)
        client.lose()
        let publisher = harness.client("p")
        for index in 0..<110 { publisher.publish("t", "\(index)", qos: .atLeastOnce, id: 1) }
        #expect(harness.events.fields(of: "message.dropped").count == 5)
        harness.advance(seconds: 10)
        let lines = harness.events.fields(of: "message.dropped")
        #expect(lines.count == 6)
        #expect(lines.last?["suppressed"] == "95")
        #expect(lines.last?["reason"] == "queue_full")
    }

    @Test func `a burst that goes on tells itself what it left out before`() {
        let harness = ShardHarness { $0.limits.queuedMessagesPerSession = 10 }
        let client = harness.client("c", expiry: 100)
        client.subscribe("t", qos: .atLeastOnce)
        client.lose()
        let publisher = harness.client("p")
        for _ in 0..<50 {
            for _ in 0..<10 { publisher.publish("t", "x", qos: .atLeastOnce, id: 1) }
            harness.advance(seconds: 0.1)
        }
        harness.advance(seconds: 10)
        let lines = harness.events.fields(of: "message.dropped")
        let summaries = lines.compactMap { $0["suppressed"].flatMap { Int($0) } }
        let before = lines.compactMap { $0["suppressed_before"].flatMap { Int($0) } }
        #expect(summaries.count == 1)
        #expect(lines.count - 1 + summaries.reduce(0, +) + before.reduce(0, +) == 490)
    }

    @Test func `a shutdown tells what was left out`() {
        let harness = ShardHarness { $0.limits.queuedMessagesPerSession = 10 }
        let client = harness.client("c", expiry: 100)
        client.subscribe("t", qos: .atLeastOnce)
        client.lose()
        let publisher = harness.client("p")
        for _ in 0..<110 { publisher.publish("t", "x", qos: .atLeastOnce, id: 1) }
        harness.shards[0].beginShutdown()
        #expect(harness.events.fields(of: "message.dropped").last?["suppressed"] == "95")
    }

    @Test func `the bytes of a queue are bounded too`() {
        let harness = ShardHarness { $0.limits.queuedBytesPerSession = 5_000 }
        let client = harness.client("c", expiry: 100)
        client.subscribe("t", qos: .atLeastOnce)
        client.lose()
        let publisher = harness.client("p")
        let payload = String(repeating: "x", count: 1_000)
        for _ in 0..<20 { publisher.publish("t", payload, qos: .atLeastOnce, id: 1) }
        let got = harness.client("c", clean: false).takePublishes().count
        #expect((1...4).contains(got))
        #expect(harness.dropped(.queueFull) == UInt64(20 - got))
    }

    @Test func `reading from a publisher pauses while another shard is behind`() {
        let harness = ShardHarness(shards: 2) { $0.limits.shardBacklogBytes = 2_000 }
        let subscriber = harness.client(harness.clientID(onShard: 1))
        subscriber.subscribe("t")
        let publisher = harness.client(harness.clientID(onShard: 0))
        var bytes: [UInt8] = []
        Packet.publish(Publish(topic: "t", payload: [UInt8](repeating: 0, count: 900))).encode(
            into: &bytes,
            version: .v5
        )
        harness.shards[0].received(publisher.slot, (bytes + bytes + bytes).span)
        #expect(!harness.isReadingPaused(publisher))
        var letters: [ShardMail] = []
        while let mail = harness.shards[0].takeOutgoing(for: 1) { letters.append(mail) }
        harness.shards[0].received(publisher.slot, bytes.span)
        #expect(harness.isReadingPaused(publisher))
        for mail in letters { harness.shards[1].receive(mail) }
        harness.settle()
        #expect(!harness.isReadingPaused(publisher))
        #expect(subscriber.takePublishes().count == 4)
    }

    @Test func `a connection that goes while it is paused leaves nothing behind`() {
        let harness = ShardHarness(shards: 2) { $0.limits.shardBacklogBytes = 1 }
        harness.client(harness.clientID(onShard: 1)).subscribe("t")
        let publisher = harness.client(harness.clientID(onShard: 0))
        var bytes: [UInt8] = []
        Packet.publish(Publish(topic: "t", payload: [1])).encode(into: &bytes, version: .v5)
        harness.shards[0].received(publisher.slot, bytes.span)
        var letters: [ShardMail] = []
        while let mail = harness.shards[0].takeOutgoing(for: 1) { letters.append(mail) }
        harness.shards[0].received(publisher.slot, bytes.span)
        #expect(harness.isReadingPaused(publisher))
        publisher.lose()
        for mail in letters { harness.shards[1].receive(mail) }
        harness.settle()
        #expect(harness.pausedCount(0) == 0)
        #expect(harness.client(harness.clientID(onShard: 0)).connAck?.reasonCode == .success)
    }
}
