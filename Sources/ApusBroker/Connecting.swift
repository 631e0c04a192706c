internal import ApusLocks
internal import ApusMemory
package import ApusMessage
internal import ApusSession
internal import ApusStore
internal import MQTTCodec
internal import Synchronization

// CONNECT → authentication → session → CONNACK.

extension Shard {
    /// A connection was accepted, has its handshakes behind it, or came over from another shard.
    ///
    /// - Parameter acceptedAt: when its socket was accepted, if that was before now: CONNECT and authentication must be
    ///   over `connectSeconds` after that, whatever came in between.
    /// - Returns: its slot, valid until `closed` or `takeMoving`.
    package mutating func opened(_ peer: Peer, acceptedAt: Timestamp? = nil) -> Int {
        let acceptedAt = acceptedAt ?? now
        let details = ConnectionDetails(peer: peer, acceptedAt: acceptedAt)
        let slot = connections.insert(Connection(details: details, now: now))
        counters.connectionsAccepted += 1
        schedule(.connectDeadline, slot: slot, at: acceptedAt.adding(seconds: Int64(limits.connectSeconds)))
        if isShuttingDown { closeSilently(slot) }
        return slot
    }

    /// When the connection was accepted.
    package func acceptedAt(_ slot: Int) -> Timestamp { connections[slot].details.acceptedAt }

    /// Takes out a connection whose disposition is `move`; frees the slot.
    ///
    /// - Returns: what the other shard needs: `opened(peer, acceptedAt:)` with the `acceptedAt` of before, then
    ///   `received(bytes)`.
    package mutating func takeMoving(_ slot: Int) -> (peer: Peer, bytes: [UInt8]) {
        let peer = connections[slot].details.peer
        var bytes: [UInt8] = []
        swap(&bytes, &connections[slot].unparsed)
        counters.connectionsAccepted -= 1
        free(slot)
        return (peer, bytes)
    }

    // MARK: - CONNECT

    mutating func receiveConnect(_ slot: Int, _ packet: Connect) {
        var connect = packet
        connections[slot].version = connect.version
        let details = connections[slot].details
        details.wantsProblemInformation = connect.requestProblemInformation
        if let size = connect.maximumPacketSize { connections[slot].maximumPacketBytes = size }
        if connect.clientIdentifier.isEmpty {
            // [MQTT-3.1.3-7] is of 5.0; before, an empty id needs a clean session [v3 MQTT-3.1.3-7].
            guard connect.version == .v5 || (connect.version == .v3_1_1 && connect.cleanStart) else {
                return refuse(slot, .clientIdentifierNotValid, "an empty client id needs a clean session")
            }
            repeat {
                connect.clientIdentifier = assignedIDs.next()
            } while broker.homeShard(of: connect.clientIdentifier) != index
            details.assignedClientID = true
        }
        let home = broker.homeShard(of: connect.clientIdentifier)
        guard home == index else {
            connections[slot].disposition = .move(toShard: home)
            connections[slot].isHeld = true
            return markDirty(slot)
        }
        counters.connectPackets += 1
        details.clientID = connect.clientIdentifier
        switch broker.instances.resolve(userName: connect.userName, peer: details.peer) {
        case .refused(let explanation, let settings):
            if let settings { enter(slot, settings) }
            return refuse(slot, .notAuthorized, explanation, toClient: "the instance takes no connections")
        case .instance(let settings): enter(slot, settings)
        }
        if let will = connect.will, let rejection = rejection(of: will, slot) {
            return refuse(slot, rejection.0, rejection.1)
        }
        authenticate(slot, connect)
    }

    /// The connection is for this instance, and in its trace from now on.
    private mutating func enter(_ slot: Int, _ settings: InstanceSettings) {
        let tenant = tenant(of: settings)
        connections[slot].tenant = Int32(truncatingIfNeeded: tenant)
        tenants[tenant].users += 1
        connections[slot].details.channel = nextNumber()
    }

