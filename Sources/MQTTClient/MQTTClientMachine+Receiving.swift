internal import MQTTCodec

extension MQTTClientMachine {
    /// Bytes came from the server, cut anywhere.
    ///
    /// After a violation or a DISCONNECT the rest of them is ignored.
    public mutating func received(_ bytes: Span<UInt8>, now: Duration, into actions: inout ClientActions) {
        guard phase != .disconnected else { return }
        keepAlive?.received(now)
        guard !unparsed.isEmpty else {
            let used = handlePackets(bytes, now: now, into: &actions)
            if phase != .disconnected { unparsed.append(copying: bytes.extracting(used...)) }
            return
        }
        var buffer: [UInt8] = []
        swap(&buffer, &unparsed)
        buffer.append(copying: bytes)
        let used = handlePackets(buffer.span, now: now, into: &actions)
        buffer.removeFirst(used)
        if phase != .disconnected { unparsed = buffer }
    }

    /// Handles all packets that are complete.
    ///
    /// - Returns: how many bytes they took.
    private mutating func handlePackets(_ bytes: Span<UInt8>, now: Duration, into actions: inout ClientActions) -> Int {
        let limit = configuration.connect.maximumPacketSize.map { Int($0) } ?? FrameDecoder.largestPacket
        var offset = 0
        do {
            while phase != .disconnected,
                let frame = try FrameDecoder.next(bytes, at: offset, maximumPacketSize: limit)
            {
                let packet = try Packet.decode(bytes, frame: frame, version: version, sender: .server)
                offset = frame.end
                try handle(packet, now: now, into: &actions)
            }
        } catch let error as DecodeError {
            violated(ServerViolation(error.reasonCode, error.description), into: &actions)
        } catch let error as ServerViolation {
            violated(error, into: &actions)
        } catch {
            violated(ServerViolation(.unspecifiedError, "the packet cannot be read"), into: &actions)
        }
        return offset
    }

    /// Tells the server its mistake, where the version has words for it, and ends the connection.
    private mutating func violated(_ violation: ServerViolation, into actions: inout ClientActions) {
        if phase == .connected, version == .v5 {
            let packet = Disconnect(reasonCode: violation.reasonCode)
            Packet.disconnect(packet).encode(into: &actions.bytes, version: version)
        }
        end(into: &actions)
        actions.events.append(.protocolViolation(violation.reasonCode, violation.words))
    }

    private mutating func handle(
        _ packet: Packet,
        now: Duration,
        into actions: inout ClientActions,
    ) throws(ServerViolation) {
        switch (phase, packet) {
        case (.connecting, .connAck(let packet)):
            try accepted(packet, now: now, into: &actions)
        case (.connecting, .auth(let packet)), (.connected, .auth(let packet)):
            try authenticating(packet, into: &actions)
        case (.connecting, _):
            throw ServerViolation(.protocolError, "the first packet is no CONNACK [MQTT-3.2.0-1]")
        case (.connected, .publish(let packet)):
            try published(packet, now: now, into: &actions)
        case (.connected, .acknowledgement(let packet)):
            try acknowledged(packet, now: now, into: &actions)
        case (.connected, .subAck(let packet)):
            let token = try answered(packet.packetIdentifier, isSubscribe: true, packet.reasonCodes.count).token
            actions.events.append(.subscribed(token, packet.reasonCodes, reasonString: packet.reasonString))
            sendWaiting(now: now, into: &actions)
        case (.connected, .unsubAck(let packet)):
            let count = version == .v5 ? packet.reasonCodes.count : nil
            let request = try answered(packet.packetIdentifier, isSubscribe: false, count)
            let codes = count == nil ? Array(repeating: .success, count: request.count) : packet.reasonCodes
            actions.events.append(.unsubscribed(request.token, codes, reasonString: packet.reasonString))
            sendWaiting(now: now, into: &actions)
        case (.connected, .pingResp):
            keepAlive?.responded()
        case (.connected, .disconnect(let packet)):
            end(into: &actions)
            actions.events.append(.disconnected(packet))
        default:
            throw ServerViolation(.protocolError, "the server sent a packet that it must not send now")
        }
    }
}

// MARK: - Connecting

extension MQTTClientMachine {
    private mutating func accepted(
        _ packet: ConnAck,
        now: Duration,
        into actions: inout ClientActions,
    ) throws(ServerViolation) {
        guard packet.reasonCode == .success else {
            end(into: &actions)
            actions.events.append(.refused(packet))
            return
        }
        guard !packet.sessionPresent || !isCleanStart else {
            throw ServerViolation(.protocolError, "the server kept the session of a clean start [MQTT-3.2.2-2]")
        }
        if version == .v5 {
            guard packet.authenticationMethod == configuration.connect.authenticationMethod else {
                throw ServerViolation(
                    .protocolError,
                    "the authentication method is not that of CONNECT [MQTT-4.12.0-5]"
                )
            }
            guard !clientIdentifier.isEmpty || packet.assignedClientIdentifier?.isEmpty == false else {
                throw ServerViolation(.protocolError, "the server assigned no client identifier [MQTT-3.2.2-16]")
            }
        }
        phase = .connected
        server = packet
        clientIdentifier = packet.assignedClientIdentifier ?? clientIdentifier
        keepAlive = KeepAlive(
            interval: .seconds(Int(packet.serverKeepAliveSeconds ?? configuration.connect.keepAliveSeconds)),
            responseTimeout: configuration.pingTimeout,
            now: now,
        )
        actions.events.append(.connected(packet))
        resume(now: now, into: &actions)
    }

