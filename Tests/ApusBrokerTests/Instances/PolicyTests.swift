import ApusMemory
import ApusMessage
import MQTTCodec
import Testing

@testable import ApusBroker

/// The rules of an instance that differ between profiles (design, section 1).
@Suite("Policies of an instance", .serialized)
struct PolicyTests {
    private func harness(
        _ shards: Int = 1,
        authorizer: (any Authorizer)? = nil,
        change: (inout Policies) -> Void = { _ in },
    ) -> ShardHarness {
        var policies = Policies()
        change(&policies)
        let instances = ScriptedInstances(["A"], policies: policies)
        return ShardHarness(shards: shards, authorizer: authorizer, instances: instances)
    }

    private func probes(_ harness: ShardHarness, _ shard: Int) -> [Int] {
        var slots: [Int] = []
        while let slot = harness.shards[shard].nextProbe() { slots.append(slot) }
        return slots
    }

    // MARK: - Duplicate client ids

    @Test(arguments: [ProtocolVersion.v3_1_1, .v5], [1, 2])
    func `a client id in use is refused, with a sentence, and its holder is probed`(
        version: ProtocolVersion,
        shards: Int
    ) {
        let harness = harness(shards) { $0.duplicateClientID = .refuse }
        let name = harness.clientID(onShard: shards - 1)
        let holder = harness.client(name, version, through: "A")
        harness.advance(seconds: 30)
        let newcomer = harness.connect(name, version, through: "A")
        let answer = newcomer.takeConnAck()
        #expect(answer?.reasonCode == .clientIdentifierNotValid)
        if version == .v5 { #expect(answer?.reasonString?.contains("in use since 30 s") == true) }
        #expect(newcomer.isClosed && !holder.isClosed)
        let sentence = harness.events.fields(of: "client.refused").first?["explanation"] ?? ""
        #expect(sentence.contains("in use since 30 s") && sentence.contains("127.0.0.1:1"))
        #expect(sentence.contains("duplicateClientId"))
        #expect(probes(harness, holder.shard) == [holder.slot])
        #expect(harness.connectionCount == 1)
    }

    @Test func `a probe is for the connection of then, not for a later one in its place`() {
        let harness = harness { $0.duplicateClientID = .refuse }
        let holder = harness.client("c", through: "A")
        _ = harness.connect("c", through: "A")
        holder.lose()
        _ = harness.client("d", through: "A")
        #expect(probes(harness, 0) == [])
    }

    @Test func `a ghost, silent for longer than its keep alive, is replaced`() {
        let harness = harness { $0.duplicateClientID = .refuse }
        let ghost = harness.client("c", expiry: 100, through: "A") { $0.keepAliveSeconds = 60 }
        ghost.subscribe("t")
        harness.advance(seconds: 59)
        #expect(harness.connect("c", through: "A").takeConnAck()?.reasonCode == .clientIdentifierNotValid)
        harness.advance(seconds: 2)
        let device = harness.client("c", clean: false, expiry: 100, through: "A")
        #expect(device.connAck?.reasonCode == .success)
        #expect(device.connAck?.sessionPresent == true)
        #expect(ghost.isClosed)
        #expect(ghost.takeDisconnect()?.reasonCode == .sessionTakenOver)
    }

    @Test func `a client that says something in time is no ghost, nor one without keep alive`() {
        let harness = harness { $0.duplicateClientID = .refuse }
        let client = harness.client("c", through: "A") { $0.keepAliveSeconds = 60 }
        let silent = harness.client("d", through: "A")
        harness.advance(seconds: 50)
        client.send(.pingReq)
        harness.advance(seconds: 50)
        for name in ["c", "d"] {
            #expect(harness.connect(name, through: "A").takeConnAck()?.reasonCode == .clientIdentifierNotValid)
        }
        #expect(!client.isClosed && !silent.isClosed)
    }

    @Test func `a session that waits for its client is not in use`() {
        let harness = harness { $0.duplicateClientID = .refuse }
        harness.client("c", expiry: 100, through: "A").lose()
        #expect(harness.client("c", clean: false, expiry: 100, through: "A").connAck?.sessionPresent == true)
    }

    @Test func `a refused newcomer changes nothing of the holder's session`() {
        let harness = harness { $0.duplicateClientID = .refuse }
        let holder = harness.client("c", expiry: 100, through: "A")
        holder.subscribe("t", qos: .atLeastOnce)
        _ = harness.connect("c", clean: true, through: "A") {
            $0.will = Will(topic: "t", payload: Array("no".utf8), qos: .atLeastOnce)
        }
        harness.client("p", through: "A").publish("t", "still", qos: .atLeastOnce, id: 1)
        #expect(holder.takePayloads() == ["still"])
        #expect(harness.sessionCount == 2)
    }

    @Test(.spec("MQTT-3.1.4-3")) func `with takeover the older one goes`() {
        let harness = harness { $0.duplicateClientID = .takeover }
        let older = harness.client("c", through: "A")
        #expect(harness.client("c", through: "A").connAck?.reasonCode == .success)
        #expect(older.takeDisconnect()?.reasonCode == .sessionTakenOver)
    }

    // MARK: - Denied

    private func denying(_ onDenied: Policies.OnDenied) -> ShardHarness {
        let rights = ScriptedRights()
        rights.allowPublishing { _, topic in topic == "good" }
        rights.allowSubscribing { _, filter in filter == "good" }
        return harness(authorizer: rights) { $0.onDenied = onDenied }
    }

    @Test(arguments: [QoS.atMostOnce, .atLeastOnce, .exactlyOnce], [ProtocolVersion.v3_1_1, .v5])
    func `close: a publish without the right ends the connection`(qos: QoS, version: ProtocolVersion) {
        let harness = denying(.close)
        let watcher = harness.client("w", through: "A")
        watcher.subscribe("good")
        let client = harness.client("c", version, through: "A")
        client.publish("good", "1", qos: qos, id: qos == .atMostOnce ? 0 : 1)
        client.publish("bad", "2", qos: qos, id: qos == .atMostOnce ? 0 : 2)
        #expect(client.isClosed)
        #expect(watcher.takePayloads() == ["1"])
        #expect(harness.dropped(.notAuthorized) == 1)
        if version == .v5 {
            let last = client.takeDisconnect()
            #expect(last?.reasonCode == .notAuthorized)
            #expect(last?.reasonString?.contains("`bad`") == true)
        } else {
            #expect(client.takeDisconnect() == nil)
        }
    }

    @Test(arguments: [QoS.atMostOnce, .atLeastOnce, .exactlyOnce], [ProtocolVersion.v3_1_1, .v5])
    func `refuse: a publish without the right is dropped and answered`(qos: QoS, version: ProtocolVersion) {
        let harness = denying(.refuse)
        let client = harness.client("c", version, through: "A")
        client.publish("bad", qos: qos, id: qos == .atMostOnce ? 0 : 2)
        #expect(!client.isClosed)
        let codes = client.takeAcknowledgements().map(\.reasonCode)
        #expect(codes == (qos == .atMostOnce ? [] : [version == .v5 ? .notAuthorized : .success]))
        #expect(harness.dropped(.notAuthorized) == 1)
        client.publish("good", qos: .atLeastOnce, id: 3)
        #expect(client.takeAcknowledgements().map(\.packetIdentifier) == [3])
    }

    @Test func `close: a subscription without the right ends a 5.0 connection with the reason`() {
        let harness = denying(.close)
        let client = harness.client("c", through: "A")
        #expect(client.subscribe("bad") == nil)
        let last = client.takeDisconnect()
        #expect(client.isClosed && last?.reasonCode == .notAuthorized)
        #expect(last?.reasonString?.contains("`bad`") == true)
    }

    @Test func `close: a 3.1.1 client gets SUBACK 0x80 first`() {
        let harness = denying(.close)
        let client = harness.client("c", .v3_1_1, through: "A")
        #expect(client.subscribe("bad") == .unspecifiedError)
        #expect(client.isClosed)
    }

    @Test(arguments: [(ProtocolVersion.v3_1_1, ReasonCode.unspecifiedError), (.v5, .notAuthorized)])
    func `refuse: a subscription without the right is refused by itself`(version: ProtocolVersion, code: ReasonCode) {
        let harness = denying(.refuse)
        let client = harness.client("c", version, through: "A")
        #expect(client.subscribe("bad") == code)
        #expect(!client.isClosed)
        #expect(client.subscribe("good") == .success)
    }

    // MARK: - QoS

    @Test(arguments: [(ProtocolVersion.v3_1_1, ReasonCode.unspecifiedError), (.v5, .implementationSpecificError)])
    func `QoS 2 with a lasting session does not take effect and says so`(version: ProtocolVersion, code: ReasonCode) {
        let harness = harness { $0.persistentQoS2 = false }
        let client = harness.client("c", version, clean: false, expiry: 100, through: "A")
        let request = Subscribe.Request("t", SubscriptionOptions(qos: .exactlyOnce))
        let fine = Subscribe.Request("u", SubscriptionOptions(qos: .atLeastOnce))
        client.send(.subscribe(Subscribe(packetIdentifier: 5, requests: [request, fine])))
        guard case .subAck(let answer)? = client.take(where: { $0.type == .subAck }) else {
            Issue.record("no SUBACK")
            return
        }
        #expect(answer.reasonCodes == [code, .grantedQoS1])
        if version == .v5 { #expect(answer.reasonString?.contains("QoS 2 with cleanSession=false") == true) }
        #expect(!client.isClosed)
        let publisher = harness.client("p", through: "A")
        publisher.publish("t", "no", qos: .exactlyOnce, id: 1)
        publisher.publish("u", "yes", qos: .atLeastOnce, id: 2)
        #expect(client.takePayloads() == ["yes"])
        let fleeting = harness.client("f", version, clean: true, through: "A")
        #expect(fleeting.subscribe("t", qos: .exactlyOnce) == .grantedQoS2)
    }

    @Test func `a QoS 2 wish that the instance grants as QoS 1 is no QoS 2 subscription`() {
        let harness = harness {
            $0.persistentQoS2 = false
            $0.maximumQoS = .atLeastOnce
        }
        let client = harness.client("c", clean: false, expiry: 100, through: "A")
        #expect(client.subscribe("t", qos: .exactlyOnce) == .grantedQoS1)
    }

    @Test(arguments: [QoS.atMostOnce, .atLeastOnce])
    func `the maximum QoS is the instance's own`(maximum: QoS) {
        var policies = Policies()
        policies.maximumQoS = maximum
        let instances = ScriptedInstances(["A", "B"])
        instances.change("A") { $0.policies = policies }
        let harness = ShardHarness(instances: instances)
        let client = harness.client("c", through: "A")
        #expect(client.connAck?.maximumQoS == maximum)
        #expect(client.subscribe("t", qos: .exactlyOnce)?.rawValue == maximum.rawValue)
        client.publish("t", qos: QoS(rawValue: maximum.rawValue + 1) ?? .exactlyOnce, id: 1)
        #expect(client.takeDisconnect()?.reasonCode == .qosNotSupported)
        let willed = harness.connect("w", through: "A") { $0.will = Will(topic: "t", payload: [], qos: .exactlyOnce) }
        #expect(willed.takeConnAck()?.reasonCode == .qosNotSupported)
        let other = harness.client("c", through: "B")
        #expect(other.connAck?.maximumQoS == .exactlyOnce)
        other.publish("t", qos: .exactlyOnce, id: 1)
        #expect(other.takeAcknowledgements().map(\.type) == [.pubRec])
    }
}
