internal import ApusMemory
package import ApusMessage
package import MQTTCodec

/// An acknowledgement that the broker owes a publisher.
package struct OwedAcknowledgement: Sendable, Equatable {
    package enum Kind: UInt8, Sendable { case pubAck, pubRec }

    package let kind: Kind
    package let identifier: PacketIdentifier
    package let reasonCode: ReasonCode

    package init(_ kind: Kind, _ identifier: PacketIdentifier, _ reasonCode: ReasonCode = .success) {
        self.kind = kind
        self.identifier = identifier
        self.reasonCode = reasonCode
    }
}

/// Decides when an acknowledgement may leave: the only place that does (docs/guarantees.md).
///
/// A PUBLISH that the store must hold is acknowledged when the store's `committed` has reached its position;
/// acknowledgements leave in the order of their PUBLISH packets [MQTT-4.6.0-2, MQTT-4.6.0-3], so one that waits holds
/// back those after it. Bounded by the Receive Maximum that the broker announced.
package struct AcknowledgementGate: Sendable {
    private struct Waiting: Sendable {
        let acknowledgement: OwedAcknowledgement
        let position: StorePosition
    }

    private var waiting = RingBuffer<Waiting>()

    package init() {}

    package var waitingCount: Int { waiting.count }
    /// How many of those that wait are for QoS 1: QoS 2 messages stand among the inbound publishes already.
    package private(set) var waitingPubAcks = 0

    /// A PUBLISH was taken over.
    ///
    /// - Returns: whether its acknowledgement leaves now; otherwise `next` gives it out later.
    package mutating func owes(
        _ acknowledgement: OwedAcknowledgement,
        until position: StorePosition,
        committed: StorePosition,
    ) -> Bool {
        if waiting.isEmpty, position <= committed { return true }
        waiting.append(Waiting(acknowledgement: acknowledgement, position: position))
        if acknowledgement.kind == .pubAck { waitingPubAcks += 1 }
        return false
    }

    /// The next acknowledgement that may leave now that the store has committed so far.
    package mutating func next(committed: StorePosition) -> OwedAcknowledgement? {
        guard !waiting.isEmpty, waiting[0].position <= committed else { return nil }
        let next = waiting.popFirst()?.acknowledgement
        if next?.kind == .pubAck { waitingPubAcks -= 1 }
        return next
    }
}
