internal import ApusMemory
internal import ApusMessage
internal import ApusSession
internal import MQTTCodec
internal import Synchronization

// How a connection ends: by DISCONNECT from either side, by a lost transport, by silence. And what follows for its will and
// its session.

extension Shard {
    /// What becomes of the will when a connection ends.
    enum WillFate {
        case publish
        /// The same, but not before the first tick: until then sessions that must get it may not be there yet.
        case publishAfterStart
        /// After a normal DISCONNECT the will is gone [MQTT-3.14.4-3].
        case discard
    }

    mutating func receiveDisconnect(_ slot: Int, _ packet: Disconnect) {
        if connections[slot].phase == .authenticating { return closeSilently(slot) }
        let session = Int(connections[slot].session)
        if let expiry = packet.sessionExpiryInterval {
            guard expiry == 0 || connections[slot].details.requestedExpirySeconds > 0 else {
                return violate(
                    slot,
                    .protocolError,
                    rule: "MQTT-3.14.2-2",
                    "DISCONNECT sets a session expiry though CONNECT had none",
                )
            }
            changeExpiry(session, seconds: min(expiry, limits.sessionExpirySeconds))
        }
        record(.info, "client.disconnected", slot, [("reason", "\(packet.reasonCode)"), ("by", "client")])
        trace(.disconnected, connection: slot, CloseReason.disconnected)
        detach(slot, will: packet.reasonCode == .success ? .discard : .publish)
        closeSilently(slot)
    }

    /// Ends a connection from the broker's side: DISCONNECT with the reason to a 5.0 client, then close.
    mutating func disconnect(
        _ slot: Int,
        _ reasonCode: ReasonCode,
        _ explanation: String,
        toClient clientExplanation: String? = nil,
        isLogged: Bool = false,
    ) {
        record(
            isLogged ? .debug : .info,
            "client.disconnected",
            slot,
            [("reason", "\(reasonCode)"), ("explanation", explanation), ("by", "broker")],
        )
        trace(.closed, connection: slot, CloseReason.of(reasonCode), explanation)
        if connections[slot].version == .v5 { sendDisconnect(slot, reasonCode, clientExplanation ?? explanation) }
        detach(slot, will: .publish)
        closeSilently(slot)
    }

    func disconnectPacket(_ reasonCode: ReasonCode, _ explanation: String?) -> Packet {
        var packet = Disconnect(reasonCode: reasonCode)
        packet.reasonString = explanation
        return .disconnect(packet)
    }

    mutating func sendDisconnect(_ slot: Int, _ reasonCode: ReasonCode, _ explanation: String) {
        // Nothing may come before CONNACK [MQTT-3.2.0-1]; one that waits for the store is not sent any more.
        guard !connections[slot].details.awaitsConnAck else { return }
        send(disconnectPacket(reasonCode, explanation), to: slot)
    }

    // MARK: - The transport is gone

    /// The loop has closed the socket, or lost it; frees the slot.
    package mutating func closed(_ slot: Int, _ cause: CloseCause) {
        if connections[slot].phase == .connected {
            record(.info, "client.disconnected", slot, [("reason", cause.text), ("by", "transport")])
            if case .transportError = cause {
                trace(.closed, connection: slot, CloseReason.network, cause.text)
            } else {
                trace(.closed, connection: slot, CloseReason.closedByClient)
            }
            detach(slot, will: .publish)
        } else if connections[slot].phase != .closing {
            counters.connectionsRefused += 1
            if let suppressed = admits(.debug, "connection.abandoned", "closed before CONNECT") {
                record(
                    .debug,
                    "connection.abandoned",
                    slot,
                    [("reason", cause.text), ("suppressed_before", "\(suppressed)")],
                )
            }
        }
        counters.connectionsClosed += 1
        free(slot)
    }

    /// Gives the slot back.
    mutating func free(_ slot: Int) {
        connections[slot].output.removeAll(pool: &pool)
        if connections[slot].isDirty { dirty.removeAll { $0 == slot } }
        if connections[slot].isPaused { paused.removeAll { $0 == slot } }
        if connections[slot].isAwaitingStore { awaitingStore.removeAll { $0 == slot } }
        let tenant = Int(connections[slot].tenant)
        _ = connections.remove(at: slot)
        if tenant >= 0 { left(tenant) }
    }

    // MARK: - The session after its connection

