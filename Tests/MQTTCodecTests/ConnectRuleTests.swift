import MQTTCodec
import Testing

@Suite("CONNECT rules")
struct ConnectRuleTests {
    /// A CONNECT of MQTT 5.0 with the given flags, properties and payload.
    private static func v5(_ flags: UInt8, properties: String = "", _ payload: String) -> [UInt8] {
        let section = wire(properties)
        return packet(0x10, wire("\"MQTT\" 05") + [flags, 0, 0, UInt8(section.count)] + section + wire(payload))
    }

    private static func v3(_ flags: UInt8, _ payload: String) -> [UInt8] {
        packet(0x10, wire("\"MQTT\" 04") + [flags, 0, 0] + wire(payload))
    }

    static let violations: [Violation] = [
        Violation(
            "MQTT-2.1.3-1",
            "a flag in the fixed header",
            .v5,
            wire(0x11, "\"MQTT\" 05 02 0000 00 \"\""),
            .reservedHeaderFlags
        ),
        Violation("MQTT-3.1.2-3", "the reserved flag", .v5, v5(0x03, "\"c\""), .connectFlagReserved),
        Violation("v3 MQTT-3.1.2-3", "the reserved flag", .v3_1_1, v3(0x03, "\"c\""), .connectFlagReserved),
        Violation("MQTT-3.1.2-11", "will QoS 1 without a will", .v5, v5(0x0A, "\"c\""), .willQoSWithoutWill),
        Violation("MQTT-3.1.2-11", "will QoS 2 without a will", .v3_1_1, v3(0x12, "\"c\""), .willQoSWithoutWill),
        Violation("MQTT-3.1.2-12", "will QoS 3", .v5, v5(0x1E, "\"c\" 00 \"t\" \"p\""), .willQoSInvalid),
        Violation("MQTT-3.1.2-12", "will QoS 3", .v3_1_1, v3(0x1E, "\"c\" \"t\" \"p\""), .willQoSInvalid),
        Violation("MQTT-3.1.2-13", "will retain without a will", .v5, v5(0x22, "\"c\""), .willRetainWithoutWill),
        Violation("MQTT-3.1.2-9", "a will flag without a will", .v5, v5(0x06, "\"c\""), .truncated),
        Violation("MQTT-3.1.2-9", "a will without payload", .v5, v5(0x06, "\"c\" 00 \"t\""), .truncated),
        Violation("MQTT-4.7.3-1", "an empty will topic", .v5, v5(0x06, "\"c\" 00 \"\" \"p\""), .willTopicEmpty),
        Violation(
            "MQTT-3.3.2-2",
            "a wildcard in the will topic",
            .v5,
            v5(0x06, "\"c\" 00 \"a/#\" \"p\""),
            .willTopicContainsWildcard
        ),
        Violation(
            "MQTT-3.1.3-11",
            "a will topic that is not UTF-8",
            .v3_1_1,
            v3(0x06, "\"c\" 0001 FF \"p\""),
            .stringNotUTF8
        ),
        Violation("MQTT-3.1.2-17", "a user name flag without a user name", .v5, v5(0x82, "\"c\""), .truncated),
        Violation("MQTT-3.1.2-16", "a user name without its flag", .v5, v5(0x02, "\"c\" \"u\""), .trailingBytes),
        Violation("MQTT-3.1.2-19", "a password flag without a password", .v3_1_1, v3(0xC2, "\"c\" \"u\""), .truncated),
        Violation(
            "MQTT-3.1.2-18",
            "a password without its flag",
            .v3_1_1,
            v3(0x82, "\"c\" \"u\" \"p\""),
            .trailingBytes
        ),
        Violation(
            "v3 MQTT-3.1.2-22",
            "a password without a user name",
            .v3_1_1,
            v3(0x42, "\"c\" \"p\""),
            .passwordWithoutUserName
        ),
        Violation("MQTT-3.1.3-3", "no client identifier", .v5, v5(0x02, ""), .truncated),
        Violation("MQTT-3.1.3-4", "a client identifier that is not UTF-8", .v5, v5(0x02, "0002 C0 80"), .stringNotUTF8),
        Violation(
            "MQTT-1.5.4-2",
            "a null character in the client identifier",
            .v5,
            v5(0x02, "0001 00"),
            .stringContainsNull
        ),
        Violation(
            "MQTT-3.1.3-12",
            "a user name that is not UTF-8",
            .v5,
            v5(0x82, "\"c\" 0003 ED A0 80"),
            .stringNotUTF8
        ),
        Violation(
            "MQTT5 2.2.2.2",
            "a property of PUBLISH",
            .v5,
            v5(2, properties: "23 0001", "\"c\""),
            .propertyNotAllowed
        ),
        Violation(
            "MQTT5 2.2.2.2",
            "a will property among those of CONNECT",
            .v5,
            v5(2, properties: "18 00000001", "\"c\""),
            .propertyNotAllowed
        ),
        Violation("MQTT5 2.2.2.2", "an unknown property", .v5, v5(2, properties: "7F 00", "\"c\""), .propertyUnknown),
        Violation(
            "MQTT5 3.1.2.11.2",
            "session expiry twice",
            .v5,
            v5(2, properties: "11 00000001 11 00000001", "\"c\""),
            .propertyDuplicated
        ),
        Violation(
            "MQTT5 3.1.2.11.3",
            "receive maximum twice",
            .v5,
            v5(2, properties: "21 0001 21 0001", "\"c\""),
            .propertyDuplicated
        ),
        Violation(
            "MQTT5 3.1.2.11.3",
            "receive maximum 0",
            .v5,
            v5(2, properties: "21 0000", "\"c\""),
            .receiveMaximumZero
        ),
        Violation(
            "MQTT5 3.1.2.11.4",
            "maximum packet size 0",
            .v5,
            v5(2, properties: "27 00000000", "\"c\""),
            .maximumPacketSizeZero
        ),
        Violation(
            "MQTT5 3.1.2.11.6",
            "request response information 2",
            .v5,
            v5(2, properties: "19 02", "\"c\""),
            .propertyNotBoolean
        ),
        Violation(
            "MQTT5 3.1.2.11.7",
            "request problem information 255",
            .v5,
            v5(2, properties: "17 FF", "\"c\""),
            .propertyNotBoolean
        ),
        Violation(
            "MQTT5 3.1.2.11.10",
            "authentication data without a method",
            .v5,
            v5(2, properties: "16 \"d\"", "\"c\""),
            .authenticationMethodMissing
        ),
        Violation(
            "MQTT5 3.1.3.2.3",
            "will payload format 2",
            .v5,
            v5(6, "\"c\" 02 01 02 \"t\" \"p\""),
            .propertyNotBoolean
        ),
        Violation(
            "MQTT5 2.2.2.2",
            "a topic alias among the will properties",
            .v5,
            v5(6, "\"c\" 03 23 0001 \"t\" \"p\""),
            .propertyNotAllowed
        ),
        Violation(
            "MQTT5 3.1.3.2.2",
            "will delay twice",
            .v5,
            v5(6, "\"c\" 0A 18 00000001 18 00000001 \"t\" \"p\""),
            .propertyDuplicated
        ),
        Violation(
            "MQTT-3.3.2-14",
            "a wildcard in the will's response topic",
            .v5,
            v5(6, "\"c\" 04 08 \"+\" \"t\" \"p\""),
            .responseTopicInvalid
        ),
        Violation("MQTT5 2.1.2", "a CONNECT from a server", .v5, from: .server, v5(2, "\"c\""), .packetFromWrongSide),
        Violation(
            "MQTT5 2.2.2.1",
            "properties longer than the packet",
            .v5,
            wire(0x10, "\"MQTT\" 05 02 0000 05 0000"),
            .truncated
        ),
        Violation(
            "MQTT-1.5.5-1",
            "a property length with a needless byte",
            .v5,
            wire(0x10, "\"MQTT\" 05 02 0000 8000 \"c\""),
            .variableByteIntegerNotMinimal
        ),
        Violation(
            "MQTT5 1.5.5",
            "a property length of five bytes",
            .v5,
            wire(0x10, "\"MQTT\" 05 02 0000 FFFFFFFF01 \"c\""),
            .variableByteIntegerTooLong
        ),
        Violation(
            "MQTT5 1.5.5",
            "a property that ends inside its value",
            .v5,
            v5(2, properties: "11 000000", "\"c\""),
            .truncated
        ),
    ]

