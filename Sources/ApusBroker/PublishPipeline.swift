internal import ApusMemory
internal import ApusMessage
internal import ApusSession
internal import ApusStore
internal import ApusTopics
internal import MQTTCodec

// The walk of a PUBLISH: inbound publishes (alias, quota, QoS) → authorise → retain → route → acknowledge.
// The steps' names are those of ARCHITECTURE.md.

extension Shard {
    /// A PUBLISH came from a client.
    mutating func receivePublish(_ slot: Int, _ bytes: Span<UInt8>, _ frame: Frame) throws(DecodeError) {
        let view = try PublishView.decode(bytes, frame: frame, version: connections[slot].version, sender: .client)
        counters.publishesReceived += 1
        counters.publishBytesReceived += UInt64(view.payload.count)
        guard view.topicAlias == 0 else { return receiveAliased(slot, bytes, view) }
        takeIn(slot, bytes, view, topic: bytes.extracting(view.topic))
    }

    /// Topic aliases are resolved before anything looks at the topic.
    private mutating func receiveAliased(_ slot: Int, _ bytes: Span<UInt8>, _ view: PublishView) {
        let details = connections[slot].details
        guard details.inboundAliases.isAllowed(view.topicAlias) else {
            return violate(
                slot,
                .topicAliasInvalid,
                rule: "MQTT-3.3.2-9",
                "topic alias \(view.topicAlias) is above the announced maximum of \(limits.topicAliases)",
            )
        }
        if !view.topic.isEmpty {
            details.inboundAliases.set(view.topicAlias, to: [UInt8](copying: bytes.extracting(view.topic)))
            return takeIn(slot, bytes, view, topic: bytes.extracting(view.topic))
        }
        guard let topic = details.inboundAliases.topic(of: view.topicAlias) else {
            return violate(
                slot,
                .protocolError,
                rule: "MQTT-3.3.2-7",
                "topic alias \(view.topicAlias) was not set on this connection",
            )
        }
        takeIn(slot, bytes, view, topic: topic.span)
    }

    /// The QoS machine of the sender's side, then the pipeline.
    private mutating func takeIn(_ slot: Int, _ bytes: Span<UInt8>, _ view: PublishView, topic: Span<UInt8>) {
        let session = Int(connections[slot].session)
        if view.qos > .atMostOnce {
            guard view.qos <= broker.configuration.policies.maximumQoS else {
                return violate(
                    slot,
                    .qosNotSupported,
                    rule: "MQTT-3.2.2-11",
                    "QoS \(view.qos.rawValue) is not supported"
                )
            }
        }
        // QoS 1 and QoS 2 share the Receive Maximum; what waits for its PUBREC stands among the inbound publishes.
        let maximum = connections[slot].receiveMaximum
        let waiting = UInt16(clamping: connections[slot].gate.waitingPubAcks)
        if view.qos == .atLeastOnce, Int(waiting) + sessions[session].inbound.count >= maximum {
            return exceedsReceiveMaximum(slot)
        }
        if view.qos == .exactlyOnce {
            let room = maximum - min(waiting, maximum)
            switch sessions[session].inbound.received(view.packetIdentifier, receiveMaximum: room) {
            case .deliver: break
            case .acknowledgeAgain:
                // Not before the first one may leave: that may still wait for the store on a connection that is gone.
                let owed = OwedAcknowledgement(.pubRec, view.packetIdentifier)
                return owe(slot, owed, until: sessions[session].inboundPosition)
            case .exceedsReceiveMaximum: return exceedsReceiveMaximum(slot)
            }
        }
        guard topic.count <= limits.topicBytes else {
            return deny(slot, view, .topicNameInvalid, "the topic is longer than \(limits.topicBytes) bytes")
        }
        guard !hasTooManyLevels(topic) else {
            return deny(slot, view, .topicNameInvalid, "the topic has more than \(limits.topicLevels) levels")
        }
        let payload = bytes.extracting(view.payload)
        if view.payloadFormatIsUTF8, !UTF8Validation.isValid(bytes, range: view.payload) {
            return deny(slot, view, .payloadFormatInvalid, "the payload is declared UTF-8 and is not")
        }
        guard isAuthorized(slot, topic) else {
            return deny(slot, view, .notAuthorized, "no right to publish to this topic")
        }
        var publication = Publication(
            qos: view.qos,
            retain: view.retain,
            expiresAt: view.messageExpiryInterval.map { now.adding(seconds: Int64($0)) } ?? .distantFuture,
            publisher: sessions[session].handle,
        )
        let matched: Bool
        if view.properties.isEmpty {
            let none: [UInt8] = []
            matched = publish(&publication, topic: topic, properties: none.span, payload: payload)
        } else {
            var properties: [UInt8] = []
            swap(&properties, &propertyScratch)
            properties.removeAll(keepingCapacity: true)
            appendForwardableProperties(of: view, in: bytes, to: &properties)
            matched = publish(&publication, topic: topic, properties: properties.span, payload: payload)
            swap(&properties, &propertyScratch)
        }
        if view.qos == .exactlyOnce, publication.position != .none {
            sessions[session].inboundPosition = publication.position
        }
        acknowledge(slot, view, matched ? .success : .noMatchingSubscribers, until: publication.position)
    }

