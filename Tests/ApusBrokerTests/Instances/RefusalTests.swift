import ApusMemory
import ApusMessage
import MQTTCodec
import Testing

@testable import ApusBroker

/// Which instance has refused a CONNECT, and where that is told.
@Suite("Refusals of an instance")
struct RefusalTests {
    private static let wrong = AuthenticationOutcome.refused(
        .badUserNameOrPassword,
        explanation: "unknown user",
        clientExplanation: "no"
    )

    private func harness(_ outcome: AuthenticationOutcome = wrong) -> ShardHarness {
        ShardHarness(
            authenticator: AnswersAtOnce(outcome: outcome),
            instances: ScriptedInstances(["A", "off"], stopped: ["off"]),
            change: { $0.traceEvents = 100 },
        )
    }

    private func traced(_ harness: ShardHarness, _ instance: InstanceNumber) -> [TraceEvent] {
        let query = TraceQuery(instance: instance, kinds: [.refused], from: 0, until: .max, limit: 100)
        return harness.shards[0].trace.slice(of: TraceSelection(query, number: nil), from: 0, until: nil).entries
            .map { TraceEvent($0, epoch: 0) }
    }

    @Test func `client, log and trace learn which instance has decided, and the latter two how it was chosen`() {
        let harness = harness()
        #expect(
            harness.connect("c", through: "A").takeConnAck()?.reasonString == "no; instance `A` has decided"
        )
        let sentence = "unknown user; instance `A` has decided: listener `A` belongs to it"
        #expect(harness.events.fields(of: "client.refused").map { $0["explanation"] } == [sentence])
        #expect(traced(harness, .a).map(\.explanation) == [sentence])
    }

    @Test func `where the user name names the instance nothing is added`() {
        let harness = harness()
        let client = harness.connect("c", through: "A") { $0.userName = "Signature|k|A" }
        #expect(client.takeConnAck()?.reasonString == "no")
        #expect(harness.events.fields(of: "client.refused").map { $0["explanation"] } == ["unknown user"])
    }

    @Test(arguments: [ReasonCode.serverBusy, .serverUnavailable, .connectionRateExceeded])
    func `what has nothing to do with the instance does not name it`(code: ReasonCode) {
        let harness = harness(.refused(code, explanation: "later"))
        #expect(harness.connect("c", through: "A").takeConnAck()?.reasonString == "later")
        let detail = code == .connectionRateExceeded ? "too many failed logins" : "closed by broker"
        #expect(traced(harness, .a).map(\.detail) == [detail])
    }

    @Test func `the trace of a stopped instance has the refusal of who named it`() {
        let harness = harness()
        let client = harness.connect("c", through: "off")
        #expect(client.takeConnAck()?.reasonString == "the instance takes no connections")
        let events = traced(harness, .b)
        #expect(events.map(\.explanation) == ["`off` is stopped"] && events.map(\.clientID) == ["c"])
        #expect(events.map(\.detail) == ["not authorized"])
        #expect(harness.events.fields(of: "client.refused").first?["instance"] == "off")
        client.lose()
        #expect(harness.connectionCount == 0)
    }

    @Test func `nobody's trace has the refusal of who named an instance that is not there`() {
        let harness = harness()
        _ = harness.connect("c", through: "none")
        #expect(traced(harness, .a).isEmpty && traced(harness, .b).isEmpty)
    }
}
