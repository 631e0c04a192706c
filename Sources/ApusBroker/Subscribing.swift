internal import ApusMemory
internal import ApusMessage
internal import ApusSession
internal import ApusStore
internal import ApusTopics
internal import MQTTCodec

// SUBSCRIBE and UNSUBSCRIBE, and the retained messages that a new subscription brings.

extension Shard {
    mutating func receiveSubscribe(_ slot: Int, _ packet: Subscribe) {
        let session = Int(connections[slot].session)
        var filters: [TopicFilter] = []
        // All of them before the first takes effect: a packet with an invalid one has none.
        for request in packet.requests {
            do {
                filters.append(try TopicFilter(request.topicFilter))
            } catch {
                return violate(slot, .topicFilterInvalid, rule: "MQTT-4.7.1-1", "\(error)")
            }
        }
        var codes: [ReasonCode] = []
        var refusals: [String] = []
        var replays: [RetainedReplay] = []
        var position = StorePosition.none
        var denied: String?
        for (filter, request) in zip(filters, packet.requests) {
            let refusal = refusal(of: filter, slot, session) ?? refusal(ofQoS: request.options.qos, slot, session)
            if let (code, explanation) = refusal {
                if code == .notAuthorized { denied = denied ?? filter.text }
                recordDenial("subscribe.denied", slot, ("filter", filter.fullText), code, explanation)
                codes.append(code)
                refusals.append(explanation)
                continue
            }
            let identifier = packet.subscriptionIdentifier
            let code = subscribe(slot, session, filter, request.options, identifier, &replays, &position)
            codes.append(code)
        }
        let answer = SubAck(
            packetIdentifier: packet.packetIdentifier,
            reasonCodes: codes,
            reasonString: reasonString(refusals, slot),
        )
        // What the packet has already changed stays; the connection may only not go on (apsaramq-facts 3.4).
        if let denied, policies(slot).onDenied == .close {
            sendNotice(ofDenied: .subscribe, denied, slot)
            if connections[slot].version < .v5 { send(.subAck(answer), to: slot) }
            return disconnect(slot, .notAuthorized, refusals.first ?? "")
        }
        guard answerWhenStored(slot, .subAck(answer), until: position) else { return cannotAnswer(slot) }
        guard !replays.isEmpty else { return }
        // In two steps: see ConnectionDetails.
        let details = connections[slot].details
        let waiting = details.retainedReplays ?? RetainedReplays()
        for replay in replays { waiting.append(replay) }
        details.retainedReplays = waiting
        connections[slot].hasRetainedReplay = true
        replayRetained(slot)
    }

    /// One filter of a SUBSCRIBE that nothing speaks against.
    private mutating func subscribe(
        _ slot: Int,
        _ session: Int,
        _ filter: TopicFilter,
        _ requested: SubscriptionOptions,
        _ identifier: UInt32,
        _ replays: inout [RetainedReplay],
        _ position: inout StorePosition,
    ) -> ReasonCode {
        var options = requested
        options.qos = min(requested.qos, policies(slot).maximumQoS)
        let subscription = Subscription(filter: filter, options: options, identifier: identifier)
        let isNew = sessions[session].subscriptions.set(subscription)
        if sessions[session].isPersistent {
            position = store.record(.subscribed(StoredSubscription(subscription)), of: sessions[session].number)
        }
        index(subscription, session)
        let wantsRetained =
            filter.group == nil
            && (options.retainHandling == .sendAtSubscribe || (options.retainHandling == .sendIfNew && isNew))
        let retained = instance(ofSession: session).retained
        if wantsRetained, retained.mayHold(filter) {
            replays.append(
                RetainedReplay(
                    filter: filter,
                    scan: retained.scan(filter),
                    qos: options.qos,
                    subscriptionIdentifier: identifier,
                ),
            )
        }
        return ReasonCode(rawValue: options.qos.rawValue) ?? .success
    }

    /// Enters a session's subscription into the index shared by all shards.
    mutating func index(_ subscription: Subscription, _ session: Int) {
        instance(ofSession: session).subscribe(
            subscription.filter,
            Subscriber(
                target: sessions[session].handle.rawValue,
                sessionNumber: sessions[session].isPersistent ? sessions[session].number.rawValue : 0,
                subscriptionIdentifier: subscription.identifier,
                qos: subscription.options.qos.rawValue,
                noLocal: subscription.options.noLocal,
                retainAsPublished: subscription.options.retainAsPublished,
            ),
        )
    }

