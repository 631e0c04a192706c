public import MQTTCodec

/// QoS 2 messages received and not yet released by their sender.
///
/// A packet identifier stands here from PUBLISH to PUBREL; a second PUBLISH with it in between is acknowledged again
/// and not delivered again [MQTT-4.3.3-10]. Part of the session's state: it outlives the connection [MQTT-4.1.0-1].
///
/// Senders release in the order of sending, so a plain array searched from its front beats a set; its length is bounded
/// by the Receive Maximum that the broker announced.
///
/// Public for `count`, which each QoS 1 message asks for: no `package` property is inlined across modules.
public struct InboundPublishes: Sendable, Equatable {
    @usableFromInline var awaitingRelease: [PacketIdentifier] = []

    package init() {}

    /// What to do with a QoS 2 PUBLISH.
    package enum Action: Equatable, Sendable {
        /// New: pass it on, then PUBREC.
        case deliver
        /// Passed on before: only PUBREC.
        case acknowledgeAgain
        /// The sender has more messages under way than the broker's Receive Maximum [MQTT-3.3.4-7].
        case exceedsReceiveMaximum
    }

    package mutating func received(_ identifier: PacketIdentifier, receiveMaximum: UInt16) -> Action {
        if awaitingRelease.contains(identifier) { return .acknowledgeAgain }
        guard awaitingRelease.count < receiveMaximum else { return .exceedsReceiveMaximum }
        awaitingRelease.append(identifier)
        return .deliver
    }

    /// Takes back a message that was refused with a PUBREC of 0x80 or more: the exchange ends there [MQTT-4.3.3-9].
    package mutating func refused(_ identifier: PacketIdentifier) { _ = released(identifier) }

    /// PUBREL came.
    ///
    /// - Returns: whether the identifier was under way; if not, PUBCOMP says 0x92.
    package mutating func released(_ identifier: PacketIdentifier) -> Bool {
        guard let index = awaitingRelease.firstIndex(of: identifier) else { return false }
        awaitingRelease.remove(at: index)
        return true
    }

    /// Takes up the identifiers that were under way when the process ended.
    package mutating func restore(_ identifiers: [PacketIdentifier]) { awaitingRelease = identifiers }

    /// How many wait for their sender's release.
    @inlinable public var count: Int { awaitingRelease.count }
    package var identifiers: [PacketIdentifier] { awaitingRelease }
}
