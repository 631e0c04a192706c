/// Any control packet, with values of its own.
///
/// PUBLISH and its acknowledgements have faster forms: ``PublishView``, ``PublishEncoder``, ``AcknowledgementView`` and
/// ``AcknowledgementEncoder``.
public enum Packet: Equatable, Sendable {
    case connect(Connect)
    case connAck(ConnAck)
    case publish(Publish)
    /// PUBACK, PUBREC, PUBREL or PUBCOMP.
    case acknowledgement(Acknowledgement)
    case subscribe(Subscribe)
    case subAck(SubAck)
    case unsubscribe(Unsubscribe)
    case unsubAck(UnsubAck)
    case pingReq
    case pingResp
    case disconnect(Disconnect)
    case auth(Auth)

    /// The type in the packet's first byte.
    public var type: PacketType {
        switch self {
        case .connect: .connect
        case .connAck: .connAck
        case .publish: .publish
        case .acknowledgement(let packet): packet.type
        case .subscribe: .subscribe
        case .subAck: .subAck
        case .unsubscribe: .unsubscribe
        case .unsubAck: .unsubAck
        case .pingReq: .pingReq
        case .pingResp: .pingResp
        case .disconnect: .disconnect
        case .auth: .auth
        }
    }

    /// Decodes the packet in `frame`, which ``FrameDecoder`` found in the same span.
    ///
    /// - Parameters:
    ///   - version: what the connection speaks; a CONNECT names its own.
    ///   - sender: the side that sent it.
    /// - Throws: the first rule that the packet breaks.
    public static func decode(
        _ bytes: Span<UInt8>,
        frame: Frame,
        version: ProtocolVersion,
        sender: Sender,
    ) throws(DecodeError) -> Packet {
        guard frame.type != .auth || version == .v5 else { throw .packetNotInThisVersion }
        guard frame.type.mayComeFrom(sender) else { throw .packetFromWrongSide }
        if frame.type == .disconnect, sender == .server, version < .v5 { throw .packetFromWrongSide }
        switch frame.type {
        case .connect:
            return .connect(try Connect.decode(bytes, frame: frame))
        case .publish:
            return .publish(try Publish.decode(bytes, frame: frame, version: version, sender: sender))
        case .pubAck, .pubRec, .pubRel, .pubComp:
            return .acknowledgement(try Acknowledgement.decode(bytes, frame: frame, version: version))
        default:
            try frame.checkHeader(version)
            var reader = PacketReader(bytes, frame.body)
            let packet = try decodeFields(&reader, type: frame.type, version: version, sender: sender)
            try reader.finish()
            return packet
        }
    }

    private static func decodeFields(
        _ reader: inout PacketReader,
        type: PacketType,
        version: ProtocolVersion,
        sender: Sender,
    ) throws(DecodeError) -> Packet {
        switch type {
        case .connAck: .connAck(try ConnAck.decode(&reader, version: version))
        case .subscribe: .subscribe(try Subscribe.decode(&reader, version: version))
        case .subAck: .subAck(try SubAck.decode(&reader, version: version))
        case .unsubscribe: .unsubscribe(try Unsubscribe.decode(&reader, version: version))
        case .unsubAck: .unsubAck(try UnsubAck.decode(&reader, version: version))
        case .pingReq: .pingReq
        case .pingResp: .pingResp
        case .disconnect: .disconnect(try Disconnect.decode(&reader, version: version, sender: sender))
        case .auth: .auth(try Auth.decode(&reader, sender: sender))
        case .connect, .publish, .pubAck, .pubRec, .pubRel, .pubComp: throw .packetFromWrongSide
        }
    }
}
