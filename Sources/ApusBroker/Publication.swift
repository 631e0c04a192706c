internal import ApusMemory
package import ApusMessage
package import MQTTCodec

/// A message on its way through the broker, without its bytes: those are borrowed from the read buffer, from another
/// shard's batch or from a kept `Message`, and are passed beside it as three spans.
package struct Publication: Sendable {
    package let qos: QoS
    package let retain: Bool
    package let expiresAt: Timestamp
    /// Whose message it is.
    package let instance: InstanceNumber
    /// The publishing session, for the No Local option; `nil` for the broker's own messages.
    package let publisher: SessionHandle?
    /// When it came in, from which its time of waiting counts.
    package var receivedAt = Timestamp.distantFuture
    /// Where the store holds it, `.none` when nobody needs that.
    package var position = StorePosition.none
    /// Up to where the store must commit before the publisher's acknowledgement leaves; `.none` for at once.
    package var safeAt = StorePosition.none
    /// What traces know it by while the store does not hold it.
    package var transientNumber = MessageNumber.none
    /// Whether a client that is away does not get it later: a P2P message of a sender with a clean session.
    package var isDroppedAway = false
    /// Whether a retained message is the store's to keep: not the broker's own, which are made anew after a restart.
    package var isKept = false
    /// Whether a publisher waits for the answer: not for wills and the broker's own messages.
    package var isAcknowledged = true
    /// Of the publisher's QoS 2 exchange, which the store has to know; else 0.
    package var packetIdentifier: PacketIdentifier = 0

    package init(
        qos: QoS,
        retain: Bool,
        expiresAt: Timestamp,
        instance: InstanceNumber,
        publisher: SessionHandle?,
    ) {
        self.qos = qos
        self.retain = retain
        self.expiresAt = expiresAt
        self.instance = instance
        self.publisher = publisher
        isKept = publisher != nil
    }
}

extension Publication {
    /// What traces know the message by.
    var number: MessageNumber { position == .none ? transientNumber : MessageNumber(position) }
}

/// The `Message` of a publication, made when the first receiver needs to keep it and then shared by all.
struct KeptMessage {
    private(set) var message: Message?

    init(_ message: Message? = nil) { self.message = message }

    mutating func get(
        _ publication: Publication,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
    ) -> Message {
        if let message, message.position == publication.position { return message }
        if let message {
            let stored = message.stored(at: publication.position, receivedAt: publication.receivedAt)
            self.message = stored
            return stored
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(topic.count + properties.count + payload.count)
        bytes.append(contentsOf: topic)
        bytes.append(contentsOf: properties)
        bytes.append(contentsOf: payload)
        let new = Message(
            bytes: bytes,
            topicEnd: topic.count,
            propertiesEnd: topic.count + properties.count,
            qos: publication.qos,
            retain: publication.retain,
            expiresAt: publication.expiresAt,
            position: publication.position,
            receivedAt: publication.receivedAt,
            instance: publication.instance,
            number: publication.transientNumber,
        )
        message = new
        return new
    }
}
