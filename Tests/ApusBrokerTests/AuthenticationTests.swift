import ApusMemory
import ApusMessage
import ApusTopics
import MQTTCodec
import Testing

@testable import ApusBroker

@Suite("Authentication and rights")
struct AuthenticationTests {
    // MARK: - An authenticator on another thread

    @Test func `bytes that came before the answer are processed after it`() async {
        let authenticator = AnswersLater()
        let harness = ShardHarness(shards: 2, authenticator: authenticator)
        let client = harness.connect("c")
        client.send(.pingReq)
        client.publish("t", qos: .atLeastOnce, id: 1)
        #expect(client.received.isEmpty)
        #expect(harness.isReadingPaused(client))
        await Task.detached { authenticator.acceptAll() }.value
        harness.settle()
        #expect(client.takeAll().map(\.type) == [.connAck, .pingResp, .pubAck])
        #expect(!harness.isReadingPaused(client))
    }

    @Test func `bytes that were read together with CONNECT are held`() {
        let authenticator = AnswersLater()
        let harness = ShardHarness(authenticator: authenticator)
        let client = harness.open()
        var bytes: [UInt8] = []
        Packet.connect(Connect(clientIdentifier: "c")).encode(into: &bytes, version: .v5)
        Packet.pingReq.encode(into: &bytes, version: .v5)
        client.send(bytes: bytes + [0xC0])
        authenticator.acceptAll()
        harness.settle()
        client.send(bytes: [0])
        #expect(client.takeAll().map(\.type) == [.connAck, .pingResp, .pingResp])
    }

    @Test func `a refusal closes and forgets what was held`() {
        let authenticator = AnswersLater()
        let harness = ShardHarness(authenticator: authenticator)
        let client = harness.connect("c")
        client.publish("t", retain: true)
        authenticator.refuseAll()
        harness.settle()
        #expect(client.takeAll().map(\.type) == [.connAck])
        #expect(client.isClosed)
        #expect(harness.broker.instance(.none).retained.count == 0)
    }

    @Test func `an answer for a connection that is gone harms nobody`() {
        let authenticator = AnswersLater()
        let harness = ShardHarness(authenticator: authenticator)
        harness.connect("c").lose()
        let other = harness.open()
        authenticator.acceptAll()
        harness.settle()
        #expect(other.received.isEmpty)
        #expect(harness.sessionCount == 0)
    }

    @Test func `an answer after the deadline comes too late`() {
        let authenticator = AnswersLater()
        let harness = ShardHarness(authenticator: authenticator)
        let client = harness.connect("c")
        harness.advance(seconds: 11)
        #expect(client.isClosed)
        let answer = client.takeConnAck()
        #expect(answer?.reasonCode.isError == true)
        authenticator.acceptAll()
        harness.settle()
        #expect(harness.sessionCount == 0)
    }

    @Test func `two that wait for the same client id end as a takeover`() {
        let authenticator = AnswersLater()
        let harness = ShardHarness(authenticator: authenticator)
        let first = harness.connect("c")
        let second = harness.connect("c")
        authenticator.acceptAll()
        harness.settle()
        #expect(first.isClosed)
        #expect(!second.isClosed)
        #expect(harness.sessionCount == 1)
    }

    // MARK: - Enhanced authentication

    private func toy(_ harness: ShardHarness, method: String = "TOY", data: [UInt8] = [7]) -> ScriptedClient {
        harness.connect("c") {
            $0.authenticationMethod = method
            $0.authenticationData = data
        }
    }

    private func auth(_ code: ReasonCode, _ data: [UInt8], method: String = "TOY") -> Packet {
        .auth(Auth(reasonCode: code, authenticationMethod: method, authenticationData: data))
    }

    private func takeAuth(_ client: ScriptedClient) -> Auth? {
        guard case .auth(let packet)? = client.take(where: { $0.type == .auth }) else { return nil }
        return packet
    }

    @Test(.spec("MQTT-4.12.0-2", "MQTT-4.12.0-3", "MQTT-4.12.0-5"))
    func `challenge and answer lead to CONNACK with the method and the last data`() {
        let harness = ShardHarness(authenticator: ToyAuthenticator())
        let client = toy(harness)
        let challenge = takeAuth(client)
        #expect(challenge?.reasonCode == .continueAuthentication)
        #expect(challenge?.authenticationMethod == "TOY")
        #expect(challenge?.authenticationData == [7])
        client.send(auth(.continueAuthentication, [8]))
        let answer = client.takeConnAck()
        #expect(answer?.reasonCode == .success)
        #expect(answer?.authenticationMethod == "TOY")
        #expect(answer?.authenticationData == [0xFF])
    }

