/// Who receives what matches a filter, and how: 13 bytes, no references.
public struct Subscriber: Sendable, Hashable {
    /// The session: `SessionHandle.rawValue`, whose top eight bits are the shard.
    public let target: UInt64
    /// The subscription identifier, or 0 for none.
    public let subscriptionIdentifier: UInt32
    /// Bits 0–1 maximum QoS, bit 2 no local, bit 3 retain as published, as in the options byte of SUBSCRIBE;
    /// bit 4 the session outlives its connection, so that messages must be stored for it.
    public let options: UInt8

    /// A subscriber with packed options.
    @inlinable
    public init(target: UInt64, subscriptionIdentifier: UInt32 = 0, options: UInt8) {
        self.target = target
        self.subscriptionIdentifier = subscriptionIdentifier
        self.options = options
    }

    /// A subscriber with its options one by one.
    @inlinable
    public init(
        target: UInt64,
        subscriptionIdentifier: UInt32 = 0,
        qos: UInt8,
        noLocal: Bool = false,
        retainAsPublished: Bool = false,
        isPersistent: Bool = false,
    ) {
        self.init(
            target: target,
            subscriptionIdentifier: subscriptionIdentifier,
            options: qos & 3 | (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | (isPersistent ? 16 : 0),
        )
    }

    /// The shard of the session.
    @inlinable
    public var shard: Int { Int(target >> 56) }
    /// The maximum QoS, 0…2.
    @inlinable
    public var qos: UInt8 { options & 3 }
    /// Whether the session's own messages are left out [MQTT-3.8.3-3].
    @inlinable
    public var noLocal: Bool { options & 4 != 0 }
    /// Whether the RETAIN flag is passed on as it came [MQTT-3.3.1-13].
    @inlinable
    public var retainAsPublished: Bool { options & 8 != 0 }
    /// Whether the session outlives its connection.
    @inlinable
    public var isPersistent: Bool { options & 16 != 0 }
}
