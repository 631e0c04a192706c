import MQTTClient
import MQTTCodec
import Testing

@Suite("Receiving messages")
struct ReceivingTests {
    @Test(arguments: [.v3_1_1, .v5] as [ProtocolVersion])
    func `each QoS has its answer`(version: ProtocolVersion) throws {
        var conversation = Conversation(version)
        try conversation.connect()
        conversation.server(.publish("a", .atMostOnce), .publish("b", .atLeastOnce, 9), .publish("c", .exactlyOnce, 8))
        #expect(conversation.events().map(\.topic) == ["a", "b", "c"])
        #expect(conversation.sent() == [.ack(.pubAck, 9), .ack(.pubRec, 8)])
        conversation.server(.ack(.pubRel, 8))
        #expect(conversation.sent() == [.ack(.pubComp, 8)])
        #expect(conversation.events() == [])
    }

    @Test(.spec("MQTT-4.3.3-10"))
    func `a QoS 2 message is delivered once however often it comes`() throws {
        var conversation = Conversation(cleanStart: false)
        try conversation.connect()
        conversation.server(.publish("a", .exactlyOnce, 1), .publish("a", .exactlyOnce, 1, dup: true))
        #expect(conversation.sent() == [.ack(.pubRec, 1), .ack(.pubRec, 1)])
        #expect(conversation.events().map(\.topic) == ["a"])
        try conversation.resume()
        _ = conversation.events()
        conversation.server(.publish("a", .exactlyOnce, 1, dup: true), .ack(.pubRel, 1))
        #expect(conversation.sent() == [.ack(.pubRec, 1), .ack(.pubComp, 1)])
        #expect(conversation.events() == [])
        conversation.server(.publish("b", .exactlyOnce, 1))
        #expect(conversation.events().map(\.topic) == ["b"])
    }

    @Test func `a new session knows nothing of old messages`() throws {
        var conversation = Conversation(cleanStart: false)
        try conversation.connect()
        conversation.server(.publish("a", .exactlyOnce, 1))
        try conversation.resume(ConnAck())
        _ = conversation.events()
        conversation.server(.publish("b", .exactlyOnce, 1))
        #expect(conversation.events().map(\.topic) == ["b"])
    }

    @Test(arguments: [(.v5, .packetIdentifierNotFound), (.v3_1_1, .success)] as [(ProtocolVersion, ReasonCode)])
    func `an unknown PUBREL is answered`(version: ProtocolVersion, code: ReasonCode) throws {
        var conversation = Conversation(version)
        try conversation.connect()
        conversation.server(.ack(.pubRel, 5))
        #expect(conversation.sent() == [.ack(.pubComp, 5, code)])
    }

    @Test(.spec("MQTT-3.3.4-9"))
    func `more than we receive is a violation`() throws {
        var conversation = Conversation { $0.connect.receiveMaximum = 2 }
        try conversation.connect()
        conversation.server(.publish("a", .exactlyOnce, 1), .publish("b", .exactlyOnce, 2))
        conversation.server(.ack(.pubRel, 1), .publish("c", .exactlyOnce, 3), .publish("d", .atMostOnce))
        _ = conversation.sent()
        #expect(conversation.events().map(\.topic) == ["a", "b", "c", "d"])
        conversation.server(.publish("e", .atLeastOnce, 4))
        #expect(conversation.events().map(\.violation) == [.receiveMaximumExceeded])
        #expect(conversation.sent() == [.disconnect(Disconnect(reasonCode: .receiveMaximumExceeded))])
    }

    @Test func `the receive maximum starts anew with a connection`() throws {
        var conversation = Conversation(cleanStart: false) { $0.connect.receiveMaximum = 1 }
        try conversation.connect()
        conversation.server(.publish("a", .exactlyOnce, 1))
        try conversation.resume()
        conversation.server(.publish("b", .exactlyOnce, 2))
        #expect(conversation.events().compactMap(\.topic) == ["b"])
        conversation.server(.ack(.pubRel, 1), .ack(.pubRel, 2), .publish("c", .exactlyOnce, 3))
        #expect(conversation.events().map(\.topic) == ["c"])
    }

