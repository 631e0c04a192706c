package import ApusMessage
package import ApusTopics
package import MQTTCodec

/// What a store keeps of a session beside its subscriptions, packet identifiers and queue.
package struct SessionRecord: Sendable, Equatable {
    package var instance: InstanceNumber
    package var clientID: String
    package var userName: String?
    /// `.max` is for ever.
    package var expirySeconds: UInt32
    /// Since when it waits; `nil` while connected, and then a crash counts as its end.
    package var disconnectedAt: Timestamp?
    package var will: StoredWill?
    /// `.distantFuture` while connected or without a will.
    package var willDueAt: Timestamp

    package init(
        instance: InstanceNumber = .none,
        clientID: String,
        userName: String? = nil,
        expirySeconds: UInt32,
        disconnectedAt: Timestamp? = nil,
        will: StoredWill? = nil,
        willDueAt: Timestamp = .distantFuture,
    ) {
        self.instance = instance
        self.clientID = clientID
        self.userName = userName
        self.expirySeconds = expirySeconds
        self.disconnectedAt = disconnectedAt
        self.will = will
        self.willDueAt = willDueAt
    }
}

/// The will of a session as a store keeps it.
package struct StoredWill: Sendable, Equatable {
    package var topic: [UInt8]
    /// As in ``Message``.
    package var properties: [UInt8]
    package var payload: [UInt8]
    package var qos: QoS
    package var retain: Bool
    package var delaySeconds: UInt32
    /// `nil` for none.
    package var expirySeconds: UInt32?

    package init(
        topic: [UInt8],
        properties: [UInt8],
        payload: [UInt8],
        qos: QoS,
        retain: Bool,
        delaySeconds: UInt32,
        expirySeconds: UInt32?,
    ) {
        self.topic = topic
        self.properties = properties
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.delaySeconds = delaySeconds
        self.expirySeconds = expirySeconds
    }
}

/// A subscription as a store keeps it.
package struct StoredSubscription: Sendable, Equatable {
    package var filter: TopicFilter
    package var options: SubscriptionOptions
    /// 0 for none.
    package var identifier: UInt32

    package init(filter: TopicFilter, options: SubscriptionOptions, identifier: UInt32) {
        self.filter = filter
        self.options = options
        self.identifier = identifier
    }
}

/// One step in the life of a stored session; all steps in order give its state.
package enum SessionChange: Sendable {
    /// It starts, or all that was recorded of it but its queue is void and follows anew.
    case state(SessionRecord)
    /// Its record changes; subscriptions, packet identifiers and queue stay.
    case record(SessionRecord)
    case subscribed(StoredSubscription)
    case unsubscribed(TopicFilter)
    /// The client's QoS 2 PUBLISH with this identifier was taken over; otherwise part of the message's header.
    case inbound(PacketIdentifier)
    /// PUBREL came: the client may use the identifier again.
    case released(PacketIdentifier)
    /// A QoS 2 message has got its packet identifier.
    case sent(PacketIdentifier, StorePosition, Recipient)
    /// PUBREC came: the message at the position is the client's and finished, its identifier still in use; `.none` when
    /// only the identifier was known.
    case received(PacketIdentifier, StorePosition)
    /// PUBCOMP came, or the message was given up: the identifier is free.
    case completed(PacketIdentifier)
    /// The session is gone, with its queue.
    case ended
}

/// A session as a store found it at start.
package struct RestoredSession: Sendable {
    /// A QoS 2 message that was under way to the client.
    package struct Outbound: Sendable {
        package var identifier: PacketIdentifier
        /// `nil` after PUBREC: only PUBREL is to be repeated.
        package var message: (position: StorePosition, recipient: Recipient)?

        package init(identifier: PacketIdentifier, message: (position: StorePosition, recipient: Recipient)?) {
            self.identifier = identifier
            self.message = message
        }
    }

    package var number: SessionNumber
    package var record: SessionRecord
    package var subscriptions: [StoredSubscription]
    /// QoS 2 identifiers of the client between PUBLISH and PUBREL.
    package var inbound: [PacketIdentifier]
    /// In the order of sending.
    package var outbound: [Outbound]

    package init(
        number: SessionNumber,
        record: SessionRecord,
        subscriptions: [StoredSubscription] = [],
        inbound: [PacketIdentifier] = [],
        outbound: [Outbound] = [],
    ) {
        self.number = number
        self.record = record
        self.subscriptions = subscriptions
        self.inbound = inbound
        self.outbound = outbound
    }
}
