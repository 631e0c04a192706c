import MQTTCodec
import Testing

@Suite("SUBSCRIBE and UNSUBSCRIBE rules")
struct SubscribeRuleTests {
    static let violations: [Violation] = [
        Violation(
            "MQTT-3.8.1-1",
            "SUBSCRIBE without its flag",
            .v5,
            wire(0x80, "0001 00 \"t\" 00"),
            .reservedHeaderFlags
        ),
        Violation("MQTT-3.8.1-1", "SUBSCRIBE with DUP", .v3_1_1, wire(0x8A, "0001 \"t\" 00"), .reservedHeaderFlags),
        Violation("MQTT-2.2.1-3", "packet identifier 0", .v5, wire(0x82, "0000 00 \"t\" 00"), .packetIdentifierZero),
        Violation("MQTT-3.8.3-2", "no filter", .v5, wire(0x82, "0001 00"), .subscribeWithoutFilter),
        Violation("v3 MQTT-3.8.3-3", "no filter", .v3_1_1, wire(0x82, "0001"), .subscribeWithoutFilter),
        Violation("MQTT-3.8.3-1", "a filter that is not UTF-8", .v5, wire(0x82, "0001 00 0001 FE 00"), .stringNotUTF8),
        Violation(
            "MQTT-4.7.3-2",
            "a null character in a filter",
            .v3_1_1,
            wire(0x82, "0001 0001 00 00"),
            .stringContainsNull
        ),
        Violation("MQTT-4.7.3-1", "an empty filter", .v5, wire(0x82, "0001 00 \"\" 00"), .topicFilterEmpty),
        Violation(
            "MQTT-3.8.3-5",
            "reserved option bit 6",
            .v5,
            wire(0x82, "0001 00 \"t\" 40"),
            .subscriptionOptionsReserved
        ),
        Violation(
            "MQTT-3.8.3-5",
            "reserved option bit 7",
            .v5,
            wire(0x82, "0001 00 \"t\" 80"),
            .subscriptionOptionsReserved
        ),
        Violation(
            "v3 MQTT-3.8.3-4",
            "no local in MQTT 3",
            .v3_1_1,
            wire(0x82, "0001 \"t\" 04"),
            .subscriptionOptionsReserved
        ),
        Violation("v3 MQTT-3.8.3-4", "QoS 3", .v3_1_1, wire(0x82, "0001 \"t\" 03"), .subscriptionQoSInvalid),
        Violation("MQTT5 3.8.3.1", "QoS 3", .v5, wire(0x82, "0001 00 \"t\" 03"), .subscriptionQoSInvalid),
        Violation("MQTT5 3.8.3.1", "retain handling 3", .v5, wire(0x82, "0001 00 \"t\" 30"), .retainHandlingInvalid),
        Violation(
            "MQTT-3.8.3-4",
            "no local on a shared subscription",
            .v5,
            wire(0x82, "0001 00 \"$share/g/t\" 04"),
            .noLocalOnSharedSubscription
        ),
        Violation(
            "MQTT-3.8.3-4",
            "no local on the second filter, shared",
            .v5,
            wire(0x82, "0001 00 \"t\" 04 \"$share/g/t\" 05"),
            .noLocalOnSharedSubscription
        ),
        Violation(
            "MQTT5 3.8.2.1.2",
            "subscription identifier 0",
            .v5,
            wire(0x82, "0001 02 0B00 \"t\" 00"),
            .subscriptionIdentifierZero
        ),
        Violation(
            "MQTT5 3.8.2.1.2",
            "two subscription identifiers",
            .v5,
            wire(0x82, "0001 04 0B01 0B02 \"t\" 00"),
            .propertyDuplicated
        ),
        Violation(
            "MQTT5 1.5.5",
            "a subscription identifier of five bytes",
            .v5,
            wire(0x82, "0001 06 0BFFFFFFFF7F \"t\" 00"),
            .variableByteIntegerTooLong
        ),
        Violation("MQTT5 2.2.2.2", "a reason string", .v5, wire(0x82, "0001 03 1F0000 \"t\" 00"), .propertyNotAllowed),
        Violation("MQTT5 3.8.3", "a filter without options", .v5, wire(0x82, "0001 00 \"t\""), .truncated),
        Violation(
            "MQTT5 2.1.2",
            "SUBSCRIBE from a server",
            .v5,
            from: .server,
            wire(0x82, "0001 00 \"t\" 00"),
            .packetFromWrongSide
        ),
        Violation(
            "MQTT-3.10.1-1",
            "UNSUBSCRIBE without its flag",
            .v5,
            wire(0xA0, "0001 00 \"t\""),
            .reservedHeaderFlags
        ),
        Violation(
            "MQTT-2.2.1-3",
            "UNSUBSCRIBE with packet identifier 0",
            .v3_1_1,
            wire(0xA2, "0000 \"t\""),
            .packetIdentifierZero
        ),
        Violation(
            "MQTT-3.10.3-1",
            "an UNSUBSCRIBE filter that is not UTF-8",
            .v5,
            wire(0xA2, "0001 00 0001 FF"),
            .stringNotUTF8
        ),
        Violation(
            "MQTT-3.10.3-2",
            "UNSUBSCRIBE without a filter",
            .v5,
            wire(0xA2, "0001 00"),
            .unsubscribeWithoutFilter
        ),
        Violation(
            "MQTT-3.10.3-2",
            "UNSUBSCRIBE without a filter",
            .v3_1_1,
            wire(0xA2, "0001"),
            .unsubscribeWithoutFilter
        ),
        Violation(
            "MQTT-4.7.3-1",
            "UNSUBSCRIBE from an empty filter",
            .v5,
            wire(0xA2, "0001 00 \"\""),
            .topicFilterEmpty
        ),
        Violation(
            "MQTT5 2.2.2.2",
            "UNSUBSCRIBE with an identifier",
            .v5,
            wire(0xA2, "0001 02 0B01 \"t\""),
            .propertyNotAllowed
        ),
        Violation(
            "MQTT-3.9.3-2",
            "SUBACK with a code of UNSUBACK",
            .v5,
            from: .server,
            wire("90 04 0001 00 11"),
            .reasonCodeNotAllowed
        ),
        Violation(
            "v3 MQTT-3.9.3-2",
            "SUBACK with a code of MQTT 5",
            .v3_1_1,
            from: .server,
            wire("90 03 0001 87"),
            .reasonCodeNotAllowed
        ),
        Violation(
            "v3 MQTT-3.9.3-2",
            "SUBACK with a failure in MQTT 3.1",
            .v3_1,
            from: .server,
            wire("90 03 0001 80"),
            .reasonCodeNotAllowed
        ),
        Violation(
            "MQTT-3.9.3-1",
            "SUBACK without a code",
            .v5,
            from: .server,
            wire("90 03 0001 00"),
            .acknowledgementWithoutReason
        ),
        Violation(
            "MQTT-2.2.1-6",
            "SUBACK with packet identifier 0",
            .v5,
            from: .server,
            wire("90 04 0000 00 00"),
            .packetIdentifierZero
        ),
        Violation(
            "MQTT-3.11.3-2",
            "UNSUBACK with a code of SUBACK",
            .v5,
            from: .server,
            wire("B0 04 0001 00 01"),
            .reasonCodeNotAllowed
        ),
        Violation(
            "MQTT-3.11.3-1",
            "UNSUBACK without a code",
            .v5,
            from: .server,
            wire("B0 03 0001 00"),
            .acknowledgementWithoutReason
        ),
        Violation(
            "MQTT5 2.1.4",
            "UNSUBACK with a code in MQTT 3",
            .v3_1_1,
            from: .server,
            wire("B0 03 0001 00"),
            .trailingBytes
        ),
    ]