    @Test(.spec("MQTT-3.3.2-7"))
    func `topic aliases are resolved and end with the connection`() throws {
        var conversation = Conversation(cleanStart: false) { $0.connect.topicAliasMaximum = 2 }
        try conversation.connect()
        func aliased(_ topic: String, _ alias: UInt16) -> Packet {
            .publish(Publish(topic: topic, payload: [], topicAlias: alias))
        }
        conversation.server(
            aliased("a", 1),
            aliased("b", 2),
            aliased("", 1),
            aliased("c", 1),
            aliased("", 1),
            aliased("", 2)
        )
        #expect(conversation.events().map(\.topic) == ["a", "b", "a", "c", "c", "b"])
        try conversation.resume()
        _ = conversation.events()
        conversation.server(aliased("", 1))
        #expect(conversation.events().map(\.violation) == [.protocolError])
    }

    @Test(.spec("MQTT-3.1.2-26"))
    func `an alias beyond our maximum is a violation`() throws {
        var conversation = Conversation { $0.connect.topicAliasMaximum = 2 }
        try conversation.connect()
        conversation.server(.publish(Publish(topic: "a", payload: [], topicAlias: 3)))
        #expect(conversation.events().map(\.violation) == [.topicAliasInvalid])
    }

    @Test(.spec("MQTT-3.1.2-24"))
    func `a packet beyond our maximum is a violation before it is complete`() throws {
        var conversation = Conversation { $0.connect.maximumPacketSize = 100 }
        try conversation.connect()
        conversation.server(bytes: [0x30, 0x63])
        #expect(conversation.events().map(\.violation) == [.packetTooLarge])
    }

    @Test func `every property reaches the application`() throws {
        var conversation = Conversation()
        try conversation.connect()
        let message = Publish(
            topic: "a",
            payload: [1, 2],
            qos: .atMostOnce,
            retain: true,
            messageExpiryInterval: 7,
            subscriptionIdentifiers: [3, 4],
            properties: MessageProperties(
                payloadFormat: .utf8,
                contentType: "t",
                responseTopic: "r",
                correlationData: [5],
                userProperties: [UserProperty("k", "v"), UserProperty("k", "w")]
            )
        )
        conversation.server(.publish(message))
        #expect(conversation.events() == [.message(message, nil)])
    }

    @Test func `packets may be cut anywhere`() throws {
        var bytes: [UInt8] = []
        for packet in [
            .connAck(ConnAck()), .publish("topic", .exactlyOnce, 8), .pingResp, .ack(.pubRel, 8),
            .publish(Publish(topic: "long", payload: [UInt8](repeating: 7, count: 300))),
        ] as [Packet] {
            packet.encode(into: &bytes, version: .v5)
        }
        for cut in 0...bytes.count {
            var conversation = Conversation()
            try conversation.machine.connect(now: .zero, into: &conversation.actions)
            _ = conversation.sent()
            conversation.server(bytes: Array(bytes[..<cut]))
            conversation.server(bytes: Array(bytes[cut...]))
            #expect(conversation.events().compactMap(\.topic) == ["topic", "long"], "cut at \(cut)")
            #expect(conversation.sent() == [.ack(.pubRec, 8), .ack(.pubComp, 8)])
        }
        var conversation = Conversation()
        try conversation.machine.connect(now: .zero, into: &conversation.actions)
        for byte in bytes { conversation.server(bytes: [byte]) }
        #expect(conversation.events().compactMap(\.topic) == ["topic", "long"])
    }

    @Test(
        arguments: [
            [0x00], [0x36, 0x00], [0xD1, 0x00], [0x10, 0x00], [0x82, 0x00], [0x30, 0xFF, 0xFF, 0xFF, 0xFF],
        ] as [[UInt8]]
    )
    func `what no server may send is a violation and ends the connection`(bytes: [UInt8]) throws {
        var conversation = Conversation()
        try conversation.connect()
        conversation.server(bytes: bytes)
        #expect(conversation.events().count == 1)
        #expect(conversation.machine.phase == .disconnected)
        #expect(conversation.sent().map(\.type) == [.disconnect])
        conversation.server(bytes: [0xD0, 0x00])
        #expect(conversation.actions == ClientActions())
    }

    @Test func `a violation in 3 x is answered with silence`() throws {
        var conversation = Conversation(.v3_1_1)
        try conversation.connect()
        conversation.server(.disconnect(Disconnect()))
        #expect(conversation.events().map(\.violation) == [.protocolError])
        #expect(conversation.sent() == [])
    }
}

