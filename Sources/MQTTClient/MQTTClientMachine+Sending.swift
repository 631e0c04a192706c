public import MQTTCodec

extension MQTTClientMachine {
    /// Publishes a message; ``ClientEvent/published(_:_:reasonString:)`` tells when it is done.
    ///
    /// Messages of QoS 1 and 2 wait while the server's receive maximum is reached or there is no connection.
    ///
    /// - Parameter message: its packet identifier, DUP flag, topic alias and subscription identifiers are ignored.
    /// - Throws: ``ClientError/topicInvalid``, ``ClientError/queueFull``, and for QoS 0 ``ClientError/notConnected``.
    @discardableResult
    public mutating func publish(
        _ message: Publish,
        now: Duration,
        into actions: inout ClientActions,
    ) throws(ClientError) -> ClientToken {
        guard Self.isTopicName(message.topic) else { throw .topicInvalid }
        var message = message
        message.packetIdentifier = 0
        message.dup = false
        message.topicAlias = 0
        message.subscriptionIdentifiers = []
        if message.qos == .atMostOnce {
            guard phase == .connected else { throw .notConnected }
            let token = nextToken()
            let refusal = sendPublish(message, now: now, into: &actions)
            actions.events.append(.published(token, refusal ?? .success, reasonString: nil))
            return token
        }
        guard outbound.waitingCount < configuration.maximumWaiting else { throw .queueFull }
        let token = nextToken()
        outbound.append(message, token)
        sendWaiting(now: now, into: &actions)
        return token
    }

    /// Subscribes; ``ClientEvent/subscribed(_:_:reasonString:)`` brings the answer.
    ///
    /// - Parameter identifier: what the server shall mark matching messages with; 0 for nothing.
    @discardableResult
    public mutating func subscribe(
        _ subscriptions: [Subscribe.Request],
        identifier: UInt32 = 0,
        userProperties: [UserProperty] = [],
        now: Duration,
        into actions: inout ClientActions,
    ) throws(ClientError) -> ClientToken {
        guard identifier == 0 || server.subscriptionIdentifierAvailable else {
            throw .notSupportedByServer(.subscriptionIdentifiersNotSupported)
        }
        for subscription in subscriptions { try checkSupport(subscription.topicFilter) }
        return try request(subscriptions.map(\.topicFilter), isSubscribe: true, now: now, into: &actions) {
            .subscribe(
                Subscribe(
                    packetIdentifier: $0,
                    requests: subscriptions,
                    subscriptionIdentifier: identifier,
                    userProperties: userProperties,
                )
            )
        }
    }

    /// Ends subscriptions; ``ClientEvent/unsubscribed(_:_:reasonString:)`` brings the answer.
    @discardableResult
    public mutating func unsubscribe(
        _ topicFilters: [String],
        userProperties: [UserProperty] = [],
        now: Duration,
        into actions: inout ClientActions,
    ) throws(ClientError) -> ClientToken {
        try request(topicFilters, isSubscribe: false, now: now, into: &actions) {
            .unsubscribe(
                Unsubscribe(packetIdentifier: $0, topicFilters: topicFilters, userProperties: userProperties)
            )
        }
    }

    /// Acknowledges a message; only with ``ClientConfiguration/acknowledgesManually``.
    ///
    /// Of no effect when the message was acknowledged before, or when it is of QoS 1 and its connection is over: then the
    /// server sends it again.
    ///
    /// - Parameter reasonCode: an error refuses the message, which MQTT 3.x cannot express.
    public mutating func acknowledge(
        _ delivery: DeliveryToken,
        reasonCode: ReasonCode = .success,
        now: Duration,
        into actions: inout ClientActions,
    ) {
        let identifier = delivery.packetIdentifier
        let code = version == .v5 ? reasonCode : .success
        let type = inbound.acknowledged(identifier, serial: delivery.serial, isError: code.isError)
        guard let type, phase == .connected else { return }
        sendAcknowledgement(type, identifier, code, now: now, into: &actions)
    }

    /// Answers a step of enhanced authentication.
    public mutating func authenticate(
        data: [UInt8]?,
        now: Duration,
        into actions: inout ClientActions,
    ) throws(ClientError) {
        try sendAuth(.continueAuthentication, data, now: now, into: &actions)
    }

