import ApusLocks
import ApusMessage
import ApusStore
import MQTTCodec
import Testing

@testable import ApusBroker

/// What a client has proven may end, be announced to end, and be replaced while it is connected (apsaramq-facts 1).
@Suite("The standing of a connected client", .serialized)
struct StandingTests {
    private let instances = ScriptedInstances(["A", "B"])
    private let proofs = ScriptedProofs()

    private func harness(_ shards: Int = 1) -> ShardHarness {
        ShardHarness(shards: shards, authenticator: proofs, authorizer: proofs, instances: instances)
    }

    private func after(_ harness: ShardHarness, _ seconds: Int64) -> Timestamp { harness.now.adding(seconds: seconds) }

    /// The packets that came, as short texts.
    private func texts(_ client: ScriptedClient) -> [String] {
        client.takeAll().map { packet in
            switch packet {
            case .publish(let publish): "\(publish.topic) \(publish.text) \(publish.qos.rawValue)"
            case .disconnect(let disconnect): "\(disconnect.reasonCode): \(disconnect.reasonString ?? "")"
            case .acknowledgement(let acknowledgement): "\(acknowledgement.type)"
            default: "\(packet.type)"
            }
        }
    }

    // MARK: - The end of what was proven

    @Test(arguments: [1, 2])
    func `when rights have changed, who has lost its standing gets the notice, then DISCONNECT`(shards: Int) {
        let harness = harness(shards)
        for shard in 0..<shards {
            let name = harness.clientID(onShard: shard)
            let client = harness.client(name, through: "A")
            let old = harness.client(harness.clientID(onShard: shard, "old"), .v3_1_1, through: "A")
            let other = harness.client(name, through: "B")
            proofs.end(.notAuthorized, "the token was revoked", notice: "revoked")
            harness.broker.postToAll(.rightsChanged(.a))
            harness.settle()
            #expect(texts(client) == ["$SYS/tokenInvalidNotice revoked 0", "notAuthorized: the token was revoked"])
            #expect(texts(old) == ["$SYS/tokenInvalidNotice revoked 0"])
            #expect(client.isClosed && old.isClosed && !other.isClosed)
            proofs.restore()
            #expect(harness.client(name, through: "A").connAck?.reasonCode == .success)
        }
    }

    @Test func `the same when the instance has changed, and without a notice`() {
        let harness = harness()
        let client = harness.client("c", through: "A")
        proofs.end(.administrativeAction, "the instance was stopped", notice: nil)
        harness.announceChange(of: .a)
        #expect(texts(client) == ["administrativeAction: the instance was stopped"])
    }

    @Test func `its will is published and its lasting session stays`() {
        let harness = harness()
        let watcher = harness.client("watcher", through: "A")
        watcher.subscribe("w")
        let client = harness.client("c", expiry: 100, through: "A") {
            $0.will = Will(topic: "w", payload: Array("will".utf8), qos: .atMostOnce)
        }
        client.subscribe("t", qos: .atLeastOnce)
        proofs.end(.notAuthorized, "over", notice: nil, of: "c")
        harness.broker.postToAll(.rightsChanged(.a))
        harness.settle()
        #expect(watcher.takePayloads() == ["will"])
        proofs.restore()
        #expect(harness.client("c", clean: false, expiry: 100, through: "A").connAck?.sessionPresent == true)
    }

    @Test(arguments: [10, 299, 301, 5_000] as [Int64])
    func `at validUntil the standing is asked for`(seconds: Int64) {
        let harness = harness()
        proofs.validUntil = after(harness, seconds)
        let client = harness.client("c", through: "A")
        proofs.end(.notAuthorized, "the token has expired", notice: "expired")
        harness.advance(seconds: Double(seconds) - 1)
        #expect(texts(client) == [])
        harness.advance(seconds: 1.1)
        #expect(texts(client) == ["$SYS/tokenInvalidNotice expired 0", "notAuthorized: the token has expired"])
        #expect(client.isClosed)
    }

    @Test func `who is still in good standing then stays`() {
        let harness = harness()
        proofs.validUntil = after(harness, 10)
        let client = harness.client("c", through: "A")
        harness.advance(seconds: 1_000)
        #expect(!client.isClosed)
        #expect(harness.timerCount < 5)
    }

    @Test func `at noticeAt the client is told, once`() {
        let harness = harness()
        proofs.noticeAt = after(harness, 400)
        proofs.validUntil = after(harness, 700)
        let client = harness.client("c", through: "A")
        harness.advance(seconds: 399)
        #expect(texts(client) == [])
        harness.advance(seconds: 2)
        #expect(texts(client) == ["$SYS/tokenExpireNotice soon 0"])
        harness.advance(seconds: 298)
        #expect(texts(client) == [])
        proofs.end(.notAuthorized, "expired", notice: "expired")
        harness.advance(seconds: 2)
        #expect(texts(client) == ["$SYS/tokenInvalidNotice expired 0", "notAuthorized: expired"])
    }

