internal import ApusMemory
internal import ApusMessage
internal import ApusSession
internal import ApusStore
internal import ApusTopics
internal import MQTTCodec

// Management's side of a shard: see `Control`.

extension Shard {
    /// Publishes for management; answers when the message is safe.
    mutating func publish(_ message: ManagedPublish, _ answer: @escaping @Sendable (PublishReport) -> Void) {
        let tenant = tenant(of: message.instance)
        let topic = Array(message.topic.utf8)
        var target: Range<Int>?
        if tenants[tenant].policies.p2p { target = DirectAddress.clientID(in: topic.span) }
        if let refusal = refusal(of: message, topic.span, tenant, isDirect: target != nil) { return answer(refusal) }
        var publication = Publication(
            qos: message.qos,
            retain: message.retain && target == nil,
            expiresAt: .distantFuture,
            instance: message.instance,
            publisher: nil,
        )
        publication.isKept = true
        publication.transientNumber = nextNumber()
        publication.isDroppedAway = target != nil && message.isCleanSession
        let outcome = publish(
            &publication,
            tenant,
            target: target,
            topic: topic.span,
            properties: message.properties.span,
            payload: message.payload.span,
        )
        trace(.publishedByService, publication.number, tenant, sender: message.sender, topic: topic)
        let identity = publication.number.text(epoch: broker.epoch)
        let report: PublishReport
        switch outcome {
        case .matched: report = PublishReport(outcome: .accepted, messageID: identity)
        case .unmatched: report = PublishReport(outcome: .nobody, messageID: identity)
        case .dropped(let reason):
            let clientID = target.map { String(decoding: topic[$0], as: UTF8.self) } ?? ""
            trace(.dropped, publication.number, tenant, sender: clientID, topic: topic, reason)
            report = PublishReport(outcome: .nobody, messageID: identity)
        case .refused(let refusal):
            report = PublishReport(outcome: .refused(refusal.explanation), messageID: identity)
        }
        whenStored(publication.safeAt, ShardCall { _ in answer(report) })
    }

    /// Why a message through management is not taken: what binds devices binds it too.
    private mutating func refusal(
        of message: ManagedPublish,
        _ topic: Span<UInt8>,
        _ tenant: Int,
        isDirect: Bool,
    ) -> PublishReport? {
        func report(_ outcome: PublishReport.Outcome) -> PublishReport {
            PublishReport(outcome: outcome, messageID: "")
        }
        guard topic.count <= limits.topicBytes else {
            return report(.forbidden("the topic has \(topic.count) bytes; limits.topicBytes is \(limits.topicBytes)"))
        }
        guard !hasTooManyLevels(topic) else {
            return report(.forbidden("the topic has more levels than limits.topicLevels of \(limits.topicLevels)"))
        }
        let most = tenants[tenant].policies.maximumQoS
        guard message.qos <= most else {
            return report(.forbidden("the instance's policy maximumQoS is \(most.rawValue)"))
        }
        if message.retain, !isDirect {
            let kept = Message(
                topic: message.topic,
                payload: message.payload,
                properties: message.properties,
                instance: message.instance
            )
            let own = tenants[tenant].limits
            if let limit = tenants[tenant].instance.retained.reachedLimit(for: kept, own: own) {
                counters.drop(.retainedFull)
                return report(.refused("it cannot be retained: \(limit) is reached"))
            }
        }
        guard takePermit(tenant, now.milliseconds / 1000) else {
            counters.throttled += 1
            let most = tenants[tenant].limits.publishPerSecond
            return report(
                .throttled("the instance's limit publishPerSecond of \(most) is reached; try again in a second")
            )
        }
        return nil
    }

    func isConnected(_ instance: InstanceNumber, _ clientID: String) -> Bool {
        session(SessionKey(instance, clientID)).map { sessions[$0].isConnected } ?? false
    }