    private func rejection(of will: Will, _ slot: Int) -> (ReasonCode, String)? {
        if will.payloadFormatIsUTF8, !UTF8Validation.isValid(will.payload.span, range: 0..<will.payload.count) {
            return (.payloadFormatInvalid, "the will's payload is declared UTF-8 and is not")
        }
        let maximum = policies(slot).maximumQoS
        if will.qos > maximum { return (.qosNotSupported, "the will's QoS is above \(maximum.rawValue)") }
        let largest = instanceLimits(slot).payloadBytes
        if largest > 0, will.payload.count > largest {
            return (.packetTooLarge, "the will's payload is above the instance's limit payloadBytes of \(largest)")
        }
        if will.topic.utf8.count > limits.topicBytes || hasTooManyLevels(Array(will.topic.utf8).span) {
            return (.topicNameInvalid, "the will's topic is too long or has too many levels")
        }
        return nil
    }

    // MARK: - Authentication

    private mutating func authenticate(_ slot: Int, _ connect: Connect) {
        let details = connections[slot].details
        connections[slot].phase = .authenticating
        let request = AuthenticationRequest(
            peer: details.peer,
            instance: tenants[Int(connections[slot].tenant)].number,
            clientID: connect.clientIdentifier,
            userName: connect.userName,
            password: connect.password,
            version: connect.version,
            now: now,
        )
        details.pendingConnect = connect
        if let method = connect.authenticationMethod {
            guard let exchange = broker.authenticator.enhancedAuthentication(method: method, request: request) else {
                return refuse(slot, .badAuthenticationMethod, "the authentication method is not supported here")
            }
            details.authenticationMethod = method
            details.enhancedAuthentication = exchange
            return continueAuthentication(slot, connect.authenticationData ?? [])
        }
        let reply = AuthenticationReply()
        let generation = connections.generation(of: slot)
        broker.authenticator.authenticate(request) { [broker, index] outcome in
            if reply.arrived(outcome) {
                broker.post(to: index, .authenticated(slot: slot, generation: generation, outcome))
            }
        }
        // Most authenticators answer from memory; only the others make the connection wait.
        if let outcome = reply.waitNoLonger() {
            authenticated(slot, outcome)
        } else {
            connections[slot].isHeld = true
        }
    }

    /// An authenticator's answer has come by mail.
    mutating func authenticated(_ slot: Int, generation: UInt32, _ outcome: AuthenticationOutcome) {
        guard
            connections.contains(slot, generation: generation),
            connections[slot].phase == .authenticating
        else { return }
        connections[slot].isHeld = false
        authenticated(slot, outcome)
        if connections[slot].phase == .connected, !connections[slot].isHeld { processHeldBytes(slot) }
    }

    private mutating func authenticated(_ slot: Int, _ outcome: AuthenticationOutcome) {
        switch outcome {
        case .accepted(let principal):
            accept(slot, principal, authenticationData: nil)
        case .refused(let reasonCode, let explanation, let clientExplanation):
            refuseLogin(slot, reasonCode, explanation, toClient: clientExplanation)
        }
    }

    /// Refuses whom an authenticator has refused, and says which instance that was where the user name does not.
    private mutating func refuseLogin(
        _ slot: Int,
        _ reasonCode: ReasonCode,
        _ explanation: String,
        toClient clientExplanation: String?,
        userName claimed: String? = nil,
    ) {
        let details = connections[slot].details
        let id = tenants[Int(connections[slot].tenant)].id
        let mayBeAnothers = [.badUserNameOrPassword, .notAuthorized, .clientIdentifierNotValid, .banned]
            .contains(reasonCode)
        guard mayBeAnothers, !id.isEmpty,
            let reason = broker.instances.reason(userName: details.pendingConnect?.userName, peer: details.peer)
        else { return refuse(slot, reasonCode, explanation, toClient: clientExplanation, userName: claimed) }
        refuse(
            slot,
            reasonCode,
            "\(explanation); instance `\(id)` has decided: \(reason)",
            toClient: "\(clientExplanation ?? explanation); instance `\(id)` has decided",
            userName: claimed,
        )
    }

