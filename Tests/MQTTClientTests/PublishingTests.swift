import MQTTClient
import MQTTCodec
import Testing

@Suite("Publishing")
struct PublishingTests {
    @Test(arguments: [.v3_1_1, .v5] as [ProtocolVersion])
    func `each QoS has its conversation`(version: ProtocolVersion) throws {
        var conversation = Conversation(version)
        try conversation.connect()
        let zero = try conversation.publish("a", qos: .atMostOnce)
        #expect(conversation.sent() == [.publish("a", .atMostOnce)])
        #expect(conversation.events() == [.published(zero)])

        let one = try conversation.publish("b", qos: .atLeastOnce)
        #expect(conversation.sent() == [.publish("b", .atLeastOnce, 1)])
        #expect(conversation.events() == [])
        conversation.server(.ack(.pubAck, 1))
        #expect(conversation.events() == [.published(one)])

        let two = try conversation.publish("c", qos: .exactlyOnce)
        #expect(conversation.sent() == [.publish("c", .exactlyOnce, 2)])
        conversation.server(.ack(.pubRec, 2))
        #expect(conversation.sent() == [.ack(.pubRel, 2)])
        #expect(conversation.events() == [])
        conversation.server(.ack(.pubComp, 2))
        #expect(conversation.events() == [.published(two)])
        #expect(conversation.machine.pendingCount == 0)
    }

    @Test func `the server's reason and its sentence are told`() throws {
        var conversation = Conversation()
        try conversation.connect()
        let one = try conversation.publish("a", qos: .atLeastOnce)
        let packet = Acknowledgement(
            type: .pubAck,
            packetIdentifier: 1,
            reasonCode: .notAuthorized,
            reasonString: "not yours"
        )
        conversation.server(.acknowledgement(packet))
        #expect(conversation.events() == [.published(one, .notAuthorized, reasonString: "not yours")])
    }

    @Test(.spec("MQTT-4.3.3-4"))
    func `a PUBREC with an error ends the message without PUBREL`() throws {
        var conversation = Conversation()
        try conversation.connect()
        let two = try conversation.publish("a", qos: .exactlyOnce)
        _ = conversation.sent()
        conversation.server(.ack(.pubRec, 1, .quotaExceeded))
        #expect(conversation.events() == [.published(two, .quotaExceeded)])
        #expect(conversation.sent() == [])
    }

    @Test(.spec("MQTT-3.3.4-9"))
    func `no more are in flight than the server receives`() throws {
        var conversation = Conversation()
        var answer = ConnAck()
        answer.receiveMaximum = 2
        try conversation.connect(answer)
        for topic in ["a", "b", "c", "d"] { try conversation.publish(topic, qos: .exactlyOnce) }
        #expect(conversation.sent() == [.publish("a", .exactlyOnce, 1), .publish("b", .exactlyOnce, 2)])
        conversation.server(.ack(.pubRec, 1))
        #expect(conversation.sent() == [.ack(.pubRel, 1)])
        conversation.server(.ack(.pubComp, 1))
        #expect(conversation.sent() == [.publish("c", .exactlyOnce, 3)])
        conversation.server(.ack(.pubRec, 2, .unspecifiedError))
        #expect(conversation.sent() == [.publish("d", .exactlyOnce, 4)])
        #expect(conversation.machine.pendingCount == 2)
    }

    @Test func `QoS 0 passes a full window`() throws {
        var conversation = Conversation { $0.maximumInFlight = 1 }
        try conversation.connect()
        try conversation.publish("a", qos: .atLeastOnce)
        try conversation.publish("b", qos: .atLeastOnce)
        try conversation.publish("c", qos: .atMostOnce)
        #expect(conversation.sent() == [.publish("a", .atLeastOnce, 1), .publish("c", .atMostOnce)])
    }

    @Test func `messages wait for the first connection, but not without bound`() throws {
        var conversation = Conversation { $0.maximumWaiting = 2 }
        try conversation.publish("a", qos: .atLeastOnce)
        try conversation.publish("b", qos: .exactlyOnce)
        #expect(throws: ClientError.queueFull) { try conversation.publish("c", qos: .atLeastOnce) }
        #expect(throws: ClientError.notConnected) { try conversation.publish("d", qos: .atMostOnce) }
        #expect(conversation.actions == ClientActions())
        try conversation.machine.connect(now: .zero, into: &conversation.actions)
        _ = conversation.sent()
        conversation.server(.connAck(ConnAck()))
        #expect(conversation.sent() == [.publish("a", .atLeastOnce, 1), .publish("b", .exactlyOnce, 2)])
    }