    /// Parts a connection from its session, which then waits, or ends.
    mutating func detach(_ slot: Int, will fate: WillFate) {
        let session = Int(connections[slot].session)
        guard session >= 0 else { return }
        connections[slot].session = -1
        connections[slot].phase = .closing
        broker.connectionCount.subtract(1, ordering: .relaxed)
        sessions[session].connection = -1
        sessions[session].disconnectedAt = now
        setGroupAvailability(session, false)
        instance(ofSession: session).connectionCount.subtract(1, ordering: .relaxed)
        settleWill(session, fate)
        let expiry = sessions[session].expirySeconds
        guard expiry > 0 else {
            endSession(session, .disconnected)
            return
        }
        enterAddress(session)
        recordSession(session)
        handOverShared(session)
        countWaiting(session)
        guard expiry < .max else { return }
        sessions[session].expiresAt = now.adding(seconds: Int64(expiry))
        scheduleExpiry(session)
    }

    mutating func settleWill(_ session: Int, _ fate: WillFate) {
        guard let will = sessions[session].will else { return }
        guard fate != .discard else {
            sessions[session].will = nil
            return
        }
        // Whichever comes first, the delay or the session's end [MQTT-3.1.3-9].
        let delay = min(will.delaySeconds, sessions[session].expirySeconds)
        guard delay > 0 || fate == .publishAfterStart else { return publishWill(session) }
        sessions[session].willDueAt = now.adding(seconds: Int64(delay))
        scheduleWill(session)
    }

    /// Publishes the will, once [MQTT-3.1.2-10].
    mutating func publishWill(_ session: Int) {
        guard let will = sessions[session].will else { return }
        sessions[session].will = nil
        sessions[session].willDueAt = .distantFuture
        publish(will.published(at: now), Int(sessions[session].tenant), publisher: sessions[session].handle)
        recordSession(session)
    }

    /// Publishes a message of the broker's own or a will.
    mutating func publish(_ message: Message, _ tenant: Int, publisher: SessionHandle? = nil) {
        var target: Range<Int>?
        if tenants[tenant].policies.p2p { target = DirectAddress.clientID(in: message.topicBytes.span) }
        var publication = Publication(
            qos: message.qos,
            // As a client's PUBLISH.
            retain: message.retain && target == nil,
            expiresAt: message.expiresAt,
            instance: message.instance,
            publisher: publisher,
        )
        publication.isAcknowledged = false
        if target != nil, let session = publisher.flatMap({ slot(of: $0) }) {
            publication.isDroppedAway = isDroppedAway(message.qos, of: session)
        }
        let bytes = message.bytes
        _ = publish(
            &publication,
            tenant,
            target: target,
            topic: bytes.span.extracting(0..<message.topicEnd),
            properties: bytes.span.extracting(message.topicEnd..<message.propertiesEnd),
            payload: bytes.span.extracting(message.propertiesEnd..<bytes.count),
            kept: message,
        )
    }

    /// The session's life changes: subscriptions say whether messages for it must be stored.
    mutating func changeExpiry(_ session: Int, seconds: UInt32) {
        let wasPersistent = sessions[session].isPersistent
        sessions[session].expirySeconds = seconds
        guard wasPersistent != sessions[session].isPersistent else { return }
        if !wasPersistent { recordNewSession(session) }
        reindex(session)
    }

    // MARK: - Shutdown

    /// The process is to end: 5.0 clients are told [MQTT-4.13], and where to go; every connection is flushed and closed.
    ///
    /// Wills are not published: the clients have not failed, the server goes (3.14.4 leaves it open).
    package mutating func beginShutdown() {
        isShuttingDown = true
        let reference = broker.serverReference
        var next = connections.firstOccupied(from: 0)
        while let slot = next {
            if connections[slot].phase == .connected {
                if connections[slot].version == .v5 { sendGoodbye(slot, to: reference) }
                detach(slot, will: .discard)
            }
            if connections[slot].disposition == .open { closeSilently(slot) }
            next = connections.firstOccupied(from: slot + 1)
        }
        tellSuppressed(all: true)
    }

    private mutating func sendGoodbye(_ slot: Int, to reference: String?) {
        if let reference {
            let packet = Disconnect(
                reasonCode: .useAnotherServer,
                reasonString: "the server is shutting down",
                serverReference: reference,
            )
            // It may be more than the client takes; the short form is not.
            if send(.disconnect(packet), to: slot) { return }
        }
        sendDisconnect(slot, .serverShuttingDown, "the server is shutting down")
    }
}