    /// Bounds the depth of the retained tree; a topic shorter than the limit cannot exceed it and is not looked at.
    func hasTooManyLevels(_ topic: Span<UInt8>) -> Bool {
        guard topic.count >= limits.topicLevels else { return false }
        var levels = 1
        for index in topic.indices where topic[index] == UInt8(ascii: "/") { levels += 1 }
        return levels > limits.topicLevels
    }

    // MARK: - Authorise

    /// The answer for a publisher's last topic is remembered: most clients publish to one.
    private mutating func isAuthorized(_ slot: Int, _ topic: Span<UInt8>) -> Bool {
        if topic[0] == UInt8(ascii: "$"), isReserved(String(copying: topic)) { return false }
        guard let authorizer = broker.authorizer else { return true }
        let details = connections[slot].details
        let revision = authorizer.revision
        let remembered = details.authorizedTopic
        if details.authorizedRevision == revision, remembered.span.isEqual(to: topic) { return true }
        guard authorizer.mayPublish(details.principal, topic: String(copying: topic)) else { return false }
        details.authorizedTopic = [UInt8](copying: topic)
        details.authorizedRevision = revision
        return true
    }

    private mutating func exceedsReceiveMaximum(_ slot: Int) {
        violate(
            slot,
            .receiveMaximumExceeded,
            rule: "MQTT-3.3.4-7",
            "more than \(connections[slot].receiveMaximum) QoS 1 and 2 messages are under way",
        )
    }

    /// A PUBLISH that goes nowhere: its sender is told as well as its version and QoS allow.
    private mutating func deny(_ slot: Int, _ view: PublishView, _ reasonCode: ReasonCode, _ explanation: String) {
        if let suppressed = rejections.admit("publish \(reasonCode)", now: now) {
            record(
                .notice,
                "publish.denied",
                slot,
                [("reason", "\(reasonCode)"), ("explanation", explanation), ("suppressed_before", "\(suppressed)")],
            )
        }
        counters.drop(reasonCode == .notAuthorized ? .notAuthorized : .refused)
        let closes = broker.configuration.policies.onDenied == .close || reasonCode == .payloadFormatInvalid
        if view.qos == .exactlyOnce {
            let session = Int(connections[slot].session)
            // In 5.0 the refusing PUBREC ends the exchange; a 3.1.1 client goes on to PUBREL [MQTT-4.3.3-9].
            if connections[slot].version == .v5 { sessions[session].inbound.refused(view.packetIdentifier) }
        }
        if closes, connections[slot].version < .v5 || view.qos == .atMostOnce {
            return disconnect(slot, reasonCode, explanation)
        }
        acknowledge(slot, view, reasonCode, until: .none, explanation)
        if broker.configuration.policies.onDenied == .close { disconnect(slot, reasonCode, explanation) }
    }

    // MARK: - Retain and route

