internal import ApusMemory
package import ApusMessage
internal import ApusSession
package import ApusStore
internal import ApusTopics
internal import MQTTCodec

// What the shard tells its store, and what waits for the store's answer.

extension Shard {
    // MARK: - What may leave

    /// Sends a packet that promises something, or holds it until the store keeps that promise.
    mutating func sendWhenStored(_ slot: Int, _ held: AcknowledgementGate.Held, until position: StorePosition) {
        guard !connections[slot].gate.isOpen(until: position, committed: store.committed) else {
            return sendHeld(slot, held, explanation: nil)
        }
        connections[slot].gate.hold(held, until: position)
        guard !connections[slot].isAwaitingStore else { return }
        connections[slot].isAwaitingStore = true
        awaitingStore.append(Int32(truncatingIfNeeded: slot))
    }

    private mutating func sendHeld(_ slot: Int, _ held: AcknowledgementGate.Held, explanation: String?) {
        switch held {
        case .acknowledgement(let owed): sendAcknowledgement(slot, owed, explanation)
        case .connAck(let bytes):
            sendEncoded(bytes, to: slot)
            guard connections[slot].details.awaitsConnAck else { return }
            connections[slot].details.awaitsConnAck = false
            connections[slot].isHeld = false
            pump(Int(connections[slot].session))
            processHeldBytes(slot)
        case .answer(let bytes): sendEncoded(bytes, to: slot)
        case .publish(let identifier, let delivery, let dup): transmit(slot, delivery, identifier, dup: dup)
        }
    }

    /// The store has committed more: whatever waited for it leaves.
    mutating func releaseHeld() {
        let committed = store.committed
        releaseCalls(until: committed)
        if !endings.isEmpty { endings = endings.filter { $0.value > committed } }
        var slots: [Int32] = []
        swap(&slots, &awaitingStore)
        for index in slots {
            let slot = Int(index)
            connections[slot].isAwaitingStore = false
            // Nothing follows a DISCONNECT [MQTT-3.14.4-1].
            guard connections[slot].phase == .connected else { continue }
            while let held = connections[slot].gate.next(committed: committed) {
                sendHeld(slot, held, explanation: nil)
            }
            guard connections[slot].gate.waitingCount > 0 else { continue }
            connections[slot].isAwaitingStore = true
            awaitingStore.append(index)
        }
    }

    /// Answers management when the store holds what it asked for.
    mutating func whenStored(_ position: StorePosition, _ done: ShardCall) {
        guard position > store.committed else { return done.body(&self) }
        awaitingCommit.append((position, done))
    }

    private mutating func releaseCalls(until committed: StorePosition) {
        guard !awaitingCommit.isEmpty else { return }
        let calls = awaitingCommit
        awaitingCommit = calls.filter { $0.position > committed }
        for call in calls where call.position <= committed { call.done.body(&self) }
    }

    /// The store has something to say.
    mutating func receive(_ notice: StoreNotice) {
        switch notice {
        case .progressed:
            releaseHeld()
            resumePaused()
        case .readable(let handle):
            guard let session = slot(of: handle), sessions[session].hasBacklog else { return }
            pump(session)
            // All that was read may have expired, and then nothing is sent that would go on with retained messages.
            let slot = Int(sessions[session].connection)
            if slot >= 0, connections[slot].hasRetainedReplay { replayRetained(slot) }
        case .vacate:
            vacatingFrom = 0
            vacatingQueue = nil
            vacate()
        }
    }

    /// The loop's tick is over: what was appended goes on its way to the disk.
    ///
    /// Call before mail goes out: what another shard does because of this one's mail must not be on the disk before.
    package mutating func handOverToStore() { store.handOver() }

    // MARK: - Sessions

    /// The session as the store is to know it.
    private func storedRecord(_ session: Int) -> SessionRecord {
        SessionRecord(
            instance: instance(ofSession: session).number,
            clientID: sessions[session].clientID,
            userName: sessions[session].userName,
            expirySeconds: sessions[session].expirySeconds,
            disconnectedAt: sessions[session].isConnected ? nil : sessions[session].disconnectedAt,
            will: sessions[session].will.map { StoredWill($0) },
            willDueAt: sessions[session].willDueAt,
        )
    }

    /// Tells the store what has changed about a session, other than its subscriptions and messages.
    ///
    /// - Returns: the position up to which the store must commit for that to be safe; none of a session that is not stored.
    @discardableResult
    mutating func recordSession(_ session: Int) -> StorePosition {
        let number = sessions[session].number
        return number.isStored ? store.record(.record(storedRecord(session)), of: number) : .none
    }

    /// A session that outlives its connection begins: the store gives it a number.
    ///
    /// - Returns: the position up to which the store must commit for the session to be safe.
    @discardableResult
    mutating func recordNewSession(_ session: Int) -> StorePosition {
        let number = store.newSessionNumber()
        sessions[session].number = number
        let position = store.record(.state(storedRecord(session)), of: number)
        sessions[session].beginningPosition = position
        return position
    }