    @Test(arguments: violations)
    func `a broken rule is named`(violation: Violation) throws { try violation.check() }

    @Test(.spec("v3 MQTT-3.9.3-2"))
    func `a refusal shrinks to what the version can say`() {
        let packet = Packet.subAck(SubAck(packetIdentifier: 1, reasonCodes: [.grantedQoS1, .notAuthorized]))
        #expect(encode(packet, .v5) == wire("90 05 0001 00 01 87"))
        #expect(encode(packet, .v3_1_1) == wire("90 04 0001 01 80"))
        #expect(encode(packet, .v3_1) == wire("90 04 0001 01 00"))
    }
}

@Suite("PINGREQ, DISCONNECT and AUTH rules")
struct OtherRuleTests {
    static let violations: [Violation] = [
        Violation("MQTT5 3.12", "PINGREQ with a body", .v5, wire("C0 01 00"), .trailingBytes),
        Violation("MQTT-2.1.3-1", "PINGREQ with a flag", .v3_1_1, wire("C1 00"), .reservedHeaderFlags),
        Violation("MQTT5 3.13", "PINGRESP with a body", .v3_1_1, from: .server, wire("D0 01 00"), .trailingBytes),
        Violation("MQTT5 2.1.2", "PINGRESP from a client", .v5, wire("D0 00"), .packetFromWrongSide),
        Violation("MQTT5 2.1.2", "PINGREQ from a server", .v5, from: .server, wire("C0 00"), .packetFromWrongSide),
        Violation("MQTT-3.14.1-1", "DISCONNECT with a flag", .v5, wire("E1 00"), .reservedHeaderFlags),
        Violation("v3 MQTT-3.14.1-1", "DISCONNECT with a flag", .v3_1_1, wire("E8 00"), .reservedHeaderFlags),
        Violation("MQTT5 3.14", "DISCONNECT with a body in MQTT 3", .v3_1_1, wire("E0 01 00"), .trailingBytes),
        Violation(
            "MQTT5 3.14",
            "DISCONNECT from a server in MQTT 3",
            .v3_1_1,
            from: .server,
            wire("E0 00"),
            .packetFromWrongSide
        ),
        Violation("MQTT-3.14.2-1", "DISCONNECT with an unknown code", .v5, wire("E0 01 01"), .reasonCodeNotAllowed),
        Violation("MQTT-3.14.2-1", "a client taking over a session", .v5, wire("E0 01 8E"), .reasonCodeNotAllowed),
        Violation(
            "MQTT-3.14.2-1",
            "a server asking for a will",
            .v5,
            from: .server,
            wire("E0 01 04"),
            .reasonCodeNotAllowed
        ),
        Violation(
            "MQTT-3.14.2-2",
            "session expiry from a server",
            .v5,
            from: .server,
            wire("E0 07 00 05 11 00000001"),
            .sessionExpiryFromServer
        ),
        Violation(
            "MQTT5 3.14.2.2.5",
            "server reference from a client",
            .v5,
            wire("E0 05 00 03 1C 0000"),
            .serverReferenceFromClient
        ),
        Violation(
            "MQTT5 3.14.2.2.2",
            "session expiry twice",
            .v5,
            wire("E0 0C 00 0A 11 00000001 11 00000001"),
            .propertyDuplicated
        ),
        Violation(
            "MQTT5 2.2.2.2",
            "DISCONNECT with receive maximum",
            .v5,
            wire("E0 05 00 03 21 0001"),
            .propertyNotAllowed
        ),
        Violation(
            "MQTT5 2.1.4",
            "bytes after the properties of DISCONNECT",
            .v5,
            wire("E0 03 00 00 00"),
            .trailingBytes
        ),
        Violation("MQTT-3.15.1-1", "AUTH with a flag", .v5, wire("F2 00"), .reservedHeaderFlags),
        Violation("MQTT5 2.1.2", "AUTH in MQTT 3", .v3_1_1, wire("F0 00"), .packetNotInThisVersion),
        Violation("MQTT-3.15.2-1", "AUTH success from a client", .v5, wire("F0 00"), .reasonCodeNotAllowed),
        Violation(
            "MQTT-3.15.2-1",
            "AUTH success from a client, spelled out",
            .v5,
            wire("F0 06 00 04 15 \"m\""),
            .reasonCodeNotAllowed
        ),
        Violation(
            "MQTT-3.15.2-1",
            "re-authentication by a server",
            .v5,
            from: .server,
            wire("F0 06 19 04 15 \"m\""),
            .reasonCodeNotAllowed
        ),
        Violation("MQTT-3.15.2-1", "AUTH with a failure", .v5, wire("F0 06 87 04 15 \"m\""), .reasonCodeNotAllowed),
        Violation("MQTT5 3.15.2.2.2", "AUTH without a method", .v5, wire("F0 02 18 00"), .authenticationMethodMissing),
        Violation(
            "MQTT5 4.12",
            "AUTH with data and no method",
            .v5,
            from: .server,
            wire("F0 06 00 04 16 \"d\""),
            .authenticationMethodMissing
        ),
        Violation(
            "MQTT5 3.15.2.2.2",
            "AUTH with two methods",
            .v5,
            wire("F0 0A 18 08 15 \"m\" 15 \"m\""),
            .propertyDuplicated
        ),
        Violation("MQTT5 3.15.2.2", "AUTH with a code and no properties", .v5, wire("F0 01 18"), .truncated),
        Violation(
            "MQTT5 2.2.2.2",
            "AUTH with a server reference",
            .v5,
            wire("F0 09 18 07 15 \"m\" 1C 0000"),
            .propertyNotAllowed
        ),
    ]

