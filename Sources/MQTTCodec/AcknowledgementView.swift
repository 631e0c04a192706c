/// A PUBACK, PUBREC, PUBREL or PUBCOMP decoded without allocation; its properties are checked and passed over.
public struct AcknowledgementView: Equatable, Sendable {
    /// Which message is acknowledged.
    public let packetIdentifier: PacketIdentifier
    /// How it went; success when the packet says nothing, as in MQTT 3.x always.
    public let reasonCode: ReasonCode

    /// Decodes the acknowledgement in `frame`, whose type is one of the four.
    public static func decode(
        _ bytes: Span<UInt8>,
        frame: Frame,
        version: ProtocolVersion,
    ) throws(DecodeError) -> AcknowledgementView {
        try frame.checkHeader(version)
        var reader = PacketReader(bytes, frame.body)
        let packetIdentifier = try reader.packetIdentifier()
        if reader.isAtEnd { return AcknowledgementView(packetIdentifier: packetIdentifier, reasonCode: .success) }
        guard version == .v5 else { throw .trailingBytes }
        let reasonCode = try reader.reasonCode(of: frame.type)
        if !reader.isAtEnd {
            var properties = PacketReader(bytes, try reader.propertySection())
            try reader.finish()
            try checkProperties(&properties)
        }
        return AcknowledgementView(packetIdentifier: packetIdentifier, reasonCode: reasonCode)
    }

    static let allowed = PropertySet(.reasonString, .userProperty)

    private static func checkProperties(_ reader: inout PacketReader) throws(DecodeError) {
        var seen = PropertySet()
        while !reader.isAtEnd {
            if try reader.propertyIdentifier(allowed: allowed, seen: &seen) == .reasonString {
                _ = try reader.stringRange()
            } else {
                try reader.skipUserProperty()
            }
        }
    }
}
