/// The message that the server publishes for a client that vanishes (MQTT 5.0, section 3.1.2.5).
public struct Will: Equatable, Sendable {
    /// The topic name, not empty and without wildcards.
    public var topic: String
    /// The application's bytes.
    public var payload: [UInt8]
    /// The quality of service to publish with.
    public var qos: QoS
    /// Whether to retain the message.
    public var retain: Bool
    /// Seconds between the end of the connection and publication.
    public var willDelayInterval: UInt32
    /// Seconds, from publication on, after which the message is of no use.
    public var messageExpiryInterval: UInt32?
    /// The properties that travel with the message, encoded and in the order sent, without a length in front.
    public private(set) var forwardableProperties: [UInt8]
    /// Whether the payload is declared to be UTF-8; whether it is so remains to be checked.
    public private(set) var payloadFormatIsUTF8: Bool

    /// Makes a will; properties that cannot be represented (beyond 65,535 bytes each) are left out.
    public init(
        topic: String,
        payload: [UInt8],
        qos: QoS = .atMostOnce,
        retain: Bool = false,
        willDelayInterval: UInt32 = 0,
        messageExpiryInterval: UInt32? = nil,
        properties: MessageProperties = MessageProperties(),
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.willDelayInterval = willDelayInterval
        self.messageExpiryInterval = messageExpiryInterval
        forwardableProperties = properties.encoded ?? []
        payloadFormatIsUTF8 = properties.payloadFormat == .utf8
    }

    /// The properties that travel with the message, decoded anew at each call.
    public var properties: MessageProperties {
        do {
            return try MessageProperties(encoded: forwardableProperties)
        } catch {
            // Unreachable: both initialisers store only what was checked or encoded here.
            return MessageProperties()
        }
    }

    // MARK: - Coding

    private static let allowed = PropertySet(
        .willDelayInterval,
        .payloadFormatIndicator,
        .messageExpiryInterval,
        .contentType,
        .responseTopic,
        .correlationData,
        .userProperty,
    )

    /// Reads will properties, topic and payload from a CONNECT whose flags announce a will [MQTT-3.1.2-9].
    init(
        _ reader: inout PacketReader,
        qos: QoS,
        retain: Bool,
        version: ProtocolVersion,
    ) throws(DecodeError) {
        var decoded = DecodedProperties()
        forwardableProperties = []
        if version == .v5 {
            let section = try reader.propertySection()
            decoded = try DecodedProperties(reader.bytes, section, allowed: Self.allowed)
            appendForwardableProperties(reader.bytes, section, to: &forwardableProperties)
        }
        let name = try reader.topicNameRange(wildcard: .willTopicContainsWildcard)
        guard !name.isEmpty else { throw .willTopicEmpty }
        topic = reader.bytes.string(name)
        payload = try reader.binary()
        self.qos = qos
        self.retain = retain
        willDelayInterval = decoded.willDelayInterval ?? 0
        messageExpiryInterval = decoded.messageExpiryInterval
        payloadFormatIsUTF8 = decoded.payloadFormat == .utf8
    }

    func write(to writer: inout FieldWriter, version: ProtocolVersion) {
        if version == .v5 {
            writer.appendProperties { properties in
                properties.add(.willDelayInterval, willDelayInterval.unless(0))
                properties.add(.messageExpiryInterval, messageExpiryInterval)
                properties.add(encoded: forwardableProperties)
            }
        }
        writer.append(topic)
        writer.append(payload)
    }
}