    @Test(arguments: ["", "a/+", "#", "a\u{0}", String(repeating: "a", count: 65536)])
    func `a name that is no topic is refused`(topic: String) throws {
        var conversation = Conversation()
        try conversation.connect()
        #expect(throws: ClientError.topicInvalid) { try conversation.publish(topic, qos: .atMostOnce) }
        #expect(throws: ClientError.topicInvalid) { try conversation.publish(topic, qos: .atLeastOnce) }
    }

    @Test(.spec("MQTT-3.2.2-11", "MQTT-3.2.2-14", "MQTT-3.2.2-15"), arguments: [.atMostOnce, .atLeastOnce] as [QoS])
    func `what the server does not take is not sent`(qos: QoS) throws {
        var conversation = Conversation()
        var answer = ConnAck()
        answer.maximumPacketSize = 20
        answer.maximumQoS = .atLeastOnce
        answer.retainAvailable = false
        try conversation.connect(answer)
        let large = try conversation.publish("a", qos: qos, payload: [UInt8](repeating: 0, count: 20))
        let retained = try conversation.machine.publish(
            Publish(topic: "a", payload: [], qos: qos, retain: true),
            now: .zero,
            into: &conversation.actions
        )
        let exact = try conversation.publish("a", qos: .exactlyOnce)
        #expect(conversation.sent() == [])
        #expect(
            conversation.events() == [
                .published(large, .packetTooLarge), .published(retained, .retainNotSupported),
                .published(exact, .qosNotSupported),
            ]
        )
        try conversation.publish("b", qos: .atLeastOnce)
        #expect(conversation.machine.pendingCount == 1)
    }

    @Test func `an acknowledgement that nobody waits for is a violation`() throws {
        var conversation = Conversation()
        try conversation.connect()
        try conversation.publish("a", qos: .exactlyOnce)
        _ = conversation.sent()
        conversation.server(.ack(.pubAck, 1))
        #expect(conversation.events().map(\.violation) == [.protocolError])
        #expect(conversation.sent() == [.disconnect(Disconnect(reasonCode: .protocolError))])
    }

    @Test func `an unknown PUBREC is answered and does not disturb`() throws {
        var conversation = Conversation()
        try conversation.connect()
        conversation.server(.ack(.pubRec, 7), .ack(.pubComp, 7, .packetIdentifierNotFound))
        #expect(conversation.sent() == [.ack(.pubRel, 7, .packetIdentifierNotFound)])
        #expect(conversation.events() == [])
    }

    @Test func `packet identifiers go round without meeting one in use`() throws {
        var conversation = Conversation()
        try conversation.connect()
        try conversation.publish("held", qos: .atLeastOnce)
        for number in 0..<65_600 {
            try conversation.publish("a", qos: .atLeastOnce)
            guard case .publish(let packet) = conversation.sent().last else { Issue.record("no PUBLISH"); return }
            #expect(packet.packetIdentifier > 1, "round \(number)")
            conversation.server(.ack(.pubAck, packet.packetIdentifier))
            conversation.actions.events = []
        }
        #expect(conversation.machine.pendingCount == 1)
    }
}