    /// Enters all subscriptions again, after the session has become persistent or ceased to be.
    mutating func reindex(_ session: Int) {
        enterAddress(session)
        for subscription in sessions[session].subscriptions { index(subscription, session) }
    }

    /// Ends the subscriptions of connected clients that the authorizer no longer allows; those of a session that is away
    /// are looked at when its client comes back.
    mutating func endForbiddenSubscriptions(of instance: InstanceNumber) {
        guard let tenant = tenantsByNumber[instance] else { return }
        var next = sessions.firstOccupied(from: 0)
        while let session = next {
            next = sessions.firstOccupied(from: session + 1)
            if sessions[session].tenant == tenant, sessions[session].isConnected {
                endForbiddenSubscriptions(ofSession: session)
            }
        }
    }

    /// Ends the connections of an instance whose clients have lost what they proved at CONNECT.
    mutating func checkStanding(of instance: InstanceNumber) {
        guard let tenant = tenantsByNumber[instance] else { return }
        var next = connections.firstOccupied(from: 0)
        while let slot = next {
            next = connections.firstOccupied(from: slot + 1)
            if connections[slot].tenant == tenant { checkStanding(slot) }
        }
    }

    /// Ends the connection if what its client proved holds no more.
    mutating func checkStanding(_ slot: Int) {
        guard connections[slot].phase == .connected, let authorizer = broker.authorizer else { return }
        let standing = authorizer.standing(of: connections[slot].details.principal, now: now)
        guard case .ended(let reasonCode, let explanation, let notice) = standing else { return }
        if let notice { send(notice, to: slot) }
        disconnect(slot, reasonCode, explanation)
    }

    /// MQTT has no packet that would tell the client, so the log says it.
    mutating func endForbiddenSubscriptions(ofSession session: Int) {
        guard let authorizer = broker.authorizer else { return }
        let slot = Int(sessions[session].connection)
        let principal = connections[slot].details.principal
        let forbidden = sessions[session].subscriptions.filter {
            !authorizer.maySubscribe(principal, filter: $0.filter.text)
        }
        for subscription in forbidden {
            _ = sessions[session].subscriptions.remove(subscription.filter)
            recordUnsubscribed(session, subscription.filter)
            instance(ofSession: session).unsubscribe(subscription.filter, target: sessions[session].handle.rawValue)
            stopReplay(of: subscription.filter, slot)
            let filter = subscription.filter.fullText
            record(.notice, "subscription.ended", slot, [("filter", filter), ("reason", "the right to it is gone")])
        }
        // What has waited for the session and may no longer be read goes with the right, when its turn comes.
        sessions[session].mustCheckRights = store.backlog(of: sessions[session].handle).messages > 0
    }

    private mutating func recordUnsubscribed(_ session: Int, _ filter: TopicFilter) {
        guard sessions[session].isPersistent else { return }
        sessions[session].releasePosition = store.record(.unsubscribed(filter), of: sessions[session].number)
    }

    mutating func receiveUnsubscribe(_ slot: Int, _ packet: Unsubscribe) {
        let session = Int(connections[slot].session)
        var filters: [TopicFilter] = []
        do {
            for text in packet.topicFilters { filters.append(try TopicFilter(text)) }
        } catch {
            return violate(slot, .topicFilterInvalid, rule: "MQTT-4.7.1-1", "\(error)")
        }
        var codes: [ReasonCode] = []
        for filter in filters {
            guard sessions[session].subscriptions.remove(filter) else {
                codes.append(.noSubscriptionExisted)
                continue
            }
            instance(ofSession: session).unsubscribe(filter, target: sessions[session].handle.rawValue)
            stopReplay(of: filter, slot)
            recordUnsubscribed(session, filter)
            codes.append(.success)
        }
        let answer = UnsubAck(packetIdentifier: packet.packetIdentifier, reasonCodes: codes)
        // Also when there was none: it may have ended on a connection that is gone, and the store not know of it yet.
        let position = sessions[session].releasePosition
        guard answerWhenStored(slot, .unsubAck(answer), until: position) else { return cannotAnswer(slot) }
    }

