internal import MQTTCodec

/// Describes the packets of one direction of a connection, from bytes cut anywhere; neither payloads nor passwords.
struct PacketTrace {
    let sender: Sender
    let version: ProtocolVersion
    private var unparsed: [UInt8] = []
    /// After a packet that cannot be read nobody knows where the next begins.
    private var isLost = false

    init(sender: Sender, version: ProtocolVersion) {
        self.sender = sender
        self.version = version
    }

    /// One line for each packet that is complete now.
    mutating func describe(_ bytes: [UInt8]) -> [String] {
        guard !isLost else { return [] }
        unparsed += bytes
        var lines: [String] = []
        var offset = 0
        do {
            while let frame = try FrameDecoder.next(
                unparsed.span,
                at: offset,
                maximumPacketSize: FrameDecoder.largestPacket,
            ) {
                let packet = try Packet.decode(unparsed.span, frame: frame, version: version, sender: sender)
                offset = frame.end
                lines.append("\(sender == .client ? ">" : "<") \(Self.words(packet, version)), \(frame.size) bytes")
            }
        } catch {
            isLost = true
            lines.append("\(sender == .client ? ">" : "<") unreadable: \(error)")
        }
        unparsed.removeFirst(offset)
        return lines
    }

    private static func words(_ packet: Packet, _ version: ProtocolVersion) -> String {
        let name = "\(packet.type)".uppercased()
        switch packet {
        case .connect(let packet):
            let start = packet.cleanStart ? "clean start" : "no clean start"
            let user = packet.userName.map { ", user \($0)" } ?? ""
            return "\(name) \(packet.clientIdentifier), \(start), keep alive \(packet.keepAliveSeconds) s\(user)"
        case .connAck(let packet):
            let session = packet.sessionPresent ? ", session present" : ""
            return "\(name) \(packet.reasonCode.description(packet.reasonString))\(session)"
        case .publish(let packet):
            let identifier = packet.qos == .atMostOnce ? "" : " id \(packet.packetIdentifier)"
            let flags = (packet.retain ? ", retain" : "") + (packet.dup ? ", dup" : "")
            return "\(name) \(packet.topic), QoS \(packet.qos.rawValue)\(identifier)\(flags)"
        case .acknowledgement(let packet):
            let reason = version == .v5 ? " \(packet.reasonCode.description(packet.reasonString))" : ""
            return "\(name) id \(packet.packetIdentifier)\(reason)"
        case .subscribe(let packet):
            let filters = packet.requests.map { "\($0.topicFilter) (QoS \($0.options.qos.rawValue))" }
            return "\(name) id \(packet.packetIdentifier) \(filters.joined(separator: ", "))"
        case .subAck(let packet):
            let codes = packet.reasonCodes.map { $0 == .success ? "granted QoS 0" : $0.description }
            return "\(name) id \(packet.packetIdentifier) \(codes.joined(separator: ", "))"
        case .disconnect(let packet):
            return version == .v5 ? "\(name) \(packet.reasonCode.description(packet.reasonString))" : name
        case .auth(let packet):
            return "\(name) \(packet.reasonCode.description(packet.reasonString))"
        case .unsubscribe, .unsubAck, .pingReq, .pingResp:
            return name
        }
    }
}
