import ApusMessage
import ApusStore
import MQTTCodec
import Testing

@testable import ApusBroker

/// P2P messages (apsaramq-facts 3.1, 3.2).
@Suite("P2P messages", .serialized)
struct DirectMessageTests {
    private let instances = ScriptedInstances(["A"], policies: Policies(.apsaramq))

    private func harness(_ shards: Int = 1, authorizer: (any Authorizer)? = nil) -> ShardHarness {
        ShardHarness(shards: shards, authorizer: authorizer, instances: instances)
    }

    /// A sender whose clean session says whether a message is kept for a client that is away.
    private func sender(_ harness: ShardHarness, keeps: Bool, _ version: ProtocolVersion = .v5) -> ScriptedClient {
        harness.client("sender", version, clean: !keeps, expiry: keeps ? 100 : 0, through: "A")
    }

    private func codes(_ client: ScriptedClient) -> [ReasonCode] { client.takeAcknowledgements().map(\.reasonCode) }

    @Test(arguments: [QoS.atMostOnce, .atLeastOnce, .exactlyOnce], [ProtocolVersion.v3_1_1, .v5])
    func `it reaches a connected client without a subscription, with its own QoS and full topic`(
        qos: QoS,
        version: ProtocolVersion
    ) {
        for shards in 1...2 {
            let harness = harness(shards)
            let target = harness.client("GID_x@@@dev", version, through: "A")
            let sender = harness.client(harness.clientID(onShard: shards - 1), version, through: "A")
            sender.publish("t/p2p/GID_x@@@dev", "hello", qos: qos, id: qos == .atMostOnce ? 0 : 1)
            let messages = target.takePublishes()
            #expect(messages.map(\.topic) == ["t/p2p/GID_x@@@dev"])
            #expect(messages.map(\.text) == ["hello"])
            #expect(messages.map(\.qos) == [qos])
            #expect(messages.allSatisfy { !$0.retain && $0.subscriptionIdentifiers.isEmpty })
            #expect(codes(sender).allSatisfy { $0 == .success })
        }
    }

    @Test func `any parent topic will do, and the target's subscriptions change nothing`() {
        let harness = harness()
        let target = harness.client("dev", through: "A")
        target.subscribe("t/#", qos: .atLeastOnce, identifier: 7)
        target.subscribe("t/p2p/dev", qos: .exactlyOnce)
        let sender = sender(harness, keeps: false)
        for parent in ["t", "other"] { sender.publish("\(parent)/p2p/dev", parent, qos: .exactlyOnce, id: 1) }
        sender.acknowledge(.pubRel, 1)
        sender.publish("other/p2p/dev", "other", qos: .exactlyOnce, id: 2)
        let messages = target.takePublishes()
        #expect(messages.map(\.text) == ["t", "other"])
        #expect(messages.allSatisfy { $0.subscriptionIdentifiers.isEmpty && $0.qos == .exactlyOnce })
    }

    @Test func `no subscription of another client sees it`() {
        let harness = harness(2)
        var spies: [ScriptedClient] = []
        let filters = [
            "#", "t/#", "t/p2p/#", "t/p2p/+", "+/+/+", "t/p2p/dev", "$share/g/t/#", "$share/g/t/p2p/dev", "dev",
            "away/dev", "+", "away/#",
        ]
        for (at, filter) in filters.enumerated() {
            let spy = harness.client("spy\(at)", expiry: 100, onShard: at % 2, through: "A")
            spy.subscribe(filter, qos: .atLeastOnce)
            spies.append(spy)
        }
        let target = harness.client("dev", expiry: 100, through: "A")
        let sender = sender(harness, keeps: true)
        sender.publish("t/p2p/dev", "live", qos: .atLeastOnce, id: 1)
        target.disconnect()
        sender.publish("t/p2p/dev", "stored", qos: .atLeastOnce, id: 2)
        sender.publish("t/p2p/nobody", "lost", qos: .atLeastOnce, id: 3)
        #expect(spies.flatMap { $0.takePayloads() } == [])
        #expect(target.takePayloads() == ["live"])
    }