    @Test(.spec("MQTT-4.12.0-1"))
    func `an unknown method is refused`() {
        let harness = ShardHarness(authenticator: ToyAuthenticator())
        let client = toy(harness, method: "OTHER")
        #expect(client.takeConnAck()?.reasonCode == .badAuthenticationMethod)
        #expect(client.isClosed)
    }

    @Test(.spec("MQTT-4.12.0-4"))
    func `a wrong answer is refused`() {
        let harness = ShardHarness(authenticator: ToyAuthenticator())
        let client = toy(harness)
        client.send(auth(.continueAuthentication, [9]))
        #expect(client.takeConnAck()?.reasonCode == .badUserNameOrPassword)
        #expect(client.isClosed)
        #expect(harness.sessionCount == 0)
        #expect(harness.events.fields(of: "client.refused").map { $0["user_name"] } == ["toy"])
    }

    @Test(.spec("MQTT-3.1.2-30"))
    func `nothing but AUTH and DISCONNECT may come in between`() {
        let harness = ShardHarness(authenticator: ToyAuthenticator())
        let client = toy(harness)
        client.send(.pingReq)
        #expect(client.takeConnAck()?.reasonCode == .protocolError)
        #expect(client.isClosed)
        let leaving = toy(harness)
        leaving.disconnect()
        #expect(leaving.isClosed)
        #expect(leaving.takeConnAck() == nil)
    }

    @Test func `another method in AUTH is a protocol error`() {
        let harness = ShardHarness(authenticator: ToyAuthenticator())
        let client = toy(harness)
        client.send(auth(.continueAuthentication, [8], method: "OTHER"))
        #expect(client.takeConnAck()?.reasonCode == .protocolError)
    }

    @Test(.spec("MQTT-4.12.1-1"))
    func `a connected client may authenticate again while messages flow`() {
        let harness = ShardHarness(authenticator: ToyAuthenticator())
        let client = toy(harness)
        client.send(auth(.continueAuthentication, [8]))
        client.subscribe("t")
        client.received = []
        client.send(auth(.reauthenticate, [20]))
        client.publish("t", "between")
        #expect(takeAuth(client)?.authenticationData == [20])
        client.send(auth(.continueAuthentication, [21]))
        #expect(takeAuth(client)?.reasonCode == .success)
        #expect(client.takePayloads() == ["between"])
        client.send(auth(.reauthenticate, [1]))
        #expect(takeAuth(client)?.reasonCode == .continueAuthentication)
    }

    @Test(.spec("MQTT-4.12.1-2"))
    func `a failed re-authentication ends the connection with a reason that DISCONNECT may have`() {
        let harness = ShardHarness(authenticator: ToyAuthenticator())
        let client = toy(harness)
        client.send(auth(.continueAuthentication, [8]))
        client.send(auth(.reauthenticate, [20]))
        client.send(auth(.continueAuthentication, [99]))
        #expect(client.takeDisconnect()?.reasonCode == .notAuthorized)
        #expect(client.isClosed)
    }

    @Test(.spec("MQTT-4.12.0-6"))
    func `AUTH without a method in CONNECT is a protocol error`() {
        let harness = ShardHarness()
        let client = harness.client("c")
        client.send(auth(.reauthenticate, [1]))
        #expect(client.takeDisconnect()?.reasonCode == .protocolError)
    }

    @Test func `an answer without a question is a protocol error`() {
        let harness = ShardHarness(authenticator: ToyAuthenticator())
        let client = toy(harness)
        client.send(auth(.continueAuthentication, [8]))
        client.send(auth(.continueAuthentication, [8]))
        #expect(client.takeDisconnect()?.reasonCode == .protocolError)
    }

    // MARK: - Rights

    @Test(arguments: ProtocolVersion.allCases, QoS.allCases)
    func `a publish without the right goes nowhere and is answered as its version allows`(
        version: ProtocolVersion,
        qos: QoS
    ) {
        let rights = ScriptedRights()
        rights.allowPublishing { _, topic in topic != "secret" }
        let harness = ShardHarness(authorizer: rights)
        let subscriber = harness.client("s")
        subscriber.subscribe("#")
        let publisher = harness.client("p", version)
        publisher.publish("secret", qos: qos, id: qos == .atMostOnce ? 0 : 1, retain: true)
        #expect(subscriber.takePublishes().isEmpty)
        #expect(harness.broker.instance(.none).retained.count == 0)
        #expect(harness.dropped(.notAuthorized) == 1)
        #expect(!publisher.isClosed)
        let answers = publisher.takeAcknowledgements()
        #expect(answers.map(\.type) == [[], [.pubAck], [.pubRec]][Int(qos.rawValue)])
        #expect(answers.allSatisfy { $0.reasonCode == (version == .v5 ? .notAuthorized : .success) })
        if qos == .exactlyOnce {
            publisher.acknowledge(.pubRel, 1)
            let found: ReasonCode = version == .v5 ? .packetIdentifierNotFound : .success
            #expect(publisher.takeAcknowledgements().map(\.reasonCode) == [found])
        }
    }