    /// A stored message is done with for the session.
    mutating func finished(_ position: StorePosition, _ session: Int) {
        if position != .none { store.finished(position, by: sessions[session].number) }
    }

    /// A QoS 2 message has got its identifier and leaves when the store knows that.
    mutating func sendExactlyOnce(_ slot: Int, _ session: Int, _ identifier: PacketIdentifier, _ delivery: Delivery) {
        let change = SessionChange.sent(identifier, delivery.position, recipient(session, delivery))
        let position = store.record(change, of: sessions[session].number)
        sessions[session].outboundPosition = position
        sendWhenStored(slot, .publish(identifier, delivery, dup: false), until: position)
    }

    func recipient(_ session: Int, _ delivery: Delivery) -> Recipient {
        Recipient(
            session: sessions[session].number,
            subscriptionIdentifier: delivery.subscriptionIdentifier,
            qos: delivery.qos,
            retain: delivery.retain,
            group: delivery.extra?.group?.filter,
        )
    }

    // MARK: - Vacating

    /// Sessions, and messages in their queues, seen to before other work comes first: some hundred microseconds.
    private static var sessionsPerSlice: Int { 256 }
    private static var messagesPerSlice: Int { 16_384 }

    /// Names to the store what this shard still needs of the part that is to be vacated, a slice at a time.
    mutating func vacate() {
        guard store.isVacating else { return }
        var next = sessions.firstOccupied(from: vacatingFrom)
        var messages = Self.messagesPerSlice
        for _ in 0..<Self.sessionsPerSlice {
            guard let session = next, messages > 0 else { break }
            guard keep(session, &messages) else { break }
            next = sessions.firstOccupied(from: session + 1)
        }
        if let next {
            vacatingFrom = next
            return schedule(.vacating, 0, 0, now)
        }
        guard index == 0 else { return store.vacated() }
        keepRetained()
    }

    /// - Parameter messages: how many of the queue may still be looked at in this slice.
    /// - Returns: whether the session is done with.
    private mutating func keep(_ session: Int, _ messages: inout Int) -> Bool {
        let handle = sessions[session].handle
        var place: UInt64 = 0
        // A session that ended in between has nothing to keep; another may have its slot.
        if let begun = vacatingQueue, begun.session == handle {
            place = begun.place
        } else {
            recordAgain(session)
        }
        let waiting = store.backlog(of: handle).messages
        if let next = store.keepQueue(of: handle, from: place, limit: messages) {
            messages = 0
            vacatingQueue = (handle, next)
            return false
        }
        messages -= min(messages, waiting)
        vacatingQueue = nil
        guard sessions[session].number.isStored else { return true }
        for message in sessions[session].outbound.underWay {
            guard let delivery = message.delivery, delivery.position != .none else { continue }
            store.keep(delivery.position, for: recipient(session, delivery))
        }
        return true
    }

    /// Records the session's state anew when it stands in the part that is to be vacated.
    private mutating func recordAgain(_ session: Int) {
        let number = sessions[session].number
        guard number.isStored, store.mustRecordAgain(number) else { return }
        store.record(.state(storedRecord(session)), of: number)
        for subscription in sessions[session].subscriptions {
            store.record(.subscribed(StoredSubscription(subscription)), of: number)
        }
        for identifier in sessions[session].inbound.identifiers { store.record(.inbound(identifier), of: number) }
        for message in sessions[session].outbound.underWay {
            if message.isReceived {
                store.record(.received(message.identifier, .none), of: number)
            } else if let delivery = message.delivery, delivery.qos == .exactlyOnce {
                let change = SessionChange.sent(message.identifier, delivery.position, recipient(session, delivery))
                store.record(change, of: number)
            }
        }
    }

    /// The retained messages are common to all shards; the first one sees to them.
    private mutating func keepRetained() {
        for _ in 0..<16 {
            guard let messages = retainedVacating.next(of: broker, limit: 256) else { return store.vacated() }
            for message in messages where message.position != .none {
                let recipient = Recipient(session: .retained, qos: message.qos, retain: true)
                store.keep(message.position, for: recipient)
            }
        }
        schedule(.vacating, 0, 0, now)
    }

    // MARK: - Start

    /// Takes up the sessions that the store found, with their subscriptions and queues.
    ///
    /// Call before the first tick of any shard: a message that comes earlier would miss their subscriptions.
    ///
    /// - Parameter isKept: whether there is still such an instance; what is left of others is dropped.
    package mutating func restore(
        _ found: [RestoredSession],
        keeping isKept: (InstanceNumber) -> Bool = { _ in true },
    ) {
        var remains = Remains()
        for one in found {
            if isKept(one.record.instance) {
                restore(one)
            } else {
                remains.add(one.record.instance, sessions: 1, messages: drop(one))
            }
        }
        report(remains)
    }

