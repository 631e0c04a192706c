import MQTTCodec
import Testing

@Suite("PUBLISH rules")
struct PublishRuleTests {
    static let violations: [Violation] = [
        Violation("MQTT-3.3.1-4", "QoS 3", .v5, wire(0x36, "\"t\" 0001 00"), .publishQoSInvalid),
        Violation("MQTT-3.3.1-4", "QoS 3 with DUP and RETAIN", .v3_1_1, wire(0x3F, "\"t\" 0001"), .publishQoSInvalid),
        Violation("MQTT-3.3.1-2", "DUP with QoS 0", .v5, wire(0x38, "\"t\" 00"), .duplicateFlagOnQoS0),
        Violation("MQTT-3.3.1-2", "DUP with QoS 0", .v3_1_1, wire(0x39, "\"t\""), .duplicateFlagOnQoS0),
        Violation("MQTT-3.3.2-1", "no topic", .v3_1_1, wire(0x30, ""), .truncated),
        Violation("MQTT-3.3.2-1", "a topic that is not UTF-8", .v5, wire(0x30, "0002 C3 28 00"), .stringNotUTF8),
        Violation("MQTT-1.5.4-1", "a surrogate in the topic", .v3_1_1, wire(0x30, "0003 ED A0 80"), .stringNotUTF8),
        Violation("MQTT-1.5.4-1", "an overlong form in the topic", .v3_1_1, wire(0x30, "0002 C0 AF"), .stringNotUTF8),
        Violation(
            "MQTT-1.5.4-2",
            "a null character in a long topic",
            .v3_1_1,
            wire(0x30, "000C '01234567890' 00"),
            .stringContainsNull
        ),
        Violation("MQTT-3.3.2-2", "a plus in the topic", .v3_1_1, wire(0x30, "\"a/+/b\""), .topicContainsWildcard),
        Violation(
            "MQTT-3.3.2-2",
            "a hash in a long topic",
            .v5,
            wire(0x30, "\"0123456789/0123456/#\" 00"),
            .topicContainsWildcard
        ),
        Violation("MQTT-4.7.3-1", "an empty topic", .v3_1_1, wire(0x30, "\"\""), .topicEmpty),
        Violation(
            "MQTT5 3.3.2.1",
            "an empty topic without an alias",
            .v5,
            wire(0x30, "\"\" 00"),
            .topicEmptyWithoutAlias
        ),
        Violation("MQTT-2.2.1-3", "packet identifier 0", .v5, wire(0x32, "\"t\" 0000 00"), .packetIdentifierZero),
        Violation("v3 MQTT-2.3.1-1", "packet identifier 0", .v3_1_1, wire(0x34, "\"t\" 0000"), .packetIdentifierZero),
        Violation("MQTT-2.2.1-3", "no packet identifier", .v3_1_1, wire(0x32, "\"t\""), .truncated),
        Violation("MQTT-2.2.2-1", "no property length", .v5, wire(0x30, "\"t\""), .truncated),
        Violation("MQTT-3.3.2-8", "topic alias 0", .v5, wire(0x30, "\"t\" 03 23 0000"), .topicAliasZero),
        Violation(
            "MQTT5 3.3.2.3.4",
            "topic alias twice",
            .v5,
            wire(0x30, "\"t\" 06 23 0001 23 0001"),
            .propertyDuplicated
        ),
        Violation(
            "MQTT5 3.3.2.3.3",
            "expiry twice",
            .v5,
            wire(0x30, "\"t\" 0A 02 00000001 02 00000001"),
            .propertyDuplicated
        ),
        Violation("MQTT5 3.3.2.3.2", "payload format 2", .v5, wire(0x30, "\"t\" 02 01 02"), .propertyNotBoolean),
        Violation(
            "MQTT5 3.3.2.3.2",
            "payload format twice",
            .v5,
            wire(0x30, "\"t\" 04 01 01 01 01"),
            .propertyDuplicated
        ),
        Violation(
            "MQTT-3.3.2-13",
            "a response topic that is not UTF-8",
            .v5,
            wire(0x30, "\"t\" 04 08 0001 FF"),
            .stringNotUTF8
        ),
        Violation(
            "MQTT-3.3.2-14",
            "a response topic with a wildcard",
            .v5,
            wire(0x30, "\"t\" 04 08 \"#\""),
            .responseTopicInvalid
        ),
        Violation(
            "MQTT-4.7.3-1",
            "an empty response topic",
            .v5,
            wire(0x30, "\"t\" 03 08 \"\""),
            .responseTopicInvalid
        ),
        Violation(
            "MQTT5 3.3.2.3.6",
            "correlation data twice",
            .v5,
            wire(0x30, "\"t\" 06 09 0000 09 0000"),
            .propertyDuplicated
        ),
        Violation(
            "MQTT-3.3.2-19",
            "a content type that is not UTF-8",
            .v5,
            wire(0x30, "\"t\" 04 03 0001 80"),
            .stringNotUTF8
        ),
        Violation(
            "MQTT5 3.3.2.3.9",
            "content type twice",
            .v5,
            wire(0x30, "\"t\" 06 03 \"\" 03 \"\""),
            .propertyDuplicated
        ),
        Violation(
            "MQTT-1.5.7-1",
            "a user property that is not UTF-8",
            .v5,
            wire(0x30, "\"t\" 06 26 \"\" 0001 FF"),
            .stringNotUTF8
        ),
        Violation("MQTT-1.5.7-1", "half a user property", .v5, wire(0x30, "\"t\" 03 26 \"\""), .truncated),
        Violation(
            "MQTT-3.3.4-6",
            "a subscription identifier from a client",
            .v5,
            wire(0x30, "\"t\" 02 0B 01"),
            .subscriptionIdentifierFromClient
        ),
        Violation(
            "MQTT5 3.3.2.3.8",
            "subscription identifier 0",
            .v5,
            from: .server,
            wire(0x30, "\"t\" 02 0B 00"),
            .subscriptionIdentifierZero
        ),
        Violation(
            "MQTT5 2.2.2.2",
            "a property of CONNECT",
            .v5,
            wire(0x30, "\"t\" 05 11 00000000"),
            .propertyNotAllowed
        ),
        Violation("MQTT5 2.2.2.2", "an unknown property", .v5, wire(0x30, "\"t\" 02 30 00"), .propertyUnknown),
        Violation(
            "MQTT5 2.2.2.2",
            "a property identifier of two bytes",
            .v5,
            wire(0x30, "\"t\" 03 81 01 00"),
            .propertyUnknown
        ),
        Violation("MQTT5 2.2.2.1", "properties longer than the packet", .v5, wire(0x30, "\"t\" 05 01 01"), .truncated),
        Violation(
            "MQTT-1.5.5-1",
            "a padded remaining length",
            .v5,
            wire("30 85 00 \"t\" 00 00"),
            .variableByteIntegerNotMinimal
        ),
    ]

