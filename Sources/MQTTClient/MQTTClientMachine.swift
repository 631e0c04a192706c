public import MQTTCodec

/// An MQTT client without a network: events go in, bytes to send and news come out.
///
/// ```
/// disconnected ──connect──▶ connecting ──CONNACK──▶ connected
///       ▲                       │                       │
///       └────── refused, lost, violation, disconnect ───┘
/// ```
///
/// The driver opens a transport, calls ``connect(cleanStart:now:into:)``, hands over what it receives, sends
/// ``ClientActions/bytes`` after each call, and calls ``tick(now:into:)`` no later than ``deadline``. When the machine
/// says that the connection is over it sends what is left and closes; the machine then stands ready for the next
/// connection and takes the session along: unacknowledged messages go out again, and received ones are not delivered
/// twice where QoS 2 forbids it.
///
/// Time is any clock that only goes forward, counted from any fixed moment.
public struct MQTTClientMachine: Sendable {
    /// Where the machine stands; see the drawing above.
    public enum Phase: Sendable {
        case disconnected
        case connecting
        case connected
    }

    /// What the machine was made with.
    public let configuration: ClientConfiguration
    /// Where the machine stands.
    public internal(set) var phase = Phase.disconnected
    /// What the server announced when it accepted the latest connection.
    public internal(set) var server = ConnAck()
    /// The name of the client: the configured one, or what the server assigned [MQTT-3.2.2-16].
    public internal(set) var clientIdentifier: String

    var outbound = OutboundMessages()
    var inbound = InboundMessages()
    var identifiers = PacketIdentifiers()
    var requests: [PacketIdentifier: PendingRequest] = [:]
    var aliases = TopicAliases(maximum: 0)
    var keepAlive: KeepAlive?
    /// When the server must have answered the CONNECT.
    var connectDeadline = Duration.zero
    /// Whether the present connection asked for a new session.
    var isCleanStart = true
    /// The beginning of a packet whose rest has not come yet.
    var unparsed: [UInt8] = []
    private var lastToken: UInt64 = 0

    /// A client that was never connected.
    public init(configuration: ClientConfiguration) {
        self.configuration = configuration
        clientIdentifier = configuration.connect.clientIdentifier
    }

    /// Messages of QoS 1 and 2, subscriptions and unsubscriptions that are not done.
    public var pendingCount: Int { outbound.count + requests.count }

    var version: ProtocolVersion { configuration.connect.version }

    mutating func nextToken() -> ClientToken {
        lastToken += 1
        return ClientToken(number: lastToken)
    }
}

/// A SUBSCRIBE or UNSUBSCRIBE without an answer.
struct PendingRequest: Sendable {
    let token: ClientToken
    let isSubscribe: Bool
    /// How many answers belong to it.
    let count: Int
}

// MARK: - The connection

extension MQTTClientMachine {
    /// A transport is open.
    ///
    /// - Parameter cleanStart: asks for a new session, whatever the configuration says; nil leaves it to that.
    /// - Throws: ``ClientError/alreadyConnected``, ``ClientError/clientIdentifierMissing`` or ``ClientError/tooLarge``.
    public mutating func connect(
        cleanStart: Bool? = nil,
        now: Duration,
        into actions: inout ClientActions,
    ) throws(ClientError) {
        guard phase == .disconnected else { throw .alreadyConnected }
        var packet = configuration.connect
        packet.cleanStart = cleanStart ?? packet.cleanStart
        packet.clientIdentifier = clientIdentifier
        guard version == .v5 || !clientIdentifier.isEmpty || packet.cleanStart && version == .v3_1_1 else {
            throw .clientIdentifierMissing
        }
        guard Packet.connect(packet).encode(into: &actions.bytes, version: version) else { throw .tooLarge }
        isCleanStart = packet.cleanStart
        phase = .connecting
        connectDeadline = now + configuration.connectTimeout
        aliases = TopicAliases(maximum: version == .v5 ? packet.topicAliasMaximum : 0)
    }

    /// Ends the connection.
    ///
    /// - Parameters:
    ///   - reasonCode: ``ReasonCode/disconnectWithWill`` makes the server publish the will, in MQTT 3.x by silence.
    ///   - sessionExpiryInterval: how long the session shall live on; nil leaves it as it was.
    public mutating func disconnect(
        reasonCode: ReasonCode = .success,
        sessionExpiryInterval: UInt32? = nil,
        into actions: inout ClientActions,
    ) {
        guard phase != .disconnected else { return }
        if version == .v5 || reasonCode == .success {
            let packet = Disconnect(reasonCode: reasonCode, sessionExpiryInterval: sessionExpiryInterval)
            Packet.disconnect(packet).encode(into: &actions.bytes, version: version)
        }
        end(into: &actions)
    }

    /// The transport closed or failed; harmless when the machine knows already that the connection is over.
    public mutating func connectionLost(into actions: inout ClientActions) {
        lose(.transportClosed, into: &actions)
    }

    /// When ``tick(now:into:)`` has something to do; nil when never.
    public var deadline: Duration? {
        switch phase {
        case .disconnected: nil
        case .connecting: connectDeadline
        case .connected: keepAlive?.deadline
        }
    }

    /// Time has passed.
    public mutating func tick(now: Duration, into actions: inout ClientActions) {
        switch phase {
        case .disconnected:
            break
        case .connecting:
            if now >= connectDeadline { lose(.noAnswerToConnect, into: &actions) }
        case .connected:
            switch keepAlive?.tick(now) {
            case nil, .nothing: break
            case .ping: send(.pingReq, now: now, into: &actions)
            case .giveUp: lose(.noAnswerToPing, into: &actions)
            }
        }
    }

    private mutating func lose(_ loss: ConnectionLoss, into actions: inout ClientActions) {
        guard phase != .disconnected else { return }
        end(into: &actions)
        actions.events.append(.connectionLost(loss))
    }

    /// Forgets what belongs to the connection and keeps what belongs to the session.
    mutating func end(into actions: inout ClientActions) {
        phase = .disconnected
        unparsed = []
        keepAlive = nil
        inbound.connectionEnded()
        for (identifier, request) in requests.sorted(by: { $0.value.token.number < $1.value.token.number }) {
            identifiers.giveBack(identifier)
            actions.events.append(.abandoned(request.token))
        }
        requests = [:]
    }
}