    @Test(arguments: ["t/p2p/dev/", "t/p2p/dev/x", "t/P2P/dev", "t/x/p2p/dev", "p2p/dev", "/p2p/dev", "t/p2p/"])
    func `a topic of another form is an ordinary one`(topic: String) {
        let harness = harness()
        let target = harness.client("dev", through: "A")
        let watcher = harness.client("watcher", through: "A")
        watcher.subscribe("#")
        sender(harness, keeps: false).publish(topic)
        #expect(target.takePayloads() == [])
        #expect(watcher.takePayloads() == ["x"])
    }

    @Test func `without the policy the topic is an ordinary one`() {
        let harness = ShardHarness(instances: ScriptedInstances(["A"], policies: Policies(.standard)))
        let target = harness.client("dev", through: "A")
        let watcher = harness.client("watcher", through: "A")
        watcher.subscribe("t/#")
        harness.client("p", through: "A").publish("t/p2p/dev")
        #expect(target.takePayloads() == [])
        #expect(watcher.takePayloads() == ["x"])
    }

    @Test(arguments: [1, 2])
    func `for an unknown target nobody gets it, the drop is counted and 5.0 senders are told`(shards: Int) {
        let harness = harness(shards)
        let sender = sender(harness, keeps: true)
        sender.publish("t/p2p/nobody", qos: .atLeastOnce, id: 1)
        sender.publish("t/p2p/nobody", qos: .exactlyOnce, id: 2)
        sender.publish("t/p2p/nobody")
        #expect(codes(sender) == [.noMatchingSubscribers, .noMatchingSubscribers])
        #expect(harness.dropped(.unknownTarget) == 3)
        let old = harness.client("old", .v3_1_1, through: "A")
        old.publish("t/p2p/nobody", qos: .atLeastOnce, id: 1)
        #expect(codes(old) == [.success])
        #expect(harness.dropped(.unknownTarget) == 4)
        // One that never had a lasting session is unknown when it has gone.
        harness.client("fleeting", through: "A").disconnect()
        sender.publish("t/p2p/fleeting", qos: .atLeastOnce, id: 3)
        #expect(codes(sender) == [.noMatchingSubscribers])
        #expect(harness.dropped(.unknownTarget) == 5)
    }

