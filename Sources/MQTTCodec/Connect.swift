/// The first packet of a client.
public struct Connect: Equatable, Sendable {
    /// The protocol that the client speaks.
    public var version: ProtocolVersion
    /// Whether the client wants a new session; *clean session* in MQTT 3.x.
    public var cleanStart: Bool
    /// Longest silence of the client in seconds; 0 means unlimited.
    public var keepAliveSeconds: UInt16
    /// The client's name, possibly empty; see ``exceedsMQTT31ClientIdentifierLimit``.
    public var clientIdentifier: String
    /// What to publish when the client vanishes.
    public var will: Will?
    /// The user's name.
    public var userName: String?
    /// Any credential.
    public var password: [UInt8]?
    /// Seconds that the session outlives the connection; 0xFFFFFFFF means for ever.
    public var sessionExpiryInterval: UInt32 = 0
    /// How many QoS 1 and 2 messages the client takes at a time, never 0.
    public var receiveMaximum: UInt16 = .max
    /// The largest packet that the client accepts; `nil` is no limit.
    public var maximumPacketSize: UInt32?
    /// How many topic aliases the client accepts.
    public var topicAliasMaximum: UInt16 = 0
    /// Whether the client wants response information in CONNACK.
    public var requestResponseInformation = false
    /// Whether reason strings and user properties may be sent where they only explain failures.
    public var requestProblemInformation = true
    /// The application's own properties, in order [MQTT-3.1.3-10].
    public var userProperties: [UserProperty] = []
    /// The method of enhanced authentication.
    public var authenticationMethod: String?
    /// The first step of enhanced authentication.
    public var authenticationData: [UInt8]?

    /// Makes a CONNECT; properties of MQTT 5.0 are set one by one.
    public init(
        version: ProtocolVersion = .v5,
        clientIdentifier: String,
        cleanStart: Bool = true,
        keepAliveSeconds: UInt16 = 0,
        will: Will? = nil,
        userName: String? = nil,
        password: [UInt8]? = nil,
    ) {
        self.version = version
        self.clientIdentifier = clientIdentifier
        self.cleanStart = cleanStart
        self.keepAliveSeconds = keepAliveSeconds
        self.will = will
        self.userName = userName
        self.password = password
    }

    /// Whether the identifier breaks the limit of 23 characters that MQTT 3.1 had; many of its clients do.
    public var exceedsMQTT31ClientIdentifierLimit: Bool {
        version == .v3_1 && clientIdentifier.unicodeScalars.count > 23
    }
}
