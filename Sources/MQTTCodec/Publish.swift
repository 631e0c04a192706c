/// An application message on its way, with values of its own; ``PublishView`` is the fast way to read one.
public struct Publish: Equatable, Sendable {
    /// Whether this is a second attempt to send the message; never with QoS 0 [MQTT-3.3.1-2].
    public var dup: Bool
    /// The quality of service.
    public var qos: QoS
    /// Whether the message is to be retained, or was.
    public var retain: Bool
    /// The topic name without wildcards; empty only with a topic alias.
    public var topic: String
    /// The packet identifier; 0 with QoS 0 only [MQTT-2.2.1-2].
    public var packetIdentifier: PacketIdentifier
    /// The topic alias; 0 for none.
    public var topicAlias: UInt16
    /// Seconds after which the message is of no use.
    public var messageExpiryInterval: UInt32?
    /// The identifiers of the subscriptions that matched; only from a server [MQTT-3.3.4-6].
    public var subscriptionIdentifiers: [UInt32]
    /// What travels with the message.
    public var properties: MessageProperties
    /// The application's bytes.
    public var payload: [UInt8]

    /// Makes a PUBLISH.
    public init(
        topic: String,
        payload: [UInt8],
        qos: QoS = .atMostOnce,
        packetIdentifier: PacketIdentifier = 0,
        dup: Bool = false,
        retain: Bool = false,
        topicAlias: UInt16 = 0,
        messageExpiryInterval: UInt32? = nil,
        subscriptionIdentifiers: [UInt32] = [],
        properties: MessageProperties = MessageProperties(),
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.packetIdentifier = packetIdentifier
        self.dup = dup
        self.retain = retain
        self.topicAlias = topicAlias
        self.messageExpiryInterval = messageExpiryInterval
        self.subscriptionIdentifiers = subscriptionIdentifiers
        self.properties = properties
    }

    static func decode(
        _ bytes: Span<UInt8>,
        frame: Frame,
        version: ProtocolVersion,
        sender: Sender,
    ) throws(DecodeError) -> Publish {
        let view = try PublishView.decode(bytes, frame: frame, version: version, sender: sender)
        var forwardable: [UInt8] = []
        appendForwardableProperties(of: view, in: bytes, to: &forwardable)
        return Publish(
            topic: bytes.string(view.topic),
            payload: bytes.array(view.payload),
            qos: view.qos,
            packetIdentifier: view.packetIdentifier,
            dup: view.dup,
            retain: view.retain,
            topicAlias: view.topicAlias,
            messageExpiryInterval: view.messageExpiryInterval,
            subscriptionIdentifiers: view.subscriptionIdentifiers(in: bytes),
            properties: try MessageProperties(encoded: forwardable),
        )
    }

    /// Appends the packet, or nothing when it is too large or cannot be represented.
    func encode(into out: inout [UInt8], version: ProtocolVersion, maximumPacketSize: Int) -> Bool {
        let forwardable = version == .v5 ? properties.encoded : []
        let name = Array(topic.utf8)
        let largest = subscriptionIdentifiers.max() ?? 0
        guard let forwardable, name.count <= Int(UInt16.max), largest <= VariableByteInteger.maximum else {
            return false
        }
        let identifiers = (first: UInt32(0), more: subscriptionIdentifiers)
        let size = PublishEncoder.encodedSize(
            version: version,
            qos: qos,
            topicCount: name.count,
            topicAlias: topicAlias,
            messageExpiryInterval: messageExpiryInterval,
            subscriptionIdentifiers: identifiers,
            forwardablePropertiesCount: forwardable.count,
            payloadCount: payload.count,
        )
        guard size <= min(maximumPacketSize, FrameDecoder.largestPacket) else { return false }
        PublishEncoder.appendHeader(
            to: &out,
            version: version,
            dup: dup,
            qos: qos,
            retain: retain,
            packetIdentifier: packetIdentifier,
            topic: name.span,
            topicAlias: topicAlias,
            messageExpiryInterval: messageExpiryInterval,
            subscriptionIdentifiers: identifiers,
            forwardableProperties: forwardable.span,
            payloadCount: payload.count,
        )
        out.append(contentsOf: payload)
        return true
    }
}