    @Test func `timers of a connection that is gone touch no later one`() {
        let harness = harness()
        proofs.validUntil = after(harness, 10)
        harness.client("c", through: "A").lose()
        proofs.validUntil = .distantFuture
        let next = harness.client("d", through: "A")
        proofs.end(.notAuthorized, "expired", notice: nil)
        harness.advance(seconds: 20)
        #expect(!next.isClosed)
    }

    // MARK: - Replaced

    @Test func `a new proof takes the place of the old one, after which the client goes on`() {
        let harness = harness()
        proofs.validUntil = after(harness, 10)
        let client = harness.client("c", through: "A")
        proofs.end(.notAuthorized, "expired", notice: nil)
        proofs.replacement = Principal(clientID: "c", userName: "new", instance: .a, validUntil: after(harness, 100))
        client.publish("$SYS/uploadToken", "token", qos: .atLeastOnce, id: 7)
        #expect(texts(client) == ["pubAck"])
        harness.advance(seconds: 20)
        #expect(!client.isClosed)
        client.publish("only/new", qos: .atLeastOnce, id: 8)
        #expect(client.takeAcknowledgements().map(\.reasonCode) == [.noMatchingSubscribers])
        harness.advance(seconds: 81)
        #expect(client.isClosed)
    }

    @Test func `what the old proof allowed and the new one does not, ends`() {
        let harness = harness()
        let client = harness.client("c", through: "A") { $0.userName = "old" }
        #expect(client.subscribe("only/old") == .success)
        client.publish("only/old", "1")
        #expect(client.takePayloads() == ["1"])
        proofs.replacement = Principal(clientID: "c", userName: "new", instance: .a)
        client.publish("$SYS/uploadToken", "token", qos: .atLeastOnce, id: 7)
        _ = client.takeAll()
        client.publish("only/old", "2", qos: .atLeastOnce, id: 1)
        #expect(client.takeAcknowledgements().map(\.reasonCode) == [.notAuthorized])
        let publisher = harness.client("p", through: "A") { $0.userName = "old" }
        publisher.publish("only/old", "3")
        #expect(client.takePayloads() == [])
    }

    @Test func `however often it is replaced, few timers wait`() {
        let harness = harness()
        let client = harness.client("c", through: "A")
        let before = harness.timerCount
        for round in 0..<1000 {
            proofs.replacement = Principal(
                clientID: "c",
                userName: nil,
                validUntil: after(harness, 3600 + Int64(round))
            )
            client.publish("$SYS/uploadToken", "token", qos: .atLeastOnce, id: 7)
        }
        #expect(harness.timerCount <= before + 2)
        harness.advance(seconds: 1_000)
        #expect(harness.timerCount <= before + 2)
        #expect(!client.isClosed)
        proofs.end(.notAuthorized, "expired", notice: nil)
        proofs.replacement = Principal(clientID: "c", userName: nil, validUntil: after(harness, 5))
        client.publish("$SYS/uploadToken", "token", qos: .atLeastOnce, id: 7)
        harness.advance(seconds: 6)
        #expect(client.isClosed)
    }

    @Test(arguments: [ProtocolVersion.v3_1_1, .v5], [QoS.atMostOnce, .atLeastOnce, .exactlyOnce])
    func `a proof that is refused ends the connection, with the notice before`(version: ProtocolVersion, qos: QoS) {
        let harness = harness()
        let client = harness.client("c", version, through: "A")
        client.publish("$SYS/uploadToken", "forged", qos: qos, id: qos == .atMostOnce ? 0 : 7)
        let end = version == .v5 ? ["notAuthorized: the token is forged"] : []
        #expect(texts(client) == ["$SYS/tokenInvalidNotice forged 0"] + end)
        #expect(client.isClosed)
    }

    @Test func `a message to the broker reaches no client and is not retained`() {
        let harness = harness()
        let spy = harness.client("spy", through: "A")
        for filter in ["#", "$SYS/#", "$SYS/uploadToken"] { spy.subscribe(filter) }
        proofs.replacement = Principal(clientID: "c", userName: nil)
        let client = harness.client("c", through: "A")
        client.publish("$SYS/uploadToken", "secret", qos: .atLeastOnce, id: 7, retain: true)
        client.publish("$SYS/accepted", "secret", qos: .exactlyOnce, id: 8)
        #expect(texts(client) == ["pubAck", "pubRec"])
        #expect(spy.takePayloads() == [])
        #expect(harness.broker.retainedBudget.count == 0)
        client.publish("$SYS/other", "secret", qos: .atLeastOnce, id: 9)
        #expect(client.takeAcknowledgements().map(\.reasonCode) == [.notAuthorized])
    }

