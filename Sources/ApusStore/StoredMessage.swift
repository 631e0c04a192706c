package import ApusMessage
package import ApusTopics
package import MQTTCodec

/// What a store keeps of a message beside its topic, properties and payload.
package struct MessageHeader: Sendable, Equatable {
    package var qos: QoS
    package var retain: Bool
    /// Whether the message becomes its topic's retained message, so that the retained messages hold on to it until
    /// `finished(_:by: .retained)`.
    package var isKeptAsRetained: Bool
    /// `.distantFuture` for none.
    package var expiresAt: Timestamp
    /// Whose QoS 2 packet identifier the message takes until `.released`; `.none` for other messages.
    package var publisher: SessionNumber
    /// Of the publisher; 0 for other messages.
    package var packetIdentifier: PacketIdentifier
    /// Whose message it is; not of the store's concern.
    package var instance: InstanceNumber

    package init(
        qos: QoS,
        retain: Bool,
        isKeptAsRetained: Bool = false,
        expiresAt: Timestamp = .distantFuture,
        publisher: SessionNumber = .none,
        packetIdentifier: PacketIdentifier = 0,
        instance: InstanceNumber = .none,
    ) {
        self.qos = qos
        self.retain = retain
        self.isKeptAsRetained = isKeptAsRetained
        self.expiresAt = expiresAt
        self.publisher = publisher
        self.packetIdentifier = packetIdentifier
        self.instance = instance
    }
}

/// A session that needs a message, and what its subscription makes of it.
package struct Recipient: Sendable {
    package var session: SessionNumber
    /// 0 for none.
    package var subscriptionIdentifier: UInt32
    /// The lower of the message's and the subscription's; 1 or 2.
    package var qos: QoS
    /// The RETAIN flag as the receiver is to see it.
    package var retain: Bool
    /// The shared subscription through which it comes.
    package var group: TopicFilter?

    package init(
        session: SessionNumber,
        subscriptionIdentifier: UInt32 = 0,
        qos: QoS,
        retain: Bool = false,
        group: TopicFilter? = nil,
    ) {
        self.session = session
        self.subscriptionIdentifier = subscriptionIdentifier
        self.qos = qos
        self.retain = retain
        self.group = group
    }
}

/// Why a store takes no message now; what it has taken stays safe.
package enum StoreRefusal: Sendable, Equatable {
    /// No room is left on the disk, or within the limit for the data directory.
    case full
    /// The disk answers with errors.
    case failed

    package var explanation: String {
        switch self {
        case .full: "the message log has no room left; free space on its disk or raise data.maximumBytes"
        case .failed: "the message log cannot write to its disk; see log.failed in the broker's log"
        }
    }
}

/// What `dequeue` finds.
package enum Dequeued: Sendable {
    case delivery(Delivery)
    case empty
    /// The next one must be read from a slow place; the store gives notice when it is at hand.
    case notYet
    /// The next one is older than the store keeps messages and is out of the queue; the caller counts it and finishes it.
    case expired(StorePosition)
    /// The next one could not be read and is out of the queue; the caller counts it and finishes it.
    case lost(StorePosition)
}
