/// A PUBLISH decoded in place: every field is checked, nothing is copied.
///
/// Offsets count from the start of the span that was decoded and mean nothing once its bytes move.
public struct PublishView: Equatable, Sendable {
    /// Whether this is a second attempt to send the message [MQTT-3.3.1-1].
    public let dup: Bool
    /// The quality of service that the sender asks for.
    public let qos: QoS
    /// Whether the message is to be retained, or was.
    public let retain: Bool
    /// The topic name: UTF-8 without wildcards; empty only when there is a topic alias.
    public let topic: Range<Int>
    /// The packet identifier; 0 for QoS 0, which has none [MQTT-2.2.1-2].
    public let packetIdentifier: PacketIdentifier
    /// The whole property section without its length; empty when there is none.
    public let properties: Range<Int>
    /// The application's bytes.
    public let payload: Range<Int>
    /// The topic alias; 0 when there is none.
    public let topicAlias: UInt16
    /// Seconds after which the message is of no use any more.
    public let messageExpiryInterval: UInt32?
    /// Whether the property section can be forwarded as it stands: no alias, no expiry, no subscription identifier.
    public let hasOnlyForwardableProperties: Bool
    /// Whether the sender declares the payload to be UTF-8; whether it is so remains to be checked.
    public let payloadFormatIsUTF8: Bool

    /// Decodes the PUBLISH in `frame`, which ``FrameDecoder`` found in the same span.
    ///
    /// Allocates nothing. Whether a topic alias is known and in range is the session's business.
    public static func decode(
        _ bytes: Span<UInt8>,
        frame: Frame,
        version: ProtocolVersion,
        sender: Sender,
    ) throws(DecodeError) -> PublishView {
        try frame.checkHeader(version)
        let flags = frame.firstByte
        guard let qos = QoS(rawValue: (flags >> 1) & 0b11) else { throw .publishQoSInvalid }
        let dup = flags & 0b1000 != 0
        if dup, qos == .atMostOnce { throw .duplicateFlagOnQoS0 }

        var reader = PacketReader(bytes, frame.body)
        let topic = try reader.topicNameRange(wildcard: .topicContainsWildcard)
        let packetIdentifier = qos == .atMostOnce ? 0 : try reader.packetIdentifier()
        var properties = PublishProperties()
        var section = reader.position..<reader.position
        if version == .v5 {
            section = try reader.propertySection()
            if !section.isEmpty { try properties.scan(bytes, section, sender: sender) }
        }
        if topic.isEmpty {
            guard version == .v5 else { throw .topicEmpty }
            guard properties.topicAlias != 0 else { throw .topicEmptyWithoutAlias }
        }
        return PublishView(
            dup: dup,
            qos: qos,
            retain: flags & 1 != 0,
            topic: topic,
            packetIdentifier: packetIdentifier,
            properties: section,
            payload: reader.rest(),
            topicAlias: properties.topicAlias,
            messageExpiryInterval: properties.messageExpiryInterval,
            hasOnlyForwardableProperties: properties.areAllForwardable,
            payloadFormatIsUTF8: properties.payloadFormatIsUTF8,
        )
    }

    /// The subscription identifiers that a server put into the packet, in order; empty in a client's packet.
    public func subscriptionIdentifiers(in bytes: Span<UInt8>) -> [UInt32] {
        var identifiers: [UInt32] = []
        if hasOnlyForwardableProperties { return identifiers }
        var reader = PacketReader(bytes, properties)
        while let property = EncodedProperty.next(&reader) {
            guard property.identifier == .subscriptionIdentifier else { continue }
            identifiers.append(VariableByteInteger.value(bytes, property.value))
        }
        return identifiers
    }
}

/// What the hot path has to know about the properties of a PUBLISH.
private struct PublishProperties {
    var topicAlias: UInt16 = 0
    var messageExpiryInterval: UInt32?
    var areAllForwardable = true
    var payloadFormatIsUTF8 = false

    static let fromClient = PropertySet(
        .payloadFormatIndicator,
        .messageExpiryInterval,
        .contentType,
        .responseTopic,
        .correlationData,
        .topicAlias,
        .userProperty,
        // Allowed here so that it can be refused with the rule of its own.
        .subscriptionIdentifier,
    )
    static let repeatable = PropertySet(.userProperty, .subscriptionIdentifier)

    mutating func scan(_ bytes: Span<UInt8>, _ section: Range<Int>, sender: Sender) throws(DecodeError) {
        let allowed = Self.fromClient
        let repeatable = Self.repeatable
        var seen = PropertySet()
        var reader = PacketReader(bytes, section)
        while !reader.isAtEnd {
            switch try reader.propertyIdentifier(allowed: allowed, repeatable: repeatable, seen: &seen) {
            case .payloadFormatIndicator:
                payloadFormatIsUTF8 = try reader.boolean()
            case .messageExpiryInterval:
                messageExpiryInterval = try reader.uint32()
                areAllForwardable = false
            case .topicAlias:
                topicAlias = try reader.topicAlias()
                areAllForwardable = false
            case .subscriptionIdentifier:
                guard sender == .server else { throw .subscriptionIdentifierFromClient }
                _ = try reader.subscriptionIdentifier()
                areAllForwardable = false
            case .contentType:
                _ = try reader.stringRange()
            case .responseTopic:
                _ = try reader.responseTopicRange()
            case .correlationData:
                _ = try reader.lengthPrefixed()
            case .userProperty:
                try reader.skipUserProperty()
            default:
                throw .propertyNotAllowed
            }
        }
    }
}
