import ApusMemory
import ApusMessage
import ApusTopics
import MQTTCodec
import Testing

@testable import ApusBroker

@Suite("Publishing")
struct PublishingTests {
    @Test(arguments: QoS.allCases, QoS.allCases)
    func `a message arrives with the lower of both QoS, on its own and on another shard`(published: QoS, granted: QoS) {
        let harness = ShardHarness(shards: 2)
        let near = harness.client(harness.clientID(onShard: 0, "near"))
        let far = harness.client(harness.clientID(onShard: 1, "far"))
        for client in [near, far] { #expect(client.subscribe("a/+", qos: granted)?.rawValue == granted.rawValue) }
        let publisher = harness.client(harness.clientID(onShard: 0, "p"))
        publisher.publish("a/b", "hello", qos: published, id: published == .atMostOnce ? 0 : 1)
        for client in [near, far] {
            let got = client.takePublishes()
            #expect(got.map(\.text) == ["hello"])
            #expect(got.map(\.qos) == [min(published, granted)])
            #expect(got.map(\.retain) == [false])
            #expect(got.map(\.dup) == [false])
        }
    }

    @Test(.spec("MQTT-4.3.2-4", "MQTT-4.3.3-8"))
    func `QoS 1 is answered with PUBACK and QoS 2 with PUBREC and PUBCOMP`() {
        let harness = ShardHarness()
        let publisher = harness.client("p")
        harness.client("s").subscribe("t")
        publisher.publish("t", qos: .atLeastOnce, id: 7)
        publisher.publish("t", qos: .exactlyOnce, id: 8)
        publisher.acknowledge(.pubRel, 8)
        publisher.acknowledge(.pubRel, 8)
        let answers = publisher.takeAcknowledgements()
        #expect(answers.map(\.type) == [.pubAck, .pubRec, .pubComp, .pubComp])
        #expect(answers.map(\.packetIdentifier) == [7, 8, 8, 8])
        #expect(answers.map(\.reasonCode) == [.success, .success, .success, .packetIdentifierNotFound])
    }

    @Test(arguments: ProtocolVersion.allCases)
    func `a message nobody wants is acknowledged, to 5_0 with the reason`(version: ProtocolVersion) {
        let harness = ShardHarness()
        let publisher = harness.client("p", version)
        publisher.publish("t", qos: .atLeastOnce, id: 7)
        let reason: ReasonCode = version == .v5 ? .noMatchingSubscribers : .success
        #expect(publisher.takeAcknowledgements().map(\.reasonCode) == [reason])
    }

    @Test(.spec("MQTT-4.3.3-10"))
    func `a QoS 2 duplicate is not delivered again, after PUBREL it is a new message`() {
        let harness = ShardHarness()
        let subscriber = harness.client("s")
        subscriber.subscribe("t", qos: .exactlyOnce)
        let first = harness.client("p", expiry: 100)
        first.publish("t", "one", qos: .exactlyOnce, id: 5)
        first.publish("t", "one", qos: .exactlyOnce, id: 5, dup: true)
        #expect(first.takeAcknowledgements().map(\.type) == [.pubRec, .pubRec])
        first.lose()
        let second = harness.client("p", clean: false, expiry: 100)
        second.publish("t", "one", qos: .exactlyOnce, id: 5, dup: true)
        #expect(subscriber.takePayloads() == ["one"])
        second.acknowledge(.pubRel, 5)
        second.publish("t", "two", qos: .exactlyOnce, id: 5)
        #expect(subscriber.takePayloads() == ["two"])
    }

    @Test(.spec("MQTT-4.3.3-4", "MQTT-4.3.3-6"))
    func `the broker sends PUBREL once it has PUBREC`() {
        let harness = ShardHarness()
        let subscriber = harness.client("s")
        subscriber.subscribe("t", qos: .exactlyOnce)
        harness.client("p").publish("t", qos: .exactlyOnce, id: 1)
        let id = subscriber.takePublishes()[0].packetIdentifier
        subscriber.acknowledge(.pubRec, id)
        subscriber.acknowledge(.pubRec, id)
        #expect(subscriber.takeAcknowledgements().map(\.type) == [.pubRel, .pubRel])
        subscriber.acknowledge(.pubComp, id)
        subscriber.acknowledge(.pubRec, 999)
        let answer = subscriber.takeAcknowledgements()
        #expect(answer.map(\.type) == [.pubRel])
        #expect(answer.map(\.reasonCode) == [.packetIdentifierNotFound])
        subscriber.acknowledge(.pubRec, 999, .notAuthorized)
        #expect(subscriber.takeAcknowledgements().isEmpty)
    }

    @Test func `the acknowledgement of the other QoS ends the connection`() {
        let harness = ShardHarness()
        let subscriber = harness.client("s")
        subscriber.subscribe("t", qos: .exactlyOnce)
        harness.client("p").publish("t", qos: .exactlyOnce, id: 1)
        subscriber.acknowledge(.pubAck, subscriber.takePublishes()[0].packetIdentifier)
        #expect(subscriber.takeDisconnect()?.reasonCode == .protocolError)
        #expect(subscriber.isClosed)
    }

    @Test func `a refusing PUBREC makes room and is not repeated`() {
        let harness = ShardHarness()
        let subscriber = harness.client("s", expiry: 100) { $0.receiveMaximum = 1 }
        subscriber.subscribe("t", qos: .exactlyOnce)
        let publisher = harness.client("p")
        publisher.publish("t", "one", qos: .exactlyOnce, id: 1)
        publisher.publish("t", "two", qos: .exactlyOnce, id: 2)
        subscriber.acknowledge(.pubRec, subscriber.takePublishes()[0].packetIdentifier, .quotaExceeded)
        #expect(subscriber.takePayloads() == ["two"])
        subscriber.lose()
        #expect(harness.client("s", clean: false).takePayloads() == ["two"])
    }

    // MARK: - Forwarded properties

    @Test(.spec("MQTT-3.3.2-4", "MQTT-3.3.2-15", "MQTT-3.3.2-16", "MQTT-3.3.2-17", "MQTT-3.3.2-18", "MQTT-3.3.2-20"))
    func `properties travel unchanged and in order to 5_0, and not at all before`() {
        let harness = ShardHarness(shards: 2)
        let five = harness.client(harness.clientID(onShard: 1, "five"))
        let three = harness.client("three", .v3_1_1)
        for client in [five, three] { client.subscribe("t") }
        let properties = MessageProperties(
            payloadFormat: .utf8,
            contentType: "text/plain",
            responseTopic: "answer",
            correlationData: [1, 2],
            userProperties: [UserProperty("b", "2"), UserProperty("a", "1"), UserProperty("b", "3")],
        )
        harness.client("p").publish("t") { $0.properties = properties }
        #expect(five.takePublishes().map(\.properties) == [properties])
        #expect(three.takePublishes().map(\.text) == ["x"])
    }

    @Test(arguments: QoS.allCases)
    func `a payload that is declared text and is not reaches nobody`(qos: QoS) {
        let harness = ShardHarness()
        let subscriber = harness.client("s")
        subscriber.subscribe("t")
        let publisher = harness.client("p")
        publisher.publish("t", qos: qos, id: qos == .atMostOnce ? 0 : 1) {
            $0.payload = [0xC0]
            $0.properties.payloadFormat = .utf8
        }
        #expect(subscriber.takePublishes().isEmpty)
        if qos == .atMostOnce {
            #expect(publisher.takeDisconnect()?.reasonCode == .payloadFormatInvalid)
        } else {
            #expect(publisher.takeAcknowledgements().map(\.reasonCode) == [.payloadFormatInvalid])
            #expect(!publisher.isClosed)
        }
    }

    @Test func `a large payload arrives whole on every shard, in every version`() {
        let harness = ShardHarness(shards: 3)
        let payload = String(repeating: "0123456789", count: 5_000)
        var clients: [ScriptedClient] = []
        for shard in 0..<3 {
            for version in ProtocolVersion.allCases {
                let client = harness.client(harness.clientID(onShard: shard, "\(version)"), version)
                client.subscribe("t", qos: .exactlyOnce)
                clients.append(client)
            }
        }
        let publisher = harness.client("p")
        for (index, qos) in QoS.allCases.enumerated() {
            publisher.publish("t", payload, qos: qos, id: PacketIdentifier(index))
        }
        for client in clients {
            let got = client.takePublishes()
            #expect(got.map(\.qos) == QoS.allCases)
            #expect(got.allSatisfy { $0.text == payload })
        }
    }

    // MARK: - Message expiry

    @Test(.spec("MQTT-3.3.2-5", "MQTT-3.3.2-6"))
    func `a message that waited carries what is left of its expiry, an expired one is dropped`() {
        let harness = ShardHarness()
        let first = harness.client("s", expiry: 1_000)
        first.subscribe("t", qos: .atLeastOnce)
        first.lose()
        let publisher = harness.client("p")
        publisher.publish("t", "short", qos: .atLeastOnce, id: 1) { $0.messageExpiryInterval = 5 }
        publisher.publish("t", "long", qos: .atLeastOnce, id: 2) { $0.messageExpiryInterval = 100 }
        publisher.publish("t", "ever", qos: .atLeastOnce, id: 3)
        harness.advance(seconds: 30)
        let got = harness.client("s", clean: false).takePublishes()
        #expect(got.map(\.text) == ["long", "ever"])
        #expect(got.map(\.messageExpiryInterval) == [70, nil])
        #expect(harness.dropped(.expired) == 1)
    }

    @Test(.spec("MQTT-3.3.2-6"), arguments: [0, 1, 4_294_967_295] as [UInt32])
    func `a message that did not wait keeps its expiry`(interval: UInt32) {
        let harness = ShardHarness()
        let subscriber = harness.client("s")
        subscriber.subscribe("t")
        harness.client("p").publish("t") { $0.messageExpiryInterval = interval }
        #expect(subscriber.takePublishes().map(\.messageExpiryInterval) == [interval])
    }

    // MARK: - Topic aliases

    @Test(.spec("MQTT-3.3.2-8"))
    func `a client may use aliases and change them`() {
        let harness = ShardHarness(shards: 2)
        let subscriber = harness.client("s")
        subscriber.subscribe("#")
        let publisher = harness.client("p")
        publisher.publish("a/b", "1") { $0.topicAlias = 3 }
        publisher.publish("", "2") { $0.topicAlias = 3 }
        publisher.publish("c", "3") { $0.topicAlias = 3 }
        publisher.publish("", "4") { $0.topicAlias = 3 }
        let got = subscriber.takePublishes()
        #expect(got.map(\.topic) == ["a/b", "a/b", "c", "c"])
        #expect(got.map(\.text) == ["1", "2", "3", "4"])
        #expect(got.allSatisfy { $0.topicAlias == 0 })
    }

    @Test(.spec("MQTT-3.3.2-9"), arguments: [(33, .topicAliasInvalid), (7, .protocolError)] as [(UInt16, ReasonCode)])
    func `an alias too large or never set ends the connection`(alias: UInt16, reason: ReasonCode) {
        let harness = ShardHarness()
        let publisher = harness.client("p")
        publisher.publish("") { $0.topicAlias = alias }
        #expect(publisher.takeDisconnect()?.reasonCode == reason)
        #expect(publisher.isClosed)
    }

    @Test(.spec("MQTT-3.3.2-7"))
    func `aliases end with their connection`() {
        let harness = ShardHarness()
        let first = harness.client("p", expiry: 100)
        first.publish("t") { $0.topicAlias = 1 }
        first.lose()
        let second = harness.client("p", clean: false, expiry: 100)
        second.publish("") { $0.topicAlias = 1 }
        #expect(second.isClosed)
    }

    @Test(.spec("MQTT-3.1.2-26", "MQTT-3.1.2-27"))
    func `the broker uses aliases towards a client that allows them, within its maximum`() {
        let harness = ShardHarness()
        let subscriber = harness.client("s") { $0.topicAliasMaximum = 2 }
        subscriber.subscribe("#", qos: .atLeastOnce)
        let publisher = harness.client("p")
        for topic in ["a", "b", "a", "c", "a", "c"] { publisher.publish(topic, topic, qos: .atLeastOnce, id: 1) }
        let got = subscriber.takePublishes()
        #expect(got.map(\.topic) == ["a", "b", "a", "c", "a", "c"])
        #expect(got.map(\.text) == got.map(\.topic))
        #expect(got.allSatisfy { (1...2).contains($0.topicAlias) })
    }

    // MARK: - Bounds

    @Test(.spec("MQTT-3.3.4-9"))
    func `no more messages are under way than the client's receive maximum`() {
        let harness = ShardHarness()
        let subscriber = harness.client("s") { $0.receiveMaximum = 2 }
        subscriber.subscribe("t", qos: .exactlyOnce)
        let publisher = harness.client("p")
        for index in 1...5 {
            publisher.publish(
                "t",
                "\(index)",
                qos: index % 2 == 0 ? .exactlyOnce : .atLeastOnce,
                id: PacketIdentifier(index)
            )
        }
        publisher.publish("t", "free")
        var got = subscriber.takePublishes()
        #expect(got.map(\.text) == ["1", "2", "free"])
        subscriber.acknowledge(.pubRec, got[1].packetIdentifier)
        #expect(subscriber.takePublishes().isEmpty)
        subscriber.acknowledge(.pubComp, got[1].packetIdentifier)
        #expect(subscriber.takePayloads() == ["3"])
        subscriber.acknowledge(.pubAck, got[0].packetIdentifier)
        got = subscriber.takePublishes()
        #expect(got.map(\.text) == ["4"])
    }

    @Test(.spec("MQTT-3.3.4-7"))
    func `more QoS 2 messages than the broker's receive maximum end the connection`() {
        let harness = ShardHarness { $0.limits.receiveMaximum = 3 }
        let publisher = harness.client("p")
        for id in 1...3 as ClosedRange<PacketIdentifier> { publisher.publish("t", qos: .exactlyOnce, id: id) }
        publisher.publish("t", qos: .exactlyOnce, id: 2, dup: true)
        #expect(!publisher.isClosed)
        publisher.publish("t", qos: .exactlyOnce, id: 4)
        #expect(publisher.takeDisconnect()?.reasonCode == .receiveMaximumExceeded)
        #expect(publisher.isClosed)
    }

    @Test(.spec("MQTT-3.1.2-24", "MQTT-3.1.2-25"), arguments: QoS.allCases)
    func `a packet larger than the client takes is dropped and counted, the next one comes`(qos: QoS) {
        let harness = ShardHarness(shards: 2)
        let narrow = harness.client(harness.clientID(onShard: 0)) { $0.maximumPacketSize = 100 }
        let alias = harness.client(harness.clientID(onShard: 1)) {
            $0.maximumPacketSize = 100
            $0.topicAliasMaximum = 3
        }
        let identified = harness.client("i") { $0.maximumPacketSize = 100 }
        let wide = harness.client("wide")
        for client in [narrow, alias, wide] { client.subscribe("t", qos: qos) }
        identified.subscribe("t", qos: qos, identifier: 300)
        let publisher = harness.client("p")
        let large = String(repeating: "x", count: 100)
        publisher.publish("t", large, qos: qos, id: qos == .atMostOnce ? 0 : 1)
        publisher.publish("t", "small", qos: qos, id: qos == .atMostOnce ? 0 : 2)
        for client in [narrow, alias, identified] { #expect(client.takePayloads() == ["small"]) }
        #expect(wide.takePayloads() == [large, "small"])
        #expect(harness.dropped(.tooLargeForReceiver) == 3)
    }

    @Test(.spec("MQTT-3.2.2-15"))
    func `a packet larger than the broker takes ends the connection at its header`() {
        let harness = ShardHarness { $0.limits.packetBytes = 1_000 }
        let publisher = harness.client("p")
        publisher.send(bytes: [0x30, 0xE9, 0x07])
        #expect(publisher.takeDisconnect()?.reasonCode == .packetTooLarge)
        #expect(publisher.isClosed)
    }

    @Test func `a QoS above the policy's ends the connection, a subscription is lowered`() {
        let harness = ShardHarness { $0.policies.maximumQoS = .atLeastOnce }
        let client = harness.client("p")
        #expect(client.connAck?.maximumQoS == .atLeastOnce)
        #expect(client.subscribe("t", qos: .exactlyOnce) == .grantedQoS1)
        client.publish("t", qos: .exactlyOnce, id: 1)
        #expect(client.takeDisconnect()?.reasonCode == .qosNotSupported)
    }

    @Test func `new limits bind what starts from now on, and not what was promised before`() {
        let harness = ShardHarness(shards: 2)
        let old = harness.client("old")
        var limits = Limits()
        limits.receiveMaximum = 2
        limits.packetBytes = 500
        limits.topicAliases = 1
        harness.broker.apply(limits)
        harness.settle()
        for id in 1...10 as ClosedRange<PacketIdentifier> { old.publish("t", qos: .exactlyOnce, id: id) }
        old.publish("t", String(repeating: "x", count: 600))
        old.publish("t") { $0.topicAlias = 30 }
        #expect(!old.isClosed)
        let new = harness.client("new")
        #expect(new.connAck?.receiveMaximum == 2)
        #expect(new.connAck?.maximumPacketSize == 500)
        #expect(new.connAck?.topicAliasMaximum == 1)
        for id in 1...3 as ClosedRange<PacketIdentifier> { new.publish("t", qos: .exactlyOnce, id: id) }
        #expect(new.takeDisconnect()?.reasonCode == .receiveMaximumExceeded)
    }

    @Test func `only the broker publishes below $SYS`() {
        let harness = ShardHarness()
        let subscriber = harness.client("s")
        subscriber.subscribe("$SYS/#")
        let publisher = harness.client("p")
        publisher.publish("$SYS/broker/uptime", qos: .atLeastOnce, id: 1)
        #expect(publisher.takeAcknowledgements().map(\.reasonCode) == [.notAuthorized])
        #expect(subscriber.takePublishes().isEmpty)
        #expect(harness.dropped(.notAuthorized) == 1)
    }

    @Test func `statistics appear below $SYS, at once and again`() {
        let harness = ShardHarness(shards: 2) {
            $0.statisticsSeconds = 10
            $0.version = "apus 9"
        }
        let subscriber = harness.client("s")
        harness.advance(seconds: 0.2)
        subscriber.subscribe("$SYS/#")
        let all = harness.client("all")
        all.subscribe("#")
        let first = subscriber.takePublishes()
        #expect(first.first { $0.topic == "$SYS/broker/version" }?.text == "apus 9")
        #expect(first.allSatisfy { $0.retain })
        harness.advance(seconds: 10)
        let second = subscriber.takePublishes()
        #expect(second.first { $0.topic == "$SYS/broker/clients/connected" }?.text == "2")
        #expect(second.first { $0.topic == "$SYS/broker/uptime" }?.text == "10 seconds")
        #expect(second.contains { $0.topic == "$SYS/broker/publish/messages/dropped/slow_consumer" })
        #expect(all.takePublishes().isEmpty)
    }

    @Test(arguments: ["a/b/c/d", "abcdefghijk"], QoS.allCases)
    func `a topic too deep or too long goes nowhere`(topic: String, qos: QoS) {
        let harness = ShardHarness {
            $0.limits.topicLevels = 3
            $0.limits.topicBytes = 10
        }
        let subscriber = harness.client("s")
        subscriber.subscribe("#")
        let publisher = harness.client("p")
        publisher.publish(topic, qos: qos, id: qos == .atMostOnce ? 0 : 1, retain: true)
        publisher.publish("a/b/c", "fits")
        #expect(subscriber.takePayloads().filter { $0 != "fits" }.isEmpty)
        #expect(publisher.takeAcknowledgements().map(\.reasonCode) == (qos == .atMostOnce ? [] : [.topicNameInvalid]))
        #expect(harness.broker.instance(.none).retained.count == 0)
    }
}