    /// Sends SUBACK or UNSUBACK when the store holds what it says.
    ///
    /// - Returns: false when even its shortest form is larger than the client takes.
    private mutating func answerWhenStored(_ slot: Int, _ packet: Packet, until position: StorePosition) -> Bool {
        guard let bytes = encoded(packet, for: slot) else { return false }
        sendWhenStored(slot, .answer(bytes), until: position)
        return true
    }

    /// The answer that must follow does not fit the client's maximum packet size [MQTT-3.8.4-1, MQTT-3.10.4-4].
    private mutating func cannotAnswer(_ slot: Int) {
        disconnect(slot, .packetTooLarge, "the answer is larger than the client's maximum packet size")
    }

    /// Retained messages that still wait for the filter are not sent any more [MQTT-3.10.4-2].
    private mutating func stopReplay(of filter: TopicFilter, _ slot: Int) {
        guard connections[slot].hasRetainedReplay else { return }
        connections[slot].details.retainedReplays?.remove(filter)
    }

    // MARK: - Retained messages

    /// Sends retained messages while there is room, page by page; the rest follows as the client reads.
    mutating func replayRetained(_ slot: Int) {
        let details = connections[slot].details
        let session = Int(connections[slot].session)
        // A flush or an acknowledgement in between must not add a round of its own.
        guard !details.isReplayScheduled else { return }
        var fruitless = 0
        while let replay = details.retainedReplays?.first {
            guard connections[slot].output.count < limits.outputBytesPerConnection / 2 else { return }
            var most = RetainedReplay.pageSize
            if replay.qos > .atMostOnce {
                // What finds no room in the window would only move to the queue; each acknowledgement makes room. However
                // small, it is used: other messages may take the rest for as long as the client likes.
                most = min(most, sessions[session].outbound.room)
                guard !sessions[session].hasBacklog, most > 0 else { return }
            }
            // A page may be empty before the end: the scan bounds its work, not only what it finds.
            let page = replay.scan.page(limit: most)
            var unsent = 0
            for message in page.messages where !sendRetained(message, replay, slot, session) { unsent += 1 }
            if replay.scan.isFinished { details.retainedReplays?.removeFirst() }
            // A filter that matches few of millions of topics, thousands that match none, and messages that the client
            // cannot take must not keep the shard from its other clients.
            if unsent == page.messages.count { fruitless += page.visited + RetainedReplay.pageWork * (1 + unsent) }
            if fruitless >= RetainedReplay.fruitlessWork {
                details.isReplayScheduled = true
                return schedule(.retainedReplay, slot: slot, at: now)
            }
        }
        connections[slot].hasRetainedReplay = false
        details.retainedReplays = nil
    }

    /// - Returns: false when nothing came of it.
    private mutating func sendRetained(
        _ message: Message,
        _ replay: RetainedReplay,
        _ slot: Int,
        _ session: Int,
    ) -> Bool {
        guard message.expiresAt > now else {
            forgetRetained(message)
            return false
        }
        let qos = min(message.qos, replay.qos)
        let delivery = Delivery(
            message: message,
            qos: qos,
            retain: true,
            subscriptionIdentifier: replay.subscriptionIdentifier,
        )
        guard fits(slot, delivery) else {
            drop(.tooLargeForReceiver, message.number, session: session)
            return false
        }
        guard delivery.qos > .atMostOnce else {
            transmit(slot, delivery, 0, dup: false)
            return true
        }
        let isStored = sessions[session].isPersistent && message.position != .none
        if isStored { store.assigned(message.position, to: recipient(session, delivery)) }
        guard !sessions[session].hasBacklog, sessions[session].outbound.hasRoom else {
            enqueue(delivery, session)
            return true
        }
        let identifier = sessions[session].outbound.sent(
            delivery.qos,
            keeping: sessions[session].isPersistent ? delivery : nil,
        )
        counters.inFlight += 1
        if isStored, delivery.qos == .exactlyOnce {
            sendExactlyOnce(slot, session, identifier, delivery)
        } else {
            transmit(slot, delivery, identifier, dup: false)
        }
        return true
    }

    /// A retained message has expired.
    mutating func forgetRetained(_ message: Message) {
        guard broker.instance(message.instance).retained.forget(message) else { return }
        counters.drop(.expired)
        if message.position != .none { store.finished(message.position, by: .retained) }
    }
}