@Suite("Resuming a session")
struct ResumingTests {
    @Test(.spec("MQTT-4.4.0-1", "MQTT-4.6.0-1", "MQTT-3.3.1-1"), arguments: [.v3_1_1, .v5] as [ProtocolVersion])
    func `what was not acknowledged goes out again in order`(version: ProtocolVersion) throws {
        var conversation = Conversation(version, cleanStart: false) { $0.maximumInFlight = 4 }
        try conversation.connect()
        for (topic, qos) in [("a", 1), ("b", 2), ("c", 2), ("d", 1), ("e", 1)] as [(String, UInt8)] {
            try conversation.publish(topic, qos: #require(QoS(rawValue: qos)))
        }
        conversation.server(.ack(.pubRec, 3), .ack(.pubRec, 2))
        try conversation.resume()
        #expect(
            conversation.sent() == [
                .ack(.pubRel, 3), .ack(.pubRel, 2), .publish("a", .atLeastOnce, 1, dup: true),
                .publish("d", .atLeastOnce, 4, dup: true),
            ]
        )
        conversation.server(.ack(.pubComp, 2))
        #expect(conversation.sent() == [.publish("e", .atLeastOnce, 5)])
        conversation.server(.ack(.pubAck, 4), .ack(.pubAck, 1), .ack(.pubComp, 3), .ack(.pubAck, 5))
        #expect(conversation.machine.pendingCount == 0)
    }

    @Test func `repeats keep to a smaller receive maximum`() throws {
        var conversation = Conversation(cleanStart: false)
        try conversation.connect()
        for topic in ["a", "b", "c"] { try conversation.publish(topic, qos: .atLeastOnce) }
        var answer = ConnAck(sessionPresent: true)
        answer.receiveMaximum = 1
        try conversation.resume(answer)
        #expect(conversation.sent() == [.publish("a", .atLeastOnce, 1, dup: true)])
        try conversation.publish("d", qos: .atLeastOnce)
        conversation.server(.ack(.pubAck, 1))
        #expect(conversation.sent() == [.publish("b", .atLeastOnce, 2, dup: true)])
        // A second loss in the middle changes nothing about the order.
        try conversation.resume(answer)
        #expect(conversation.sent() == [.publish("b", .atLeastOnce, 2, dup: true)])
        conversation.server(.ack(.pubAck, 2))
        #expect(conversation.sent() == [.publish("c", .atLeastOnce, 3, dup: true)])
        conversation.server(.ack(.pubAck, 3))
        #expect(conversation.sent() == [.publish("d", .atLeastOnce, 4)])
    }

    @Test func `without a session QoS 1 starts anew and QoS 2 is given up`() throws {
        var conversation = Conversation(cleanStart: false)
        try conversation.connect()
        try conversation.publish("a", qos: .atLeastOnce)
        let exact = try conversation.publish("b", qos: .exactlyOnce)
        let released = try conversation.publish("c", qos: .exactlyOnce)
        try conversation.publish("d", qos: .atLeastOnce)
        conversation.server(.ack(.pubRec, 3))
        try conversation.resume(ConnAck())
        #expect(conversation.sent() == [.publish("a", .atLeastOnce, 5), .publish("d", .atLeastOnce, 6)])
        #expect(conversation.events() == [.connected(ConnAck()), .abandoned(exact), .abandoned(released)])
    }

    @Test func `a server of 3 1 is trusted to have the session`() throws {
        var conversation = Conversation(.v3_1, cleanStart: false)
        try conversation.connect()
        try conversation.publish("a", qos: .exactlyOnce)
        try conversation.resume(ConnAck())
        #expect(conversation.sent() == [.publish("a", .exactlyOnce, 1, dup: true)])
    }

    @Test(.spec("MQTT-4.4.0-1"))
    func `nothing is repeated within a connection`() throws {
        var conversation = Conversation(keepAlive: 40)
        try conversation.connect()
        try conversation.publish("a", qos: .exactlyOnce)
        _ = conversation.sent()
        for _ in 0..<20 {
            conversation.tick(10)
            conversation.server(.pingResp)
        }
        #expect(conversation.sent().allSatisfy { $0 == .pingReq })
    }

    @Test func `subscriptions without an answer are given up with the connection`() throws {
        var conversation = Conversation()
        try conversation.connect()
        let subscribed = try conversation.machine.subscribe(
            [Subscribe.Request("a", SubscriptionOptions(qos: .atMostOnce))],
            now: .zero,
            into: &conversation.actions
        )
        let unsubscribed = try conversation.machine.unsubscribe(["a"], now: .zero, into: &conversation.actions)
        conversation.machine.connectionLost(into: &conversation.actions)
        #expect(
            conversation.events() == [
                .abandoned(subscribed), .abandoned(unsubscribed), .connectionLost(.transportClosed),
            ]
        )
        #expect(conversation.machine.pendingCount == 0)
    }
}
