internal import ApusMemory
internal import ApusMessage
internal import ApusSession
internal import MQTTCodec

// The last step: a message becomes bytes in a connection's output.

extension Shard {
    /// Writes a PUBLISH for one receiver of the current publication.
    mutating func transmit(
        _ slot: Int,
        _ publication: Publication,
        qos: QoS,
        retain: Bool,
        identifier: PacketIdentifier,
        subscriptionIdentifier: UInt32,
        further: [UInt32],
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
        _ kept: inout KeptMessage,
    ) {
        let version = connections[slot].version
        let isShared = payload.count >= Self.sharedPayloadBytes
        guard shapes.areUseful, subscriptionIdentifier == 0, !connections[slot].usesTopicAliases else {
            if qos == .atMostOnce,
                !fits(slot, publication, qos, subscriptionIdentifier, further, topic, properties, payload)
            {
                return drop(.tooLargeForReceiver, publication.number, session: Int(connections[slot].session))
            }
            encode(
                slot,
                publication.expiresAt,
                qos: qos,
                retain: retain,
                dup: false,
                identifier: identifier,
                subscriptionIdentifiers: (first: subscriptionIdentifier, more: further),
                topic: topic,
                properties: properties,
                payloadCount: payload.count,
                isShared ? payload.extracting(0..<0) : payload,
            )
            return finishTransmission(slot, publication, payload, isShared, topic: topic, properties: properties, &kept)
        }
        let key = PublishShapes.key(version: version, qos: qos, retain: retain)
        if !shapes.isMade(key) {
            let expiry = remainingExpiry(publication.expiresAt)
            shapes.make(key) { frame in
                let offset = PublishEncoder.appendHeader(
                    to: &frame,
                    version: version,
                    dup: false,
                    qos: qos,
                    retain: retain,
                    packetIdentifier: 1,
                    topic: topic,
                    topicAlias: 0,
                    messageExpiryInterval: expiry,
                    subscriptionIdentifiers: (first: 0, more: []),
                    forwardableProperties: properties,
                    payloadCount: payload.count,
                )
                if !isShared { frame.append(contentsOf: payload) }
                return offset
            }
        }
        if qos == .atMostOnce,
            shapes.count(key) + (isShared ? payload.count : 0) > connections[slot].maximumPacketBytes
        {
            return drop(.tooLargeForReceiver, publication.number, session: Int(connections[slot].session))
        }
        shapes.patch(key, identifier: identifier)
        shapes.append(key, to: &connections[slot].output, pool: &pool)
        finishTransmission(slot, publication, payload, isShared, topic: topic, properties: properties, &kept)
    }

    private mutating func finishTransmission(
        _ slot: Int,
        _ publication: Publication,
        _ payload: Span<UInt8>,
        _ isShared: Bool,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        _ kept: inout KeptMessage,
    ) {
        if isShared {
            let message = kept.get(publication, topic: topic, properties: properties, payload: payload)
            connections[slot].output.appendShared(
                message.bytes,
                range: message.propertiesEnd..<message.bytes.count,
                pool: &pool,
            )
        }
        countSentPublish(slot, payload.count)
    }

    /// Writes a PUBLISH of a message that was kept: from the queue, repeated, or retained.
    mutating func transmit(_ slot: Int, _ delivery: Delivery, _ identifier: PacketIdentifier, dup: Bool) {
        let message = delivery.message
        let bytes = message.bytes
        let payloadCount = message.payloadCount
        let isShared = payloadCount >= Self.sharedPayloadBytes
        let payload = message.propertiesEnd..<bytes.count
        encode(
            slot,
            message.expiresAt,
            qos: delivery.qos,
            retain: delivery.retain,
            dup: dup,
            identifier: identifier,
            subscriptionIdentifiers: (
                first: delivery.subscriptionIdentifier,
                more: delivery.extra?.furtherSubscriptionIdentifiers ?? []
            ),
            topic: bytes.span.extracting(0..<message.topicEnd),
            properties: bytes.span.extracting(message.topicEnd..<message.propertiesEnd),
            payloadCount: payloadCount,
            isShared ? bytes.span.extracting(0..<0) : bytes.span.extracting(payload),
        )
        if isShared { connections[slot].output.appendShared(bytes, range: payload, pool: &pool) }
        countSentPublish(slot, payloadCount)
    }

    private mutating func countSentPublish(_ slot: Int, _ payloadCount: Int) {
        counters.publishesSent += 1
        counters.packetsSent += 1
        counters.publishBytesSent += UInt64(payloadCount)
        markDirty(slot)
    }

