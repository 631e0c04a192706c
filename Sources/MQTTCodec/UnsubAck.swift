/// The server's answer to an UNSUBSCRIBE.
public struct UnsubAck: Equatable, Sendable {
    /// The identifier of the UNSUBSCRIBE.
    public var packetIdentifier: PacketIdentifier
    /// One code for each topic filter, in order [MQTT-3.11.3-1]; MQTT 3.x has none.
    public var reasonCodes: [ReasonCode]
    /// A sentence for people, not for programs.
    public var reasonString: String?
    /// Further details, in order.
    public var userProperties: [UserProperty]

    /// Makes an UNSUBACK.
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

    static func decode(_ reader: inout PacketReader, version: ProtocolVersion) throws(DecodeError) -> UnsubAck {
        var packet = UnsubAck(packetIdentifier: try reader.packetIdentifier(), reasonCodes: [])
        guard version == .v5 else { return packet }
        let properties = try DecodedProperties(&reader, allowed: allowed)
        packet.reasonString = properties.reasonString
        packet.userProperties = properties.userProperties
        guard !reader.isAtEnd else { throw .acknowledgementWithoutReason }
        while !reader.isAtEnd { packet.reasonCodes.append(try reader.reasonCode(of: .unsubAck, from: .server)) }
        return packet
    }

    func write(to writer: inout FieldWriter, version: ProtocolVersion) {
        writer.append(packetIdentifier)
        guard version == .v5 else { return }
        writer.appendProperties { $0.addDiagnostics(reasonString, userProperties) }
        for code in reasonCodes { writer.append(code.rawValue) }
    }
}
