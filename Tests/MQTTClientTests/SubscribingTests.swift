import MQTTClient
import MQTTCodec
import Testing

@Suite("Subscribing")
struct SubscribingTests {
    private let requests = [
        Subscribe.Request("a/+", SubscriptionOptions(qos: .atLeastOnce)),
        Subscribe.Request("b", SubscriptionOptions(qos: .exactlyOnce)),
    ]

    @Test(arguments: [.v3_1_1, .v5] as [ProtocolVersion])
    func `answers find their requests`(version: ProtocolVersion) throws {
        var conversation = Conversation(version)
        try conversation.connect()
        let first = try conversation.machine.subscribe(requests, now: .zero, into: &conversation.actions)
        let second = try conversation.machine.unsubscribe(["a/+", "x"], now: .zero, into: &conversation.actions)
        #expect(
            conversation.sent() == [
                .subscribe(Subscribe(packetIdentifier: 1, requests: requests)),
                .unsubscribe(Unsubscribe(packetIdentifier: 2, topicFilters: ["a/+", "x"])),
            ]
        )
        let codes: [ReasonCode] = version == .v5 ? [.success, .noSubscriptionExisted] : [.success, .success]
        conversation.server(
            .unsubAck(UnsubAck(packetIdentifier: 2, reasonCodes: codes)),
            .subAck(SubAck(packetIdentifier: 1, reasonCodes: [.grantedQoS1, .unspecifiedError]))
        )
        #expect(
            conversation.events() == [
                .unsubscribed(second, codes, reasonString: nil),
                .subscribed(first, [.grantedQoS1, .unspecifiedError], reasonString: nil),
            ]
        )
        #expect(conversation.machine.pendingCount == 0)
    }

    @Test func `identifier and properties are sent`() throws {
        var conversation = Conversation()
        try conversation.connect()
        try conversation.machine.subscribe(
            requests,
            identifier: 5,
            userProperties: [UserProperty("k", "v")],
            now: .zero,
            into: &conversation.actions
        )
        #expect(
            conversation.sent() == [
                .subscribe(
                    Subscribe(
                        packetIdentifier: 1,
                        requests: requests,
                        subscriptionIdentifier: 5,
                        userProperties: [UserProperty("k", "v")]
                    )
                )
            ]
        )
    }

    @Test(
        .spec("MQTT-3.8.4-6"),
        arguments: [
            .subAck(SubAck(packetIdentifier: 1, reasonCodes: [.success])),
            .subAck(SubAck(packetIdentifier: 2, reasonCodes: [.success, .success])),
            .unsubAck(UnsubAck(packetIdentifier: 1, reasonCodes: [.success, .success])),
        ] as [Packet]
    )
    func `an answer that does not fit is a violation`(answer: Packet) throws {
        var conversation = Conversation()
        try conversation.connect()
        let token = try conversation.machine.subscribe(requests, now: .zero, into: &conversation.actions)
        conversation.server(answer)
        let events = conversation.events()
        #expect(events.first == .abandoned(token))
        #expect(events.last?.violation == .protocolError)
    }

    @Test func `what cannot be asked is refused`() throws {
        var conversation = Conversation()
        #expect(throws: ClientError.notConnected) {
            try conversation.machine.subscribe(requests, now: .zero, into: &conversation.actions)
        }
        var answer = ConnAck()
        answer.maximumPacketSize = 30
        try conversation.connect(answer)
        #expect(throws: ClientError.topicFilterInvalid) {
            try conversation.machine.subscribe([], now: .zero, into: &conversation.actions)
        }
        #expect(throws: ClientError.topicFilterInvalid) {
            try conversation.machine.unsubscribe([""], now: .zero, into: &conversation.actions)
        }
        #expect(throws: ClientError.tooLarge) {
            try conversation.machine.unsubscribe(
                [String(repeating: "a", count: 30)],
                now: .zero,
                into: &conversation.actions
            )
        }
        #expect(conversation.actions == ClientActions())
        try conversation.machine.unsubscribe(["a"], now: .zero, into: &conversation.actions)
        #expect(conversation.sent().map(\.type) == [.unsubscribe])
    }

    @Test func `what the server does not support is not asked for`() throws {
        var conversation = Conversation()
        var answer = ConnAck()
        answer.wildcardSubscriptionAvailable = false
        answer.sharedSubscriptionAvailable = false
        answer.subscriptionIdentifierAvailable = false
        try conversation.connect(answer)
        let plain = SubscriptionOptions(qos: .atMostOnce)
        for (filter, identifier, code) in [
            ("a/#", 0, .wildcardSubscriptionsNotSupported), ("$share/g/a", 0, .sharedSubscriptionsNotSupported),
            ("a", 1, .subscriptionIdentifiersNotSupported),
        ] as [(String, UInt32, ReasonCode)] {
            #expect(throws: ClientError.notSupportedByServer(code)) {
                try conversation.machine.subscribe(
                    [Subscribe.Request(filter, plain)],
                    identifier: identifier,
                    now: .zero,
                    into: &conversation.actions
                )
            }
        }
        #expect(conversation.actions == ClientActions())
    }
}