    @Test(.spec("MQTT-3.2.0-1")) func `nothing is said before CONNACK, which may wait for the log`() {
        let store = LateStore()
        let harness = ShardHarness(
            authenticator: proofs,
            authorizer: proofs,
            stores: [store],
            instances: instances
        )
        proofs.noticeAt = after(harness, 0)
        let told = harness.connect("told", expiry: 100, through: "A")
        harness.advance(seconds: 0.1)
        #expect(told.received.isEmpty)
        store.commit()
        harness.broker.post(to: 0, .store(.progressed))
        harness.settle()
        #expect(texts(told) == ["connAck", "$SYS/tokenExpireNotice soon 0"])
        let ended = harness.connect("ended", expiry: 100, through: "A")
        proofs.end(.notAuthorized, "revoked", notice: "revoked")
        harness.broker.postToAll(.rightsChanged(.a))
        harness.settle()
        #expect(ended.received.isEmpty && ended.isClosed)
    }
}

/// Admits everybody, says of proofs what a test has set, and lets `only/<user>` be used by that user alone.
private final class ScriptedProofs: Authenticator, Authorizer {
    private struct State {
        var validUntil = Timestamp.distantFuture
        var noticeAt = Timestamp.distantFuture
        var replacement: Principal?
        var end: (reasonCode: ReasonCode, explanation: String, notice: SystemNotice?, clientID: String?)?
    }

    private let state = Guarded(State())

    /// Of those who connect from now on.
    var validUntil: Timestamp {
        get { state.withLock { $0.validUntil } }
        set { state.withLock { $0.validUntil = newValue } }
    }
    var noticeAt: Timestamp {
        get { state.withLock { $0.noticeAt } }
        set { state.withLock { $0.noticeAt = newValue } }
    }
    /// What an uploaded token proves.
    var replacement: Principal? {
        get { state.withLock { $0.replacement } }
        set { state.withLock { $0.replacement = newValue } }
    }

    func end(_ reasonCode: ReasonCode, _ explanation: String, notice: String?, of clientID: String? = nil) {
        let notice = notice.map { SystemNotice(topic: "$SYS/tokenInvalidNotice", payload: Array($0.utf8)) }
        state.withLock { $0.end = (reasonCode, explanation, notice, clientID) }
    }

    func restore() { state.withLock { $0.end = nil } }

    func authenticate(_ request: AuthenticationRequest, reply: @escaping @Sendable (AuthenticationOutcome) -> Void) {
        let (validUntil, noticeAt) = state.withLock { ($0.validUntil, $0.noticeAt) }
        reply(
            .accepted(
                Principal(
                    clientID: request.clientID,
                    userName: request.userName,
                    instance: request.instance,
                    validUntil: validUntil,
                    noticeAt: noticeAt,
                )
            )
        )
    }

    func enhancedAuthentication(method: String, request: AuthenticationRequest) -> (any EnhancedAuthentication)? { nil }

    func receivedSystemMessage(
        topic: String,
        payload: [UInt8],
        from principal: Principal,
        now: Timestamp,
    ) -> SystemMessageOutcome? {
        if topic == "$SYS/accepted" { return .accepted }
        guard topic == "$SYS/uploadToken" else { return nil }
        if let replacement { return .replaced(replacement) }
        let notice = SystemNotice(topic: "$SYS/tokenInvalidNotice", payload: payload)
        return .refused(.notAuthorized, explanation: "the token is forged", notice: notice)
    }

    let revision = RightsRevision()

    func denial(of access: Access, to topic: String, for principal: Principal) -> AccessDenial? {
        guard topic.hasPrefix("only/") else { return nil }
        return topic == "only/\(principal.userName ?? "")" ? nil : .noRight
    }

    func standing(of principal: Principal, now: Timestamp) -> Standing {
        guard let end = state.withLock({ $0.end }), end.clientID ?? principal.clientID == principal.clientID else {
            return .good
        }
        return .ended(end.reasonCode, explanation: end.explanation, notice: end.notice)
    }

    func notice(to principal: Principal, now: Timestamp) -> SystemNotice? {
        SystemNotice(topic: "$SYS/tokenExpireNotice", payload: Array("soon".utf8))
    }
}