    @Test(arguments: ProtocolVersion.allCases, QoS.allCases)
    func `the policy may close instead`(version: ProtocolVersion, qos: QoS) {
        let rights = ScriptedRights()
        rights.allowPublishing { _, _ in false }
        let harness = ShardHarness(authorizer: rights) { $0.policies.onDenied = .close }
        let publisher = harness.client("p", version)
        publisher.publish("t", qos: qos, id: qos == .atMostOnce ? 0 : 1)
        #expect(publisher.isClosed)
        #expect(publisher.takeDisconnect()?.reasonCode == (version == .v5 ? .notAuthorized : nil))
    }

    @Test func `an answer is remembered for the last topic until the revision changes`() {
        let rights = ScriptedRights()
        let harness = ShardHarness(authorizer: rights)
        let publisher = harness.client("p")
        for _ in 0..<5 { publisher.publish("a") }
        #expect(rights.publishQuestions == 1)
        publisher.publish("b")
        publisher.publish("a")
        #expect(rights.publishQuestions == 3)
        rights.allowPublishing { _, _ in false }
        publisher.publish("a", qos: .atLeastOnce, id: 1)
        #expect(publisher.takeAcknowledgements().map(\.reasonCode) == [.notAuthorized])
    }

    @Test func `the alias is resolved before the right is asked for`() {
        let rights = ScriptedRights()
        rights.allowPublishing { _, topic in topic == "allowed" }
        let harness = ShardHarness(authorizer: rights)
        let publisher = harness.client("p")
        publisher.publish("secret", qos: .atLeastOnce, id: 1) { $0.topicAlias = 1 }
        publisher.publish("allowed", qos: .atLeastOnce, id: 2)
        publisher.publish("", qos: .atLeastOnce, id: 3) { $0.topicAlias = 1 }
        let codes = publisher.takeAcknowledgements().map(\.reasonCode)
        #expect(codes == [.notAuthorized, .noMatchingSubscribers, .notAuthorized])
    }

    @Test(arguments: ProtocolVersion.allCases)
    func `a subscription without the right does not take effect`(version: ProtocolVersion) {
        let rights = ScriptedRights()
        rights.allowSubscribing { _, filter in filter == "mine" }
        let harness = ShardHarness(authorizer: rights)
        let client = harness.client("c", version)
        let code = client.subscribe("#")
        #expect(code == (version == .v5 ? .notAuthorized : version == .v3_1_1 ? .unspecifiedError : .success))
        harness.client("p").publish("other")
        #expect(client.takePublishes().isEmpty)
        #expect(client.subscribe("$share/g/mine") == .success)
    }

    @Test func `a will without the right is refused`() {
        let rights = ScriptedRights()
        rights.allowPublishing { _, topic in topic != "secret" }
        let harness = ShardHarness(authorizer: rights)
        let client = harness.connect("c") { $0.will = Will(topic: "secret", payload: []) }
        #expect(client.takeConnAck()?.reasonCode == .notAuthorized)
    }

    @Test func `a subscription ends when the right to it goes, on line at once and otherwise on return`() {
        let rights = ScriptedRights()
        let harness = ShardHarness(shards: 2, authorizer: rights)
        let here = harness.client(harness.clientID(onShard: 0))
        let away = harness.client(harness.clientID(onShard: 1), expiry: 100)
        for client in [here, away] {
            client.subscribe("secret", qos: .atLeastOnce)
            client.subscribe("open", qos: .atLeastOnce)
        }
        away.lose()
        rights.allowSubscribing { _, filter in filter != "secret" }
        harness.broker.postToAll(.rightsChanged(.none))
        harness.settle()
        let back = harness.client(harness.clientID(onShard: 1), clean: false, expiry: 100)
        let publisher = harness.client("p")
        for topic in ["secret", "open"] { publisher.publish(topic, topic) }
        #expect(here.takePayloads() == ["open"])
        #expect(back.takePayloads() == ["open"])
        #expect(harness.events.names.count { $0 == "subscription.ended" } == 2)
        #expect(harness.broker.instance(.none).subscriptions.counts.subscriptions == 2)
    }
}
