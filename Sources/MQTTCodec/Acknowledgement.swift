/// A PUBACK, PUBREC, PUBREL or PUBCOMP with everything it says; ``AcknowledgementView`` is the fast way to read one.
public struct Acknowledgement: Equatable, Sendable {
    /// `.pubAck`, `.pubRec`, `.pubRel` or `.pubComp`.
    public var type: PacketType
    /// Which message is acknowledged.
    public var packetIdentifier: PacketIdentifier
    /// How it went; MQTT 3.x knows only success.
    public var reasonCode: ReasonCode
    /// A sentence for people, not for programs.
    public var reasonString: String?
    /// Further details, in order.
    public var userProperties: [UserProperty]

    /// Makes an acknowledgement.
    public init(
        type: PacketType,
        packetIdentifier: PacketIdentifier,
        reasonCode: ReasonCode = .success,
        reasonString: String? = nil,
        userProperties: [UserProperty] = [],
    ) {
        self.type = type
        self.packetIdentifier = packetIdentifier
        self.reasonCode = reasonCode
        self.reasonString = reasonString
        self.userProperties = userProperties
    }

    static func decode(
        _ bytes: Span<UInt8>,
        frame: Frame,
        version: ProtocolVersion,
    ) throws(DecodeError) -> Acknowledgement {
        let view = try AcknowledgementView.decode(bytes, frame: frame, version: version)
        var packet = Acknowledgement(
            type: frame.type,
            packetIdentifier: view.packetIdentifier,
            reasonCode: view.reasonCode,
        )
        if frame.body.count > 3 {
            var reader = PacketReader(bytes, frame.body.lowerBound + 3..<frame.end)
            let properties = try DecodedProperties(&reader, allowed: AcknowledgementView.allowed)
            packet.reasonString = properties.reasonString
            packet.userProperties = properties.userProperties
        }
        return packet
    }

    /// The short forms leave out what says nothing (MQTT 5.0, section 3.4.2.1).
    func write(to writer: inout FieldWriter, version: ProtocolVersion) {
        writer.append(packetIdentifier)
        guard version == .v5 else { return }
        var properties = FieldWriter(detail: writer.detail)
        properties.addDiagnostics(reasonString, userProperties)
        if properties.bytes.isEmpty {
            if reasonCode != .success { writer.append(reasonCode.rawValue) }
        } else {
            writer.append(reasonCode.rawValue)
            writer.appendProperties { $0.addDiagnostics(reasonString, userProperties) }
        }
    }
}