    @Test(arguments: violations)
    func `a broken rule is named`(violation: Violation) throws { try violation.check() }

    @Test(
        .spec("MQTT-3.1.2-1", "MQTT-3.1.2-2", "v3 MQTT-3.1.2-2"),
        arguments: [
            ("\"MQTT\" 03", DecodeError.protocolLevelUnknown, ProtocolVersion.v3_1_1),
            ("\"MQTT\" 00", .protocolLevelUnknown, .v3_1_1),
            ("\"MQTT\" 84", .protocolLevelUnknown, .v3_1_1),
            ("\"MQIsdp\" 04", .protocolLevelUnknown, .v3_1_1),
            ("\"MQTT\" 06", .protocolLevelAboveFive, .v5),
            ("\"mqtt\" 04", .protocolNameUnknown, nil),
            ("\"\" 04", .protocolNameUnknown, nil),
            ("\"HTTP\" 05", .protocolNameUnknown, nil),
        ] as [(String, DecodeError, ProtocolVersion?)]
    )
    func `an unsupported protocol says which CONNACK fits`(
        start: String,
        error: DecodeError,
        reply: ProtocolVersion?,
    ) throws {
        let bytes = wire(0x10, start + " 02 0000 00 \"c\"")
        #expect(throws: error) { try decode(bytes, .v5, from: .client) }
        #expect(error.reasonCode == .unsupportedProtocolVersion)
        #expect(error.connectReplyVersion == reply)
        #expect(Connect.announcedVersion(in: bytes.span, frame: try frame(bytes)) == nil)
    }

