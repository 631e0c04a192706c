/// The kind of a control packet: the upper half of its first byte (MQTT 5.0, section 2.1.2).
public enum PacketType: UInt8, Sendable, CaseIterable {
    case connect = 1
    case connAck = 2
    case publish = 3
    case pubAck = 4
    case pubRec = 5
    case pubRel = 6
    case pubComp = 7
    case subscribe = 8
    case subAck = 9
    case unsubscribe = 10
    case unsubAck = 11
    case pingReq = 12
    case pingResp = 13
    case disconnect = 14
    case auth = 15

    /// The only value that the lower half of the first byte may have; PUBLISH alone is free in it [MQTT-2.1.3-1].
    @inlinable
    public var reservedFlags: UInt8 {
        switch self {
        case .pubRel, .subscribe, .unsubscribe: 0b0010
        default: 0
        }
    }

    /// The first byte of a packet of this type, PUBLISH flags aside.
    @inlinable
    public var firstByte: UInt8 { rawValue << 4 | reservedFlags }

    /// Whether the given side may send such a packet at all.
    func mayComeFrom(_ sender: Sender) -> Bool {
        switch self {
        case .connect, .subscribe, .unsubscribe, .pingReq: sender == .client
        case .connAck, .subAck, .unsubAck, .pingResp: sender == .server
        case .publish, .pubAck, .pubRec, .pubRel, .pubComp, .disconnect, .auth: true
        }
    }
}

/// The side of a connection that sent a packet; several rules bind only one side.
public enum Sender: Sendable, CaseIterable {
    case client
    case server
}

/// Names a message in flight between one client and the server; never zero on the wire [MQTT-2.2.1-3].
public typealias PacketIdentifier = UInt16
