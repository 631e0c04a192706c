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
                "topic alias \(view.topicAlias) is above the announced maximum of \(topicAliases(slot))",
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
        let tenant = Int(connections[slot].tenant)
        if view.qos > .atMostOnce {
            guard view.qos <= tenants[tenant].policies.maximumQoS else {
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
            return deny(slot, view, topic, .topicNameInvalid, "the topic is longer than \(limits.topicBytes) bytes")
        }
        guard !hasTooManyLevels(topic) else {
            return deny(slot, view, topic, .topicNameInvalid, "the topic has more than \(limits.topicLevels) levels")
        }
        let payload = bytes.extracting(view.payload)
        let largest = tenants[tenant].limits.payloadBytes
        guard largest == 0 || payload.count <= largest else {
            let explanation = "the payload has \(payload.count) bytes; the instance's limit payloadBytes is \(largest)"
            return deny(slot, view, topic, .packetTooLarge, explanation)
        }
        if view.payloadFormatIsUTF8, !UTF8Validation.isValid(bytes, range: view.payload) {
            return deny(slot, view, topic, .payloadFormatInvalid, "the payload is declared UTF-8 and is not")
        }
        if topic[0] == UInt8(ascii: "$"), receiveSystemMessage(slot, view, topic, payload) { return }
        let target: Range<Int>?
        switch authorize(slot, topic) {
        case .granted(let addressee): target = addressee
        case .denied(let explanation): return deny(slot, view, topic, .notAuthorized, explanation)
        }
        var publication = Publication(
            qos: view.qos,
            // A message to one client has nobody to be kept for.
            retain: view.retain && target == nil,
            expiresAt: view.messageExpiryInterval.map { now.adding(seconds: Int64($0)) } ?? .distantFuture,
            instance: tenants[tenant].number,
            publisher: sessions[session].handle,
        )
        if target != nil { publication.isDroppedAway = isDroppedAway(view.qos, of: session) }
        if view.qos == .exactlyOnce { publication.packetIdentifier = view.packetIdentifier }
        let isTraced = tenants[tenant].isTraced
        if isTraced { publication.transientNumber = nextNumber() }
        let outcome: PublishOutcome
        if view.properties.isEmpty {
            let none: [UInt8] = []
            outcome = publish(
                &publication,
                tenant,
                target: target,
                topic: topic,
                properties: none.span,
                payload: payload,
            )
        } else {
            var properties: [UInt8] = []
            swap(&properties, &propertyScratch)
            properties.removeAll(keepingCapacity: true)
            appendForwardableProperties(of: view, in: bytes, to: &properties)
            outcome = publish(
                &publication,
                tenant,
                target: target,
                topic: topic,
                properties: properties.span,
                payload: payload,
            )
            swap(&properties, &propertyScratch)
        }
        if case .refused(let refusal) = outcome { return cannotStore(slot, view, refusal) }
        if isTraced { tracePublished(slot, publication.number, tenant, target, outcome) }
        if view.qos == .exactlyOnce, publication.safeAt != .none {
            sessions[session].inboundPosition = publication.safeAt
            sessions[session].hasStoredInbound = true
        }
        acknowledge(slot, view, outcome == .matched ? .success : .noMatchingSubscribers, until: publication.safeAt)
    }

    /// The store takes no message now: nobody got it, and its sender must not believe otherwise.
    ///
    /// A 5.0 client is told with 0x97; an older one gets no acknowledgement and sends it again when it reconnects.
    private mutating func cannotStore(_ slot: Int, _ view: PublishView, _ refusal: StoreRefusal) {
        counters.drop(.storeUnavailable)
        if let suppressed = admits(.error, "publish.not_stored", "\(refusal)") {
            let fields = [("explanation", refusal.explanation), ("suppressed_before", "\(suppressed)")]
            record(.error, "publish.not_stored", slot, fields)
        }
        let session = Int(connections[slot].session)
        if view.qos == .exactlyOnce { sessions[session].inbound.refused(view.packetIdentifier) }
        guard connections[slot].version == .v5 else { return }
        acknowledge(slot, view, .quotaExceeded, until: .none, refusal.explanation)
    }

    /// Bounds the depth of the retained tree; a topic shorter than the limit cannot exceed it and is not looked at.
    func hasTooManyLevels(_ topic: Span<UInt8>) -> Bool {
        guard topic.count >= limits.topicLevels else { return false }
        var levels = 1
        for index in topic.indices where topic[index] == UInt8(ascii: "/") { levels += 1 }
        return levels > limits.topicLevels
    }

    // MARK: - Refuse

    private mutating func exceedsReceiveMaximum(_ slot: Int) {
        violate(
            slot,
            .receiveMaximumExceeded,
            rule: "MQTT-3.3.4-7",
            "more than \(connections[slot].receiveMaximum) QoS 1 and 2 messages are under way",
        )
    }

    /// A PUBLISH that goes nowhere: its sender is told as well as its version and QoS allow.
    private mutating func deny(
        _ slot: Int,
        _ view: PublishView,
        _ topic: Span<UInt8>,
        _ reasonCode: ReasonCode,
        _ explanation: String,
    ) {
        recordDenial("publish.denied", slot, ("topic", String(copying: topic)), reasonCode, explanation)
        counters.drop(reasonCode == .notAuthorized ? .notAuthorized : .refused)
        let mustClose = reasonCode == .packetTooLarge
        let closes = mustClose || policies(slot).onDenied == .close || reasonCode == .payloadFormatInvalid
        if view.qos == .exactlyOnce {
            let session = Int(connections[slot].session)
            // In 5.0 the refusing PUBREC ends the exchange; a 3.1.1 client goes on to PUBREL [MQTT-4.3.3-9].
            if connections[slot].version == .v5 { sessions[session].inbound.refused(view.packetIdentifier) }
        }
        if closes { sendNotice(ofDenied: .publish, String(copying: topic), slot) }
        if mustClose || closes && (connections[slot].version < .v5 || view.qos == .atMostOnce) {
            return disconnect(slot, reasonCode, explanation)
        }
        acknowledge(slot, view, reasonCode, until: .none, explanation)
        if policies(slot).onDenied == .close { disconnect(slot, reasonCode, explanation) }
    }

    // MARK: - Retain and route

    /// What became of a message.
    enum PublishOutcome: Equatable {
        case matched
        /// Nobody had subscribed.
        case unmatched
        /// A P2P message that nobody gets; it is counted.
        case dropped(DropReason)
        /// The store takes none; nobody got it.
        case refused(StoreRefusal)
    }

    /// Stores the message if somebody must get it even later, keeps it if it is to be retained, and gives it to all who
    /// subscribed.
    ///
    /// The one way for every message: of clients, wills, management and the broker itself.
    ///
    /// - Parameters:
    ///   - tenant: the instance's place in `tenants`.
    ///   - target: of a P2P message, where its client id stands in the topic.
    mutating func publish(
        _ publication: inout Publication,
        _ tenant: Int,
        target: Range<Int>? = nil,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
        kept message: Message? = nil,
    ) -> PublishOutcome {
        publication.receivedAt = now
        let version = publication.retain ? subscriptionVersion(tenant, topic) : 0
        let match: Match
        if let target {
            let found = matchDirect(tenant, topic.extracting(target), isDroppedAway: publication.isDroppedAway)
            if let reason = found.drop {
                counters.drop(reason)
                return .dropped(reason)
            }
            match = found.match
        } else {
            match = tenants[tenant].subscriptions.with { matchCache.match(topic, in: $0) }
        }
        var members = match.groups.isEmpty ? [] : chooseMembers(match)
        if publication.retain || match.hasPersistent {
            let refusal = storeIfNeeded(
                &publication,
                match,
                &members,
                topic: topic,
                properties: properties,
                payload: payload
            )
            if let refusal { return .refused(refusal) }
        }
        var kept = KeptMessage(message)
        if publication.retain {
            retain(&publication, tenant, topic: topic, properties: properties, payload: payload, &kept)
        }
        var isRouted = !match.isEmpty
        if isRouted {
            route(publication, match, members, topic: topic, properties: properties, payload: payload, &kept)
        }
        if publication.retain, version != subscriptionVersion(tenant, topic),
            let newcomers = newcomers(since: match, tenant, topic)
        {
            // A store knows a session's message by its position, and they may have found this one as a retained one.
            var unstored = publication
            (unstored.position, unstored.transientNumber) = (.none, publication.number)
            route(unstored, newcomers, [], topic: topic, properties: properties, payload: payload, &kept)
            isRouted = true
        }
        if !isRouted { counters.unrouted += 1 }
        return isRouted ? .matched : .unmatched
    }

    private func subscriptionVersion(_ tenant: Int, _ topic: Span<UInt8>) -> UInt64 {
        tenants[tenant].subscriptions.with { $0.version(of: topic) }
    }

    /// Who has subscribed on another shard since the match.
    ///
    /// They may have looked for retained messages before this one took or left its place: see `RetainedIndex.mayHold`.
    private mutating func newcomers(since match: Match, _ tenant: Int, _ topic: Span<UInt8>) -> Match? {
        match.newcomers(in: tenants[tenant].subscriptions.with { matchCache.match(topic, in: $0) })
    }

    /// The member of each shared subscription whose turn it is.
    private mutating func chooseMembers(_ match: Match) -> [ChosenMember] {
        var members: [ChosenMember] = []
        for groupMatch in match.groups {
            if let member = groupMatch.next() {
                members.append(ChosenMember(subscriber: member, group: groupMatch.group))
            } else {
                counters.drop(.noGroupMember)
            }
        }
        return members
    }

    // MARK: - Store

    /// Hands the message to the store when a session that outlives its connection must get it, or when it is retained.
    ///
    /// - Returns: why the store takes none, when it had to.
    private mutating func storeIfNeeded(
        _ publication: inout Publication,
        _ match: Match,
        _ members: inout [ChosenMember],
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
    ) -> StoreRefusal? {
        let isKept = publication.retain && !payload.isEmpty && publication.isKept
        guard isKept || hasStoredRecipient(publication, match, members) else { return nil }
        // Before the message itself: what takes the publisher's packet identifier comes last.
        storeSecondCopies(publication, match, &members, topic: topic, properties: properties, payload: payload)
        let header = MessageHeader(
            qos: publication.qos,
            retain: publication.retain,
            isKeptAsRetained: isKept,
            expiresAt: publication.expiresAt,
            publisher: publication.packetIdentifier > 0 ? numberOfPublisher(publication) : .none,
            packetIdentifier: publication.packetIdentifier,
            instance: publication.instance,
        )
        guard store.beginMessage(header, topic: topic, properties: properties, payload: payload) else {
            for member in members where member.position != .none {
                store.finished(member.position, by: SessionNumber(rawValue: member.subscriber.sessionNumber))
            }
            // Only who waits for an acknowledgement can be told; for the rest the message does what it can.
            guard publication.qos > .atMostOnce, publication.isAcknowledged else { return nil }
            return store.refusal ?? .failed
        }
        if publication.qos > .atMostOnce {
            for subscriber in match.subscribers { addRecipient(publication, subscriber, group: nil) }
            for member in members where member.position == .none {
                addRecipient(publication, member.subscriber, group: member.group)
            }
        }
        publication.position = store.endMessage()
        publication.safeAt = publication.position
        return nil
    }

    /// A session that gets a message by a subscription of its own and as a member gets it twice (4.8.2), and is done with
    /// the one before the other: the store, which knows a message of a session by its position, holds a second copy.
    private func storeSecondCopies(
        _ publication: Publication,
        _ match: Match,
        _ members: inout [ChosenMember],
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
    ) {
        guard publication.qos > .atMostOnce else { return }
        for index in members.indices {
            let member = members[index].subscriber
            let isTwice =
                match.subscribers.contains { $0.target == member.target && isStored(publication, $0) }
                || members[..<index].contains {
                    $0.subscriber.target == member.target && isStored(publication, $0.subscriber)
                }
            guard isTwice, isStored(publication, member) else { continue }
            let header = MessageHeader(
                qos: publication.qos,
                retain: publication.retain,
                expiresAt: publication.expiresAt,
                instance: publication.instance,
            )
            guard store.beginMessage(header, topic: topic, properties: properties, payload: payload) else { return }
            addRecipient(publication, member, group: members[index].group)
            members[index].position = store.endMessage()
        }
    }

    private func numberOfPublisher(_ publication: Publication) -> SessionNumber {
        guard let session = publication.publisher.flatMap({ slot(of: $0) }) else { return .none }
        return sessions[session].number
    }

    private func isStored(_ publication: Publication, _ subscriber: Subscriber) -> Bool {
        subscriber.isPersistent && subscriber.qos > 0
            && !(subscriber.noLocal && subscriber.target == publication.publisher?.rawValue)
    }

    private func hasStoredRecipient(_ publication: Publication, _ match: Match, _ members: [ChosenMember]) -> Bool {
        guard publication.qos > .atMostOnce, match.hasPersistent else { return false }
        return match.subscribers.contains { isStored(publication, $0) }
            || members.contains { isStored(publication, $0.subscriber) }
    }

    private func addRecipient(_ publication: Publication, _ subscriber: Subscriber, group: SharedGroup?) {
        guard isStored(publication, subscriber) else { return }
        store.addRecipient(
            Recipient(
                session: SessionNumber(rawValue: subscriber.sessionNumber),
                subscriptionIdentifier: subscriber.subscriptionIdentifier,
                qos: min(publication.qos, QoS(rawValue: subscriber.qos) ?? .atMostOnce),
                retain: publication.retain && subscriber.retainAsPublished,
                group: group?.filter,
            ),
        )
    }

    /// Makes the message its topic's retained one [MQTT-3.3.1-5], or removes that [MQTT-3.3.1-6].
    private mutating func retain(
        _ publication: inout Publication,
        _ tenant: Int,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
        _ kept: inout KeptMessage,
    ) {
        let message = kept.get(publication, topic: topic, properties: properties, payload: payload)
        let update = tenants[tenant].instance.retained.update(message, own: tenants[tenant].limits)
        if case .full(let limit) = update.change {
            notRetained(publication, tenant, topic, limit)
            if publication.position != .none, !payload.isEmpty {
                store.finished(publication.position, by: .retained)
            }
        }
        if let old = update.replaced, old.position != .none {
            publication.safeAt = store.finished(old.position, by: .retained)
        }
    }

    /// A message is not kept for its topic; those who subscribe now get it all the same.
    private mutating func notRetained(_ publication: Publication, _ tenant: Int, _ topic: Span<UInt8>, _ limit: String)
    {
        counters.drop(.retainedFull)
        trace(.dropped, publication.number, tenant, sender: "", topic: [UInt8](copying: topic), .retainedFull)
        guard let suppressed = admits(.warning, "retained.full", limit, tenant: Int32(tenant)) else { return }
        let fields = [
            ("topic", String(copying: topic)),
            ("explanation", "not kept as the retained message of its topic: \(limit) is reached"),
            ("suppressed_before", "\(suppressed)"),
        ]
        broker.events.record(BrokerEvent(.warning, "retained.full", instanceField(tenant) + fields))
    }

    /// Hands the message to this shard's sessions, to one member of each group, and to the other shards.
    private mutating func route(
        _ publication: Publication,
        _ match: Match,
        _ members: [ChosenMember],
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
        _ kept: inout KeptMessage,
    ) {
        let range = match.range(ofShard: index)
        shapes.begin(receivers: range.count + members.count)
        deliver(
            publication,
            match,
            range,
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
        for member in members {
            let shard = member.subscriber.shard
            var publication = publication
            if member.position != .none { publication.position = member.position }
            if shard == index {
                deliver(
                    publication,
                    toMember: member.subscriber,
                    of: member.group,
                    topic: topic,
                    properties: properties,
                    payload: payload,
                    &kept,
                )
            } else {
                forward(
                    publication,
                    .member(member.subscriber, member.group),
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

    mutating func acknowledge(
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

    /// The broker owes its peer an acknowledgement; the gate says when it leaves.
    ///
    /// - Parameter explanation: only of a refusal, for which nothing need be stored.
    mutating func owe(
        _ slot: Int,
        _ owed: OwedAcknowledgement,
        until position: StorePosition,
        _ explanation: String? = nil,
    ) {
        // What waits for nothing does not ask the store.
        let committed = position == .none ? position : store.committed
        guard connections[slot].gate.isOpen(until: position, committed: committed) else {
            return sendWhenStored(slot, .acknowledgement(owed), until: position)
        }
        sendAcknowledgement(slot, owed, explanation)
    }
}

/// The member of a shared subscription that a message goes to.
struct ChosenMember {
    let subscriber: Subscriber
    let group: SharedGroup
    /// Of the copy that the store holds for it alone; `.none` when it needs none of its own.
    var position = StorePosition.none
}
