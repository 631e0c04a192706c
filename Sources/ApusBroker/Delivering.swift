internal import ApusMemory
internal import ApusMessage
internal import ApusSession
internal import ApusStore
internal import ApusTopics
internal import MQTTCodec

// Subscription → send window → output.

extension Shard {
    /// From this payload size on receivers share one copy of the bytes instead of each getting its own
    /// (docs/decisions/0004-shared-payloads.md).
    static var sharedPayloadBytes: Int { 4096 }

    /// Delivers to sessions of this shard that a match names.
    mutating func deliver(
        _ publication: Publication,
        _ match: Match,
        _ range: Range<Int>,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
        _ kept: inout KeptMessage,
    ) {
        var index = range.lowerBound
        while index < range.upperBound {
            let subscriber = match.subscribers[index]
            index += 1
            var further: [UInt32] = []
            var merged = subscriber
            // Several subscriptions of one session stand side by side: one copy, the highest QoS, all identifiers
            // [MQTT-3.3.4-2, MQTT-3.3.4-4].
            if index < range.upperBound, match.subscribers[index].target == subscriber.target {
                var next = index
                while next < range.upperBound, match.subscribers[next].target == subscriber.target { next += 1 }
                guard
                    let overlap = merge(match.subscribers[index - 1..<next], publisher: publication.publisher, &further)
                else {
                    index = next
                    continue
                }
                merged = overlap
                index = next
            }
            deliver(
                publication,
                to: merged,
                further: further,
                group: nil,
                topic: topic,
                properties: properties,
                payload: payload,
                &kept,
            )
        }
    }

    /// Delivers to the chosen member of a shared subscription.
    mutating func deliver(
        _ publication: Publication,
        toMember member: Subscriber,
        of group: SharedGroup,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
        _ kept: inout KeptMessage,
    ) {
        deliver(
            publication,
            to: member,
            further: [],
            group: group,
            topic: topic,
            properties: properties,
            payload: payload,
            &kept,
        )
    }

    /// What several subscriptions of one session together ask for; `nil` when No Local leaves none.
    private func merge(
        _ overlapping: ArraySlice<Subscriber>,
        publisher: SessionHandle?,
        _ further: inout [UInt32],
    ) -> Subscriber? {
        var merged: Subscriber?
        for subscriber in overlapping where !(subscriber.noLocal && subscriber.target == publisher?.rawValue) {
            guard let soFar = merged else {
                merged = subscriber
                continue
            }
            var identifier = soFar.subscriptionIdentifier
            if subscriber.subscriptionIdentifier != 0 {
                // The same identifier twice is sent twice (3.3.4).
                if identifier == 0 {
                    identifier = subscriber.subscriptionIdentifier
                } else {
                    further.append(subscriber.subscriptionIdentifier)
                }
            }
            merged = Subscriber(
                target: soFar.target,
                sessionNumber: soFar.sessionNumber,
                subscriptionIdentifier: identifier,
                qos: max(soFar.qos, subscriber.qos),
                noLocal: false,
                retainAsPublished: soFar.retainAsPublished || subscriber.retainAsPublished,
            )
        }
        return merged
    }

