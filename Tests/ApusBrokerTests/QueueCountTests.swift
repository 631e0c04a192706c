import ApusMemory
import ApusMessage
import MQTTCodec
import Testing

@testable import ApusBroker

/// The simulation holds the same counters against a scan, whatever happens; here are the steps by themselves.
@Suite("Counts of what waits and is under way")
struct QueueCountTests {
    private let harness = ShardHarness { $0.limits.inFlightMessages = 2 }

    private var counters: Counters { harness.shards[0].currentCounters }

    @Test func `what waits for a client moves from away to connected, and goes when it was acknowledged`() {
        let client = harness.client("c", expiry: 100)
        client.subscribe("t", qos: .atLeastOnce)
        client.lose()
        let publisher = harness.client("p")
        for id in 1...5 { publisher.publish("t", "m", qos: .atLeastOnce, id: PacketIdentifier(id)) }
        #expect(counters.queuedMessages == 5)
        #expect(counters.queuedAway == 5)
        #expect(counters.queuedBytes > 0)
        #expect(counters.inFlight == 0)
        let again = harness.client("c", clean: false, expiry: 100)
        #expect(counters.queuedMessages == 3)
        #expect(counters.queuedAway == 0)
        #expect(counters.inFlight == 2)
        for id in 1...5 { again.acknowledge(.pubAck, PacketIdentifier(id)) }
        #expect(counters.queuedMessages == 0)
        #expect(counters.queuedBytes == 0)
        #expect(counters.inFlight == 0)
    }

    @Test func `a session that ends takes with it what waited and was under way`() {
        let client = harness.client("c", expiry: 100)
        client.subscribe("t", qos: .exactlyOnce)
        let publisher = harness.client("p")
        for id in 1...5 {
            publisher.publish("t", "m", qos: .exactlyOnce, id: PacketIdentifier(id))
            publisher.acknowledge(.pubRel, PacketIdentifier(id))
        }
        #expect(counters.inFlight == 2)
        #expect(counters.queuedMessages == 3)
        client.acknowledge(.pubRec, 1)
        #expect(counters.inFlight == 2)
        client.acknowledge(.pubComp, 1)
        #expect(counters.inFlight == 2)
        #expect(counters.queuedMessages == 2)
        client.lose()
        #expect(counters.inFlight == 2)
        #expect(counters.queuedAway == 2)
        _ = harness.client("c", clean: true)
        #expect(counters.inFlight == 0)
        #expect(counters.queuedAway == 0)
        #expect(counters.queuedMessages == 0)
        #expect(counters.queuedBytes == 0)
    }
}

@Suite("Time of messages through the broker")
struct TickMeasureTests {
    private func isMeasured(_ shard: Int, _ harness: ShardHarness) -> Bool { harness.shards[shard].isTickMeasured }

    private func durations(_ shard: Int, _ harness: ShardHarness) -> DurationHistogram {
        harness.shards[shard].counters.deliveryDurations
    }

    @Test func `a tick that was measured and sent something is counted once`() {
        let harness = ShardHarness()
        let client = harness.client("c")
        client.subscribe("t")
        harness.shards[0].tickBegan(at: 1_000_000)
        #expect(!isMeasured(0, harness))
        for _ in 0..<3 { client.publish("t", "m") }
        #expect(isMeasured(0, harness))
        harness.shards[0].tickSent(at: 1_500_000)
        #expect(durations(0, harness).count == 1)
        #expect(durations(0, harness).sum == 500_000)
        harness.shards[0].tickBegan(at: nil)
        client.publish("t", "m")
        #expect(!isMeasured(0, harness))
    }

    @Test func `a message for another shard counts from when the first began to read`() throws {
        let harness = ShardHarness(shards: 2)
        let names = (0..<64).map { "c\($0)" }
        let one = try #require(names.first { harness.broker.homeShard(of: $0) == 0 })
        let other = try #require(names.first { harness.broker.homeShard(of: $0) == 1 })
        harness.client(other).subscribe("t")
        let publisher = harness.client(one)
        harness.shards[0].tickBegan(at: 1_000)
        harness.shards[1].tickBegan(at: nil)
        publisher.publish("t", "m")
        #expect(!isMeasured(0, harness))
        #expect(isMeasured(1, harness))
        harness.shards[1].tickSent(at: 31_000)
        #expect(durations(1, harness).sum == 30_000)
    }
}
