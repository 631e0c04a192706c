/// Why a message did not reach somebody who should have had it.
///
/// Each reason has a counter in `$SYS/broker/publish/messages/dropped/…`.
package enum DropReason: UInt8, Sendable, CaseIterable {
    /// QoS 0, and the receiver's connection has more unsent bytes than its bound.
    case slowConsumer
    /// The session's queue was full; the oldest message went.
    case queueFull
    /// The message expiry interval passed before delivery.
    case expired
    /// QoS 0 for a session that is not connected.
    case offlineQoS0
    /// Larger than the receiver's maximum packet size [MQTT-3.1.2-24].
    case tooLargeForReceiver
    /// The session ended with messages still waiting in it.
    case sessionEnded
    /// Nobody in the shared subscription's group could take it.
    case noGroupMember
    /// The PUBLISH broke a rule that does not end the connection: its topic is over a limit, or its payload is not the
    /// text that it claims to be.
    case refused
    /// The publisher had no right to the topic.
    case notAuthorized
    /// The retained store was at its bound.
    case retainedFull
    /// The message log could not take it; its publisher was told, or got no acknowledgement.
    case storeUnavailable
    /// The message log could not read it again.
    case unreadable
    /// A P2P message to a client that has no session.
    case unknownTarget
    /// A P2P message, not to be stored, to a client that is away.
    case targetAway

    /// The name in logs, metrics and `$SYS`, `lower_snake_case`.
    package var name: String {
        switch self {
        case .slowConsumer: "slow_consumer"
        case .queueFull: "queue_full"
        case .expired: "expired"
        case .offlineQoS0: "offline_qos0"
        case .tooLargeForReceiver: "too_large_for_receiver"
        case .sessionEnded: "session_ended"
        case .noGroupMember: "no_group_member"
        case .refused: "refused"
        case .notAuthorized: "not_authorized"
        case .retainedFull: "retained_full"
        case .storeUnavailable: "store_unavailable"
        case .unreadable: "unreadable"
        case .unknownTarget: "unknown_target"
        case .targetAway: "target_away"
        }
    }
}