    func details(_ instance: InstanceNumber, _ clientID: String) -> SessionDetails? {
        guard let session = self.session(SessionKey(instance, clientID)) else { return nil }
        let backlog = store.backlog(of: sessions[session].handle)
        let isConnected = sessions[session].isConnected
        return SessionDetails(
            clientID: clientID,
            connection: isConnected ? connectionDetails(Int(sessions[session].connection)) : nil,
            isPersistent: sessions[session].isPersistent,
            expirySeconds: sessions[session].expirySeconds,
            disconnectedAt: isConnected ? nil : sessions[session].disconnectedAt.milliseconds,
            subscriptions: sessions[session].subscriptions.map { subscription in
                SessionDetails.SubscriptionDetails(
                    filter: subscription.filter.fullText,
                    qos: Int(subscription.options.qos.rawValue),
                    noLocal: subscription.options.noLocal,
                    retainAsPublished: subscription.options.retainAsPublished,
                )
            },
            inFlight: sessions[session].outbound.underWayCount,
            queuedMessages: backlog.messages,
            queuedBytes: backlog.bytes,
        )
    }

    private func connectionDetails(_ slot: Int) -> SessionDetails.ConnectionDetails {
        let details = connections[slot].details
        let version =
            switch connections[slot].version {
            case .v3_1: "3.1"
            case .v3_1_1: "3.1.1"
            case .v5: "5.0"
            }
        return SessionDetails.ConnectionDetails(
            address: details.peer.address,
            listener: details.peer.listener,
            version: version,
            userName: details.principal.userName,
            keepAliveSeconds: Int(connections[slot].keepAliveSeconds),
            connectedAt: details.connectedAt.milliseconds,
            lastSeenAt: connections[slot].lastReceived.milliseconds,
            channelID: details.channel.text(epoch: broker.epoch),
        )
    }

    /// Sessions looked at before other work comes first.
    private static var sessionsPerLook: Int { 4_096 }

    /// The client ids of an instance among the next sessions, and where to go on; `nil` at the end.
    func clientIDs(
        _ instance: InstanceNumber,
        from start: Int,
        connectedOnly: Bool,
    ) -> (clientIDs: [String], next: Int?) {
        guard let tenant = tenantsByNumber[instance] else { return ([], nil) }
        var found: [String] = []
        var next = sessions.firstOccupied(from: start)
        for _ in 0..<Self.sessionsPerLook {
            guard let session = next else { break }
            if sessions[session].tenant == tenant, sessions[session].isConnected || !connectedOnly {
                found.append(sessions[session].clientID)
            }
            next = sessions.firstOccupied(from: session + 1)
        }
        return (found, next)
    }

    mutating func disconnect(_ instance: InstanceNumber, _ clientID: String, _ explanation: String) -> Bool {
        guard let session = self.session(SessionKey(instance, clientID)),
            sessions[session].isConnected
        else { return false }
        disconnect(Int(sessions[session].connection), .administrativeAction, explanation)
        return true
    }

    /// Ends a session; answers when it is gone for good.
    mutating func endSession(
        _ instance: InstanceNumber,
        _ clientID: String,
        _ explanation: String,
        _ answer: @escaping @Sendable (Bool) -> Void,
    ) {
        guard let session = self.session(SessionKey(instance, clientID)) else {
            return answer(false)
        }
        if sessions[session].isConnected {
            disconnect(Int(sessions[session].connection), .administrativeAction, explanation)
        }
        // Without a life of its own it has ended with its connection.
        guard let session = self.session(SessionKey(instance, clientID)) else {
            return answer(true)
        }
        whenStored(endSession(session, .administrative), ShardCall { _ in answer(true) })
    }

    mutating func removeRetained(_ instance: InstanceNumber, _ topic: String) -> Bool {
        let empty = Message(topic: topic, payload: [], instance: instance)
        let update = broker.instance(instance).retained.update(empty, own: nil)
        guard let old = update.replaced else { return false }
        if old.position != .none { store.finished(old.position, by: .retained) }
        return true
    }

    /// The counters with the gauges of this moment.
    var currentCounters: Counters {
        var counters = counters
        counters.connections = connections.count
        counters.sessions = sessions.count
        let waiting = store.waitingTotal
        counters.queuedMessages = waiting.messages
        counters.queuedBytes = waiting.bytes
        return counters
    }
}