    /// The next data of an enhanced authentication [MQTT-4.12.0-2].
    private mutating func continueAuthentication(_ slot: Int, _ data: [UInt8]) {
        let details = connections[slot].details
        guard var exchange = details.enhancedAuthentication else { return }
        let step = exchange.received(data)
        details.enhancedAuthentication = exchange
        switch step {
        case .challenge(let challenge):
            send(authPacket(slot, .continueAuthentication, challenge), to: slot)
        case .accepted(let principal, let data):
            details.enhancedAuthentication = nil
            if details.isReauthenticating {
                guard principal.userName.map(ExactText.init) == details.principal.userName.map(ExactText.init) else {
                    return disconnect(slot, .notAuthorized, "a re-authentication cannot change the user")
                }
                details.isReauthenticating = false
                replacePrincipal(slot, principal)
                send(authPacket(slot, .success, data), to: slot)
            } else {
                accept(slot, principal, authenticationData: data)
            }
        case .refused(let reasonCode, let explanation, let clientExplanation):
            details.enhancedAuthentication = nil
            if details.isReauthenticating {
                // [MQTT-4.12.1-2]: a failed re-authentication ends the connection. Most reasons of a CONNACK may not
                // stand in a DISCONNECT.
                disconnect(
                    slot,
                    .notAuthorized,
                    "\(reasonCode): \(explanation)",
                    toClient: clientExplanation ?? explanation
                )
            } else {
                refuseLogin(
                    slot,
                    reasonCode,
                    explanation,
                    toClient: clientExplanation,
                    userName: exchange.claimedUserName
                )
            }
        }
    }

    private func authPacket(_ slot: Int, _ reasonCode: ReasonCode, _ data: [UInt8]) -> Packet {
        .auth(
            Auth(
                reasonCode: reasonCode,
                authenticationMethod: connections[slot].details.authenticationMethod,
                authenticationData: data.isEmpty ? nil : data,
            ),
        )
    }

    mutating func receiveAuth(_ slot: Int, _ auth: Auth) {
        let details = connections[slot].details
        guard let method = details.authenticationMethod else {
            // [MQTT-4.12.0-6]: without a method in CONNECT there is no AUTH.
            return violate(
                slot,
                .protocolError,
                rule: "MQTT-4.12.0-6",
                "AUTH without an authentication method in CONNECT"
            )
        }
        guard auth.authenticationMethod == method else {
            return violate(
                slot,
                .protocolError,
                rule: details.isReauthenticating || connections[slot].phase == .connected
                    ? "MQTT-4.12.1-1" : "MQTT-4.12.0-5",
                "AUTH names another authentication method than CONNECT",
            )
        }
        switch auth.reasonCode {
        case .continueAuthentication where details.enhancedAuthentication != nil:
            continueAuthentication(slot, auth.authenticationData ?? [])
        case .reauthenticate where connections[slot].phase == .connected && details.enhancedAuthentication == nil:
            let request = AuthenticationRequest(
                peer: details.peer,
                instance: tenants[Int(connections[slot].tenant)].number,
                clientID: details.clientID,
                userName: nil,
                password: nil,
                version: connections[slot].version,
                now: now,
            )
            details.enhancedAuthentication = broker.authenticator.enhancedAuthentication(
                method: method,
                request: request,
            )
            details.isReauthenticating = true
            guard details.enhancedAuthentication != nil else {
                return disconnect(slot, .badAuthenticationMethod, "the authentication method is no longer supported")
            }
            continueAuthentication(slot, auth.authenticationData ?? [])
        default:
            violate(slot, .protocolError, rule: "MQTT-4.12.0-3", "AUTH does not fit the state of the authentication")
        }
    }

