internal import ApusMemory
internal import ApusMessage
internal import ApusSession
internal import ApusTopics
internal import MQTTCodec

/// What the loop is to do with a connection's socket.
package enum Disposition: Sendable, Equatable {
    case open
    /// Send what is queued, then close gracefully.
    case closeAfterFlush
    /// Close at once; what is queued is lost.
    case closeNow
    /// The client's session lives on another shard: hand the socket over (`takeMoving`).
    case move(toShard: Int)
}

/// Why a connection ended below MQTT.
package enum CloseCause: Sendable, Equatable {
    /// The shard asked for it.
    case requested
    /// The peer closed its side without DISCONNECT.
    case peerClosed
    /// The socket, TLS or WebSocket layer failed; the text says how.
    case transportError(String)

    package var text: String {
        switch self {
        case .requested: "closed by the broker"
        case .peerClosed: "the peer closed the connection"
        case .transportError(let text): text
        }
    }
}

/// One connection of a shard: a plain value in the shard's slab, so that an idle one costs little.
///
/// What few connections need, or what is read seldom, stands in `details`.
struct Connection: ~Copyable {
    /// Encoded packets not yet sent.
    var output = OutputQueue()
    /// The beginning of a packet whose rest has not come yet; while held, all bytes that came since.
    var unparsed: [UInt8] = []
    let details: ConnectionDetails
    var lastReceived: Timestamp
    /// Packets that wait for the store.
    var gate = AcknowledgementGate()
    var disposition = Disposition.open
    // From here on each fills what the one before leaves of eight bytes.
    var phase = ConnectionPhase.awaitingConnect
    var version = ProtocolVersion.v3_1_1
    var keepAliveSeconds: UInt16 = 0
    /// The Receive Maximum that the broker announced: a promise that new limits do not change.
    var receiveMaximum: UInt16 = 0
    /// What this publisher was last allowed to publish to.
    var authorized = AuthorizedTopic()
    /// The slot of the session, -1 before there is one.
    var session: Int32 = -1
    /// The instance: its place in the shard's `tenants`; -1 before CONNECT.
    var tenant: Int32 = -1
    /// The largest packet that the client takes [MQTT-3.1.2-24].
    var maximumPacketBytes = UInt32.max
    /// The largest packet that the broker said it takes, once connected, likewise.
    var acceptedPacketBytes: UInt32 = 0
    /// Whether the slot stands in the dirty list.
    var isDirty = false
    /// Whether the slot stands among those that wait for the store.
    var isAwaitingStore = false
    /// Whether parsing waits, for an authenticator or for the move to another shard.
    var isHeld = false
    /// Whether the loop must not read, because another shard cannot keep up.
    var isPaused = false
    /// Whether topic aliases are used towards the client.
    var usesTopicAliases = false
    /// Whether a timer looks after its keep alive.
    var hasKeepAliveTimer = false
    /// Whether retained messages wait for room in the output.
    var hasRetainedReplay = false

    init(details: ConnectionDetails, now: Timestamp) {
        self.details = details
        lastReceived = now
    }
}

/// A topic that the authorizer has allowed: most clients publish to one.
struct AuthorizedTopic {
    var topic: [UInt8] = []
    /// The revision of rights under which it was allowed; `.max` for none.
    var revision = UInt64.max
    /// Where the client id stands in a P2P topic, empty in any other; a topic has at most 65,535 bytes.
    private var targetStart: UInt16 = 0
    private var targetEnd: UInt16 = 0

    init() {}

    init(topic: [UInt8], revision: UInt64, target: Range<Int>?) {
        self.topic = topic
        self.revision = revision
        targetStart = UInt16(clamping: target?.lowerBound ?? 0)
        targetEnd = UInt16(clamping: target?.upperBound ?? 0)
    }

    /// In a P2P topic, where the client id stands.
    var target: Range<Int>? { targetEnd == 0 ? nil : Int(targetStart)..<Int(targetEnd) }
}

/// The parts of a connection that are read seldom.
///
/// Owned by the shard of its connection. Who changes a property in place (`append`, `+=`, a mutating method) takes the
/// object out of the connection first, `let details = connections[slot].details`: of both in one expression, Swift 6.3
/// makes code for the thread sanitizer that its own verifier refuses ("Invalid bitcast"). Assigning is no such case.
final class ConnectionDetails {
    let peer: Peer
    let acceptedAt: Timestamp
    /// When the connection was accepted as the session's.
    var connectedAt = Timestamp(milliseconds: 0)
    /// What the trace knows the connection by: a number as messages have.
    var channel = MessageNumber.none
    /// `nil` while all in it has its first value.
    private var remainder: Remainder?
    /// Who was accepted; before that only the client id that asks is in it.
    var principal = Principal(clientID: "", userName: nil)
    // From here on by size, the larger first: a connection costs what lies between, too.
    /// The Session Expiry Interval of CONNECT as asked; a DISCONNECT may not make 0 more [MQTT-3.14.2-2].
    var requestedExpirySeconds: UInt32 = 0
    /// The Topic Alias Maximum that the broker announced, and what it uses itself: the client's, or less; 0 for none.
    var inboundAliasMaximum: UInt16 = 0
    var outboundAliasMaximum: UInt16 = 0
    /// Whether it waited for the second because the instance had sent all that it may.
    var isRationed = false
    /// Whether a timer will go on with `retainedReplays`.
    var isReplayScheduled = false
    var isReauthenticating = false
    /// Whether reason strings and user properties may be sent outside CONNACK, PUBLISH and DISCONNECT [MQTT-3.1.2-29].
    var wantsProblemInformation = true
    /// Whether the peer has named an MQTT version, so that a CONNACK makes sense to it.
    var hasAnnouncedVersion = false
    var assignedClientID = false
    /// Whether CONNACK waits for the store.
    var awaitsConnAck = false
    var cleanStart = true

