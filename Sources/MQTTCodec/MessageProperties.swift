/// What the sender says about its payload.
public enum PayloadFormat: UInt8, Sendable, CaseIterable {
    /// Unspecified bytes; the same as saying nothing.
    case bytes = 0
    /// UTF-8 text.
    case utf8 = 1
}

/// The properties that travel with a message from its publisher to every receiver, unaltered.
public struct MessageProperties: Equatable, Sendable {
    /// What the payload is declared to be.
    public var payloadFormat: PayloadFormat?
    /// The kind of content, by convention a MIME type.
    public var contentType: String?
    /// Where a receiver shall send its response; a topic name without wildcards [MQTT-3.3.2-14].
    public var responseTopic: String?
    /// Tells the requester which request a response belongs to.
    public var correlationData: [UInt8]?
    /// The application's own properties, in order [MQTT-3.3.2-18].
    public var userProperties: [UserProperty]

    /// Makes a set of properties.
    public init(
        payloadFormat: PayloadFormat? = nil,
        contentType: String? = nil,
        responseTopic: String? = nil,
        correlationData: [UInt8]? = nil,
        userProperties: [UserProperty] = [],
    ) {
        self.payloadFormat = payloadFormat
        self.contentType = contentType
        self.responseTopic = responseTopic
        self.correlationData = correlationData
        self.userProperties = userProperties
    }

    /// Reads encoded properties, such as ``Will/forwardableProperties``; they have no length in front.
    ///
    /// - Throws: what is wrong with bytes that this module did not make or check.
    public init(encoded: [UInt8]) throws(DecodeError) {
        let bytes = encoded.span
        self.init(try DecodedProperties(bytes, 0..<bytes.count, allowed: Self.identifiers))
    }

    /// The properties as they stand in a packet, without a length; `nil` when a value exceeds 65,535 bytes.
    public var encoded: [UInt8]? {
        var writer = FieldWriter()
        writer.add(.payloadFormatIndicator, payloadFormat?.rawValue)
        writer.add(.contentType, contentType)
        writer.add(.responseTopic, responseTopic)
        writer.add(.correlationData, correlationData)
        writer.add(userProperties)
        return writer.isRepresentable ? writer.bytes : nil
    }

    init(_ properties: DecodedProperties) {
        payloadFormat = properties.payloadFormat
        contentType = properties.contentType
        responseTopic = properties.responseTopic
        correlationData = properties.correlationData
        userProperties = properties.userProperties
    }

    private static let identifiers = PropertySet(
        .payloadFormatIndicator,
        .contentType,
        .responseTopic,
        .correlationData,
        .userProperty,
    )
}