    /// Delivers to one session: now if it can take it, later if it must get it, else counts why not.
    private mutating func deliver(
        _ publication: Publication,
        to subscriber: Subscriber,
        further: [UInt32],
        group: SharedGroup?,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
        _ kept: inout KeptMessage,
    ) {
        guard let session = slot(of: SessionHandle(rawValue: subscriber.target)) else {
            // The session has ended while the message was on its way from another shard.
            guard let group, publication.qos > .atMostOnce else { return counters.drop(.sessionEnded) }
            let message = kept.get(publication, topic: topic, properties: properties, payload: payload)
            let delivery = makeDelivery(message, publication, publication.qos, false, 0, [], group)
            if !handOver(delivery, wasSent: false) { counters.drop(.noGroupMember) }
            return
        }
        if subscriber.noLocal, publication.publisher?.rawValue == subscriber.target { return }
        if publication.isDroppedAway, !sessions[session].isConnected {
            finished(publication.position, session)
            return drop(.targetAway, publication.number, session: session)
        }
        let qos = min(publication.qos, QoS(rawValue: subscriber.qos) ?? .atMostOnce)
        let retain = publication.retain && subscriber.retainAsPublished
        let slot = Int(sessions[session].connection)
        // So large that what this receiver's packet has more than the publisher's may not fit the format.
        if payload.count > Self.hugePayloadBytes, slot >= 0,
            !fits(slot, publication, qos, subscriber.subscriptionIdentifier, further, topic, properties, payload)
        {
            finished(publication.position, session)
            return drop(.tooLargeForReceiver, publication.number, session: session)
        }
        if qos == .atMostOnce {
            guard slot >= 0 else { return drop(.offlineQoS0, publication.number, session: session) }
            guard connections[slot].output.count < limits.outputBytesPerConnection else {
                return drop(.slowConsumer, publication.number, session: session)
            }
            trace(.delivered, publication.number, session: session)
            if awaitsConnAck(slot) {
                let message = kept.get(publication, topic: topic, properties: properties, payload: payload)
                let identifier = subscriber.subscriptionIdentifier
                let delivery = makeDelivery(message, publication, qos, retain, identifier, further, group)
                return sendAfterConnAck(slot, delivery)
            }
            transmit(
                slot,
                publication,
                qos: .atMostOnce,
                retain: retain,
                identifier: 0,
                subscriptionIdentifier: subscriber.subscriptionIdentifier,
                further: further,
                topic: topic,
                properties: properties,
                payload: payload,
                &kept,
            )
            return
        }
        let mustKeep = sessions[session].isPersistent || group != nil
        guard slot >= 0, canSend(session, slot) else {
            guard slot >= 0 || sessions[session].isPersistent else {
                return drop(.sessionEnded, publication.number, session: session)
            }
            if slot < 0 { trace(.stored, publication.number, session: session) }
            let message = kept.get(publication, topic: topic, properties: properties, payload: payload)
            enqueue(
                makeDelivery(message, publication, qos, retain, subscriber.subscriptionIdentifier, further, group),
                session,
            )
            return
        }
        guard fits(slot, publication, qos, subscriber.subscriptionIdentifier, further, topic, properties, payload)
        else {
            finished(publication.position, session)
            return drop(.tooLargeForReceiver, publication.number, session: session)
        }
        let delivery: Delivery? =
            mustKeep
            ? makeDelivery(
                kept.get(publication, topic: topic, properties: properties, payload: payload),
                publication,
                qos,
                retain,
                subscriber.subscriptionIdentifier,
                further,
                group,
            ) : nil
        let identifier = sessions[session].outbound.sent(qos, keeping: delivery, number: publication.number)
        counters.inFlight += 1
        trace(.delivered, publication.number, session: session)
        if qos == .exactlyOnce, let delivery, delivery.position != .none, sessions[session].number.isStored {
            return sendExactlyOnce(slot, session, identifier, delivery)
        }
        transmit(
            slot,
            publication,
            qos: qos,
            retain: retain,
            identifier: identifier,
            subscriptionIdentifier: subscriber.subscriptionIdentifier,
            further: further,
            topic: topic,
            properties: properties,
            payload: payload,
            &kept,
        )
    }

    private func makeDelivery(
        _ message: Message,
        _ publication: Publication,
        _ qos: QoS,
        _ retain: Bool,
        _ subscriptionIdentifier: UInt32,
        _ further: [UInt32],
        _ group: SharedGroup?,
    ) -> Delivery {
        Delivery(
            message: message,
            qos: qos,
            retain: retain,
            subscriptionIdentifier: subscriptionIdentifier,
            extra: further.isEmpty && group == nil
                ? nil : Delivery.Extra(furtherSubscriptionIdentifiers: further, group: group),
        )
    }

