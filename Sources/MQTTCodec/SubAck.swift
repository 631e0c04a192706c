/// The server's answer to a SUBSCRIBE.
public struct SubAck: Equatable, Sendable {
    /// The identifier of the SUBSCRIBE.
    public var packetIdentifier: PacketIdentifier
    /// The granted QoS or the failure for each request, in order [MQTT-3.9.3-1].
    ///
    /// MQTT 3.1.1 knows one failure, 0x80; MQTT 3.1 knows none, so a refused request is answered there like QoS 0.
    public var reasonCodes: [ReasonCode]
    /// A sentence for people, not for programs.
    public var reasonString: String?
    /// Further details, in order.
    public var userProperties: [UserProperty]

    /// Makes a SUBACK.
    public init(
        packetIdentifier: PacketIdentifier,
        reasonCodes: [ReasonCode],
        reasonString: String? = nil,
        userProperties: [UserProperty] = [],
    ) {
        self.packetIdentifier = packetIdentifier
        self.reasonCodes = reasonCodes
        self.reasonString = reasonString
        self.userProperties = userProperties
    }

    // MARK: - Coding

    private static let allowed = PropertySet(.reasonString, .userProperty)

    static func decode(_ reader: inout PacketReader, version: ProtocolVersion) throws(DecodeError) -> SubAck {
        var packet = SubAck(packetIdentifier: try reader.packetIdentifier(), reasonCodes: [])
        if version == .v5 {
            let properties = try DecodedProperties(&reader, allowed: allowed)
            packet.reasonString = properties.reasonString
            packet.userProperties = properties.userProperties
        }
        guard !reader.isAtEnd else { throw .acknowledgementWithoutReason }
        while !reader.isAtEnd {
            let code = try reader.reasonCode(of: .subAck, from: .server)
            guard version == .v5 || encoded(code, version) == code else { throw .reasonCodeNotAllowed }
            packet.reasonCodes.append(code)
        }
        return packet
    }

    func write(to writer: inout FieldWriter, version: ProtocolVersion) {
        writer.append(packetIdentifier)
        if version == .v5 { writer.appendProperties { $0.addDiagnostics(reasonString, userProperties) } }
        for code in reasonCodes { writer.append(Self.encoded(code, version).rawValue) }
    }

    /// The nearest that a version can say.
    private static func encoded(_ code: ReasonCode, _ version: ProtocolVersion) -> ReasonCode {
        guard code.isError else { return code }
        return switch version {
        case .v3_1: .success
        case .v3_1_1: .unspecifiedError
        case .v5: code
        }
    }
}