    /// The client has proven something else than before; its session stays.
    mutating func replacePrincipal(_ slot: Int, _ principal: Principal) {
        let details = connections[slot].details
        details.principal = principal
        connections[slot].authorized.revision = .max
        schedulePrincipal(slot)
        endForbiddenSubscriptions(ofSession: Int(connections[slot].session))
    }

    // MARK: - Acceptance

    private mutating func accept(_ slot: Int, _ principal: Principal, authenticationData: [UInt8]?) {
        let details = connections[slot].details
        guard let connect = details.pendingConnect else { return }
        details.pendingConnect = nil
        details.principal = principal
        if let will = connect.will {
            let denial =
                isReserved(will.topic)
                ? AccessDenial.noRight : broker.authorizer?.denial(of: .publish, to: will.topic, for: principal)
            if let denial {
                return refuse(slot, .notAuthorized, "the will: \(publishDenial(slot, will.topic, denial))")
            }
        }
        let tenant = Int(connections[slot].tenant)
        let live = session(tenant, connect.clientIdentifier)
        // Where a device is known by its client id, it keeps its session whatever way it logs in.
        if !tenants[tenant].policies.requiresGroup, let live, let owner = sessions[live].userName,
            ExactText(owner) != ExactText(principal.userName ?? "")
        {
            return refuse(slot, .clientIdentifierNotValid, "the client id belongs to a session of another user")
        }
        if live == nil, broker.sessionCount.load(ordering: .relaxed) >= limits.sessions {
            return refuse(slot, .quotaExceeded, "the broker is at its limit of \(limits.sessions) sessions")
        }
        if cannotStoreSession(connect, live: live) {
            return refuse(slot, .serverUnavailable, (store.refusal ?? .failed).explanation)
        }
        if let live, sessions[live].isConnected {
            if tenants[tenant].policies.duplicateClientID == .refuse, !isGhost(live) {
                return refuseDuplicate(slot, of: live)
            }
            takeOver(live)
        }
        guard broker.connectionCount.load(ordering: .relaxed) < limits.connections else {
            return refuse(slot, .quotaExceeded, "the broker is at its limit connections of \(limits.connections)")
        }
        let most = tenants[tenant].limits.connections
        guard most == 0 || tenants[tenant].instance.connectionCount.load(ordering: .relaxed) < most else {
            return refuse(slot, .quotaExceeded, "the instance is at its limit connections of \(most)")
        }
        broker.connectionCount.add(1, ordering: .relaxed)
        tenants[tenant].instance.connectionCount.add(1, ordering: .relaxed)
        details.connectedAt = now
        let (present, position) = startSession(slot, connect)
        connections[slot].phase = .connected
        // Only a 5.0 client is told of a maximum; the others have their 65,535 identifiers.
        connections[slot].receiveMaximum = connect.version == .v5 ? limits.receiveMaximum : .max
        connections[slot].acceptedPacketBytes = UInt32(clamping: limits.packetBytes)
        details.cleanStart = connect.cleanStart
        let allowedAliases = topicAliases(slot)
        details.inboundAliasMaximum = allowedAliases
        let aliases = min(connect.topicAliasMaximum, allowedAliases)
        details.outboundAliasMaximum = aliases
        connections[slot].usesTopicAliases = aliases > 0
        startKeepAlive(slot, connect)
        let answer = connAck(slot, connect, present: present, authenticationData: authenticationData)
        guard sendConnAck(slot, answer, until: position) else {
            detach(slot, will: .discard)
            return refuse(slot, .packetTooLarge, "the client's maximum packet size has no room for a CONNACK")
        }
        trace(.connected, connection: slot, CloseReason.accepted)
        record(.info, "client.connected", slot, [("version", "\(connect.version)"), ("resumed", "\(present)")])
        if present {
            endForbiddenSubscriptions(ofSession: Int(connections[slot].session))
            resume(slot)
        }
        schedulePrincipal(slot)
    }