    /// Keeps the message if it is to be retained and gives it to all who subscribed.
    ///
    /// The one way for every message: of clients, wills and the broker itself.
    ///
    /// - Returns: whether anybody had subscribed.
    mutating func publish(
        _ publication: inout Publication,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
        kept message: Message? = nil,
    ) -> Bool {
        var kept = KeptMessage(message)
        if publication.retain {
            let message = kept.get(publication, topic: topic, properties: properties, payload: payload)
            if broker.retained.update(message) == .full { counters.drop(.retainedFull) }
        }
        let match = matchCache.match(topic, in: broker.subscriptions)
        guard !match.isEmpty else {
            counters.unrouted += 1
            return false
        }
        if publication.qos > .atMostOnce, match.hasPersistent {
            let message = kept.get(publication, topic: topic, properties: properties, payload: payload)
            publication.position = store.append(message)
        }
        route(publication, match, topic: topic, properties: properties, payload: payload, &kept)
        return true
    }

    /// Hands the message to this shard's sessions, to one member of each group, and to the other shards.
    private mutating func route(
        _ publication: Publication,
        _ match: Match,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
        _ kept: inout KeptMessage,
    ) {
        shapes.begin()
        deliver(
            publication,
            match,
            match.range(ofShard: index),
            topic: topic,
            properties: properties,
            payload: payload,
            &kept,
        )
        for other in match.shardRanges where Int(other.shard) != index {
            forward(
                publication,
                .match(match),
                to: Int(other.shard),
                topic: topic,
                properties: properties,
                payload: payload,
                &kept,
            )
        }
        for groupMatch in match.groups {
            guard let member = groupMatch.next() else {
                counters.drop(.noGroupMember)
                continue
            }
            let shard = SessionHandle(rawValue: member.target).shard
            if shard == index {
                deliver(
                    publication,
                    toMember: member,
                    of: groupMatch.group,
                    topic: topic,
                    properties: properties,
                    payload: payload,
                    &kept,
                )
            } else {
                forward(
                    publication,
                    .member(member, groupMatch.group),
                    to: shard,
                    topic: topic,
                    properties: properties,
                    payload: payload,
                    &kept,
                )
            }
        }
    }

    /// Adds the message to the batch for another shard.
    private mutating func forward(
        _ publication: Publication,
        _ recipients: PublicationBatch.Recipients,
        to shard: Int,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
        _ kept: inout KeptMessage,
    ) {
        // A payload large enough to be shared on the way out is shared on the way over too.
        if payload.count >= Self.sharedPayloadBytes {
            _ = kept.get(publication, topic: topic, properties: properties, payload: payload)
        }
        outgoing[shard].add(
            publication,
            recipients,
            topic: topic,
            properties: properties,
            payload: payload,
            message: kept.message,
        )
    }

    // MARK: - Acknowledge

    private mutating func acknowledge(
        _ slot: Int,
        _ view: PublishView,
        _ reasonCode: ReasonCode,
        until position: StorePosition,
        _ explanation: String? = nil,
    ) {
        switch view.qos {
        case .atMostOnce: return
        case .atLeastOnce:
            owe(slot, OwedAcknowledgement(.pubAck, view.packetIdentifier, reasonCode), until: position, explanation)
        case .exactlyOnce:
            owe(slot, OwedAcknowledgement(.pubRec, view.packetIdentifier, reasonCode), until: position, explanation)
        }
    }

    /// The broker owes a publisher an acknowledgement; the gate says when it leaves.
    private mutating func owe(
        _ slot: Int,
        _ owed: OwedAcknowledgement,
        until position: StorePosition,
        _ explanation: String? = nil,
    ) {
        guard connections[slot].gate.owes(owed, until: position, committed: store.committed) else { return }
        sendAcknowledgement(slot, owed, explanation)
    }

    /// The store has committed more: whatever waited for it leaves.
    package mutating func storeCommitted(_ slot: Int) {
        // Nothing follows a DISCONNECT [MQTT-3.14.4-1].
        guard connections[slot].phase == .connected else { return }
        while let owed = connections[slot].gate.next(committed: store.committed) {
            sendAcknowledgement(slot, owed, nil)
        }
    }
}
