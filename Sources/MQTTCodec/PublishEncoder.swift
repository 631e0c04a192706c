/// Writes everything of a PUBLISH but its payload.
///
/// A broker encodes a message once for all receivers of the same shape and then only patches packet identifiers, so
/// this says where the identifier lies.
public enum PublishEncoder {
    /// Appends fixed header, topic, packet identifier and properties for a payload of `payloadCount` bytes.
    ///
    /// The caller appends the payload. Before that it asks `encodedSize` whether the packet is allowed and
    /// representable at all. Properties are left out for MQTT 3.x.
    ///
    /// - Parameters:
    ///   - packetIdentifier: the identifier or a placeholder; ignored for QoS 0 [MQTT-2.2.1-2].
    ///   - topic: at most 65,535 bytes; empty when the receiver knows the alias already.
    ///   - topicAlias: 0 for none.
    ///   - subscriptionIdentifiers: `first` is 0 for none.
    ///   - forwardableProperties: already encoded, as ``appendForwardableProperties(of:in:to:)`` makes them.
    /// - Returns: the offset of the packet identifier in `out`, or -1 for QoS 0.
    @discardableResult
    public static func appendHeader(
        to out: inout [UInt8],
        version: ProtocolVersion,
        dup: Bool,
        qos: QoS,
        retain: Bool,
        packetIdentifier: PacketIdentifier,
        topic: Span<UInt8>,
        topicAlias: UInt16,
        messageExpiryInterval: UInt32?,
        subscriptionIdentifiers: (first: UInt32, more: [UInt32]),
        forwardableProperties: Span<UInt8>,
        payloadCount: Int,
    ) -> Int {
        var identifierOffset = -1
        let start = out.count
        let most = mostHeaderBytes(
            version: version,
            topicCount: topic.count,
            subscriptionIdentifiers: subscriptionIdentifiers.more.count,
            forwardablePropertiesCount: forwardableProperties.count,
        )
        out.append(addingCapacity: most) { output in
            identifierOffset = appendHeader(
                to: &output,
                version: version,
                dup: dup,
                qos: qos,
                retain: retain,
                packetIdentifier: packetIdentifier,
                topic: topic,
                topicAlias: topicAlias,
                messageExpiryInterval: messageExpiryInterval,
                subscriptionIdentifiers: subscriptionIdentifiers,
                forwardableProperties: forwardableProperties,
                payloadCount: payloadCount,
            )
        }
        return identifierOffset < 0 ? -1 : start + identifierOffset
    }

    /// The most bytes that a header has, which is the room to make before it is written.
    ///
    /// - Parameter subscriptionIdentifiers: those beyond the first.
    @inlinable
    public static func mostHeaderBytes(
        version: ProtocolVersion,
        topicCount: Int,
        subscriptionIdentifiers: Int,
        forwardablePropertiesCount: Int,
    ) -> Int {
        // First byte and remaining length, topic length, packet identifier.
        let fields = 5 + 2 + topicCount + 2
        guard version == .v5 else { return fields }
        // Properties' length, alias, expiry, subscription identifiers.
        return fields + 4 + 3 + 5 + 5 * (1 + subscriptionIdentifiers) + forwardablePropertiesCount
    }

    /// Likewise into memory that has room for ``mostHeaderBytes(version:topicCount:subscriptionIdentifiers:forwardablePropertiesCount:)``.
    ///
    /// - Returns: the offset of the packet identifier in `output`, or -1 for QoS 0.
    @discardableResult
    public static func appendHeader(
        to output: inout OutputSpan<UInt8>,
        version: ProtocolVersion,
        dup: Bool,
        qos: QoS,
        retain: Bool,
        packetIdentifier: PacketIdentifier,
        topic: Span<UInt8>,
        topicAlias: UInt16,
        messageExpiryInterval: UInt32?,
        subscriptionIdentifiers: (first: UInt32, more: [UInt32]),
        forwardableProperties: Span<UInt8>,
        payloadCount: Int,
    ) -> Int {
        let ownProperties =
            version == .v5
            ? ownPropertiesSize(topicAlias, messageExpiryInterval, subscriptionIdentifiers)
            : 0
        let body = bodySize(
            version: version,
            qos: qos,
            topicCount: topic.count,
            propertiesCount: ownProperties + forwardableProperties.count,
            payloadCount: payloadCount,
        )
        let header: UInt8 =
            PacketType.publish.firstByte | (dup ? 0b1000 : 0) | qos.rawValue << 1 | (retain ? 1 : 0)
        var identifierOffset = -1
        output.append(header)
        output.appendVariableByteInteger(body)
        output.append(bigEndian: UInt16(truncatingIfNeeded: topic.count))
        output.append(copying: topic)
        if qos != .atMostOnce {
            identifierOffset = output.count
            output.append(bigEndian: packetIdentifier)
        }
        guard version == .v5 else { return identifierOffset }
        output.appendVariableByteInteger(ownProperties + forwardableProperties.count)
        if ownProperties > 0 {
            output.appendOwnProperties(topicAlias, messageExpiryInterval, subscriptionIdentifiers)
        }
        output.append(copying: forwardableProperties)
        return identifierOffset
    }