    var clientID: String {
        get { principal.clientID }
        set { principal.clientID = newValue }
    }

    init(peer: Peer, acceptedAt: Timestamp) {
        self.peer = peer
        self.acceptedAt = acceptedAt
    }

    /// What most connections never need, or not for long.
    private final class Remainder {
        var login: Login?
        var aliases: Aliases?
        var retainedReplays: RetainedReplays?
        var principalTimerAt = Timestamp.distantFuture
        var publishSecond: UInt32 = 0
        var publishCount: UInt32 = 0
        var serverKeepAlive: UInt16?
        var isEmpty: Bool {
            login == nil && aliases == nil && retainedReplays == nil && principalTimerAt == .distantFuture
                && publishSecond == 0 && serverKeepAlive == nil
        }
    }

    /// Apart again: its parts take more memory than all the rest.
    private final class Login {
        var connect: Connect?
        var exchange: (any EnhancedAuthentication)?
        var method: String?
        var isEmpty: Bool { connect == nil && exchange == nil && method == nil }
    }

    private final class Aliases {
        var inbound: InboundTopicAliases
        var outbound: OutboundTopicAliases

        init(_ inbound: UInt16, _ outbound: UInt16) {
            self.inbound = InboundTopicAliases(maximum: inbound)
            self.outbound = OutboundTopicAliases(maximum: outbound)
        }
    }

    /// To be asked for only where there is something to keep in it.
    private var ownRemainder: Remainder {
        if let remainder { return remainder }
        let new = Remainder()
        remainder = new
        return new
    }

    private func dropRemainderIfEmpty() {
        if remainder?.isEmpty == true { remainder = nil }
    }

    private var ownAliases: Aliases {
        if let aliases = remainder?.aliases { return aliases }
        let new = Aliases(inboundAliasMaximum, outboundAliasMaximum)
        ownRemainder.aliases = new
        return new
    }

    /// Aliases that the client sets.
    var inboundAliases: InboundTopicAliases {
        _read { yield ownAliases.inbound }
        _modify { yield &ownAliases.inbound }
    }

    /// Aliases towards the client.
    var outboundAliases: OutboundTopicAliases {
        _read { yield ownAliases.outbound }
        _modify { yield &ownAliases.outbound }
    }

    /// Retained messages on their way; `nil` for none.
    var retainedReplays: RetainedReplays? {
        get { remainder?.retainedReplays }
        set {
            guard remainder != nil || newValue != nil else { return }
            ownRemainder.retainedReplays = newValue
            dropRemainderIfEmpty()
        }
    }

    /// When the next timer for the principal fires.
    var principalTimerAt: Timestamp {
        get { remainder?.principalTimerAt ?? .distantFuture }
        set {
            guard remainder != nil || newValue != .distantFuture else { return }
            ownRemainder.principalTimerAt = newValue
            dropRemainderIfEmpty()
        }
    }

    /// The second, of those since 1970, in which `publishCount` PUBLISH packets have come, for the limit of a client.
    var publishSecond: UInt32 { remainder?.publishSecond ?? 0 }
    var publishCount: UInt32 { remainder?.publishCount ?? 0 }

    /// Counts another PUBLISH in a second, from 0 if it is another than the last.
    func countPublish(in second: UInt32) {
        let remainder = ownRemainder
        if remainder.publishSecond != second {
            remainder.publishSecond = second
            remainder.publishCount = 0
        }
        remainder.publishCount += 1
    }

    /// The keep alive that the broker told the client, where it is not what the client asked for.
    var serverKeepAlive: UInt16? {
        get { remainder?.serverKeepAlive }
        set { if remainder != nil || newValue != nil { ownRemainder.serverKeepAlive = newValue } }
    }

    /// CONNECT while its authentication is under way.
    var pendingConnect: Connect? {
        get { remainder?.login?.connect }
        set { changeLogin { $0.connect = newValue } }
    }

    var enhancedAuthentication: (any EnhancedAuthentication)? {
        get { remainder?.login?.exchange }
        set { changeLogin { $0.exchange = newValue } }
    }

    /// The method of CONNECT; a re-authentication must use the same [MQTT-4.12.1-1].
    var authenticationMethod: String? {
        get { remainder?.login?.method }
        set { changeLogin { $0.method = newValue } }
    }

    private func changeLogin(_ change: (Login) -> Void) {
        let login = remainder?.login ?? Login()
        change(login)
        if login.isEmpty {
            remainder?.login = nil
            dropRemainderIfEmpty()
        } else {
            ownRemainder.login = login
        }
    }
}
