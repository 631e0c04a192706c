internal import ApusMemory
package import ApusMessage
package import ApusStore
package import ApusTopics
package import MQTTCodec

/// What reaches a shard from outside its thread.
package enum ShardMail: Sendable {
    /// Messages that another shard has routed to sessions of this one.
    case publications(PublicationBatch)
    /// An authenticator's answer.
    case authenticated(slot: Int, generation: UInt32, AuthenticationOutcome)
    /// The authorizer's answers may have changed: subscriptions that are no longer allowed end.
    case rightsChanged(InstanceNumber)
    /// An instance's rules have changed, or it was stopped or deleted.
    case instanceChanged(InstanceNumber)
    /// New limits, for what starts from now on.
    case limits(Limits)
    /// A shard that was behind has caught up: reading from publishers may go on.
    case relieved
    /// The store has something to say.
    case store(StoreNotice)
    /// The session of the client id is to end, or only its connection.
    case end(InstanceNumber, clientID: String, ReasonCode, explanation: String, endsSession: Bool)
    /// Something to do on the shard's thread.
    case call(ShardCall)
    /// Deliveries of a shared subscription whose member left, to be given to a session of this shard.
    case handOver([HandOver])
}

/// Something that another thread wants done on a shard's.
package struct ShardCall: Sendable {
    let body: @Sendable (inout Shard) -> Void
}

/// A delivery that goes to another member of its shared subscription.
package struct HandOver: Sendable {
    package let delivery: Delivery
    package let to: Subscriber
}

/// Messages for another shard, gathered during one tick and handed over in one piece.
///
/// Bounded by `Limits.shardBacklogBytes`: past it the publishers' reading pauses (`MailPressure`).
/// The bytes of small messages stand one after the other in `bytes`; a large one travels as a shared `Message`.
package struct PublicationBatch: Sendable {
    /// One message for the shard.
    struct Entry: Sendable {
        let publication: Publication
        /// Where topic, properties and payload stand in `bytes`, unless `message` holds them.
        let start: Int
        let topicCount: Int
        let propertiesCount: Int
        let payloadCount: Int
        let message: Message?
        let recipients: Recipients
    }

    enum Recipients: Sendable {
        /// The receiving shard's part of the match.
        case match(Match)
        /// One member of a shared subscription.
        case member(Subscriber, SharedGroup)
    }

    private(set) var bytes: [UInt8] = []
    private(set) var entries: [Entry] = []

    package init() {}

    package var isEmpty: Bool { entries.isEmpty }

    /// What the batch counts against `Limits.shardBacklogBytes`.
    package private(set) var footprint = 0

    mutating func add(
        _ publication: Publication,
        _ recipients: Recipients,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
        message: Message?,
    ) {
        let start = bytes.count
        if message == nil {
            bytes.append(contentsOf: topic)
            bytes.append(contentsOf: properties)
            bytes.append(contentsOf: payload)
        }
        footprint += 64 + topic.count + properties.count + payload.count
        entries.append(
            Entry(
                publication: publication,
                start: start,
                topicCount: topic.count,
                propertiesCount: properties.count,
                payloadCount: payload.count,
                message: message,
                recipients: recipients,
            ),
        )
    }
}
