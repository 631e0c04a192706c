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

    /// Whether handling it takes less than waking the thread of its shard would: few bytes for few sessions.
    package func isSmall(for shard: Int) -> Bool {
        guard case .publications(let batch) = self else { return false }
        return batch.footprint <= 16 * 1024 && batch.recipientCount(on: shard, atMost: 8) <= 8
    }
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
    /// One message for the shard; nothing in it is counted by reference, so that it is read at no cost.
    struct Entry: Sendable {
        let publication: Publication
        /// Where topic, properties and payload stand in `bytes`, unless they are a kept message's.
        let start: Int
        let topicCount: Int
        let propertiesCount: Int
        let payloadCount: Int
        /// The place in `messages`, -1 when the bytes stand in `bytes`.
        let message: Int32
        /// The place in `matches`, or in `members`.
        let recipients: Int32
        let isForMember: Bool
    }

    enum Recipients: Sendable {
        /// The receiving shard's part of the match.
        case match(Match)
        /// One member of a shared subscription.
        case member(Subscriber, SharedGroup)
    }

    private(set) var bytes: [UInt8] = []
    private(set) var entries: [Entry] = []
    private(set) var messages: [Message] = []
    /// Each once for all messages of it that follow each other, as one publisher's do.
    private(set) var matches: [Match] = []
    private(set) var members: [(subscriber: Subscriber, group: SharedGroup)] = []

    /// When the sending shard began to read what is in it, in nanoseconds of the monotonic clock; 0 when that was not
    /// measured.
    var readAt: Int64 = 0

    package init() {}

    /// An empty batch with room for as much as the last one held, within bounds, so that it need not grow bit by bit.
    init(after last: borrowing PublicationBatch) {
        bytes.reserveCapacity(Self.room(for: last.bytes.count, atMost: 1 << 18))
        entries.reserveCapacity(Self.room(for: last.entries.count, atMost: 1 << 12))
    }

    private static func room(for count: Int, atMost most: Int) -> Int {
        guard count > 1 else { return count }
        return min(1 << (Int.bitWidth - (count - 1).leadingZeroBitCount), most)
    }

    package var isEmpty: Bool { entries.isEmpty }

    /// To how many sessions of the shard its messages go; what is above `most` is not counted to the end.
    func recipientCount(on shard: Int, atMost most: Int) -> Int {
        var count = 0
        for entry in entries where count <= most {
            count += entry.isForMember ? 1 : matches[Int(entry.recipients)].range(ofShard: shard).count
        }
        return count
    }

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
        if let message {
            messages.append(message)
        } else {
            bytes.append(contentsOf: topic)
            if !properties.isEmpty { bytes.append(contentsOf: properties) }
            bytes.append(contentsOf: payload)
        }
        footprint += 64 + topic.count + properties.count + payload.count
        let place: Int
        let isForMember: Bool
        switch recipients {
        case .match(let match):
            if matches.last !== match { matches.append(match) }
            place = matches.count - 1
            isForMember = false
        case .member(let member, let group):
            members.append((member, group))
            place = members.count - 1
            isForMember = true
        }
        entries.append(
            Entry(
                publication: publication,
                start: start,
                topicCount: topic.count,
                propertiesCount: properties.count,
                payloadCount: payload.count,
                message: message == nil ? -1 : Int32(truncatingIfNeeded: messages.count - 1),
                recipients: Int32(truncatingIfNeeded: place),
                isForMember: isForMember,
            ),
        )
    }
}
