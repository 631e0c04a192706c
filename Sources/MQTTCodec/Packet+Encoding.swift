extension Packet {
    /// Appends the packet.
    ///
    /// What a version cannot say is left out. Reason strings and user properties that only explain are left out as
    /// well when the packet would exceed `maximumPacketSize`, user properties first [MQTT-3.2.2-19], [MQTT-3.2.2-20].
    /// The values themselves are the caller's responsibility: a packet identifier of 0, say, is written as it is.
    ///
    /// - Parameters:
    ///   - version: what the connection speaks; a CONNECT names its own.
    ///   - maximumPacketSize: what the receiver accepts.
    /// - Returns: `false`, with nothing appended, when the packet is still too large or holds a string or binary value
    ///   of more than 65,535 bytes.
    @discardableResult
    public func encode(
        into out: inout [UInt8],
        version: ProtocolVersion,
        maximumPacketSize: Int = .max,
    ) -> Bool {
        if case .publish(let packet) = self {
            return packet.encode(into: &out, version: version, maximumPacketSize: maximumPacketSize)
        }
        let limit = min(maximumPacketSize, FrameDecoder.largestPacket)
        for detail in DiagnosticDetail.allCases {
            var writer = FieldWriter(detail: detail)
            writeBody(to: &writer, version: version)
            let length = writer.bytes.count
            guard writer.isRepresentable, 1 + VariableByteInteger.size(of: length) + length <= limit else { continue }
            out.append(type.firstByte)
            VariableByteInteger.append(length, to: &out)
            out.append(contentsOf: writer.bytes)
            return true
        }
        return false
    }

    private func writeBody(to writer: inout FieldWriter, version: ProtocolVersion) {
        switch self {
        case .connect(let packet): packet.write(to: &writer)
        case .connAck(let packet): packet.write(to: &writer, version: version)
        case .acknowledgement(let packet): packet.write(to: &writer, version: version)
        case .subscribe(let packet): packet.write(to: &writer, version: version)
        case .subAck(let packet): packet.write(to: &writer, version: version)
        case .unsubscribe(let packet): packet.write(to: &writer, version: version)
        case .unsubAck(let packet): packet.write(to: &writer, version: version)
        case .disconnect(let packet): packet.write(to: &writer, version: version)
        case .auth(let packet): packet.write(to: &writer)
        case .publish, .pingReq, .pingResp: break
        }
    }
}