    /// Begins enhanced authentication anew on a connection that stands [MQTT-4.12.1-1].
    public mutating func reauthenticate(
        data: [UInt8]?,
        now: Duration,
        into actions: inout ClientActions,
    ) throws(ClientError) {
        guard phase == .connected else { throw .notConnected }
        try sendAuth(.reauthenticate, data, now: now, into: &actions)
    }
}

// MARK: - Details

extension MQTTClientMachine {
    /// Sends what waits, as far as the server's receive maximum allows.
    mutating func sendWaiting(now: Duration, into actions: inout ClientActions) {
        guard phase == .connected else { return }
        let window = min(Int(server.receiveMaximum), max(configuration.maximumInFlight, 1))
        while let next = outbound.next(window: window, identifiers: &identifiers) {
            var message = next.message
            message.packetIdentifier = next.identifier
            message.dup = next.isRepeated
            guard let refusal = sendPublish(message, now: now, into: &actions) else { continue }
            outbound.dropped(next.identifier)
            identifiers.giveBack(next.identifier)
            actions.events.append(.published(next.token, refusal, reasonString: nil))
        }
    }

    /// Sends a message, or says why the server would not take it.
    private mutating func sendPublish(
        _ message: Publish,
        now: Duration,
        into actions: inout ClientActions,
    ) -> ReasonCode? {
        guard message.qos <= server.maximumQoS else { return .qosNotSupported }
        guard !message.retain || server.retainAvailable else { return .retainNotSupported }
        return send(.publish(message), now: now, into: &actions) ? nil : .packetTooLarge
    }

    mutating func sendAcknowledgement(
        _ type: PacketType,
        _ identifier: PacketIdentifier,
        _ reasonCode: ReasonCode = .success,
        now: Duration,
        into actions: inout ClientActions,
    ) {
        AcknowledgementEncoder.append(
            to: &actions.bytes,
            type: type,
            packetIdentifier: identifier,
            reasonCode: reasonCode,
            version: version,
        )
        keepAlive?.sent(now)
    }

    private mutating func sendAuth(
        _ reasonCode: ReasonCode,
        _ data: [UInt8]?,
        now: Duration,
        into actions: inout ClientActions,
    ) throws(ClientError) {
        guard version == .v5, let method = configuration.connect.authenticationMethod else { throw .notInThisVersion }
        guard phase != .disconnected else { throw .notConnected }
        let packet = Auth(reasonCode: reasonCode, authenticationMethod: method, authenticationData: data)
        guard send(.auth(packet), now: now, into: &actions) else { throw .tooLarge }
    }

    /// - Returns: whether the server accepts a packet of this size.
    @discardableResult
    mutating func send(_ packet: Packet, now: Duration, into actions: inout ClientActions) -> Bool {
        let limit = server.maximumPacketSize.map { Int($0) } ?? .max
        guard packet.encode(into: &actions.bytes, version: version, maximumPacketSize: limit) else { return false }
        keepAlive?.sent(now)
        return true
    }

    private mutating func request(
        _ filters: [String],
        isSubscribe: Bool,
        now: Duration,
        into actions: inout ClientActions,
        packet: (PacketIdentifier) -> Packet,
    ) throws(ClientError) -> ClientToken {
        guard phase == .connected else { throw .notConnected }
        guard !filters.isEmpty, filters.allSatisfy({ !$0.isEmpty && !$0.utf8.contains(0) }) else {
            throw .topicFilterInvalid
        }
        guard let identifier = identifiers.take() else { throw .noPacketIdentifier }
        guard send(packet(identifier), now: now, into: &actions) else {
            identifiers.giveBack(identifier)
            throw .tooLarge
        }
        let token = nextToken()
        requests[identifier] = PendingRequest(token: token, isSubscribe: isSubscribe, count: filters.count)
        return token
    }

    /// Refuses what would make the server end the connection.
    private func checkSupport(_ filter: String) throws(ClientError) {
        if !server.sharedSubscriptionAvailable, filter.utf8.starts(with: "$share/".utf8) {
            throw .notSupportedByServer(.sharedSubscriptionsNotSupported)
        }
        if !server.wildcardSubscriptionAvailable, filter.utf8.contains(where: Self.isWildcard) {
            throw .notSupportedByServer(.wildcardSubscriptionsNotSupported)
        }
    }

    private static func isWildcard(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "+") || byte == UInt8(ascii: "#") }

    private static func isTopicName(_ topic: String) -> Bool {
        !topic.isEmpty && topic.utf8.count <= Int(UInt16.max) && !topic.utf8.contains { isWildcard($0) || $0 == 0 }
    }
}
