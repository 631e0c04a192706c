internal import ApusMessage
internal import ApusStore
internal import MQTTCodec

/// The eight bytes before a record's body: checksum (of all that follows, without the padding), length of the body.
enum RecordLayout {
    static let headerBytes = 8
}

/// The body of a message: type, flags, topic length u16, properties length u32, payload length u32, recipients u32, time
/// stored i64; then as the flags say time of expiry i64, origin u64, publisher u32 with packet identifier u16 and two
/// bytes of nothing, instance u32 and four bytes of nothing; topic, properties, payload; eight bytes for each recipient: session, spec; the filters of shared
/// subscriptions, each with its length u16.
enum MessageLayout {
    static let fixedBytes = 24
    static let recipientBytes = 8
}

struct MessageFlags: OptionSet {
    let rawValue: UInt8
    // Bits 0 and 1 are the QoS.
    static let retain = MessageFlags(rawValue: 1 << 2)
    static let keptAsRetained = MessageFlags(rawValue: 1 << 3)
    static let expires = MessageFlags(rawValue: 1 << 4)
    static let hasOrigin = MessageFlags(rawValue: 1 << 5)
    static let hasPublisher = MessageFlags(rawValue: 1 << 6)
    static let hasInstance = MessageFlags(rawValue: 1 << 7)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init(_ header: MessageHeader, hasOrigin: Bool) {
        var flags = MessageFlags(rawValue: header.qos.rawValue)
        if header.retain { flags.insert(.retain) }
        if header.isKeptAsRetained { flags.insert(.keptAsRetained) }
        if header.expiresAt != .distantFuture { flags.insert(.expires) }
        if hasOrigin { flags.insert(.hasOrigin) }
        if header.publisher != .none { flags.insert(.hasPublisher) }
        if header.instance != .none { flags.insert(.hasInstance) }
        self = flags
    }

    /// What stands between the fixed part and the topic.
    @inline(__always)
    var optionalBytes: Int { (rawValue & 0b1111_0000).nonzeroBitCount &* 8 }
}

/// The body of a session: type, flags, client id length u16, number u32, expiry seconds u32, user name length u16, will
/// topic length u16, disconnected at i64 (largest: connected), will due at i64; with a will its delay u32, expiry u32,
/// properties length u32, payload length u32; as the flags say the instance u32; client id, user name, the will's topic,
/// properties and payload.
enum SessionLayout {
    static let fixedBytes = 32
    static let willBytes = 16
    static let instanceBytes = 4
}

struct SessionFlags: OptionSet {
    let rawValue: UInt8
    /// All that was known of the session but its queue is void.
    static let resets = SessionFlags(rawValue: 1)
    static let hasUserName = SessionFlags(rawValue: 1 << 1)
    static let hasWill = SessionFlags(rawValue: 1 << 2)
    static let willRetain = SessionFlags(rawValue: 1 << 3)
    static let willExpires = SessionFlags(rawValue: 1 << 4)
    // Bits 5 and 6 are the will's QoS.
    static let willQoSShift: UInt8 = 5
    static let hasInstance = SessionFlags(rawValue: 1 << 7)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init(_ record: SessionRecord, resets: Bool) {
        var flags: SessionFlags = resets ? .resets : []
        if record.userName != nil { flags.insert(.hasUserName) }
        if record.instance != .none { flags.insert(.hasInstance) }
        if let will = record.will {
            flags.insert(.hasWill)
            if will.retain { flags.insert(.willRetain) }
            if will.expirySeconds != nil { flags.insert(.willExpires) }
            flags.formUnion(SessionFlags(rawValue: will.qos.rawValue << Self.willQoSShift))
        }
        self = flags
    }
}