    /// Takes up the session, or begins a new one.
    private mutating func resume(now: Duration, into actions: inout ClientActions) {
        // A server of MQTT 3.1 cannot say whether it has the session, so its word is taken for it.
        let isPresent = server.sessionPresent || version == .v3_1 && !isCleanStart
        if !isPresent { inbound.sessionEnded() }
        let resumption = outbound.connected(sessionPresent: isPresent)
        for identifier in resumption.freed { identifiers.giveBack(identifier) }
        for token in resumption.abandoned { actions.events.append(.abandoned(token)) }
        for identifier in resumption.releases {
            sendAcknowledgement(.pubRel, identifier, now: now, into: &actions)
        }
        sendWaiting(now: now, into: &actions)
    }

    private func authenticating(_ packet: Auth, into actions: inout ClientActions) throws(ServerViolation) {
        guard let method = configuration.connect.authenticationMethod else {
            throw ServerViolation(.protocolError, "the client did not ask for authentication [MQTT-4.12.0-6]")
        }
        // The short form of a success leaves the method out.
        guard packet.authenticationMethod == method || packet.authenticationMethod == nil else {
            throw ServerViolation(.protocolError, "the authentication method is not that of CONNECT [MQTT-4.12.0-5]")
        }
        guard phase == .connected || packet.reasonCode == .continueAuthentication else {
            throw ServerViolation(.protocolError, "authentication ended without a CONNACK")
        }
        actions.events.append(.authentication(packet))
    }

    /// The request that an answer belongs to.
    ///
    /// - Parameter count: how many reason codes came; nil where the version has none.
    private mutating func answered(
        _ identifier: PacketIdentifier,
        isSubscribe: Bool,
        _ count: Int?,
    ) throws(ServerViolation) -> PendingRequest {
        guard let request = requests[identifier], request.isSubscribe == isSubscribe else {
            throw ServerViolation(.protocolError, "the answer belongs to no request")
        }
        guard count == nil || count == request.count else {
            throw ServerViolation(.protocolError, "the answer has not one reason code for each request [MQTT-3.8.4-6]")
        }
        requests[identifier] = nil
        identifiers.giveBack(identifier)
        return request
    }
}

// MARK: - Messages

extension MQTTClientMachine {
    private mutating func published(
        _ packet: Publish,
        now: Duration,
        into actions: inout ClientActions,
    ) throws(ServerViolation) {
        var message = packet
        message.topic = try aliases.resolve(packet)
        guard packet.qos != .atMostOnce else {
            actions.events.append(.message(message, nil))
            return
        }
        let identifier = packet.packetIdentifier
        let limit = Int(configuration.connect.receiveMaximum)
        switch inbound.published(identifier, packet.qos, version, receiveMaximum: limit) {
        case .ignore:
            break
        case .acknowledgeAgain:
            sendAcknowledgement(.pubRec, identifier, now: now, into: &actions)
        case .disconnect(.receiveMaximumExceeded):
            throw ServerViolation(.receiveMaximumExceeded, "more messages than the receive maximum [MQTT-3.3.4-9]")
        case .disconnect(let code):
            throw ServerViolation(code, "the packet identifier of a message is in use")
        case .deliver(let serial):
            let delivery = DeliveryToken(packetIdentifier: identifier, serial: serial)
            guard configuration.acknowledgesManually else {
                actions.events.append(.message(message, nil))
                acknowledge(delivery, now: now, into: &actions)
                return
            }
            actions.events.append(.message(message, delivery))
        }
    }

    private mutating func acknowledged(
        _ packet: Acknowledgement,
        now: Duration,
        into actions: inout ClientActions,
    ) throws(ServerViolation) {
        let identifier = packet.packetIdentifier
        switch packet.type {
        case .pubAck:
            guard case .done(let token) = outbound.acknowledged(identifier) else {
                throw ServerViolation(.protocolError, "a PUBACK belongs to no message")
            }
            done(token, packet, now: now, into: &actions)
        case .pubRec:
            switch outbound.received(identifier, isError: packet.reasonCode.isError) {
            case .release:
                sendAcknowledgement(.pubRel, identifier, now: now, into: &actions)
            case .done(let token):
                done(token, packet, now: now, into: &actions)
            case .unexpected:
                sendAcknowledgement(.pubRel, identifier, .packetIdentifierNotFound, now: now, into: &actions)
            }
        case .pubComp:
            // One that nobody waits for answers a PUBREL that nobody waited for either.
            guard case .done(let token) = outbound.completed(identifier) else { return }
            done(token, packet, now: now, into: &actions)
        default:
            let code: ReasonCode = inbound.released(identifier) ? .success : .packetIdentifierNotFound
            sendAcknowledgement(.pubComp, identifier, code, now: now, into: &actions)
        }
    }

    private mutating func done(
        _ token: ClientToken,
        _ packet: Acknowledgement,
        now: Duration,
        into actions: inout ClientActions,
    ) {
        identifiers.giveBack(packet.packetIdentifier)
        actions.events.append(.published(token, packet.reasonCode, reasonString: packet.reasonString))
        sendWaiting(now: now, into: &actions)
    }
}
