import ApusMessage
import MQTTCodec
import Testing

@testable import ApusBroker

/// The limits of an instance (apsaramq-facts 7); each refusal names its limit.
@Suite("Limits of an instance", .serialized)
struct LimitTests {
    private let instances = ScriptedInstances(["A", "B"])

    private func harness(_ shards: Int = 1, _ limits: LimitOverrides) -> ShardHarness {
        instances.change("A") { $0.limits = InstanceLimits(.standard, limits) }
        return ShardHarness(shards: shards, instances: instances)
    }

    // MARK: - Connections

    @Test(arguments: [ProtocolVersion.v3_1_1, .v5], [1, 2])
    func `connections past the limit are refused until another ends`(version: ProtocolVersion, shards: Int) {
        let harness = harness(shards, LimitOverrides([.connections: 2]))
        let clients = (0..<2).map { harness.client(harness.clientID(onShard: $0 % shards, "c\($0)"), through: "A") }
        let other = harness.client("x", through: "B")
        for end in 0..<2 {
            let refused = harness.connect("late", version, through: "A")
            let answer = refused.takeConnAck()
            #expect(answer?.reasonCode == (version == .v5 ? .quotaExceeded : .serverUnavailable))
            if version == .v5 { #expect(answer?.reasonString?.contains("connections") == true) }
            if version == .v5 { #expect(answer?.reasonString?.contains("2") == true) }
            #expect(refused.isClosed)
            let sentence = harness.events.fields(of: "client.refused").first?["explanation"] ?? ""
            #expect(sentence.contains("connections"))
            if end == 0 { clients[0].disconnect() } else { clients[1].lose() }
            let last = harness.client("last\(end)", version, through: "A")
            #expect(last.connAck?.reasonCode == .success)
        }
        #expect(!other.isClosed)
    }

    @Test func `a session that is away is no connection, and taking over needs no further one`() {
        let harness = harness(1, LimitOverrides([.connections: 1]))
        harness.client("away", expiry: 100, through: "A").disconnect()
        let client = harness.client("c", through: "A")
        #expect(client.connAck?.reasonCode == .success)
        #expect(harness.client("c", through: "A").connAck?.reasonCode == .success)
        #expect(client.isClosed)
        #expect(harness.connect("away", clean: false, through: "A").takeConnAck()?.reasonCode == .quotaExceeded)
    }

    // MARK: - Retained messages

    @Test(
        arguments: [InstanceLimits.Name.retainedMessages: 1, .retainedBytes: 250].map {
            LimitOverrides([$0.key: $0.value])
        }
    )
    func `a retained message past the limit reaches subscribers, is not kept, and is told of`(limits: LimitOverrides) {
        let harness = harness(1, limits)
        instances.change("B") { $0.limits = InstanceLimits(.standard) }
        let client = harness.client("c", through: "A")
        client.subscribe("#")
        client.publish("one", "1", retain: true)
        client.publish("two", "2", retain: true)
        client.publish("one", "3", retain: true)
        #expect(client.takePayloads() == ["1", "2", "3"])
        #expect(harness.broker.instance(.a).retained.count == 1)
        #expect(harness.dropped(.retainedFull) == 1)
        let told = harness.events.fields(of: "retained.full")
        #expect(told.count == 1)
        #expect(told.first?["topic"] == "two")
        #expect(told.first?["explanation"]?.contains("instance's limit \(limits.values.keys.first!.rawValue)") == true)
        // Another instance has its own.
        harness.client("c", through: "B").publish("two", "2", retain: true)
        #expect(harness.broker.instance(.b).retained.count == 1)
    }

    @Test func `what was retained comes back after a restart though a limit was lowered`() throws {
        let broker = try DurableBroker(shards: 1, instances: instances)
        let client = broker.client("p", through: "A")
        for topic in ["one", "two", "three"] { client.publish(topic, "m", qos: .atLeastOnce, id: 1, retain: true) }
        broker.commit()
        instances.change("A") { $0.limits = InstanceLimits(.standard, LimitOverrides([.retainedMessages: 1])) }
        try broker.restart()
        #expect(broker.harness.broker.instance(.a).retained.count == 3)
        broker.client("q", through: "A").publish("four", "m", retain: true)
        #expect(broker.harness.broker.instance(.a).retained.count == 3)
    }

    // MARK: - Payload

    @Test(arguments: [QoS.atMostOnce, .atLeastOnce, .exactlyOnce], [ProtocolVersion.v3_1_1, .v5])
    func `a larger payload closes the connection, one of the limit does not`(qos: QoS, version: ProtocolVersion) {
        let harness = harness(1, LimitOverrides([.payloadBytes: 10]))
        let watcher = harness.client("w", through: "A")
        watcher.subscribe("t")
        let client = harness.client("c", version, through: "A")
        client.publish("t", "0123456789", qos: qos, id: qos == .atMostOnce ? 0 : 1)
        #expect(watcher.takePayloads() == ["0123456789"])
        client.publish("t", "0123456789a", qos: qos, id: qos == .atMostOnce ? 0 : 2)
        #expect(watcher.takePayloads() == [])
        #expect(client.isClosed)
        if version == .v5 {
            let last = client.takeDisconnect()
            #expect(last?.reasonCode == .packetTooLarge)
            #expect(last?.reasonString?.contains("payloadBytes is 10") == true)
        }
        let event = harness.events.fields(of: "publish.denied").first
        #expect(event?["explanation"]?.contains("payloadBytes") == true)
        #expect(harness.dropped(.refused) == 1)
        harness.client("c", through: "B").publish("t", "0123456789a", qos: .atLeastOnce, id: 1)
    }

    @Test func `a will's payload is held against it too`() {
        let harness = harness(1, LimitOverrides([.payloadBytes: 10]))
        let will = Will(topic: "w", payload: [UInt8](repeating: 0, count: 11), qos: .atMostOnce)
        let answer = harness.connect("c", through: "A") { $0.will = will }.takeConnAck()
        #expect(answer?.reasonCode == .packetTooLarge)
        #expect(answer?.reasonString?.contains("payloadBytes") == true)
        #expect(harness.client("c", through: "B") { $0.will = will }.connAck?.reasonCode == .success)
    }

    // MARK: - Subscriptions

    @Test(arguments: [(ProtocolVersion.v3_1_1, ReasonCode.unspecifiedError), (.v5, .quotaExceeded)])
    func `a subscription past the client's limit is refused and the connection stays`(
        version: ProtocolVersion,
        code: ReasonCode
    ) {
        let harness = harness(1, LimitOverrides([.subscriptionsPerClient: 2]))
        let client = harness.client("c", version, through: "A")
        let requests = ["a", "b", "c"].map { Subscribe.Request($0, SubscriptionOptions(qos: .atMostOnce)) }
        client.send(.subscribe(Subscribe(packetIdentifier: 1, requests: requests)))
        guard case .subAck(let answer)? = client.take(where: { $0.type == .subAck }) else {
            Issue.record("no SUBACK")
            return
        }
        #expect(answer.reasonCodes == [.success, .success, code])
        if version == .v5 { #expect(answer.reasonString?.contains("subscriptionsPerClient") == true) }
        let event = harness.events.fields(of: "subscribe.denied").first
        #expect(event?["explanation"]?.contains("subscriptionsPerClient") == true)
        #expect(!client.isClosed)
        // One that it has may change.
        #expect(client.subscribe("a", qos: .atLeastOnce) == .grantedQoS1)
        client.send(.unsubscribe(Unsubscribe(packetIdentifier: 2, topicFilters: ["a"])))
        #expect(client.subscribe("c") == .success)
        #expect(harness.client("d", version, through: "A").subscribe("a") == .success)
    }

    @Test(arguments: [(ProtocolVersion.v3_1_1, ReasonCode.unspecifiedError), (.v5, .quotaExceeded)], [1, 2])
    func `subscriptions with wildcards beneath one parent topic are counted over all clients`(
        versioned: (ProtocolVersion, ReasonCode),
        shards: Int
    ) {
        let (version, code) = versioned
        let harness = harness(shards, LimitOverrides([.wildcardSubscriptionsPerParent: 2]))
        let names = (0..<2).map { harness.clientID(onShard: $0 % shards, "c\($0)x") }
        let first = harness.client(names[0], version, through: "A")
        let second = harness.client(names[1], version, through: "A")
        #expect(first.subscribe("t/#") == .success)
        #expect(second.subscribe("t/#") == .success)
        for filter in ["t/+", "t/a/#", "$share/g/t/#"] { #expect(second.subscribe(filter) == code) }
        let event = harness.events.fields(of: "subscribe.denied").first
        #expect(event?["explanation"]?.contains("wildcardSubscriptionsPerParent") == true)
        #expect(event?["explanation"]?.contains("`t`") == true)
        // Those without wildcards, of another parent, of the other instance, or already there.
        for filter in ["t/a", "u/#", "t"] { #expect(second.subscribe(filter) == .success) }
        #expect(second.subscribe("t/#", qos: .atLeastOnce) == .grantedQoS1)
        #expect(harness.client(names[0], through: "B").subscribe("t/#") == .success)
        // Back by unsubscribe, …
        first.send(.unsubscribe(Unsubscribe(packetIdentifier: 2, topicFilters: ["t/#", "t/a"])))
        #expect(second.subscribe("t/+") == .success)
        #expect(first.subscribe("t/#") == code)
        // … by the end of a session, …
        second.disconnect()
        #expect(first.subscribe("t/#") == .success)
        #expect(first.subscribe("t/+") == .success)
        #expect(harness.broker.instance(.a).wildcardCount(beneath: "t") == 2)
        // … by a lost one too.
        first.lose()
        #expect(harness.broker.instance(.a).wildcardCount(beneath: "t") == 0)
        #expect(harness.broker.instance(.a).wildcardCount(beneath: "u") == 0)
    }

    @Test func `a session's wildcards count while it is away, and through changes of its life`() {
        let harness = harness(1, LimitOverrides([.wildcardSubscriptionsPerParent: 1]))
        let count = { harness.broker.instance(.a).wildcardCount(beneath: "t") }
        let client = harness.client("c", expiry: 100, through: "A")
        client.subscribe("t/#")
        client.lose()
        #expect(count() == 1)
        let short = harness.client("c", clean: false, expiry: 0, through: "A")
        #expect(count() == 1)
        short.disconnect()
        #expect(count() == 0)
        let again = harness.client("c", expiry: 10, through: "A")
        #expect(again.subscribe("t/#") == .success)
        again.disconnect()
        harness.advance(seconds: 11)
        #expect(count() == 0)
    }

    @Test func `wildcards are counted again after a restart`() throws {
        instances.change("A") { $0.limits.wildcardSubscriptionsPerParent = 2 }
        let broker = try DurableBroker(shards: 2, instances: instances)
        for shard in 0..<2 {
            let client = broker.client(broker.harness.clientID(onShard: shard), expiry: 1000, through: "A")
            #expect(client.subscribe("t/#") == nil)
            broker.commit()
            client.disconnect()
        }
        try broker.restart()
        #expect(broker.harness.broker.instance(.a).wildcardCount(beneath: "t") == 2)
        let client = broker.client("new", through: "A")
        #expect(client.subscribe("t/+") == .quotaExceeded)
        let name = broker.harness.clientID(onShard: 1)
        broker.client(name, clean: true, through: "A").disconnect()
        #expect(client.subscribe("t/+") == .success)
    }

    // MARK: - Keep alive and aliases

    @Test(
        .spec("MQTT-3.1.2-21"),
        arguments: [(0, 480), (30, nil), (480, nil), (481, 480), (65_535, 480)] as [(UInt16, UInt16?)]
    )
    func `a longer keep alive of a 5.0 client is lowered and announced`(asked: UInt16, announced: UInt16?) {
        let harness = harness(1, LimitOverrides([.keepAliveSeconds: 480]))
        let client = harness.client("c", through: "A") { $0.keepAliveSeconds = asked }
        #expect(client.connAck?.serverKeepAliveSeconds == announced)
        harness.advance(seconds: Double(announced ?? asked) * 1.5 - 1)
        #expect(!client.isClosed)
        harness.advance(seconds: 3)
        #expect(client.takeDisconnect()?.reasonCode == .keepAliveTimeout)
        let free = harness.client("c", through: "B") { $0.keepAliveSeconds = asked }
        #expect(free.connAck?.serverKeepAliveSeconds == nil)
    }

    @Test func `a 3.1.1 client cannot be told, and keeps its own`() {
        let harness = harness(1, LimitOverrides([.keepAliveSeconds: 10]))
        let client = harness.client("c", .v3_1_1, through: "A") { $0.keepAliveSeconds = 100 }
        harness.advance(seconds: 140)
        #expect(!client.isClosed)
        harness.advance(seconds: 12)
        #expect(client.isClosed)
    }

    @Test func `the lower of the instance's and the process's keep alive holds`() {
        instances.change("A") { $0.limits.keepAliveSeconds = 100 }
        let harness = ShardHarness(instances: instances) { $0.limits.keepAliveSeconds = 60 }
        for (id, expected) in [("A", 60), ("B", 60)] as [(String, UInt16)] {
            #expect(
                harness.client("c", through: id) { $0.keepAliveSeconds = 300 }.connAck?.serverKeepAliveSeconds
                    == expected
            )
        }
    }

    @Test func `topic aliases, both ways, are those of the instance and at most those of the process`() {
        instances.change("A") { $0.limits.topicAliases = 2 }
        instances.change("B") { $0.limits.topicAliases = 500 }
        let harness = ShardHarness(instances: instances)
        #expect(harness.client("b", through: "B").connAck?.topicAliasMaximum == 32)
        let client = harness.client("c", through: "A") { $0.topicAliasMaximum = 10 }
        #expect(client.connAck?.topicAliasMaximum == 2)
        for filter in ["1", "2", "3"] { client.subscribe(filter) }
        let publisher = harness.client("p", through: "A")
        for topic in ["1", "2", "3", "1"] { publisher.publish(topic, topic) }
        #expect(client.takePublishes().map(\.topic) == ["1", "2", "3", "1"])
        #expect(client.aliases.count == 2)
        publisher.publish("1") { $0.topicAlias = 2 }
        #expect(!publisher.isClosed)
        publisher.publish("1") { $0.topicAlias = 3 }
        #expect(publisher.takeDisconnect()?.reasonCode == .topicAliasInvalid)
    }
}