    @Test(arguments: [("\"MQTT\" 05", ProtocolVersion.v5), ("\"MQTT\" 04", .v3_1_1), ("\"MQIsdp\" 03", .v3_1)])
    func `a malformed CONNECT still tells its version`(start: String, version: ProtocolVersion) throws {
        let bytes = wire(0x10, start + " 01")
        #expect(Connect.announcedVersion(in: bytes.span, frame: try frame(bytes)) == version)
    }

    @Test
    func `a client identifier beyond 23 characters is reported in MQTT 3 1 only and refused in none`() throws {
        for version in ProtocolVersion.allCases {
            let connect = Connect(version: version, clientIdentifier: String(repeating: "x", count: 24))
            let bytes = encode(.connect(connect), version)
            #expect(try decode(bytes, version, from: .client) == .connect(connect))
            #expect(connect.exceedsMQTT31ClientIdentifierLimit == (version == .v3_1))
        }
    }

    @Test(.spec("MQTT-3.3.2-17", "MQTT-3.3.2-18"))
    func `will properties to forward keep their order and leave out delay and expiry`() throws {
        let bytes = Self.v5(
            0x06,
            """
            "c" 1A          ; 26 bytes of will properties
            26 "b" "1"      ; user property
            02 0000 0001    ; message expiry interval
            01 01           ; payload is UTF-8
            18 0000 0001    ; will delay interval
            26 "a" "2"      ; user property
            "t" "p"
            """
        )
        guard case .connect(let connect) = try decode(bytes, .v5, from: .client) else { return }
        let will = try #require(connect.will)
        #expect(will.forwardableProperties == wire("26 \"b\" \"1\" 01 01 26 \"a\" \"2\""))
        #expect(will.payloadFormatIsUTF8)
        #expect(will.willDelayInterval == 1)
        #expect(will.messageExpiryInterval == 1)
        #expect(will.properties.userProperties == [UserProperty("b", "1"), UserProperty("a", "2")])
    }
}