    // MARK: - Window and queue

    /// Whether a new QoS 1 or 2 message may go out at once: room in the window and the output, and nothing before it.
    private func canSend(_ session: Int, _ slot: Int) -> Bool {
        !sessions[session].hasBacklog && sessions[session].outbound.hasRoom
            && connections[slot].output.count < limits.outputBytesPerConnection && !awaitsConnAck(slot)
    }

    /// Whether CONNACK still waits for the store; nothing may come before it [MQTT-3.2.0-1].
    func awaitsConnAck(_ slot: Int) -> Bool { connections[slot].isHeld && connections[slot].details.awaitsConnAck }

    /// Sends a QoS 0 message, which may come before CONNACK has left.
    mutating func sendAfterConnAck(_ slot: Int, _ delivery: Delivery) {
        guard fits(slot, delivery) else {
            return drop(.tooLargeForReceiver, delivery.message.number, session: Int(connections[slot].session))
        }
        guard awaitsConnAck(slot) else { return transmit(slot, delivery, 0, dup: false) }
        sendWhenStored(slot, .publish(0, delivery, dup: false), until: .none)
    }

    /// Puts a delivery at the end of the session's queue; what must go for it is counted.
    mutating func enqueue(_ delivery: Delivery, _ session: Int) {
        sessions[session].hasBacklog = true
        var bounds = QueueLimits(messages: limits.queuedMessagesPerSession, bytes: limits.queuedBytesPerSession)
        let (handle, number) = (sessions[session].handle, sessions[session].number)
        let most = sessions[session].isConnected ? nil : reachedOfflineMessages(session)
        if most != nil { bounds.messages = min(bounds.messages, store.backlog(of: handle).messages) }
        let dropped = store.enqueue(delivery, for: handle, number, limits: bounds)
        if !sessions[session].isConnected { addWaiting(1 - dropped.count, session) }
        guard !dropped.isEmpty else { return }
        for message in dropped { drop(.queueFull, message, session: session) }
        guard let suppressed = admits(.warning, "message.dropped", DropReason.queueFull.name) else { return }
        let full =
            most.map { "the instance is at its limit offlineMessages of \($0)" }
            ?? "the session's queue is full (\(bounds.messages) messages, \(bounds.bytes) bytes)"
        // The new one went itself where no older one could make room for it.
        let gone = dropped.contains(delivery.message.number) ? "new" : "session's oldest"
        broker.events.record(
            BrokerEvent(
                .warning,
                "message.dropped",
                [("client_id", sessions[session].clientID)] + instanceField(Int(sessions[session].tenant)) + [
                    ("reason", DropReason.queueFull.name), ("explanation", "\(full); the \(gone) message went"),
                    ("suppressed_before", "\(suppressed)"),
                ],
            ),
        )
    }

