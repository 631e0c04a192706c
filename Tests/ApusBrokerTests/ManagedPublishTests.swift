import ApusLocks
import ApusMemory
import ApusMessage
import MQTTCodec
import Testing

@testable import ApusBroker

/// What management publishes is bound by what binds clients.
@Suite("Publishing through management")
struct ManagedPublishTests {
    private let instances = ScriptedInstances(["A"])

    private func harness(
        _ limits: LimitOverrides = LimitOverrides(),
        change: (inout BrokerConfiguration) -> Void = { _ in },
    ) -> ShardHarness {
        instances.change("A") { $0.limits = InstanceLimits(.standard, limits) }
        return ShardHarness(instances: instances, change: change)
    }

    private func publish(
        _ harness: ShardHarness,
        _ topic: String,
        _ payload: String = "m",
        qos: QoS = .atLeastOnce,
        retain: Bool = false,
    ) -> PublishReport.Outcome? {
        let outcome = Guarded<PublishReport.Outcome?>(nil)
        let answer = Answer(outcome: outcome)
        let message = ManagedPublish(
            instance: .a,
            topic: topic,
            payload: Array(payload.utf8),
            qos: qos,
            retain: retain,
            sender: "api/key"
        )
        harness.shards[0].publish(message) { report in answer.outcome.withLock { $0 = report.outcome } }
        harness.settle()
        return answer.outcome.withLock { $0 }
    }

    private final class Answer: Sendable {
        let outcome: Guarded<PublishReport.Outcome?>
        init(outcome: consuming Guarded<PublishReport.Outcome?>) { self.outcome = outcome }
    }

    @Test func `the rate of the instance counts for it, and is back in the next second`() {
        let harness = harness(LimitOverrides([.publishPerSecond: 3]))
        let outcomes = (0..<5).map { publish(harness, "t/\($0)") }
        #expect(outcomes[..<3].allSatisfy { $0 == .nobody })
        for outcome in outcomes[3...] {
            guard case .throttled(let why) = outcome else {
                Issue.record("not throttled: \(String(describing: outcome))")
                continue
            }
            #expect(why.contains("publishPerSecond of 3"))
        }
        harness.advance(seconds: 1.2)
        #expect(publish(harness, "t") == .nobody)
    }

    @Test func `a topic longer or deeper than clients may name is refused, naming the limit`() {
        let harness = harness {
            $0.limits.topicBytes = 20
            $0.limits.topicLevels = 3
        }
        #expect(publish(harness, "a/b/c") == .nobody)
        guard case .forbidden(let deep) = publish(harness, "a/b/c/d") else { return _ = Issue.record("too deep") }
        #expect(deep.contains("limits.topicLevels of 3"))
        guard case .forbidden(let long) = publish(harness, String(repeating: "x", count: 21)) else {
            return _ = Issue.record("too long")
        }
        #expect(long.contains("limits.topicBytes is 20"))
    }

    @Test func `a QoS above that of the instance is refused`() {
        let harness = harness()
        instances.change("A") { $0.policies.maximumQoS = .atLeastOnce }
        harness.announceChange(of: .a)
        #expect(publish(harness, "t", qos: .atLeastOnce) == .nobody)
        guard case .forbidden(let why) = publish(harness, "t", qos: .exactlyOnce) else {
            return _ = Issue.record("QoS 2 was taken")
        }
        #expect(why.contains("maximumQoS is 1"))
    }

    @Test func `a message that cannot be retained is refused as a whole, and what was retained stays`() {
        let harness = harness(LimitOverrides([.retainedMessages: 1]))
        let client = harness.client("c", through: "A")
        client.subscribe("#")
        #expect(publish(harness, "one", "1", retain: true) == .accepted)
        guard case .refused(let why) = publish(harness, "two", "2", retain: true) else {
            return _ = Issue.record("it was taken")
        }
        #expect(why.contains("retainedMessages of 1"))
        #expect(publish(harness, "one", "3", retain: true) == .accepted)
        #expect(client.takePayloads() == ["1", "3"])
        #expect(harness.broker.instance(.a).retained.count == 1)
        #expect(harness.dropped(.retainedFull) == 1)
        #expect(publish(harness, "one", "", retain: true) == .accepted)
        #expect(publish(harness, "two", "2", retain: true) == .accepted)
    }
}
