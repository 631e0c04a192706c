import ApusMessage
import MQTTCodec
import Testing

@testable import ApusBroker

@Suite("What one client cannot do to the broker or to another")
struct TrustTests {
    @Test func `whoever does not read the answers to its pings is not read either`() {
        let harness = ShardHarness { $0.limits.outputBytesPerConnection = 1_000 }
        let client = harness.client("c")
        client.reads = false
        for _ in 0..<2_000 { client.send(.pingReq) }
        #expect(harness.isReadingPaused(client))
        // The harness, unlike the loop, delivers at once what fits the bound; nothing may come on top of it.
        #expect(harness.unsentBytes(client) <= 1_002)
        harness.resumeReading(client)
        #expect(!harness.isReadingPaused(client))
    }

    @Test(arguments: [ProtocolVersion.v3_1, .v3_1_1])
    func `a client that was told no Receive Maximum may exceed it`(version: ProtocolVersion) {
        let harness = ShardHarness { $0.limits.receiveMaximum = 3 }
        let client = harness.client("c", version)
        for id in 1...20 { client.publish("t", qos: .exactlyOnce, id: UInt16(id)) }
        #expect(!client.isClosed)
        #expect(client.takeAcknowledgements().count == 20)
    }

    @Test(arguments: [true, false])
    func `another user gets neither a session nor what waits in it`(clean: Bool) {
        let harness = ShardHarness()
        let alice = harness.client("c", expiry: 1_000) { $0.userName = "alice" }
        alice.subscribe("t", qos: .atLeastOnce)
        alice.lose()
        harness.client("p").publish("t", "for alice", qos: .atLeastOnce, id: 1)
        let bob = harness.client("c", clean: clean) { $0.userName = "bob" }
        #expect(bob.connAck?.reasonCode == .clientIdentifierNotValid)
        #expect(bob.isClosed)
        let again = harness.client("c", clean: false) { $0.userName = "alice" }
        #expect(again.connAck?.sessionPresent == true)
        #expect(again.takePayloads() == ["for alice"])
    }

    @Test func `another user cannot take over a live connection`() {
        let harness = ShardHarness()
        let alice = harness.client("c") { $0.userName = "alice" }
        let bob = harness.client("c") { $0.userName = "bob" }
        #expect(bob.connAck?.reasonCode == .clientIdentifierNotValid)
        #expect(!alice.isClosed)
    }

    @Test func `sessions are bounded, and those that exist stay usable`() {
        let harness = ShardHarness { $0.limits.sessions = 2 }
        harness.client("a", expiry: 100).lose()
        harness.client("b", expiry: 100).lose()
        #expect(harness.client("c").connAck?.reasonCode == .quotaExceeded)
        #expect(harness.client("a", clean: false).connAck?.sessionPresent == true)
    }

    @Test func `a will's topic keeps the limits of a topic`() {
        let harness = ShardHarness { $0.limits.topicLevels = 4 }
        let deep = harness.client("c") { $0.will = Will(topic: "a/b/c/d/e", payload: []) }
        #expect(deep.connAck?.reasonCode == .topicNameInvalid)
        let fine = harness.client("d") { $0.will = Will(topic: "a/b/c/d", payload: []) }
        #expect(fine.connAck?.reasonCode == .success)
    }

    @Test func `a violation is one line of the log for an operator`() {
        let harness = ShardHarness()
        let client = harness.client("c")
        client.send(bytes: [0x36, 0x00])
        #expect(harness.events.fields(of: "packet.rejected").count == 1)
        #expect(client.isClosed)
    }