    @Test(arguments: violations)
    func `a broken rule is named`(violation: Violation) throws { try violation.check() }

    @Test
    func `a padded remaining length is harmless before MQTT 5`() throws {
        let bytes = wire("30 85 00 \"t\" 00 00")
        #expect(try decode(bytes, .v3_1_1, from: .client) == .publish(Publish(topic: "t", payload: [0, 0])))
    }

    @Test(.spec("MQTT-1.5.4-3"))
    func `a byte order mark is a character like any other`() throws {
        let bytes = wire(0x30, "0004 EF BB BF 'a'")
        guard case .publish(let publish) = try decode(bytes, .v3_1_1, from: .client) else { return }
        #expect(Array(publish.topic.utf8) == [0xEF, 0xBB, 0xBF, 0x61])
    }

    @Test
    func `the view points into the bytes`() throws {
        let bytes = wire(
            """
            33 1D           ; PUBLISH with QoS 1 and RETAIN, 29 bytes
            "t/1" 00 05     ; topic name, packet identifier
            12              ; 18 bytes of properties
            26 "b" "1"      ; user property
            23 00 02        ; topic alias
            02 0000 001E    ; message expiry interval
            09 00 00        ; correlation data, empty
            'hey'           ; payload
            """
        )
        let frame = try frame(bytes)
        let view = try PublishView.decode(bytes.span, frame: frame, version: .v5, sender: .client)
        #expect(!view.dup)
        #expect(view.qos == .atLeastOnce)
        #expect(view.retain)
        #expect(Array(bytes[view.topic]) == Array("t/1".utf8))
        #expect(view.packetIdentifier == 5)
        #expect(view.properties.count == 18)
        #expect(Array(bytes[view.payload]) == Array("hey".utf8))
        #expect(view.topicAlias == 2)
        #expect(view.messageExpiryInterval == 30)
        #expect(!view.hasOnlyForwardableProperties)
        #expect(!view.payloadFormatIsUTF8)
        var forwardable: [UInt8] = [0xAA]
        appendForwardableProperties(of: view, in: bytes.span, to: &forwardable)
        #expect(forwardable == wire("AA 26 \"b\" \"1\" 09 0000"))
    }

    @Test
    func `a section without anything of the connection is forwarded as it stands`() throws {
        let bytes = wire(0x30, "\"t\" 10 26 \"b\" \"1\" 01 01 26 \"a\" \"2\"")
        let view = try PublishView.decode(bytes.span, frame: frame(bytes), version: .v5, sender: .client)
        #expect(view.hasOnlyForwardableProperties)
        #expect(view.payloadFormatIsUTF8)
        #expect(view.packetIdentifier == 0)
        var forwardable: [UInt8] = []
        appendForwardableProperties(of: view, in: bytes.span, to: &forwardable)
        #expect(forwardable == Array(bytes[view.properties]))
        #expect(view.subscriptionIdentifiers(in: bytes.span).isEmpty)
    }
}

