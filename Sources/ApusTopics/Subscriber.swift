/// Who receives what matches a filter, and how: 16 bytes, no references.
public struct Subscriber: Sendable, Hashable {
    /// The session: `SessionHandle.rawValue`, whose top eight bits are the shard.
    public let target: UInt64
    /// The number of the session in the storage when it outlives its connection, so that messages must be stored for
    /// it; else 0.
    public let sessionNumber: UInt32
    /// Bits 0–27 the subscription identifier, 28–29 maximum QoS, 30 no local, 31 retain as published.
    @usableFromInline let packed: UInt32

    /// A subscriber with its options.
    ///
    /// - Parameters:
    ///   - subscriptionIdentifier: 0 for none, at most 268,435,455.
    ///   - qos: 0…2; only two bits count.
    @inlinable
    public init(
        target: UInt64,
        sessionNumber: UInt32 = 0,
        subscriptionIdentifier: UInt32 = 0,
        qos: UInt8,
        noLocal: Bool = false,
        retainAsPublished: Bool = false,
    ) {
        self.init(
            target: target,
            sessionNumber: sessionNumber,
            packed: subscriptionIdentifier & 0xFFF_FFFF | UInt32(qos & 3) << 28 | (noLocal ? 1 << 30 : 0)
                | (retainAsPublished ? 1 << 31 : 0),
        )
    }

    @usableFromInline
    init(target: UInt64, sessionNumber: UInt32, packed: UInt32) {
        self.target = target
        self.sessionNumber = sessionNumber
        self.packed = packed
    }

    /// The shard of the session.
    @inlinable
    public var shard: Int { Int(target >> 56) }
    /// The subscription identifier, or 0 for none.
    @inlinable
    public var subscriptionIdentifier: UInt32 { packed & 0xFFF_FFFF }
    /// The maximum QoS, 0…2.
    @inlinable
    public var qos: UInt8 { UInt8(packed >> 28 & 3) }
    /// Whether the session's own messages are left out [MQTT-3.8.3-3].
    @inlinable
    public var noLocal: Bool { packed & 1 << 30 != 0 }
    /// Whether the RETAIN flag is passed on as it came [MQTT-3.3.1-13].
    @inlinable
    public var retainAsPublished: Bool { packed & 1 << 31 != 0 }
    /// Whether the session outlives its connection.
    @inlinable
    public var isPersistent: Bool { sessionNumber != 0 }
}
