internal import ApusMemory
internal import ApusMessage
internal import ApusSession
internal import ApusStore
internal import ApusTopics
internal import MQTTCodec
internal import Synchronization

// The life of a session: started, taken over, resumed, ended.

extension Shard {
    /// Gives the connection its session, a new one or the one that waits for it [MQTT-3.1.2-4 … 3.1.2-6].
    ///
    /// - Returns: whether an earlier session goes on [MQTT-3.2.2-2, MQTT-3.2.2-3], and up to where the store must commit
    ///   before CONNACK may say so: a crash must not bring an old session back, nor forget one that is there.
    mutating func startSession(_ slot: Int, _ connect: Connect) -> (present: Bool, until: StorePosition) {
        let expiry = min(expiryInterval(of: connect), limits.sessionExpirySeconds)
        let window = min(connect.receiveMaximum, limits.inFlightMessages)
        connections[slot].details.requestedExpirySeconds = expiryInterval(of: connect)
        var present = false
        var position = StorePosition.none
        let tenant = Int(connections[slot].tenant)
        if let existing = self.session(tenant, connect.clientIdentifier) {
            // Its time may have passed while the process was away, or since the timers were last looked at.
            if connect.cleanStart || sessions[existing].expiresAt <= now {
                position = endSession(existing, .replaced)
            } else {
                present = true
            }
        }
        // Or one that ended just now, though another has come and gone since.
        let key = SessionKey(tenants[tenant].number, connect.clientIdentifier)
        if !present, let ending = endings[key] { position = max(position, ending) }
        let session: Int
        var mustWait = false
        if present, let existing = self.session(tenant, connect.clientIdentifier) {
            session = existing
            mustWait = mustWaitForResumption(session, connect, expiry)
            // Its delay may have passed, though its timer has not fired yet.
            if sessions[session].willDueAt <= now { publishWill(session) }
            // A will that is still delayed is not sent [MQTT-3.1.3-9].
            sessions[session].will = nil
            sessions[session].willDueAt = .distantFuture
            changeExpiry(session, seconds: expiry)
        } else {
            session = insertSession(connect.clientIdentifier, tenant, expirySeconds: expiry)
        }
        sessions[session].userName = connections[slot].details.principal.userName
        sessions[session].connection = Int32(truncatingIfNeeded: slot)
        sessions[session].expiresAt = .distantFuture
        sessions[session].outbound.connectionStarted(window: window)
        sessions[session].will = connect.will.map { WillMessage($0, tenants[tenant].number) }
        connections[slot].session = Int32(truncatingIfNeeded: session)
        countWaiting(session)
        if present {
            let recorded = recordSession(session)
            // The CONNACK that was to say so first may have gone with its connection.
            position = mustWait ? recorded : sessions[session].beginningPosition
        } else if sessions[session].isPersistent {
            position = recordNewSession(session)
        }
        setGroupAvailability(session, true)
        enterAddress(session)
        return (present, position)
    }

    /// Whether a crash before the store knows that the session goes on could break a promise: a will or an expiry other
    /// than the client was told, or most of its time counted since the connection before.
    private func mustWaitForResumption(_ session: Int, _ connect: Connect, _ expiry: UInt32) -> Bool {
        // A store that writes nothing for now may need this very client to come and take its messages.
        guard !store.isStalled else { return false }
        if connect.will != nil || sessions[session].will != nil || expiry != sessions[session].expirySeconds {
            return true
        }
        guard expiry < .max else { return false }
        return sessions[session].disconnectedAt.adding(seconds: Int64(expiry / 2)) < now
    }

    /// Whether the store cannot take up the session that a CONNECT asks for: a connection that waits for it would wait for
    /// long, and each one more fills the memory.
    func cannotStoreSession(_ connect: Connect, live: Int?) -> Bool {
        let isCrowded = store.refusal != nil && store.isBehind
        guard isCrowded || store.isStalled else { return false }
        let isToBeStored = min(expiryInterval(of: connect), limits.sessionExpirySeconds) > 0
        guard let live else { return isToBeStored }
        let isStored = sessions[live].number.isStored
        if isCrowded { return isStored || isToBeStored }
        let isNew = connect.cleanStart || sessions[live].expiresAt <= now
        return isNew ? isStored || isToBeStored : isToBeStored && !isStored
    }

    /// Before 5.0 a session without *clean session* has no end [MQTT-3.1.2-23 and its note on 3.1.1].
    private func expiryInterval(of connect: Connect) -> UInt32 {
        if connect.version == .v5 { return connect.sessionExpiryInterval }
        return connect.cleanStart ? 0 : .max
    }

    mutating func insertSession(_ clientID: String, _ tenant: Int, expirySeconds: UInt32) -> Int {
        tenants[tenant].users += 1
        let session = sessions.insert(
            Session(
                clientID: clientID,
                tenant: Int32(truncatingIfNeeded: tenant),
                handle: SessionHandle(rawValue: 0),
                expirySeconds: expirySeconds,
                window: limits.inFlightMessages,
            ),
        )
        sessions[session].handle = SessionHandle(
            shard: index,
            slot: session,
            generation: sessions.generation(of: session),
        )
        let key = SessionKey(tenants[tenant].number, clientID)
        sessionsByClientID.insert(key.hash, UInt32(truncatingIfNeeded: session))
        broker.sessionCount.add(1, ordering: .relaxed)
        return session
    }