@Suite("CONNACK rules")
struct ConnAckRuleTests {
    static let violations: [Violation] = [
        Violation(
            "MQTT-3.2.2-1",
            "a reserved flag",
            .v5,
            from: .server,
            wire("20 03 02 00 00"),
            .acknowledgeFlagsReserved
        ),
        Violation(
            "v3 MQTT-3.2.2-1",
            "a reserved flag",
            .v3_1_1,
            from: .server,
            wire("20 02 80 00"),
            .acknowledgeFlagsReserved
        ),
        Violation(
            "MQTT-3.2.2-6",
            "session present with a failure",
            .v5,
            from: .server,
            wire("20 03 01 87 00"),
            .sessionPresentOnFailure
        ),
        Violation(
            "v3 MQTT-3.2.2-4",
            "session present with a failure",
            .v3_1_1,
            from: .server,
            wire("20 02 01 05"),
            .sessionPresentOnFailure
        ),
        Violation(
            "MQTT-3.2.2-8",
            "a reason code of SUBACK",
            .v5,
            from: .server,
            wire("20 03 00 01 00"),
            .reasonCodeNotAllowed
        ),
        Violation(
            "MQTT-3.2.2-8",
            "an unknown reason code",
            .v5,
            from: .server,
            wire("20 03 00 FF 00"),
            .reasonCodeNotAllowed
        ),
        Violation("v3 MQTT-3.2.2-6", "return code 6", .v3_1_1, from: .server, wire("20 02 00 06"), .returnCodeUnknown),
        Violation(
            "MQTT5 3.2.2.3.4",
            "maximum QoS 2",
            .v5,
            from: .server,
            wire("20 05 00 00 02 24 02"),
            .maximumQoSInvalid
        ),
        Violation(
            "MQTT5 3.2.2.3.5",
            "retain available 2",
            .v5,
            from: .server,
            wire("20 05 00 00 02 25 02"),
            .propertyNotBoolean
        ),
        Violation(
            "MQTT5 3.2.2.3.11",
            "wildcards available 2",
            .v5,
            from: .server,
            wire("20 05 00 00 02 28 02"),
            .propertyNotBoolean
        ),
        Violation(
            "MQTT5 3.2.2.3.12",
            "identifiers available 2",
            .v5,
            from: .server,
            wire("20 05 00 00 02 29 02"),
            .propertyNotBoolean
        ),
        Violation(
            "MQTT5 3.2.2.3.13",
            "shared available 2",
            .v5,
            from: .server,
            wire("20 05 00 00 02 2A 02"),
            .propertyNotBoolean
        ),
        Violation(
            "MQTT5 3.2.2.3.3",
            "receive maximum 0",
            .v5,
            from: .server,
            wire("20 06 00 00 03 21 00 00"),
            .receiveMaximumZero
        ),
        Violation(
            "MQTT5 2.2.2.2",
            "a property of CONNECT",
            .v5,
            from: .server,
            wire("20 05 00 00 02 17 01"),
            .propertyNotAllowed
        ),
        Violation("MQTT5 2.1.2", "a CONNACK from a client", .v5, wire("20 03 00 00 00"), .packetFromWrongSide),
        Violation(
            "MQTT5 2.1.4",
            "bytes after return code",
            .v3_1_1,
            from: .server,
            wire("20 03 00 00 00"),
            .trailingBytes
        ),
        Violation(
            "MQTT-2.1.3-1",
            "a flag in the fixed header",
            .v5,
            from: .server,
            wire("28 03 00 00 00"),
            .reservedHeaderFlags
        ),
    ]

    @Test(arguments: violations)
    func `a broken rule is named`(violation: Violation) throws { try violation.check() }

    @Test(.spec("v3 MQTT-3.2.2-4"))
    func `every failure has a return code in MQTT 3`() {
        for code in ReasonCode.allCases { #expect((ConnectReturnCode(code) == .accepted) == (code == .success)) }
        for code in ConnectReturnCode.allCases { #expect(ConnectReturnCode(code.reasonCode) == code) }
    }

    @Test
    func `the reserved byte of MQTT 3 1 means nothing`() throws {
        #expect(try decode(wire("20 02 01 00"), .v3_1, from: .server) == .connAck(ConnAck()))
        #expect(encode(.connAck(ConnAck(sessionPresent: true)), .v3_1) == wire("20 02 00 00"))
    }
}