    /// Encodes for one receiver, with its topic aliases and identifiers, straight into its output.
    ///
    /// - Parameter payload: what follows the header; empty where the payload is shared instead.
    private mutating func encode(
        _ slot: Int,
        _ expiresAt: Timestamp,
        qos: QoS,
        retain: Bool,
        dup: Bool,
        identifier: PacketIdentifier,
        subscriptionIdentifiers: (first: UInt32, more: [UInt32]),
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payloadCount: Int,
        _ payload: Span<UInt8>,
    ) {
        var alias: UInt16 = 0
        var sendsTopic = true
        if connections[slot].usesTopicAliases {
            // In two steps: see ConnectionDetails.
            let details = connections[slot].details
            switch details.outboundAliases.alias(for: [UInt8](copying: topic)) {
            case .none: break
            case .new(let new): alias = new
            case .known(let known):
                alias = known
                sendsTopic = false
            }
        }
        let version = connections[slot].version
        let topic = sendsTopic ? topic : topic.extracting(0..<0)
        let expiry = remainingExpiry(expiresAt)
        let most = PublishEncoder.mostHeaderBytes(
            version: version,
            topicCount: topic.count,
            subscriptionIdentifiers: subscriptionIdentifiers.more.count,
            forwardablePropertiesCount: properties.count,
        )
        connections[slot].output.append(atMost: most + payload.count, pool: &pool) { output in
            PublishEncoder.appendHeader(
                to: &output,
                version: version,
                dup: dup,
                qos: qos,
                retain: retain,
                packetIdentifier: identifier,
                topic: topic,
                topicAlias: alias,
                messageExpiryInterval: expiry,
                subscriptionIdentifiers: subscriptionIdentifiers,
                forwardableProperties: properties,
                payloadCount: payloadCount,
            )
            output.append(copying: payload)
        }
    }

    /// The expiry interval as the receiver is to see it: what is left of it, in whole seconds [MQTT-3.3.2-6].
    private func remainingExpiry(_ expiresAt: Timestamp) -> UInt32? {
        guard expiresAt != .distantFuture else { return nil }
        return UInt32(clamping: max(0, (expiresAt.milliseconds - now.milliseconds + 999) / 1000))
    }

    // MARK: - The receiver's maximum packet size [MQTT-3.1.2-24]

    /// From here on a packet may exceed what MQTT can write, 268,435,455 bytes.
    static var hugePayloadBytes: Int { 1 << 27 }

    /// What a packet may measure, or `nil` when none with such a payload can be too large.
    private func packetLimit(_ slot: Int, _ payloadCount: Int) -> Int? {
        let maximum = connections[slot].maximumPacketBytes
        if maximum == .max, payloadCount <= Self.hugePayloadBytes { return nil }
        return min(Int(maximum), FrameDecoder.largestPacket)
    }

    func fits(
        _ slot: Int,
        _ publication: Publication,
        _ qos: QoS,
        _ subscriptionIdentifier: UInt32,
        _ further: [UInt32],
        _ topic: Span<UInt8>,
        _ properties: Span<UInt8>,
        _ payload: Span<UInt8>,
    ) -> Bool {
        guard let maximum = packetLimit(slot, payload.count) else { return true }
        let size = PublishEncoder.encodedSize(
            version: connections[slot].version,
            qos: qos,
            topicCount: topic.count,
            topicAlias: connections[slot].usesTopicAliases ? 1 : 0,
            messageExpiryInterval: remainingExpiry(publication.expiresAt),
            subscriptionIdentifiers: (first: subscriptionIdentifier, more: further),
            forwardablePropertiesCount: properties.count,
            payloadCount: payload.count,
        )
        return size <= maximum
    }

    func fits(_ slot: Int, _ delivery: Delivery) -> Bool {
        let message = delivery.message
        guard let maximum = packetLimit(slot, message.payloadCount) else { return true }
        let size = PublishEncoder.encodedSize(
            version: connections[slot].version,
            qos: delivery.qos,
            topicCount: message.topicEnd,
            topicAlias: connections[slot].usesTopicAliases ? 1 : 0,
            messageExpiryInterval: remainingExpiry(message.expiresAt),
            subscriptionIdentifiers: (
                first: delivery.subscriptionIdentifier,
                more: delivery.extra?.furtherSubscriptionIdentifiers ?? []
            ),
            forwardablePropertiesCount: message.propertiesEnd - message.topicEnd,
            payloadCount: message.payloadCount,
        )
        return size <= maximum
    }
}