@Suite("Acknowledging by hand")
struct ManualAcknowledgementTests {
    private func conversation(_ version: ProtocolVersion = .v5) throws -> Conversation {
        var conversation = Conversation(version, cleanStart: false) {
            $0.acknowledgesManually = true
            $0.connect.receiveMaximum = 2
        }
        try conversation.connect()
        return conversation
    }

    @Test func `nothing is acknowledged until the application says so`() throws {
        var conversation = try conversation()
        conversation.server(.publish("a", .atLeastOnce, 1), .publish("b", .exactlyOnce, 2), .publish("z", .atMostOnce))
        let deliveries = conversation.events().map(\.delivery)
        #expect(conversation.sent() == [])
        #expect(deliveries[2] == nil)
        for delivery in [deliveries[0], deliveries[1], deliveries[0], deliveries[1]] {
            conversation.machine.acknowledge(try #require(delivery), now: .zero, into: &conversation.actions)
        }
        #expect(conversation.sent() == [.ack(.pubAck, 1), .ack(.pubRec, 2)])
    }

    @Test func `unacknowledged messages count against the receive maximum`() throws {
        var conversation = try conversation()
        conversation.server(
            .publish("a", .atLeastOnce, 1),
            .publish("b", .atLeastOnce, 2),
            .publish("c", .atLeastOnce, 3)
        )
        #expect(conversation.events().last?.violation == .receiveMaximumExceeded)
    }

    @Test func `an acknowledgement of an old connection does not reach a new message`() throws {
        var conversation = try conversation()
        conversation.server(.publish("a", .atLeastOnce, 1))
        let old = try #require(conversation.events().first?.delivery)
        try conversation.resume()
        _ = conversation.events()
        conversation.server(.publish("b", .atLeastOnce, 1))
        conversation.machine.acknowledge(old, now: .zero, into: &conversation.actions)
        #expect(conversation.sent() == [])
        let new = try #require(conversation.events().first?.delivery)
        conversation.machine.acknowledge(new, now: .zero, into: &conversation.actions)
        #expect(conversation.sent() == [.ack(.pubAck, 1)])
    }

    @Test func `a QoS 2 message can be acknowledged after a loss and is not delivered again`() throws {
        var conversation = try conversation()
        conversation.server(.publish("a", .exactlyOnce, 1))
        let delivery = try #require(conversation.events().first?.delivery)
        conversation.lose()
        conversation.machine.acknowledge(delivery, now: .zero, into: &conversation.actions)
        #expect(conversation.actions == ClientActions())
        try conversation.resume()
        _ = conversation.events()
        conversation.server(.publish("a", .exactlyOnce, 1, dup: true))
        #expect(conversation.events() == [])
        #expect(conversation.sent() == [.ack(.pubRec, 1)])
    }

    @Test func `a message can be refused`() throws {
        var conversation = try conversation()
        conversation.server(.publish("a", .atLeastOnce, 1), .publish("b", .exactlyOnce, 2))
        for delivery in conversation.events().compactMap(\.delivery) {
            conversation.machine.acknowledge(
                delivery,
                reasonCode: .quotaExceeded,
                now: .zero,
                into: &conversation.actions
            )
        }
        #expect(conversation.sent() == [.ack(.pubAck, 1, .quotaExceeded), .ack(.pubRec, 2, .quotaExceeded)])
        conversation.server(.publish("c", .exactlyOnce, 2))
        #expect(conversation.events().map(\.topic) == ["c"])
    }

    @Test(arguments: [(.v5, .protocolError), (.v3_1_1, nil)] as [(ProtocolVersion, ReasonCode?)])
    func `a QoS 1 identifier in use is a violation in 5 and a repeat in 3`(
        version: ProtocolVersion,
        violation: ReasonCode?
    ) throws {
        var conversation = try conversation(version)
        conversation.server(.publish("a", .atLeastOnce, 1), .publish("a", .atLeastOnce, 1, dup: true))
        let events = conversation.events()
        #expect(events.compactMap(\.topic) == ["a"])
        #expect(events.compactMap(\.violation) == (violation.map { [$0] } ?? []))
    }
}