    /// Whether a connection is so long silent that its peer must be taken for dead: longer than its keep alive.
    private func isGhost(_ session: Int) -> Bool {
        let slot = Int(sessions[session].connection)
        let keepAlive = Int64(connections[slot].keepAliveSeconds)
        // One that the broker itself does not read is not silent.
        guard keepAlive > 0, !connections[slot].isPaused, !connections[slot].isHeld else { return false }
        return connections[slot].lastReceived.adding(seconds: keepAlive) < now
    }

    /// Refuses a client id that is in use, and has the connection that uses it probed, so that a dead one does not lock
    /// its own device out.
    private mutating func refuseDuplicate(_ slot: Int, of session: Int) {
        let holder = Int(sessions[session].connection)
        let seconds = max(0, (now.milliseconds - connections[holder].details.connectedAt.milliseconds) / 1000)
        let address = connections[holder].details.peer.address
        probes.append((holder, connections.generation(of: holder)))
        refuse(
            slot,
            .clientIdentifierNotValid,
            "the client id is in use since \(seconds) s by a connection from \(address), which is being probed; policy "
                + "duplicateClientId is refuse",
            toClient: "the client id is in use since \(seconds) s by another connection",
        )
    }

    /// Topic aliases each way for the connection's client.
    func topicAliases(_ slot: Int) -> UInt16 {
        UInt16(clamping: Tenant.lower(Int(instanceLimits(slot).topicAliases), Int(limits.topicAliases)))
    }

    private mutating func startKeepAlive(_ slot: Int, _ connect: Connect) {
        var keepAlive = connect.keepAliveSeconds
        // Only a 5.0 client can be told of another keep alive [MQTT-3.1.2-21]; for others theirs holds.
        let own = instanceLimits(slot).keepAliveSeconds
        let most =
            own == 0 || limits.keepAliveSeconds == 0
            ? max(own, limits.keepAliveSeconds) : min(own, limits.keepAliveSeconds)
        if most > 0, connect.version == .v5, keepAlive == 0 || keepAlive > most {
            keepAlive = most
            connections[slot].details.serverKeepAlive = keepAlive
        }
        connections[slot].keepAliveSeconds = keepAlive
        // Most are set up within the time for CONNECT: the timer for that, which is there already, goes on with this.
        let connectDeadline = connections[slot].details.acceptedAt.adding(seconds: Int64(limits.connectSeconds))
        if keepAlive > 0, keepAliveDeadline(slot) < connectDeadline { scheduleKeepAlive(slot) }
    }

    /// Sends CONNACK when the store holds what it says; until then nothing of the client is read [MQTT-3.2.0-1].
    ///
    /// - Returns: whether the client has room for it.
    private mutating func sendConnAck(_ slot: Int, _ answer: ConnAck, until position: StorePosition) -> Bool {
        guard let bytes = encoded(.connAck(answer), for: slot) else { return false }
        if position > store.committed {
            connections[slot].details.awaitsConnAck = true
            connections[slot].isHeld = true
        }
        sendWhenStored(slot, .connAck(bytes), until: position)
        return true
    }

    private func connAck(
        _ slot: Int,
        _ connect: Connect,
        present: Bool,
        authenticationData: [UInt8]?,
    ) -> ConnAck {
        var answer = ConnAck(sessionPresent: present)
        if connect.version == .v5 {
            let granted = sessions[Int(connections[slot].session)].expirySeconds
            if granted != connect.sessionExpiryInterval { answer.sessionExpiryInterval = granted }
            answer.receiveMaximum = connections[slot].receiveMaximum
            answer.maximumQoS = policies(slot).maximumQoS
            answer.maximumPacketSize = connections[slot].acceptedPacketBytes
            if connections[slot].details.assignedClientID { answer.assignedClientIdentifier = connect.clientIdentifier }
            answer.topicAliasMaximum = topicAliases(slot)
            answer.serverKeepAliveSeconds = connections[slot].details.serverKeepAlive
            answer.authenticationMethod = connect.authenticationMethod
            if let authenticationData, !authenticationData.isEmpty { answer.authenticationData = authenticationData }
        }
        return answer
    }