    /// - Returns: how many messages were waiting for it or under way.
    private mutating func drop(_ found: RestoredSession) -> Int {
        var found = found
        // Nobody is left to read it.
        found.record.will = nil
        found.record.disconnectedAt = found.record.disconnectedAt ?? now
        found.record.expirySeconds = .max
        let session = restore(found)
        let messages = sessions[session].countedMessages + found.outbound.count { $0.message != nil }
        endSession(session, .administrative)
        return messages
    }

    @discardableResult
    private mutating func restore(_ found: RestoredSession) -> Int {
        let tenant = tenant(of: found.record.instance)
        let session = insertSession(found.record.clientID, tenant, expirySeconds: found.record.expirySeconds)
        sessions[session].number = found.number
        sessions[session].userName = found.record.userName
        sessions[session].inbound.restore(found.inbound)
        sessions[session].hasStoredInbound = !found.inbound.isEmpty
        for stored in found.subscriptions {
            let subscription = Subscription(stored)
            _ = sessions[session].subscriptions.set(subscription)
            index(subscription, session)
        }
        setGroupAvailability(session, false)
        enterAddress(session)
        let index = instance(ofSession: session).subscriptions
        let waiting = store.restoreQueue(of: found.number, to: sessions[session].handle) { index.group(of: $0) }
        sessions[session].hasBacklog = waiting > 0
        countWaiting(session)
        sessions[session].outbound.restore(found.outbound.map { underWay($0) })
        countInFlight(session, before: 0)
        // A connection that the crash cut off ended with it, for all that the client may know.
        let disconnectedAt = found.record.disconnectedAt ?? now
        sessions[session].disconnectedAt = disconnectedAt
        sessions[session].will = found.record.will.map { WillMessage($0, found.record.instance) }
        if found.record.disconnectedAt == nil {
            settleWill(session, .publishAfterStart)
        } else if sessions[session].will != nil {
            sessions[session].willDueAt = found.record.willDueAt
            scheduleWill(session)
        }
        if found.record.disconnectedAt == nil { recordSession(session) }
        guard found.record.expirySeconds < .max else { return session }
        sessions[session].expiresAt = disconnectedAt.adding(seconds: Int64(found.record.expirySeconds))
        scheduleExpiry(session)
        return session
    }

    private func underWay(_ found: RestoredSession.Outbound) -> OutboundPublishes.UnderWay {
        guard let message = found.message else {
            return OutboundPublishes.UnderWay(identifier: found.identifier, delivery: nil, isReceived: true)
        }
        let delivery = store.load(message.position, for: message.recipient)
        return OutboundPublishes.UnderWay(identifier: found.identifier, delivery: delivery, isReceived: false)
    }

    /// Takes up the retained messages at these positions; one shard does it for all.
    ///
    /// - Parameter isKept: as for sessions.
    package mutating func restoreRetained(
        _ positions: [StorePosition],
        keeping isKept: (InstanceNumber) -> Bool = { _ in true },
    ) {
        var remains = Remains()
        let recipient = Recipient(session: .retained, qos: .atMostOnce, retain: true)
        for position in positions {
            guard let message = store.load(position, for: recipient)?.message else {
                counters.drop(.unreadable)
                continue
            }
            guard isKept(message.instance) else {
                remains.add(message.instance, retained: 1)
                store.finished(position, by: .retained)
                continue
            }
            // Without bounds: what was acknowledged stays, even where a limit has been lowered.
            let update = broker.instance(message.instance).retained.update(message, own: nil)
            if let old = update.replaced, old.position != .none { store.finished(old.position, by: .retained) }
        }
        report(remains)
    }
}

extension StoredSubscription {
    init(_ subscription: Subscription) {
        self.init(
            filter: subscription.filter,
            options: subscription.options,
            identifier: subscription.identifier,
        )
    }
}

extension Subscription {
    fileprivate init(_ stored: StoredSubscription) {
        self.init(
            filter: stored.filter,
            options: stored.options,
            identifier: stored.identifier,
        )
    }
}

extension StoredWill {
    fileprivate init(_ will: WillMessage) {
        let message = will.message
        self.init(
            topic: Array(message.bytes[..<message.topicEnd]),
            properties: Array(message.bytes[message.topicEnd..<message.propertiesEnd]),
            payload: Array(message.payload),
            qos: message.qos,
            retain: message.retain,
            delaySeconds: will.delaySeconds,
            expirySeconds: will.expirySeconds,
        )
    }
}

extension WillMessage {
    fileprivate convenience init(_ stored: StoredWill, _ instance: InstanceNumber) {
        self.init(
            message: Message(
                bytes: stored.topic + stored.properties + stored.payload,
                topicEnd: stored.topic.count,
                propertiesEnd: stored.topic.count + stored.properties.count,
                qos: stored.qos,
                retain: stored.retain,
                expiresAt: .distantFuture,
                instance: instance,
            ),
            delaySeconds: stored.delaySeconds,
            expirySeconds: stored.expirySeconds,
        )
    }
}