    @Test(arguments: violations)
    func `a broken rule is named`(violation: Violation) throws { try violation.check() }

    /// MQTT 5.0, table 2-6 and the tables of the sections on each packet, written down once more.
    @Test(.spec("MQTT-3.4.2-1", "MQTT-3.5.2-1", "MQTT-3.6.2-1", "MQTT-3.7.2-1", "MQTT-3.14.2-1"))
    func `exactly the reason codes of a packet are accepted`() throws {
        let publishCodes: Set<UInt8> = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
        let both: Set<UInt8> = [
            0x00, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
        ]
        let serverOnly: Set<UInt8> = [
            0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
        ]
        for code in UInt8.min...UInt8.max {
            func accepts(_ bytes: [UInt8], _ sender: Sender) -> Bool {
                do {
                    _ = try decode(bytes, .v5, from: sender)
                    return true
                } catch {
                    return false
                }
            }
            for first: UInt8 in [0x40, 0x50] {
                #expect(accepts([first, 3, 0, 1, code], .client) == publishCodes.contains(code), "\(first) \(code)")
            }
            for first: UInt8 in [0x62, 0x70] {
                #expect(accepts([first, 3, 0, 1, code], .server) == [0x00, 0x92].contains(code), "\(first) \(code)")
            }
            #expect(accepts([0xE0, 1, code], .client) == both.union([0x04]).contains(code), "\(code)")
            #expect(accepts([0xE0, 1, code], .server) == both.union(serverOnly).contains(code), "\(code)")
        }
    }
}