    /// Another connection has come with the same client id: the older one goes [MQTT-3.1.4-3].
    mutating func takeOver(_ session: Int) {
        let old = Int(sessions[session].connection)
        counters.sessionsTakenOver += 1
        record(.info, "client.taken_over", old, [])
        trace(.closed, connection: old, CloseReason.conflict, "another connection uses this client id")
        if connections[old].version == .v5 {
            sendDisconnect(old, .sessionTakenOver, "another connection uses this client id")
        }
        detach(old, will: .publish)
        closeSilently(old)
    }

    /// Repeats what was under way, then sends what has waited [MQTT-4.4.0-1].
    mutating func resume(_ slot: Int) {
        let session = Int(connections[slot].session)
        sessions[session].hasBacklog = store.backlog(of: sessions[session].handle).messages > 0
        sessions[session].isCatchingUp = sessions[session].hasBacklog
        pump(session)
    }

    /// Tells the shared subscriptions of a session whether it can take messages now.
    mutating func setGroupAvailability(_ session: Int, _ available: Bool) {
        for subscription in sessions[session].subscriptions where subscription.filter.group != nil {
            instance(ofSession: session).subscriptions.setMemberAvailable(
                subscription.filter,
                target: sessions[session].handle.rawValue,
                available: available,
            )
        }
    }

    /// Why a session ends.
    enum SessionEnd: String {
        case replaced, expired, disconnected, administrative
    }

    /// Ends a session: its subscriptions go, what waited for it is handed over or dropped with a reason.
    ///
    /// Call with the connection already detached.
    ///
    /// - Returns: the position up to which the store must commit for the session to be gone for good.
    @discardableResult
    mutating func endSession(_ session: Int, _ end: SessionEnd) -> StorePosition {
        precondition(!sessions[session].isConnected)
        // A will that still waits for its delay is due when the session ends [MQTT-3.1.2-8, MQTT-3.1.3-9].
        if sessions[session].willDueAt != .distantFuture { publishWill(session) }
        let handle = sessions[session].handle
        for subscription in sessions[session].subscriptions {
            instance(ofSession: session).unsubscribe(subscription.filter, target: handle.rawValue)
        }
        leaveAddress(session)
        sessions[session].subscriptions.removeAll()
        let number = sessions[session].number
        let underWay = sessions[session].outbound.unfinished
        counters.inFlight -= sessions[session].outbound.underWayCount
        addWaiting(-sessions[session].countedMessages, session)
        let waiting = store.sessionEnded(handle, number)
        let key = SessionKey(instance(ofSession: session).number, sessions[session].clientID)
        sessionsByClientID.remove(key.hash, UInt32(truncatingIfNeeded: session))
        let tenant = Int(sessions[session].tenant)
        let clientID = sessions[session].clientID
        _ = sessions.remove(at: session)
        defer { left(tenant) }
        broker.sessionCount.subtract(1, ordering: .relaxed)
        // Only now: the group must not choose the session that is leaving.
        for delivery in underWay + waiting.shared where !handOver(delivery) {
            drop(.sessionEnded, delivery.message.number, tenant, clientID)
        }
        for message in waiting.others { drop(.sessionEnded, message, tenant, clientID) }
        guard number.isStored else { return .none }
        for delivery in underWay where delivery.position != .none { store.finished(delivery.position, by: number) }
        // After the others were given what it leaves.
        let position = store.record(.ended, of: number)
        if position > store.committed { endings[key] = position }
        return position
    }

    /// Takes messages of shared subscriptions back from a session whose connection ended.
    mutating func handOverShared(_ session: Int) {
        let handle = sessions[session].handle
        guard sessions[session].subscriptions.contains(where: { $0.filter.group != nil }) else { return }
        // With nobody else there they stay, to be repeated under their own identifiers [MQTT-4.4.0-1].
        let index = instance(ofSession: session).subscriptions
        let hasOthers = { (group: SharedGroup) in !index.currentMembers(of: group).available.isEmpty }
        var taken = sessions[session].outbound.takeShared(where: hasOthers)
        counters.inFlight -= taken.count
        taken += store.takeShared(from: handle, where: hasOthers)
        for delivery in taken {
            if handOver(delivery) {
                finished(delivery.position, session)
            } else {
                // The others have left in the meantime: it waits for this session.
                enqueue(delivery, session)
            }
        }
    }

