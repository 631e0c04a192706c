/// The properties of one packet that is not on the hot path; each packet picks the ones it allows.
struct DecodedProperties {
    var payloadFormat: PayloadFormat?
    var messageExpiryInterval: UInt32?
    var contentType: String?
    var responseTopic: String?
    var correlationData: [UInt8]?
    var subscriptionIdentifiers: [UInt32] = []
    var sessionExpiryInterval: UInt32?
    var assignedClientIdentifier: String?
    var serverKeepAlive: UInt16?
    var authenticationMethod: String?
    var authenticationData: [UInt8]?
    var requestProblemInformation: Bool?
    var willDelayInterval: UInt32?
    var requestResponseInformation: Bool?
    var responseInformation: String?
    var serverReference: String?
    var reasonString: String?
    var receiveMaximum: UInt16?
    var topicAliasMaximum: UInt16?
    var topicAlias: UInt16?
    var maximumQoS: QoS?
    var retainAvailable: Bool?
    var userProperties: [UserProperty] = []
    var maximumPacketSize: UInt32?
    var wildcardSubscriptionAvailable: Bool?
    var subscriptionIdentifierAvailable: Bool?
    var sharedSubscriptionAvailable: Bool?

    /// No properties, as in every packet of MQTT 3.x.
    init() {}

    /// Reads a property section with its length.
    init(_ packet: inout PacketReader, allowed: PropertySet) throws(DecodeError) {
        let section = try packet.propertySection()
        try self.init(packet.bytes, section, allowed: allowed)
    }

    /// Reads the property section in `range`, which is without its length.
    init(_ bytes: Span<UInt8>, _ range: Range<Int>, allowed: PropertySet) throws(DecodeError) {
        var reader = PacketReader(bytes, range)
        var seen = PropertySet()
        while !reader.isAtEnd {
            let identifier = try reader.propertyIdentifier(
                allowed: allowed,
                seen: &seen,
            )
            try read(identifier, &reader)
        }
        if authenticationData != nil, authenticationMethod == nil { throw .authenticationMethodMissing }
    }

    private mutating func read(
        _ identifier: PropertyIdentifier,
        _ reader: inout PacketReader,
    ) throws(DecodeError) {
        switch identifier {
        case .payloadFormatIndicator: payloadFormat = try reader.boolean() ? .utf8 : .bytes
        case .messageExpiryInterval: messageExpiryInterval = try reader.uint32()
        case .contentType: contentType = try reader.string()
        case .responseTopic: responseTopic = reader.bytes.string(try reader.responseTopicRange())
        case .correlationData: correlationData = try reader.binary()
        case .subscriptionIdentifier: subscriptionIdentifiers.append(try reader.subscriptionIdentifier())
        case .sessionExpiryInterval: sessionExpiryInterval = try reader.uint32()
        case .assignedClientIdentifier: assignedClientIdentifier = try reader.string()
        case .serverKeepAlive: serverKeepAlive = try reader.uint16()
        case .authenticationMethod: authenticationMethod = try reader.string()
        case .authenticationData: authenticationData = try reader.binary()
        case .requestProblemInformation: requestProblemInformation = try reader.boolean()
        case .willDelayInterval: willDelayInterval = try reader.uint32()
        case .requestResponseInformation: requestResponseInformation = try reader.boolean()
        case .responseInformation: responseInformation = try reader.string()
        case .serverReference: serverReference = try reader.string()
        case .reasonString: reasonString = try reader.string()
        case .receiveMaximum: receiveMaximum = try reader.receiveMaximum()
        case .topicAliasMaximum: topicAliasMaximum = try reader.uint16()
        case .topicAlias: topicAlias = try reader.topicAlias()
        case .maximumQoS: maximumQoS = try reader.maximumQoS()
        case .retainAvailable: retainAvailable = try reader.boolean()
        case .userProperty: userProperties.append(try reader.userProperty())
        case .maximumPacketSize: maximumPacketSize = try reader.maximumPacketSize()
        case .wildcardSubscriptionAvailable: wildcardSubscriptionAvailable = try reader.boolean()
        case .subscriptionIdentifierAvailable: subscriptionIdentifierAvailable = try reader.boolean()
        case .sharedSubscriptionAvailable: sharedSubscriptionAvailable = try reader.boolean()
        }
    }
}

extension PacketReader {
    fileprivate mutating func receiveMaximum() throws(DecodeError) -> UInt16 {
        let value = try uint16()
        guard value != 0 else { throw .receiveMaximumZero }
        return value
    }

    fileprivate mutating func maximumPacketSize() throws(DecodeError) -> UInt32 {
        let value = try uint32()
        guard value != 0 else { throw .maximumPacketSizeZero }
        return value
    }

    /// Only 0 and 1: a server that supports QoS 2 leaves the property out.
    fileprivate mutating func maximumQoS() throws(DecodeError) -> QoS {
        switch try byte() {
        case 0: .atMostOnce
        case 1: .atLeastOnce
        default: throw .maximumQoSInvalid
        }
    }
}