    /// The table of apsaramq-facts 3.1, for a target that is away.
    @Test(arguments: [
        (QoS.atMostOnce, false, false), (.atLeastOnce, false, false), (.exactlyOnce, false, false),
        (.atMostOnce, true, false), (.atLeastOnce, true, true), (.exactlyOnce, true, false),
    ])
    func `the sender's clean session decides whether it waits for a client that is away`(
        qos: QoS,
        keeps: Bool,
        isStored: Bool
    ) {
        for version in [ProtocolVersion.v3_1_1, .v5] {
            for shards in 1...2 {
                let harness = harness(shards)
                let name = harness.clientID(onShard: shards - 1)
                harness.client(name, version, clean: false, expiry: 100, through: "A").disconnect()
                let sender = sender(harness, keeps: keeps, version)
                sender.publish("t/p2p/\(name)", "later", qos: qos, id: qos == .atMostOnce ? 0 : 1)
                let expected: [ReasonCode] =
                    qos == .atMostOnce ? [] : isStored || version < .v5 ? [.success] : [.noMatchingSubscribers]
                #expect(codes(sender) == expected)
                let back = harness.client(name, version, clean: false, expiry: 100, through: "A")
                #expect(back.takePayloads() == (isStored ? ["later"] : []))
                if !isStored {
                    let drops = harness.dropped(.targetAway) + harness.dropped(.offlineQoS0)
                    #expect(drops == 1)
                    if qos > .atMostOnce { #expect(harness.dropped(.targetAway) == 1) }
                }
            }
        }
    }

    @Test func `with QoS 2 for lasting sessions it waits too`() {
        instances.change("A") { $0.policies.persistentQoS2 = true }
        let harness = harness()
        harness.client("dev", expiry: 100, through: "A").disconnect()
        let sender = sender(harness, keeps: true)
        sender.publish("t/p2p/dev", "twice", qos: .exactlyOnce, id: 1)
        #expect(codes(sender) == [.success])
        let messages = harness.client("dev", clean: false, expiry: 100, through: "A").takePublishes()
        #expect(messages.map(\.text) == ["twice"] && messages.map(\.qos) == [.exactlyOnce])
    }

    @Test func `one sent before the target was ever there does not wait for it`() {
        let harness = harness()
        sender(harness, keeps: true).publish("t/p2p/dev", "early", qos: .atLeastOnce, id: 1)
        #expect(harness.client("dev", clean: false, expiry: 100, through: "A").takePayloads() == [])
    }

    @Test func `a clean start leaves behind what waited`() {
        let harness = harness()
        harness.client("dev", expiry: 100, through: "A").disconnect()
        let sender = sender(harness, keeps: true)
        sender.publish("t/p2p/dev", "old", qos: .atLeastOnce, id: 1)
        let fresh = harness.client("dev", clean: true, expiry: 100, through: "A")
        #expect(fresh.takePayloads() == [])
        sender.publish("t/p2p/dev", "new", qos: .atLeastOnce, id: 2)
        #expect(fresh.takePayloads() == ["new"])
    }

    @Test func `messages to a client keep their order, waiting and live`() {
        let harness = harness(2)
        let name = harness.clientID(onShard: 1)
        harness.client(name, expiry: 100, through: "A").disconnect()
        let sender = sender(harness, keeps: true)
        for number in 1...5 as ClosedRange<UInt16> {
            sender.publish("t/p2p/\(name)", "\(number)", qos: .atLeastOnce, id: number)
        }
        let back = harness.client(name, clean: false, expiry: 100, through: "A") { $0.receiveMaximum = 2 }
        for number in 6...8 as ClosedRange<UInt16> {
            sender.publish("t/p2p/\(name)", "\(number)", qos: .atLeastOnce, id: number)
        }
        var texts: [String] = []
        while case let publishes = back.takePublishes(), !publishes.isEmpty {
            texts += publishes.map(\.text)
            for publish in publishes { back.acknowledge(.pubAck, publish.packetIdentifier) }
        }
        #expect(texts == (1...8).map(String.init))
    }

    @Test(arguments: ["a/b", "a+b", "+", "#", "a/#", "away/dev", "away", "p2p", "$share", "é\u{301}", "x y"])
    func `a client id of any form disturbs nobody`(name: String) {
        let harness = harness()
        let odd = harness.client(name, expiry: 100, through: "A")
        #expect(odd.connAck?.reasonCode == .success)
        let other = harness.client("dev", expiry: 100, through: "A")
        let sender = sender(harness, keeps: true)
        sender.publish("t/p2p/dev", "mine", qos: .atLeastOnce, id: 1)
        other.disconnect()
        sender.publish("t/p2p/dev", "mine too", qos: .atLeastOnce, id: 2)
        #expect(odd.takePayloads() == [])
        if !name.contains(where: { "/+#".contains($0) }) {
            sender.publish("t/p2p/\(name)", "odd", qos: .atLeastOnce, id: 3)
            #expect(odd.takePayloads() == ["odd"])
            odd.disconnect()
            sender.publish("t/p2p/\(name)", "odd later", qos: .atLeastOnce, id: 4)
            let back = harness.client(name, clean: false, expiry: 100, through: "A")
            // The first one was not acknowledged.
            #expect(back.takePayloads() == ["odd", "odd later"])
        }
        let back = harness.client("dev", clean: false, expiry: 100, through: "A")
        #expect(back.takePayloads() == ["mine", "mine too"])
    }

    @Test func `a target that leaves while the message is on its way to its shard gets it later, or not at all`() {
        for keeps in [true, false] {
            let harness = harness(2)
            let name = harness.clientID(onShard: 1)
            let target = harness.client(name, expiry: 100, through: "A")
            let senderName = harness.clientID(onShard: 0, "s")
            let sender = harness.client(senderName, clean: true, expiry: keeps ? 100 : 0, through: "A")
            // Both in one tick: the message is matched on one shard before the other one sees the end.
            sender.unread = []
            harness.holdMail {
                sender.publish("t/p2p/\(name)", "close call", qos: .atLeastOnce, id: 1)
                target.lose()
            }
            let back = harness.client(name, clean: false, expiry: 100, through: "A")
            #expect(back.takePayloads() == (keeps ? ["close call"] : []))
            #expect(harness.dropped(.targetAway) == (keeps ? 0 : 1))
        }
    }

    @Test func `a target that comes while the message is on its way gets it, exactly once`() {
        let harness = harness(2)
        let name = harness.clientID(onShard: 1)
        harness.client(name, expiry: 100, through: "A").disconnect()
        let sender = harness.client(harness.clientID(onShard: 0, "s"), expiry: 100, through: "A")
        var back: ScriptedClient?
        harness.holdMail {
            sender.publish("t/p2p/\(name)", "welcome", qos: .atLeastOnce, id: 1)
            back = harness.connect(name, clean: false, expiry: 100, onShard: 1, through: "A")
        }
        #expect(back?.takePayloads() == ["welcome"])
    }

    @Test func `it is not retained, neither a client's nor a will`() {
        let harness = harness()
        let target = harness.client("dev", through: "A")
        harness.client("p", through: "A").publish("t/p2p/dev", "kept?", retain: true)
        let willed = harness.client("willed", through: "A") {
            $0.will = Will(topic: "t/p2p/dev", payload: Array("will".utf8), qos: .atLeastOnce, retain: true)
        }
        willed.lose()
        let messages = target.takePublishes()
        #expect(messages.map(\.text) == ["kept?", "will"])
        #expect(messages.allSatisfy { !$0.retain })
        let late = harness.client("late", through: "A")
        for filter in ["#", "t/#", "t/p2p/dev"] { late.subscribe(filter) }
        #expect(late.takePayloads() == [])
        #expect(harness.broker.instance(.a).retained.count == 0)
    }

    @Test(arguments: [false, true], [0, 5] as [UInt32])
    func `a will is a P2P message of its own session`(keeps: Bool, delay: UInt32) {
        let harness = harness(2)
        let name = harness.clientID(onShard: 1)
        harness.client(name, expiry: 1000, through: "A").disconnect()
        let willed = harness.client("willed", expiry: keeps ? 100 : 0, through: "A") {
            $0.will = Will(
                topic: "t/p2p/\(name)",
                payload: Array("gone".utf8),
                qos: .atLeastOnce,
                willDelayInterval: delay
            )
        }
        willed.lose()
        harness.advance(seconds: 6)
        #expect(harness.dropped(.targetAway) == (keeps ? 0 : 1))
        let back = harness.client(name, clean: false, expiry: 100, through: "A")
        #expect(back.takePayloads() == (keeps ? ["gone"] : []))
    }

    @Test func `the sender needs the right to publish, the receiver needs none`() {
        let rights = ScriptedRights()
        rights.allowSubscribing { _, _ in false }
        rights.allowPublishing { _, topic in topic == "t/p2p/dev" }
        let harness = harness(authorizer: rights)
        let target = harness.client("dev", expiry: 100, through: "A")
        let sender = sender(harness, keeps: true)
        sender.publish("t/p2p/dev", "allowed", qos: .atLeastOnce, id: 1)
        #expect(target.takePayloads() == ["allowed"])
        sender.publish("t/p2p/other", "denied", qos: .atLeastOnce, id: 2)
        #expect(sender.isClosed)
        #expect(sender.takeDisconnect()?.reasonCode == .notAuthorized)
    }

    @Test func `what waits is delivered though rights have gone in the meantime`() {
        let rights = ScriptedRights()
        let harness = harness(authorizer: rights)
        let target = harness.client("dev", expiry: 100, through: "A")
        target.subscribe("t/x", qos: .atLeastOnce)
        target.disconnect()
        let sender = sender(harness, keeps: true)
        sender.publish("t/x", "no more", qos: .atLeastOnce, id: 1)
        sender.publish("t/p2p/dev", "still", qos: .atLeastOnce, id: 2)
        rights.allowSubscribing { _, _ in false }
        harness.broker.postToAll(.rightsChanged(.a))
        harness.settle()
        #expect(harness.client("dev", clean: false, expiry: 100, through: "A").takePayloads() == ["still"])
        #expect(harness.dropped(.notAuthorized) == 1)
    }

    @Test func `a client may write to itself`() {
        let harness = harness()
        let client = harness.client("dev", through: "A")
        client.publish("t/p2p/dev", "note", qos: .atLeastOnce, id: 1)
        #expect(client.takePayloads() == ["note"])
    }

    @Test func `a session that ceases to last, or begins to, is reached the same way`() {
        let harness = harness()
        let sender = sender(harness, keeps: true)
        let target = harness.client("dev", expiry: 100, through: "A")
        target.disconnect(expiry: 0)
        sender.publish("t/p2p/dev", qos: .atLeastOnce, id: 1)
        #expect(codes(sender) == [.noMatchingSubscribers])
        harness.client("dev", expiry: 10, through: "A").lose()
        sender.publish("t/p2p/dev", "kept", qos: .atLeastOnce, id: 2)
        #expect(codes(sender) == [.success])
        let short = harness.client("dev", clean: false, expiry: 0, through: "A")
        #expect(short.takePayloads() == ["kept"])
        short.lose()
        sender.publish("t/p2p/dev", qos: .atLeastOnce, id: 3)
        #expect(codes(sender) == [.noMatchingSubscribers])
        harness.client("dev", expiry: 10, through: "A").lose()
        harness.advance(seconds: 11)
        sender.publish("t/p2p/dev", qos: .atLeastOnce, id: 4)
        #expect(codes(sender) == [.noMatchingSubscribers])
    }

    @Test(arguments: [1, 2])
    func `what waits outlives a restart, and its target is known after it`(shards: Int) throws {
        let broker = try DurableBroker(shards: shards, instances: instances)
        let name = broker.harness.clientID(onShard: shards - 1)
        broker.client(name, expiry: 1000, through: "A").disconnect()
        let sender = broker.client("sender", expiry: 100, through: "A")
        sender.publish("t/p2p/\(name)", "before", qos: .atLeastOnce, id: 1)
        broker.commit()
        #expect(codes(sender) == [.success])
        try broker.restart()
        let again = broker.client("sender", clean: false, expiry: 100, through: "A")
        again.publish("t/p2p/\(name)", "after", qos: .atLeastOnce, id: 2)
        broker.commit()
        #expect(codes(again) == [.success])
        let back = broker.client(name, clean: false, expiry: 1000, through: "A")
        #expect(back.takePublishes().map(\.text) == ["before", "after"])
        for id in 1...2 as ClosedRange<UInt16> { back.acknowledge(.pubAck, id) }
        try broker.restart()
        #expect(broker.client(name, clean: false, expiry: 1000, through: "A").takePayloads() == [])
    }

    @Test(.spec("MQTT-3.2.0-1"), arguments: [QoS.atMostOnce, .atLeastOnce, .exactlyOnce])
    func `nothing comes before CONNACK, which may wait for the log`(qos: QoS) throws {
        let broker = try DurableBroker(instances: instances)
        let sender = broker.client("sender", through: "A")
        let target = broker.harness.connect("dev", expiry: 100, through: "A")
        sender.publish("t/p2p/dev", "eager", qos: qos, id: qos == .atMostOnce ? 0 : 1)
        #expect(target.received.isEmpty)
        broker.commit()
        guard case .connAck? = target.received.first else {
            Issue.record("not a CONNACK first: \(target.received)")
            return
        }
        broker.commit()
        #expect(target.takePayloads() == ["eager"])
    }

    @Test(.spec("MQTT-3.2.0-1")) func `nor does what has waited for a session that the log does not hold yet`() throws {
        let broker = try DurableBroker(instances: instances)
        let sender = broker.client("sender", expiry: 100, through: "A")
        broker.harness.connect("dev", expiry: 100, through: "A").lose()
        sender.publish("t/p2p/dev", "waited", qos: .atLeastOnce, id: 1)
        let target = broker.harness.connect("dev", clean: false, expiry: 100, through: "A")
        sender.publish("t/p2p/dev", "came", qos: .atLeastOnce, id: 2)
        #expect(target.received.isEmpty)
        broker.commit()
        #expect(target.received.first?.type == .connAck)
        #expect(target.takePayloads() == ["waited", "came"])
    }
}
