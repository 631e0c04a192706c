import ApusMessage
import MQTTCodec
import Testing

@testable import ApusBroker

@Suite("A refusal says what was refused, to whom and why")
struct DenialTests {
    /// Everybody may do everything, except with topics that begin with `no`.
    private func harness(change: (inout BrokerConfiguration) -> Void = { _ in }) -> ShardHarness {
        let rights = ScriptedRights()
        rights.allowPublishing { _, topic in !topic.hasPrefix("no") }
        rights.allowSubscribing { _, filter in !filter.hasPrefix("no") }
        return ShardHarness(authorizer: rights, change: change)
    }

    private func subscribe(_ client: ScriptedClient, _ filters: [String]) -> SubAck? {
        let requests = filters.map { Subscribe.Request($0, SubscriptionOptions(qos: .atMostOnce)) }
        client.send(.subscribe(Subscribe(packetIdentifier: 7, requests: requests)))
        guard case .subAck(let answer)? = client.take(where: { $0.type == .subAck }) else { return nil }
        return answer
    }

    // MARK: - Publish

    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce])
    func `a refused publication names topic and user, on the wire and in the log`(qos: QoS) {
        let harness = harness()
        let client = harness.client("c") { $0.userName = "alice" }
        client.publish("no/a b", qos: qos, id: 3)
        let answer = client.takeAcknowledgements().first
        #expect(answer?.reasonCode == .notAuthorized)
        #expect(answer?.reasonString == "user `alice` may not publish to `no/a b`")
        let line = harness.events.fields(of: "publish.denied").first
        #expect(line?["client_id"] == "c")
        #expect(line?["user_name"] == "alice")
        #expect(line?["topic"] == "no/a b")
        #expect(line?["explanation"] == "user `alice` may not publish to `no/a b`")
    }

    @Test func `an anonymous client is called that, and $SYS is the broker's`() {
        let harness = harness()
        let client = harness.client("c")
        client.publish("no", qos: .atLeastOnce, id: 1)
        client.publish("$SYS/broker/x", qos: .atLeastOnce, id: 2)
        #expect(
            client.takeAcknowledgements().map(\.reasonString) == [
                "an anonymous client may not publish to `no`", "only the broker publishes to `$SYS/broker/x`",
            ]
        )
        #expect(harness.events.fields(of: "publish.denied").allSatisfy { $0["user_name"] == nil })
    }

    @Test func `a client that wants no problem information gets the code alone`() {
        let harness = harness()
        let client = harness.client("c") { $0.requestProblemInformation = false }
        client.publish("no", qos: .atLeastOnce, id: 1)
        let answer = client.takeAcknowledgements().first
        #expect(answer?.reasonCode == .notAuthorized)
        #expect(answer?.reasonString == nil)
        let subscribed = subscribe(client, ["no"])
        #expect(subscribed?.reasonCodes == [.notAuthorized])
        #expect(subscribed?.reasonString == nil)
        #expect(harness.events.names.filter { $0.hasSuffix(".denied") }.count == 2)
    }

    @Test func `what has no answer stands in the log all the same`() {
        let harness = harness()
        let five = harness.client("five")
        five.publish("no")
        harness.client("three", .v3_1_1) { $0.userName = "bob" }.publish("no", qos: .atLeastOnce, id: 1)
        let lines = harness.events.fields(of: "publish.denied")
        #expect(lines.map { $0["client_id"] } == ["five", "three"])
        #expect(lines.last?["user_name"] == "bob")
    }

    @Test func `a will without the right names its topic`() {
        let harness = harness()
        let client = harness.client("c") {
            $0.userName = "alice"
            $0.will = Will(topic: "no/will", payload: [])
        }
        #expect(client.connAck?.reasonString == "the will: user `alice` may not publish to `no/will`")
    }

    @Test func `of a long topic a part is told`() throws {
        let harness = harness()
        let client = harness.client("c")
        // Two bytes each, so that the cut must mind characters.
        client.publish("nox" + String(repeating: "é", count: 20_000), qos: .atLeastOnce, id: 1)
        let reason = try #require(client.takeAcknowledgements().first?.reasonString)
        #expect(reason.utf8.count < 300)
        #expect(reason.contains("éé…`"))
        #expect(!reason.unicodeScalars.contains("\u{FFFD}"))
        let line = try #require(harness.events.fields(of: "publish.denied").first)
        #expect(line["topic"].map { $0.utf8.count < 300 } == true)
    }

    @Test func `a flood of refusals is not a flood of the log`() {
        let harness = harness()
        let client = harness.client("c")
        for _ in 0..<100 { client.publish("no") }
        #expect((1...10).contains(harness.events.fields(of: "publish.denied").count))
        harness.advance(seconds: 1.5)
        client.publish("no")
        #expect(harness.events.fields(of: "publish.denied").last?["suppressed_before"] != nil)
    }

    // MARK: - Subscribe

    @Test func `a refused filter is named with its user, and the others of the packet hold`() {
        let harness = harness()
        let client = harness.client("c") { $0.userName = "alice" }
        let answer = subscribe(client, ["yes/#", "no/#", "$share/g/no/+"])
        #expect(answer?.reasonCodes == [.success, .notAuthorized, .notAuthorized])
        #expect(
            answer?.reasonString
                == "user `alice` may not subscribe to `no/#`; user `alice` may not subscribe to `$share/g/no/+`"
        )
        let lines = harness.events.fields(of: "subscribe.denied")
        #expect(lines.map { $0["filter"] } == ["no/#", "$share/g/no/+"])
        #expect(lines.allSatisfy { $0["client_id"] == "c" && $0["user_name"] == "alice" })
        harness.client("p").publish("yes/x", "here")
        #expect(client.takePayloads() == ["here"])
    }

    @Test func `limits are told as limits`() {
        let harness = harness {
            $0.limits.subscriptionsPerClient = 1
            $0.limits.topicLevels = 3
            $0.limits.topicBytes = 20
        }
        let client = harness.client("c")
        let answer = subscribe(client, ["a/b/c/d", String(repeating: "x", count: 21), "a", "b", "a"])
        #expect(
            answer?.reasonCodes == [.topicFilterInvalid, .topicFilterInvalid, .success, .quotaExceeded, .success]
        )
        #expect(
            answer?.reasonString == """
                `a/b/c/d` has more than 3 levels; `xxxxxxxxxxxxxxxxxxxxx` is longer than 20 bytes; \
                the session is at its limit subscriptionsPerClient of 1
                """
        )
    }

    @Test func `of many refusals the first are told and the rest is counted`() {
        let harness = harness()
        let client = harness.client("c")
        let answer = subscribe(client, (1...10).map { "no\($0)" })
        #expect(answer?.reasonString?.hasSuffix("`no3`; and 7 more") == true)
    }

    @Test(.spec("MQTT-3.9.2-1"))
    func `a reason that would make the SUBACK too large is left out`() {
        let harness = harness()
        let client = harness.client("c") { $0.maximumPacketSize = 60 }
        let answer = subscribe(client, ["no/" + String(repeating: "x", count: 60)])
        #expect(answer?.reasonCodes == [.notAuthorized])
        #expect(answer?.reasonString == nil)
    }

    @Test(arguments: [ProtocolVersion.v3_1, .v3_1_1])
    func `before 5_0 only the log says why`(version: ProtocolVersion) {
        let harness = harness()
        let client = harness.client("c", version)
        _ = subscribe(client, ["no"])
        #expect(harness.events.fields(of: "subscribe.denied").count == 1)
    }
}