@Suite("Rules of acknowledgements")
struct AcknowledgementRuleTests {
    static let violations: [Violation] = [
        Violation("MQTT-3.6.1-1", "PUBREL without its flag", .v5, wire("60 02 00 01"), .reservedHeaderFlags),
        Violation("v3 MQTT-3.6.1-1", "PUBREL with DUP", .v3_1_1, wire("6A 02 00 01"), .reservedHeaderFlags),
        Violation("MQTT-2.1.3-1", "PUBACK with a flag", .v3_1_1, wire("42 02 00 01"), .reservedHeaderFlags),
        Violation("MQTT-2.1.3-1", "PUBREC with a flag", .v5, wire("51 02 00 01"), .reservedHeaderFlags),
        Violation("MQTT-2.1.3-1", "PUBCOMP with a flag", .v5, wire("78 02 00 01"), .reservedHeaderFlags),
        Violation("MQTT-2.2.1-5", "packet identifier 0", .v5, wire("40 02 00 00"), .packetIdentifierZero),
        Violation("MQTT-2.2.1-5", "packet identifier 0", .v3_1_1, wire("70 02 00 00"), .packetIdentifierZero),
        Violation("MQTT-2.2.1-5", "one byte", .v5, wire("40 01 00"), .truncated),
        Violation("MQTT-2.2.1-5", "nothing", .v3_1, wire("50 00"), .truncated),
        Violation("MQTT5 2.1.4", "a reason code in MQTT 3", .v3_1_1, wire("40 03 00 01 00"), .trailingBytes),
        Violation("MQTT-3.4.2-1", "PUBACK with a code of PUBREL", .v5, wire("40 03 00 01 92"), .reasonCodeNotAllowed),
        Violation("MQTT-3.4.2-1", "PUBACK with an unknown code", .v5, wire("40 03 00 01 7F"), .reasonCodeNotAllowed),
        Violation("MQTT-3.5.2-1", "PUBREC with a code of SUBACK", .v5, wire("50 03 00 01 01"), .reasonCodeNotAllowed),
        Violation("MQTT-3.6.2-1", "PUBREL with a code of PUBACK", .v5, wire("62 03 00 01 10"), .reasonCodeNotAllowed),
        Violation("MQTT-3.7.2-1", "PUBCOMP with a code of PUBACK", .v5, wire("70 03 00 01 80"), .reasonCodeNotAllowed),
        Violation(
            "MQTT5 3.4.2.2.2",
            "reason string twice",
            .v5,
            wire("40 0A 00 01 00 06 1F 0000 1F 0000"),
            .propertyDuplicated
        ),
        Violation("MQTT5 2.2.2.2", "a property of CONNACK", .v5, wire("40 06 00 01 00 02 25 01"), .propertyNotAllowed),
        Violation(
            "MQTT-1.5.4-1",
            "a reason string that is not UTF-8",
            .v5,
            wire("40 08 00 01 00 04 1F 0001 FF"),
            .stringNotUTF8
        ),
        Violation("MQTT5 2.1.4", "bytes after the properties", .v5, wire("40 05 00 01 00 00 00"), .trailingBytes),
        Violation("MQTT5 2.1.4", "properties longer than the packet", .v5, wire("40 04 00 01 00 01"), .truncated),
    ]

    @Test(arguments: violations)
    func `a broken rule is named`(violation: Violation) throws { try violation.check() }

    @Test(arguments: [PacketType.pubAck, .pubRec, .pubRel, .pubComp])
    func `the fast encoder agrees with the packet`(type: PacketType) {
        for version in ProtocolVersion.allCases {
            for code in [ReasonCode.success, .packetIdentifierNotFound] {
                for reason in [nil, "why"] {
                    var fast: [UInt8] = []
                    AcknowledgementEncoder.append(
                        to: &fast,
                        type: type,
                        packetIdentifier: 0x0102,
                        reasonCode: code,
                        reasonString: reason,
                        version: version,
                    )
                    let packet = Acknowledgement(
                        type: type,
                        packetIdentifier: 0x0102,
                        reasonCode: code,
                        reasonString: reason,
                    )
                    #expect(fast == encode(.acknowledgement(packet), version))
                }
            }
        }
    }

    @Test
    func `DUP on PUBREL and SUBSCRIBE is no fault in MQTT 3 1`() throws {
        _ = try decode(wire("6A 02 00 01"), .v3_1, from: .client)
        _ = try decode(wire(0x8A, "0001 \"t\" 00"), .v3_1, from: .client)
        _ = try decode(wire(0xAA, "0001 \"t\""), .v3_1, from: .client)
    }
}