    /// Sends what the window and the output have room for: first what must be repeated, then the queue in order.
    ///
    /// Bounded by the window, so that a large backlog cannot starve other connections.
    mutating func pump(_ session: Int) {
        let slot = Int(sessions[session].connection)
        guard slot >= 0, !awaitsConnAck(slot) else { return }
        let bound = limits.outputBytesPerConnection
        let before = sessions[session].outbound.underWayCount
        while connections[slot].output.count < bound, let repetition = sessions[session].outbound.nextRepetition() {
            switch repetition {
            case .release(let identifier):
                owe(slot, OwedAcknowledgement(.pubRel, identifier), until: sessions[session].outboundPosition)
            case .publish(let identifier, let delivery) where fits(slot, delivery):
                repeatPublish(slot, session, identifier, delivery)
            case .publish(let identifier, let delivery):
                // The client has come back with a smaller maximum packet size [MQTT-3.1.2-25].
                drop(.tooLargeForReceiver, delivery.message.number, session: session)
                sessions[session].outbound.abandon(identifier)
                giveUp(session, identifier, delivery)
            }
        }
        countInFlight(session, before: before)
        guard sessions[session].hasBacklog else { return }
        let handle = sessions[session].handle
        while sessions[session].outbound.hasRoom, connections[slot].output.count < bound {
            let delivery: Delivery
            switch store.dequeue(for: handle) {
            case .delivery(let next): delivery = next
            // The store gives notice.
            case .notYet: return
            case .empty:
                sessions[session].hasBacklog = false
                sessions[session].isCatchingUp = false
                sessions[session].mustCheckRights = false
                return
            case .expired(let position):
                drop(.expired, MessageNumber(position), session: session)
                finished(position, session)
                continue
            case .lost(let position):
                drop(.unreadable, MessageNumber(position), session: session)
                finished(position, session)
                continue
            }
            if let reason = reasonToDrop(delivery, session, slot) {
                drop(reason, delivery.message.number, session: session)
                finished(delivery.position, session)
                continue
            }
            let mustKeep = sessions[session].isPersistent || delivery.extra?.group != nil
            let identifier = sessions[session].outbound.sent(
                delivery.qos,
                keeping: mustKeep ? delivery : nil,
                number: delivery.message.number,
            )
            counters.inFlight += 1
            let kind = sessions[session].isCatchingUp ? TraceEvent.Kind.deliveredOffline : .delivered
            trace(kind, delivery.message.number, session: session)
            if delivery.qos == .exactlyOnce, delivery.position != .none, sessions[session].number.isStored {
                sendExactlyOnce(slot, session, identifier, delivery)
            } else {
                transmit(slot, delivery, identifier, dup: false)
            }
        }
    }

    /// Why a delivery that has waited is not worth sending.
    private func reasonToDrop(_ delivery: Delivery, _ session: Int, _ slot: Int) -> DropReason? {
        if delivery.message.expiresAt <= now || hasWaitedTooLong(delivery, session) { return .expired }
        guard fits(slot, delivery) else { return .tooLargeForReceiver }
        // Nobody needs a right to receive a P2P message.
        if sessions[session].mustCheckRights, let authorizer = broker.authorizer,
            !policies(slot).p2p || DirectAddress.clientID(in: delivery.message.topicBytes.span) == nil,
            !authorizer.maySubscribe(connections[slot].details.principal, filter: delivery.message.topic)
        {
            return .notAuthorized
        }
        return nil
    }

    /// Sends again what was under way on an earlier connection.
    ///
    /// QoS 2 waits until the store knows the identifier; QoS 1 must not wait behind it, or later messages of its topic
    /// would overtake it.
    private mutating func repeatPublish(
        _ slot: Int,
        _ session: Int,
        _ identifier: PacketIdentifier,
        _ delivery: Delivery,
    ) {
        guard delivery.qos == .exactlyOnce else { return transmit(slot, delivery, identifier, dup: true) }
        let held = AcknowledgementGate.Held.publish(identifier, delivery, dup: true)
        sendWhenStored(slot, held, until: sessions[session].outboundPosition)
    }

    /// A message that was under way is not sent again.
    private mutating func giveUp(_ session: Int, _ identifier: PacketIdentifier, _ delivery: Delivery) {
        finished(delivery.position, session)
        guard delivery.qos == .exactlyOnce, sessions[session].number.isStored else { return }
        store.record(.completed(identifier), of: sessions[session].number)
    }

    /// The loop has sent bytes of the connection: there may be room again.
    package mutating func flushed(_ slot: Int) {
        guard connections[slot].phase == .connected else { return }
        // It takes bytes, however slowly, while the broker does not read its pings.
        if isReadingPaused(slot) { connections[slot].lastReceived = now }
        let session = Int(connections[slot].session)
        if sessions[session].hasBacklog || sessions[session].outbound.mustRepeat { pump(session) }
        if connections[slot].hasRetainedReplay { replayRetained(slot) }
    }
}
