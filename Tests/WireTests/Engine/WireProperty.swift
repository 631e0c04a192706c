/// A property of MQTT 5.0: number, name in scripts, form, and the packets of a server that may carry it.
struct WireProperty: Sendable {
    enum Form: Sendable {
        case byte, twoByteInteger, fourByteInteger, variableByteInteger, text, binary, pair
    }

    let number: UInt8
    let name: String
    let form: Form
    /// Where a server may send it; nothing for what only a client sends.
    let fromServer: Set<PacketKind>

    private init(_ number: UInt8, _ name: String, _ form: Form, _ fromServer: Set<PacketKind> = []) {
        self.number = number
        self.name = name
        self.form = form
        self.fromServer = fromServer
    }

    /// Whether the packet may carry it more than once.
    var repeats: Bool { form == .pair || name == "subscriptionIdentifier" }

    static func named(_ name: String) -> WireProperty? { all.first { $0.name == name } }
    static func numbered(_ number: Int) -> WireProperty? { all.first { Int($0.number) == number } }

    private static let acknowledgements: Set<PacketKind> = [
        .connack, .puback, .pubrec, .pubrel, .pubcomp, .suback, .unsuback, .disconnect, .auth,
    ]

    static let all: [WireProperty] = [
        WireProperty(0x01, "payloadFormatIndicator", .byte, [.publish]),
        WireProperty(0x02, "messageExpiryInterval", .fourByteInteger, [.publish]),
        WireProperty(0x03, "contentType", .text, [.publish]),
        WireProperty(0x08, "responseTopic", .text, [.publish]),
        WireProperty(0x09, "correlationData", .binary, [.publish]),
        WireProperty(0x0B, "subscriptionIdentifier", .variableByteInteger, [.publish]),
        WireProperty(0x11, "sessionExpiryInterval", .fourByteInteger, [.connack]),
        WireProperty(0x12, "assignedClientIdentifier", .text, [.connack]),
        WireProperty(0x13, "serverKeepAlive", .twoByteInteger, [.connack]),
        WireProperty(0x15, "authenticationMethod", .text, [.connack, .auth]),
        WireProperty(0x16, "authenticationData", .binary, [.connack, .auth]),
        WireProperty(0x17, "requestProblemInformation", .byte),
        WireProperty(0x18, "willDelayInterval", .fourByteInteger),
        WireProperty(0x19, "requestResponseInformation", .byte),
        WireProperty(0x1A, "responseInformation", .text, [.connack]),
        WireProperty(0x1C, "serverReference", .text, [.connack, .disconnect]),
        WireProperty(0x1F, "reasonString", .text, acknowledgements),
        WireProperty(0x21, "receiveMaximum", .twoByteInteger, [.connack]),
        WireProperty(0x22, "topicAliasMaximum", .twoByteInteger, [.connack]),
        WireProperty(0x23, "topicAlias", .twoByteInteger, [.publish]),
        WireProperty(0x24, "maximumQoS", .byte, [.connack]),
        WireProperty(0x25, "retainAvailable", .byte, [.connack]),
        WireProperty(0x26, "userProperties", .pair, acknowledgements.union([.publish])),
        WireProperty(0x27, "maximumPacketSize", .fourByteInteger, [.connack]),
        WireProperty(0x28, "wildcardSubscriptionAvailable", .byte, [.connack]),
        WireProperty(0x29, "subscriptionIdentifierAvailable", .byte, [.connack]),
        WireProperty(0x2A, "sharedSubscriptionAvailable", .byte, [.connack]),
    ]
}
