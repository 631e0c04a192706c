internal import ApusMemory
package import ApusMessage
package import MQTTCodec

/// An acknowledgement that the broker owes its peer.
package struct OwedAcknowledgement: Sendable, Equatable {
    package enum Kind: UInt8, Sendable { case pubAck, pubRec, pubRel, pubComp }

    package let kind: Kind
    package let identifier: PacketIdentifier
    package let reasonCode: ReasonCode

    package init(_ kind: Kind, _ identifier: PacketIdentifier, _ reasonCode: ReasonCode = .success) {
        self.kind = kind
        self.identifier = identifier
        self.reasonCode = reasonCode
    }
}

/// Decides when a packet may leave that promises something: the only place that does (docs/guarantees.md).
///
/// What the store must hold first leaves when the store's `committed` has reached its position. Packets leave in the
/// order in which they came here [MQTT-4.6.0-2, MQTT-4.6.0-3], so one that waits holds back those after it. Bounded by
/// the Receive Maximum that the broker announced, its send window, and one answer for each packet read before the
/// connection's reading is paused.
package struct AcknowledgementGate: Sendable {
    /// A packet that waits.
    package enum Held: Sendable {
        case acknowledgement(OwedAcknowledgement)
        /// An encoded CONNACK of a new session; nothing else may leave before it.
        case connAck([UInt8])
        /// An encoded SUBACK or UNSUBACK.
        case answer([UInt8])
        /// A QoS 2 PUBLISH: after a crash the broker must know its identifier, or the client would get it twice.
        case publish(PacketIdentifier, Delivery, dup: Bool)

        fileprivate var isPubAck: Bool {
            if case .acknowledgement(let owed) = self { owed.kind == .pubAck } else { false }
        }
    }

    private struct Waiting: Sendable {
        let held: Held
        let position: StorePosition
    }

    private var waiting = RingBuffer<Waiting>()

    package init() {}

    package var waitingCount: Int { waiting.count }
    /// How many of those that wait are PUBACK packets: QoS 2 messages stand among the inbound publishes already.
    package private(set) var waitingPubAcks = 0

    /// Whether a packet that depends on the position may leave now; if not, `hold` it.
    package func isOpen(until position: StorePosition, committed: StorePosition) -> Bool {
        waiting.isEmpty && position <= committed
    }

    /// Keeps a packet until `next` gives it out.
    package mutating func hold(_ held: Held, until position: StorePosition) {
        waiting.append(Waiting(held: held, position: position))
        if held.isPubAck { waitingPubAcks += 1 }
    }

    /// The next packet that may leave now that the store has committed so far.
    package mutating func next(committed: StorePosition) -> Held? {
        guard !waiting.isEmpty, waiting[0].position <= committed else { return nil }
        guard let next = waiting.popFirst()?.held else { return nil }
        if next.isPubAck { waitingPubAcks -= 1 }
        return next
    }
}
