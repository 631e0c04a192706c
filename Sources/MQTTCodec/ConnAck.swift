/// The server's answer to a CONNECT.
public struct ConnAck: Equatable, Sendable {
    /// Whether the server goes on with a session that it has; never with a failure [MQTT-3.2.2-6].
    public var sessionPresent: Bool
    /// Success or why not; MQTT 3.x squeezes it into a ``ConnectReturnCode``.
    public var reasonCode: ReasonCode
    /// Session expiry in seconds where the server overrules the client.
    public var sessionExpiryInterval: UInt32?
    /// How many QoS 1 and 2 messages the server takes at a time, never 0.
    public var receiveMaximum: UInt16 = .max
    /// The highest QoS that the server takes.
    public var maximumQoS: QoS = .exactlyOnce
    /// Whether the server retains messages.
    public var retainAvailable = true
    /// The largest packet that the server accepts; `nil` is no limit.
    public var maximumPacketSize: UInt32?
    /// The name that the server gave to a client without one.
    public var assignedClientIdentifier: String?
    /// How many topic aliases the server accepts.
    public var topicAliasMaximum: UInt16 = 0
    /// A sentence for people, not for programs.
    public var reasonString: String?
    /// Further details, in order.
    public var userProperties: [UserProperty] = []
    /// Whether wildcards may be subscribed to.
    public var wildcardSubscriptionAvailable = true
    /// Whether subscriptions may have identifiers.
    public var subscriptionIdentifierAvailable = true
    /// Whether shared subscriptions are supported.
    public var sharedSubscriptionAvailable = true
    /// The keep alive that the client has to use instead of its own, in seconds.
    public var serverKeepAliveSeconds: UInt16?
    /// Helps the client to make a response topic.
    public var responseInformation: String?
    /// Another server to use.
    public var serverReference: String?
    /// The method of enhanced authentication.
    public var authenticationMethod: String?
    /// The last step of enhanced authentication.
    public var authenticationData: [UInt8]?

    /// Makes a CONNACK; properties of MQTT 5.0 are set one by one.
    public init(sessionPresent: Bool = false, reasonCode: ReasonCode = .success) {
        self.sessionPresent = sessionPresent
        self.reasonCode = reasonCode
    }

    // MARK: - Coding

    private static let allowed = PropertySet(
        .sessionExpiryInterval,
        .receiveMaximum,
        .maximumQoS,
        .retainAvailable,
        .maximumPacketSize,
        .assignedClientIdentifier,
        .topicAliasMaximum,
        .reasonString,
        .userProperty,
        .wildcardSubscriptionAvailable,
        .subscriptionIdentifierAvailable,
        .sharedSubscriptionAvailable,
        .serverKeepAlive,
        .responseInformation,
        .serverReference,
        .authenticationMethod,
        .authenticationData,
    )

    static func decode(_ reader: inout PacketReader, version: ProtocolVersion) throws(DecodeError) -> ConnAck {
        let flags = try reader.byte()
        // In MQTT 3.1 the byte was reserved and means nothing.
        if version > .v3_1, flags > 1 { throw .acknowledgeFlagsReserved }
        var packet = ConnAck(sessionPresent: version > .v3_1 && flags == 1)
        if version == .v5 {
            packet.reasonCode = try reader.reasonCode(of: .connAck, from: .server)
            packet.take(try DecodedProperties(&reader, allowed: allowed))
        } else {
            guard let code = ConnectReturnCode(rawValue: try reader.byte()) else { throw .returnCodeUnknown }
            packet.reasonCode = code.reasonCode
        }
        if packet.sessionPresent, packet.reasonCode != .success { throw .sessionPresentOnFailure }
        return packet
    }

    private mutating func take(_ properties: DecodedProperties) {
        sessionExpiryInterval = properties.sessionExpiryInterval
        receiveMaximum = properties.receiveMaximum ?? .max
        maximumQoS = properties.maximumQoS ?? .exactlyOnce
        retainAvailable = properties.retainAvailable ?? true
        maximumPacketSize = properties.maximumPacketSize
        assignedClientIdentifier = properties.assignedClientIdentifier
        topicAliasMaximum = properties.topicAliasMaximum ?? 0
        reasonString = properties.reasonString
        userProperties = properties.userProperties
        wildcardSubscriptionAvailable = properties.wildcardSubscriptionAvailable ?? true
        subscriptionIdentifierAvailable = properties.subscriptionIdentifierAvailable ?? true
        sharedSubscriptionAvailable = properties.sharedSubscriptionAvailable ?? true
        serverKeepAliveSeconds = properties.serverKeepAlive
        responseInformation = properties.responseInformation
        serverReference = properties.serverReference
        authenticationMethod = properties.authenticationMethod
        authenticationData = properties.authenticationData
    }

    func write(to writer: inout FieldWriter, version: ProtocolVersion) {
        writer.append(sessionPresent && version > .v3_1 ? 1 : 0 as UInt8)
        guard version == .v5 else {
            writer.append(ConnectReturnCode(reasonCode).rawValue)
            return
        }
        writer.append(reasonCode.rawValue)
        writer.appendProperties(writeProperties)
    }

    private func writeProperties(_ writer: inout FieldWriter) {
        writer.add(.sessionExpiryInterval, sessionExpiryInterval)
        writer.add(.receiveMaximum, receiveMaximum.unless(.max))
        writer.add(.maximumQoS, maximumQoS.unless(.exactlyOnce)?.rawValue)
        writer.add(.retainAvailable, retainAvailable.unless(true))
        writer.add(.maximumPacketSize, maximumPacketSize)
        writer.add(.assignedClientIdentifier, assignedClientIdentifier)
        writer.add(.topicAliasMaximum, topicAliasMaximum.unless(0))
        writer.addDiagnostics(reasonString, userProperties)
        writer.add(.wildcardSubscriptionAvailable, wildcardSubscriptionAvailable.unless(true))
        writer.add(.subscriptionIdentifierAvailable, subscriptionIdentifierAvailable.unless(true))
        writer.add(.sharedSubscriptionAvailable, sharedSubscriptionAvailable.unless(true))
        writer.add(.serverKeepAlive, serverKeepAliveSeconds)
        writer.add(.responseInformation, responseInformation)
        writer.add(.serverReference, serverReference)
        writer.add(.authenticationMethod, authenticationMethod)
        writer.add(.authenticationData, authenticationData)
    }
}