    /// Refuses a CONNECT: CONNACK with the reason where the version has one, then close [MQTT-3.1.4-2, MQTT-3.2.2-7].
    ///
    /// - Parameters:
    ///   - explanation: for the log.
    ///   - clientExplanation: for the client, when it may not know all that the log says.
    ///   - userName: whom the client says to be, when CONNECT does not say it.
    ///   - isLogged: whether the event stands in the log already.
    mutating func refuse(
        _ slot: Int,
        _ reasonCode: ReasonCode,
        _ explanation: String,
        toClient clientExplanation: String? = nil,
        userName: String? = nil,
        isLogged: Bool = false,
    ) {
        counters.connectionsRefused += 1
        trace(.refused, connection: slot, CloseReason.ofRefusal(reasonCode), explanation)
        let tenant = connections[slot].tenant
        if !isLogged, let suppressed = admits(.notice, "client.refused", "\(reasonCode)", tenant: tenant) {
            var fields: [(String, String)] = [("reason", "\(reasonCode)"), ("explanation", explanation)]
            if let name = connections[slot].details.pendingConnect?.userName ?? userName {
                fields.append(("user_name", name))
            }
            if suppressed > 0 { fields.append(("suppressed_before", "\(suppressed)")) }
            record(.notice, "client.refused", slot, fields)
        }
        let version = connections[slot].version
        // Whoever never sent a readable CONNECT gets no answer: it may not speak MQTT at all. Before 5.0 nor does one
        // whose CONNECT is malformed [v3 MQTT-3.1.4-1]: there is no return code for that.
        let isMalformed = [.malformedPacket, .protocolError, .topicNameInvalid].contains(reasonCode)
        if connections[slot].details.hasAnnouncedVersion, version == .v5 || !isMalformed {
            var answer = ConnAck(reasonCode: reasonCode)
            if version == .v5 { answer.reasonString = clientExplanation ?? explanation }
            send(.connAck(answer), to: slot)
        }
        closeSilently(slot)
    }

    /// Reads no more, sends what is queued, closes.
    mutating func closeSilently(_ slot: Int) {
        connections[slot].phase = .closing
        connections[slot].unparsed = []
        connections[slot].disposition = .closeAfterFlush
        connections[slot].details.pendingConnect = nil
        markDirty(slot)
    }

    mutating func record(_ level: EventLevel, _ name: String, _ slot: Int, _ more: [(String, String)]) {
        broker.events.record(BrokerEvent(level, name, clientFields(slot) + more))
    }

    /// Topics that only the broker publishes to.
    func isReserved(_ topic: String) -> Bool {
        // By bytes: as characters, a slash with a combining mark behind it is another character.
        topic.utf8.starts(with: "$SYS/".utf8) || topic.utf8.elementsEqual("$SYS".utf8)
    }
}

/// Where an authenticator's answer and the shard's waiting meet, whichever comes first.
private final class AuthenticationReply: Sendable {
    private enum State: Sendable {
        case expected
        case arrived(AuthenticationOutcome)
        case byMail
    }

    private let state = Guarded(State.expected)

    /// - Returns: whether the answer must travel by mail because the shard waits no longer.
    func arrived(_ outcome: AuthenticationOutcome) -> Bool {
        state.withLock { state in
            if case .byMail = state { return true }
            state = .arrived(outcome)
            return false
        }
    }

    /// The answer, if it came at once; otherwise it will come by mail.
    func waitNoLonger() -> AuthenticationOutcome? {
        state.withLock { state in
            if case .arrived(let outcome) = state { return outcome }
            state = .byMail
            return nil
        }
    }
}
