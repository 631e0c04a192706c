import ApusMemory
import ApusMessage
import MQTTCodec
import Testing

@testable import ApusBroker

/// What does not reach a client stands in the trace, with its reason.
@Suite("Drops in the trace")
struct DropTraceTests {
    private let instances = ScriptedInstances(["A"])

    private func harness(_ limits: LimitOverrides = LimitOverrides(), queue: Int = 10) -> ShardHarness {
        instances.change("A") {
            $0.policies = Policies(.standard)
            $0.limits = InstanceLimits(.standard, limits)
        }
        return ShardHarness(instances: instances) {
            $0.traceEvents = 1_000
            $0.limits.queuedMessagesPerSession = queue
        }
    }

    private func away(_ harness: ShardHarness, _ name: String = "away") {
        let client = harness.client(name, expiry: 100, through: "A")
        client.subscribe("t/#", qos: .atLeastOnce)
        client.disconnect()
    }

    private func publish(_ harness: ShardHarness, _ count: Int) {
        let client = harness.client("p", through: "A")
        for id in 1...count { client.publish("t/\(id)", "m", qos: .atLeastOnce, id: PacketIdentifier(id)) }
    }

    /// The messages that were dropped, by the number that their publishing got, and why.
    private func drops(_ harness: ShardHarness) -> [(place: Int, clientID: String, reason: DropReason?)] {
        let all = Set(TraceEvent.Kind.allCases)
        let query = TraceQuery(instance: .a, kinds: all, from: 0, until: .max, limit: 1)
        let entries = harness.shards[0].trace.slice(of: TraceSelection(query, number: nil), from: 0, until: nil).entries
        let published = entries.filter { $0.kind == .published }.map(\.number)
        return entries.filter { $0.kind == .dropped }.map { entry in
            ((published.firstIndex(of: entry.number) ?? -1) + 1, entry.clientID, entry.drop)
        }
    }

    @Test func `the oldest that goes from a full queue is named`() {
        let harness = harness(queue: 3)
        away(harness)
        publish(harness, 5)
        let drops = drops(harness)
        // The message that pushes another out is published after that in the trace: both stand there.
        #expect(drops.map(\.place) == [1, 2])
        #expect(drops.allSatisfy { $0.clientID == "away" && $0.reason == .queueFull })
        #expect(harness.dropped(.queueFull) == 2)
    }

    @Test
    func `a message that finds the instance full and no other of its session is dropped itself, and that is said`() {
        let harness = harness(LimitOverrides([.offlineMessages: 2]))
        away(harness, "first")
        publish(harness, 2)
        away(harness, "second")
        let client = harness.client("q", through: "A")
        client.publish("t/x", "m", qos: .atLeastOnce, id: 1)
        let reasons = drops(harness).filter { $0.clientID == "second" }
        #expect(reasons.map(\.reason) == [.queueFull])
        let sentences = harness.events.fields(of: "message.dropped").compactMap { $0["explanation"] }
        #expect(sentences.contains { $0.contains("offlineMessages of 2") })
    }

    @Test func `what waits for a session goes with it, each message by name`() {
        let harness = harness()
        away(harness)
        publish(harness, 3)
        instances.delete("A")
        harness.announceChange(of: .a)
        let drops = drops(harness)
        #expect(drops.map(\.place) == [1, 2, 3])
        #expect(drops.allSatisfy { $0.clientID == "away" && $0.reason == .sessionEnded })
        #expect(harness.dropped(.sessionEnded) == 3)
    }
}
