extension PropertyIdentifier {
    /// Whether a server passes the property on with the message, unaltered and in order [MQTT-3.3.2-17],
    /// [MQTT-3.3.2-18].
    var isForwardable: Bool {
        switch self {
        case .payloadFormatIndicator, .contentType, .responseTopic, .correlationData, .userProperty: true
        default: false
        }
    }
}

/// One property in a section that has been checked before.
struct EncodedProperty: Equatable {
    let identifier: PropertyIdentifier
    /// Identifier and value.
    let whole: Range<Int>
    /// The value alone.
    let value: Range<Int>

    /// Reads the property at the reader's position without looking into its value; `nil` for what is none.
    static func next(_ reader: inout PacketReader) -> EncodedProperty? {
        let start = reader.position
        do {
            guard let identifier = PropertyIdentifier(rawValue: try reader.byte()) else { return nil }
            let valueStart = reader.position
            try identifier.skipValue(&reader)
            return EncodedProperty(
                identifier: identifier,
                whole: start..<reader.position,
                value: valueStart..<reader.position,
            )
        } catch {
            return nil
        }
    }
}

extension PropertyIdentifier {
    /// Moves past a value of this property's type (MQTT 5.0, table 2-4).
    func skipValue(_ reader: inout PacketReader) throws(DecodeError) {
        switch self {
        case .payloadFormatIndicator, .requestProblemInformation, .requestResponseInformation, .maximumQoS,
            .retainAvailable, .wildcardSubscriptionAvailable, .subscriptionIdentifierAvailable,
            .sharedSubscriptionAvailable:
            _ = try reader.byte()
        case .serverKeepAlive, .receiveMaximum, .topicAliasMaximum, .topicAlias:
            _ = try reader.uint16()
        case .messageExpiryInterval, .sessionExpiryInterval, .willDelayInterval, .maximumPacketSize:
            _ = try reader.uint32()
        case .subscriptionIdentifier:
            _ = try reader.variableByteInteger()
        case .contentType, .responseTopic, .correlationData, .assignedClientIdentifier, .authenticationMethod,
            .authenticationData, .responseInformation, .serverReference, .reasonString:
            _ = try reader.lengthPrefixed()
        case .userProperty:
            _ = try reader.lengthPrefixed()
            _ = try reader.lengthPrefixed()
        }
    }
}

/// Appends the properties that travel with the message, encoded and in the order sent.
///
/// Those are payload format indicator, content type, response topic, correlation data and user properties; neither the
/// topic alias, which belongs to one connection, nor the expiry, which counts down, nor subscription identifiers.
///
/// - Parameters:
///   - view: a decoded PUBLISH.
///   - bytes: the span that it was decoded from.
///   - out: where the properties go, without a length in front.
public func appendForwardableProperties(of view: PublishView, in bytes: Span<UInt8>, to out: inout [UInt8]) {
    if view.properties.isEmpty { return }
    if view.hasOnlyForwardableProperties {
        out.append(copying: bytes.extracting(view.properties))
    } else {
        appendForwardableProperties(bytes, view.properties, to: &out)
    }
}

/// Appends the forwardable ones of a property section that has been checked.
func appendForwardableProperties(_ bytes: Span<UInt8>, _ section: Range<Int>, to out: inout [UInt8]) {
    var reader = PacketReader(bytes, section)
    while let property = EncodedProperty.next(&reader) {
        if property.identifier.isForwardable { out.append(copying: bytes.extracting(property.whole)) }
    }
}
