import MQTTCodec
import Testing

@Suite("Encoding a PUBLISH for many receivers")
struct PublishEncoderTests {
    struct Shape: CustomTestStringConvertible {
        var version: ProtocolVersion
        var qos: QoS
        var topic: String
        var alias: UInt16
        var expiry: UInt32?
        var identifiers: [UInt32]
        var payloadCount: Int
        var testDescription: String { "\(version) \(qos) alias \(alias) \(identifiers) payload \(payloadCount)" }
    }

    static let shapes: [Shape] = ProtocolVersion.allCases.flatMap { version in
        QoS.allCases.flatMap { qos in
            [
                Shape(
                    version: version,
                    qos: qos,
                    topic: "a/b",
                    alias: 0,
                    expiry: nil,
                    identifiers: [],
                    payloadCount: 0
                ),
                Shape(
                    version: version,
                    qos: qos,
                    topic: "a/b",
                    alias: 7,
                    expiry: 9,
                    identifiers: [1],
                    payloadCount: 121
                ),
                Shape(
                    version: version,
                    qos: qos,
                    topic: "a",
                    alias: 0,
                    expiry: 0,
                    identifiers: [300, 1, 5],
                    payloadCount: 20_000
                ),
                Shape(
                    version: version,
                    qos: qos,
                    topic: "t",
                    alias: 1,
                    expiry: nil,
                    identifiers: [268_435_455],
                    payloadCount: 3_000_000
                ),
            ]
        }
    }

    @Test(arguments: shapes)
    func `header, offset and size agree with what a receiver reads`(shape: Shape) throws {
        let properties = MessageProperties(contentType: "x", userProperties: [UserProperty("a", "b")])
        let forwardable = shape.version == .v5 ? try #require(properties.encoded) : []
        let topic = Array(shape.topic.utf8)
        let identifiers = (first: shape.identifiers.first ?? 0, more: Array(shape.identifiers.dropFirst()))
        var out: [UInt8] = [0xAA, 0xBB]
        let offset = PublishEncoder.appendHeader(
            to: &out,
            version: shape.version,
            dup: shape.qos != .atMostOnce,
            qos: shape.qos,
            retain: true,
            packetIdentifier: 0x0101,
            topic: topic.span,
            topicAlias: shape.alias,
            messageExpiryInterval: shape.expiry,
            subscriptionIdentifiers: identifiers,
            forwardableProperties: forwardable.span,
            payloadCount: shape.payloadCount,
        )
        out += [UInt8](repeating: 1, count: shape.payloadCount)
        #expect((offset == -1) == (shape.qos == .atMostOnce))
        if offset >= 0 {
            out[offset] = 0xBE
            out[offset + 1] = 0xEF
        }
        let size = PublishEncoder.encodedSize(
            version: shape.version,
            qos: shape.qos,
            topicCount: topic.count,
            topicAlias: shape.alias,
            messageExpiryInterval: shape.expiry,
            subscriptionIdentifiers: identifiers,
            forwardablePropertiesCount: forwardable.count,
            payloadCount: shape.payloadCount,
        )
        #expect(out.count - 2 == size)

        let found = try FrameDecoder.next(out.span, at: 2, maximumPacketSize: size)
        let frame = try #require(found)
        let isNew = shape.version == .v5
        let expected = Publish(
            topic: shape.topic,
            payload: [UInt8](repeating: 1, count: shape.payloadCount),
            qos: shape.qos,
            packetIdentifier: shape.qos == .atMostOnce ? 0 : 0xBEEF,
            dup: shape.qos != .atMostOnce,
            retain: true,
            topicAlias: isNew ? shape.alias : 0,
            messageExpiryInterval: isNew ? shape.expiry : nil,
            subscriptionIdentifiers: isNew ? shape.identifiers : [],
            properties: isNew ? properties : MessageProperties(),
        )
        let decoded = try Packet.decode(out.span, frame: frame, version: shape.version, sender: .server)
        #expect(decoded == .publish(expected))
    }

    @Test(.spec("MQTT-3.3.2-12"))
    func `a known alias stands for the topic`() throws {
        let empty: [UInt8] = []
        var out: [UInt8] = []
        PublishEncoder.appendHeader(
            to: &out,
            version: .v5,
            dup: false,
            qos: .atMostOnce,
            retain: false,
            packetIdentifier: 0,
            topic: empty.span,
            topicAlias: 3,
            messageExpiryInterval: nil,
            subscriptionIdentifiers: (0, []),
            forwardableProperties: empty.span,
            payloadCount: 0,
        )
        #expect(out == wire("30 06 \"\" 03 23 0003"))
    }
}