    /// Gives a delivery of a shared subscription to another member.
    ///
    /// - Parameter wasSent: whether a member may have received it already.
    /// - Returns: false when it came through none, is QoS 2 and sent [MQTT-4.8.2-5], or no other member is connected.
    mutating func handOver(_ delivery: Delivery, wasSent: Bool = true) -> Bool {
        guard let group = delivery.extra?.group, !wasSent || delivery.qos == .atLeastOnce else { return false }
        let members = broker.instance(delivery.message.instance).subscriptions.currentMembers(of: group).available
        guard !members.isEmpty else { return false }
        let member = members[group.nextIndex(count: members.count)]
        let target = SessionHandle(rawValue: member.target)
        let delivery = recordHandOver(delivery, to: member)
        if target.shard == index {
            receiveHandOver(HandOver(delivery: delivery, to: member))
        } else {
            outgoingHandOvers[target.shard].append(HandOver(delivery: delivery, to: member))
        }
        return true
    }

    /// The new member needs the message from now on, whatever becomes of this process.
    ///
    /// - Returns: the delivery, of a second copy of the message if the member may have one already.
    private mutating func recordHandOver(_ delivery: Delivery, to member: Subscriber) -> Delivery {
        let qos = min(delivery.message.qos, QoS(rawValue: member.qos) ?? .atMostOnce)
        guard member.isPersistent, delivery.position != .none, qos > .atMostOnce else { return delivery }
        let recipient = Recipient(
            session: SessionNumber(rawValue: member.sessionNumber),
            subscriptionIdentifier: member.subscriptionIdentifier,
            qos: qos,
            retain: delivery.message.retain && member.retainAsPublished,
            group: delivery.extra?.group?.filter,
        )
        if mayNeedAlready(delivery, member), let copy = storedAgain(delivery, for: recipient) { return copy }
        store.assigned(delivery.position, to: recipient)
        return delivery
    }

    /// Whether the member may get the message by another subscription too.
    private mutating func mayNeedAlready(_ delivery: Delivery, _ member: Subscriber) -> Bool {
        let message = delivery.message
        let bytes = message.bytes
        let match = matchCache.match(
            bytes.span.extracting(0..<message.topicEnd),
            in: broker.instance(message.instance).subscriptions,
        )
        return match.groups.count > 1 || match.subscribers.contains { $0.target == member.target }
    }

    /// - Returns: `nil` when the store takes none.
    private func storedAgain(_ delivery: Delivery, for recipient: Recipient) -> Delivery? {
        let message = delivery.message
        let header = MessageHeader(
            qos: message.qos,
            retain: message.retain,
            expiresAt: message.expiresAt,
            instance: message.instance,
        )
        let bytes = message.bytes
        let isTaken = store.beginMessage(
            header,
            topic: bytes.span.extracting(0..<message.topicEnd),
            properties: bytes.span.extracting(message.topicEnd..<message.propertiesEnd),
            payload: bytes.span.extracting(message.propertiesEnd..<bytes.count),
        )
        guard isTaken else { return nil }
        store.addRecipient(recipient)
        return Delivery(
            message: message.stored(at: store.endMessage()),
            qos: delivery.qos,
            retain: delivery.retain,
            subscriptionIdentifier: delivery.subscriptionIdentifier,
            extra: delivery.extra,
        )
    }

    /// A delivery that another member of the group could not finish.
    mutating func receiveHandOver(_ handOver: HandOver) {
        guard let session = slot(of: SessionHandle(rawValue: handOver.to.target)) else {
            // It has left in the meantime, and the index knows: the next one is another, or nobody.
            if !self.handOver(handOver.delivery, wasSent: false) { counters.drop(.noGroupMember) }
            return
        }
        let delivery = handOver.deliveryForNewMember
        guard delivery.qos == .atMostOnce else {
            enqueue(delivery, session)
            return pump(session)
        }
        let slot = Int(sessions[session].connection)
        let number = delivery.message.number
        guard slot >= 0 else { return drop(.offlineQoS0, number, session: session) }
        guard connections[slot].output.count < limits.outputBytesPerConnection else {
            return drop(.slowConsumer, number, session: session)
        }
        guard delivery.message.expiresAt > now else { return drop(.expired, number, session: session) }
        guard fits(slot, delivery) else { return drop(.tooLargeForReceiver, number, session: session) }
        transmit(slot, delivery, 0, dup: false)
    }
}

extension HandOver {
    /// The delivery as the new member's own subscription wants it.
    fileprivate var deliveryForNewMember: Delivery {
        Delivery(
            message: delivery.message,
            qos: min(delivery.message.qos, QoS(rawValue: to.qos) ?? .atMostOnce),
            retain: delivery.message.retain && to.retainAsPublished,
            subscriptionIdentifier: to.subscriptionIdentifier,
            extra: delivery.extra,
        )
    }
}

extension WillMessage {
    /// The will as CONNECT brought it.
    fileprivate convenience init(_ will: Will, _ instance: InstanceNumber) {
        self.init(
            message: Message(
                topic: will.topic,
                payload: will.payload,
                properties: will.forwardableProperties,
                qos: will.qos,
                retain: will.retain,
                instance: instance,
            ),
            delaySeconds: will.willDelayInterval,
            expirySeconds: will.messageExpiryInterval,
        )
    }
}