    /// Bytes of the whole packet, payload included, to compare with the receiver's maximum packet size [MQTT-3.1.2-24].
    public static func encodedSize(
        version: ProtocolVersion,
        qos: QoS,
        topicCount: Int,
        topicAlias: UInt16,
        messageExpiryInterval: UInt32?,
        subscriptionIdentifiers: (first: UInt32, more: [UInt32]),
        forwardablePropertiesCount: Int,
        payloadCount: Int,
    ) -> Int {
        let ownProperties =
            version == .v5
            ? ownPropertiesSize(topicAlias, messageExpiryInterval, subscriptionIdentifiers)
            : 0
        let body = bodySize(
            version: version,
            qos: qos,
            topicCount: topicCount,
            propertiesCount: ownProperties + forwardablePropertiesCount,
            payloadCount: payloadCount,
        )
        return 1 + VariableByteInteger.size(of: body) + body
    }

    @inline(__always)
    private static func bodySize(
        version: ProtocolVersion,
        qos: QoS,
        topicCount: Int,
        propertiesCount: Int,
        payloadCount: Int,
    ) -> Int {
        let fields = 2 + topicCount + (qos == .atMostOnce ? 0 : 2) + payloadCount
        guard version == .v5 else { return fields }
        return fields + VariableByteInteger.size(of: propertiesCount) + propertiesCount
    }

    /// Bytes of the properties that differ from receiver to receiver.
    @inline(__always)
    private static func ownPropertiesSize(
        _ topicAlias: UInt16,
        _ messageExpiryInterval: UInt32?,
        _ subscriptionIdentifiers: (first: UInt32, more: [UInt32]),
    ) -> Int {
        var size = (topicAlias == 0 ? 0 : 3) + (messageExpiryInterval == nil ? 0 : 5)
        if subscriptionIdentifiers.first != 0 {
            size += 1 + VariableByteInteger.size(of: Int(subscriptionIdentifiers.first))
        }
        if subscriptionIdentifiers.more.isEmpty { return size }
        for identifier in subscriptionIdentifiers.more { size += 1 + VariableByteInteger.size(of: Int(identifier)) }
        return size
    }
}

extension OutputSpan<UInt8> {
    @inline(__always)
    fileprivate mutating func append(bigEndian value: UInt16) {
        append(UInt8(truncatingIfNeeded: value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }

    @inline(__always)
    fileprivate mutating func appendVariableByteInteger(_ value: Int) {
        var rest = value
        while rest > 127 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    @inline(__always)
    fileprivate mutating func append(copying source: Span<UInt8>) {
        let start = self.count
        let count = source.count
        append(repeating: 0, count: count)
        var target = mutableSpan
        for index in 0..<count { target[unchecked: start + index] = source[unchecked: index] }
    }

    fileprivate mutating func appendOwnProperties(
        _ topicAlias: UInt16,
        _ messageExpiryInterval: UInt32?,
        _ subscriptionIdentifiers: (first: UInt32, more: [UInt32]),
    ) {
        if topicAlias != 0 {
            append(PropertyIdentifier.topicAlias.rawValue)
            append(bigEndian: topicAlias)
        }
        if let seconds = messageExpiryInterval {
            append(PropertyIdentifier.messageExpiryInterval.rawValue)
            append(bigEndian: UInt16(truncatingIfNeeded: seconds >> 16))
            append(bigEndian: UInt16(truncatingIfNeeded: seconds))
        }
        if subscriptionIdentifiers.first != 0 {
            append(PropertyIdentifier.subscriptionIdentifier.rawValue)
            appendVariableByteInteger(Int(subscriptionIdentifiers.first))
        }
        for identifier in subscriptionIdentifiers.more {
            append(PropertyIdentifier.subscriptionIdentifier.rawValue)
            appendVariableByteInteger(Int(identifier))
        }
    }
}
