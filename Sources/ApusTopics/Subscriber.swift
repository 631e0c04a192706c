/// Who receives what matches a filter, and how: 13 bytes, no references.
package struct Subscriber: Sendable, Hashable {
    /// The session: `SessionHandle.rawValue`, whose top eight bits are the shard.
    package let target: UInt64
    /// The subscription identifier, or 0 for none.
    package let subscriptionIdentifier: UInt32
    /// Bits 0–1 maximum QoS, bit 2 no local, bit 3 retain as published, as in the options byte of SUBSCRIBE;
    /// bit 4 the session outlives its connection, so that messages must be stored for it.
    package let options: UInt8

    @inlinable
    package init(target: UInt64, subscriptionIdentifier: UInt32 = 0, options: UInt8) {
        self.target = target
        self.subscriptionIdentifier = subscriptionIdentifier
        self.options = options
    }

    @inlinable
    package init(
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

    @inlinable
    package var shard: Int { Int(target >> 56) }
    @inlinable
    package var qos: UInt8 { options & 3 }
    @inlinable
    package var noLocal: Bool { options & 4 != 0 }
    @inlinable
    package var retainAsPublished: Bool { options & 8 != 0 }
    @inlinable
    package var isPersistent: Bool { options & 16 != 0 }
}
