/// Writes PUBACK, PUBREC, PUBREL and PUBCOMP.
public enum AcknowledgementEncoder {
    /// Appends an acknowledgement: four bytes for a success and always in MQTT 3.x, five for a bare failure.
    ///
    /// A reason string that would carry the packet beyond `maximumPacketSize` is left out [MQTT-3.4.2-2].
    ///
    /// - Parameter type: `.pubAck`, `.pubRec`, `.pubRel` or `.pubComp`.
    @inlinable
    public static func append(
        to out: inout [UInt8],
        type: PacketType,
        packetIdentifier: PacketIdentifier,
        reasonCode: ReasonCode = .success,
        reasonString: String? = nil,
        version: ProtocolVersion,
        maximumPacketSize: Int = .max,
    ) {
        if version == .v5, reasonCode != .success || reasonString != nil {
            appendWithReason(
                to: &out,
                type: type,
                packetIdentifier: packetIdentifier,
                reasonCode: reasonCode,
                reasonString: reasonString,
                maximumPacketSize: maximumPacketSize,
            )
            return
        }
        out.append(type.firstByte)
        out.append(2)
        out.append(bigEndian: packetIdentifier)
    }

    @usableFromInline
    static func appendWithReason(
        to out: inout [UInt8],
        type: PacketType,
        packetIdentifier: PacketIdentifier,
        reasonCode: ReasonCode,
        reasonString: String?,
        maximumPacketSize: Int,
    ) {
        let packet = Acknowledgement(
            type: type,
            packetIdentifier: packetIdentifier,
            reasonCode: reasonCode,
            reasonString: reasonString,
        )
        Packet.acknowledgement(packet).encode(into: &out, version: .v5, maximumPacketSize: maximumPacketSize)
    }
}