    @Test func `denied filters do not flood the log`() {
        let rights = ScriptedRights()
        rights.allowSubscribing { _, _ in false }
        let harness = ShardHarness(authorizer: rights)
        let client = harness.client("c")
        for _ in 0..<100 { #expect(client.subscribe("t") == .notAuthorized) }
        #expect((1...10).contains(harness.events.fields(of: "subscribe.denied").count))
    }

    @Test(.spec("MQTT-3.10.4-2")) func `after UNSUBSCRIBE no retained message follows`() {
        let harness = ShardHarness { $0.limits.outputBytesPerConnection = 2_000 }
        let publisher = harness.client("p")
        for index in 0..<500 { publisher.publish("r/\(index)", "x", retain: true) }
        let client = harness.client("c")
        client.reads = false
        client.subscribe("r/#")
        client.send(.unsubscribe(Unsubscribe(packetIdentifier: 7, topicFilters: ["r/#"])))
        harness.resumeReading(client)
        let all = client.takeAll()
        let unsubAck = all.firstIndex { $0.type == .unsubAck }
        let lastPublish = all.lastIndex { $0.type == .publish }
        #expect(unsubAck != nil)
        #expect((lastPublish ?? -1) < (unsubAck ?? -1))
        #expect(all.count { $0.type == .publish } < 500)
    }

    @Test func `a subscription whose SUBACK does not fit ends the connection`() {
        let harness = ShardHarness()
        let client = harness.client("c") { $0.maximumPacketSize = 60 }
        let requests = (0..<80).map { Subscribe.Request("t\($0)", SubscriptionOptions(qos: .atMostOnce)) }
        client.send(.subscribe(Subscribe(packetIdentifier: 1, requests: requests)))
        #expect(client.isClosed)
        #expect(client.takeDisconnect()?.reasonCode == .packetTooLarge)
    }

    @Test func `what waited for a client goes with its right to read it`() {
        let rights = ScriptedRights()
        let harness = ShardHarness(authorizer: rights)
        let client = harness.client("c", expiry: 1_000)
        client.subscribe("secret/#", qos: .atLeastOnce)
        client.lose()
        harness.client("p").publish("secret/plan", "x", qos: .atLeastOnce, id: 1)
        rights.allowSubscribing { _, filter in !filter.hasPrefix("secret") }
        #expect(harness.client("c", clean: false).takePayloads().isEmpty)
        #expect(harness.dropped(.notAuthorized) == 1)
    }

    @Test(.spec("MQTT-1.5.4-1")) func `client ids and share names are compared by their bytes`() {
        let harness = ShardHarness()
        let composed = harness.client("caf\u{E9}")
        let decomposed = harness.client("cafe\u{301}")
        #expect(!composed.isClosed && !decomposed.isClosed)
        #expect(harness.sessionCount == 2)
        composed.subscribe("$share/\u{E9}/t")
        decomposed.subscribe("$share/e\u{301}/t")
        harness.client("p").publish("t")
        #expect(composed.takePublishes().count == 1)
        #expect(decomposed.takePublishes().count == 1)
    }

    @Test(arguments: ["$SYS", "$SYS/x", "$SYS/\u{301}x", "$SYS/\u{200D}x"])
    func `nobody publishes beneath $SYS`(topic: String) {
        let harness = ShardHarness()
        let client = harness.client("c")
        client.publish(topic, qos: .atLeastOnce, id: 1)
        #expect(client.takeAcknowledgements().first?.reasonCode == .notAuthorized)
        #expect(harness.client("w") { $0.will = Will(topic: topic, payload: []) }.connAck?.reasonCode == .notAuthorized)
    }

    @Test(arguments: [("$share/g/a", "$share/h/a"), ("a", "$share/g/a"), ("$share/\u{E9}/a", "$share/e\u{301}/a")])
    func `filters that differ in their bytes are different subscriptions`(pair: (String, String)) {
        let harness = ShardHarness()
        let client = harness.client("c")
        client.subscribe(pair.0)
        client.send(.unsubscribe(Unsubscribe(packetIdentifier: 1, topicFilters: [pair.1])))
        guard case .unsubAck(let answer)? = client.take(where: { $0.type == .unsubAck }) else {
            Issue.record("no UNSUBACK")
            return
        }
        #expect(answer.reasonCodes == [.noSubscriptionExisted])
    }
}