@Suite("Encoding within limits")
struct PacketLimitTests {
    private static let users = [UserProperty("key", "value")]

    static let talkative: [Packet] = [
        .connAck(
            with(ConnAck(reasonCode: .banned)) {
                $0.reasonString = "because"
                $0.userProperties = users
            }
        ),
        .acknowledgement(
            Acknowledgement(
                type: .pubAck,
                packetIdentifier: 1,
                reasonCode: .quotaExceeded,
                reasonString: "because",
                userProperties: users,
            )
        ),
        .subAck(SubAck(packetIdentifier: 1, reasonCodes: [.success], reasonString: "because", userProperties: users)),
        .unsubAck(
            UnsubAck(packetIdentifier: 1, reasonCodes: [.success], reasonString: "because", userProperties: users)
        ),
        .disconnect(Disconnect(reasonCode: .protocolError, reasonString: "because", userProperties: users)),
        .auth(
            Auth(
                reasonCode: .continueAuthentication,
                authenticationMethod: "m",
                reasonString: "because",
                userProperties: users,
            )
        ),
    ]

    @Test(
        .spec(
            "MQTT-3.2.2-19",
            "MQTT-3.2.2-20",
            "MQTT-3.4.2-2",
            "MQTT-3.4.2-3",
            "MQTT-3.9.2-1",
            "MQTT-3.9.2-2",
            "MQTT-3.11.2-1",
            "MQTT-3.11.2-2",
            "MQTT-3.14.2-3",
            "MQTT-3.14.2-4",
            "MQTT-3.15.2-2",
            "MQTT-3.15.2-3",
        ),
        arguments: talkative
    )
    func `user properties go first, then the reason string, then the packet is not sent`(packet: Packet) {
        let user = 1 + 2 + 3 + 2 + 5
        let reason = 1 + 2 + 7
        let full = encode(packet, .v5)
        #expect(encode(packet, .v5, maximumPacketSize: full.count) == full)
        let shorter = encode(packet, .v5, maximumPacketSize: full.count - 1)
        #expect(shorter.count == full.count - user)
        let bare = encode(packet, .v5, maximumPacketSize: shorter.count - 1)
        // The short forms drop the empty property section as well.
        #expect(bare.count <= shorter.count - reason)
        #expect(bare.count >= shorter.count - reason - 1)
        #expect(encode(packet, .v5, maximumPacketSize: bare.count) == bare)
        #expect(encode(packet, .v5, maximumPacketSize: bare.count - 1).isEmpty)
    }

    @Test
    func `the user properties of a message are never dropped`() {
        let packet = Packet.publish(
            Publish(topic: "t", payload: [], properties: MessageProperties(userProperties: Self.users))
        )
        var out: [UInt8] = [9]
        let size = encode(packet, .v5).count
        #expect(!packet.encode(into: &out, version: .v5, maximumPacketSize: size - 1))
        #expect(out == [9])
        #expect(packet.encode(into: &out, version: .v5, maximumPacketSize: size))
    }

    @Test(.spec("MQTT-4.7.3-3"))
    func `a value beyond 65535 bytes is not written at all`() {
        let long = String(repeating: "x", count: 65_536)
        let packets: [Packet] = [
            .connect(Connect(clientIdentifier: long)),
            .connect(Connect(clientIdentifier: "", will: Will(topic: long, payload: []))),
            .connect(Connect(clientIdentifier: "", password: Array(long.utf8))),
            .publish(Publish(topic: long, payload: [])),
            .publish(Publish(topic: "t", payload: [], properties: MessageProperties(contentType: long))),
            .publish(Publish(topic: "t", payload: [], subscriptionIdentifiers: [268_435_456])),
            .subscribe(Subscribe(packetIdentifier: 1, requests: [.init(long, SubscriptionOptions(qos: .atMostOnce))])),
            .unsubscribe(Unsubscribe(packetIdentifier: 1, topicFilters: [long])),
        ]
        for packet in packets { #expect(encode(packet, .v5).isEmpty) }
        let longest = Packet.publish(Publish(topic: String(long.dropLast()), payload: []))
        #expect(encode(longest, .v5).count == 1 + 3 + 2 + 65_535 + 1)
    }

    @Test
    func `a reason string beyond 65535 bytes is left out`() {
        let packet = Packet.disconnect(
            Disconnect(reasonCode: .serverBusy, reasonString: String(repeating: "x", count: 65_536))
        )
        #expect(encode(packet, .v5) == wire("E0 01 89"))
    }
}
