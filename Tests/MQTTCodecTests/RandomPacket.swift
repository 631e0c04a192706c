import MQTTCodec

/// Makes packets that are legal in a version and from a side, with every field at some time present.
struct RandomPacket {
    var random: SeededRandom
    let version: ProtocolVersion

    var isNew: Bool { version == .v5 }

    mutating func packet(_ type: PacketType, from sender: Sender) -> Packet {
        switch type {
        case .connect: .connect(connect())
        case .connAck: .connAck(connAck())
        case .publish: .publish(publish(from: sender))
        case .pubAck, .pubRec, .pubRel, .pubComp: .acknowledgement(acknowledgement(type))
        case .subscribe: .subscribe(subscribe())
        case .subAck: .subAck(subAck())
        case .unsubscribe:
            .unsubscribe(
                Unsubscribe(
                    packetIdentifier: identifier(),
                    topicFilters: random.array(1...4) { Self.text(&$0, 1...30) },
                    userProperties: userProperties(),
                )
            )
        case .unsubAck: .unsubAck(unsubAck())
        case .pingReq: .pingReq
        case .pingResp: .pingResp
        case .disconnect: .disconnect(disconnect(from: sender))
        case .auth: .auth(auth(from: sender))
        }
    }

    // MARK: - Packets

    private mutating func connect() -> Connect {
        var packet = Connect(
            version: version,
            clientIdentifier: Self.text(&random, 0...40),
            cleanStart: random.chance(0.5),
            keepAliveSeconds: random.number(0...UInt16.max),
            will: random.chance(0.5) ? will() : nil,
            userName: random.maybe { Self.text(&$0, 0...20) },
        )
        if isNew || packet.userName != nil { packet.password = random.maybe { Self.bytes(&$0) } }
        guard isNew else { return packet }
        packet.sessionExpiryInterval = random.number(0...UInt32.max)
        packet.receiveMaximum = random.number(1...UInt16.max)
        packet.maximumPacketSize = random.maybe { $0.number(1...UInt32.max) }
        packet.topicAliasMaximum = random.number(0...UInt16.max)
        packet.requestResponseInformation = random.chance(0.5)
        packet.requestProblemInformation = random.chance(0.5)
        packet.userProperties = userProperties()
        packet.authenticationMethod = random.maybe { Self.text(&$0, 0...10) }
        if packet.authenticationMethod != nil { packet.authenticationData = random.maybe { Self.bytes(&$0) } }
        return packet
    }

    private mutating func will() -> Will {
        Will(
            topic: Self.text(&random, 1...30),
            payload: Self.bytes(&random),
            qos: random.pick(QoS.allCases),
            retain: random.chance(0.5),
            willDelayInterval: isNew ? random.number(0...UInt32.max) : 0,
            messageExpiryInterval: isNew ? random.maybe { $0.number(0...UInt32.max) } : nil,
            properties: isNew ? messageProperties() : MessageProperties(),
        )
    }

    private mutating func connAck() -> ConnAck {
        let old = ConnectReturnCode.allCases.map(\.reasonCode)
        var packet = ConnAck(reasonCode: random.pick(isNew ? old + [.banned, .quotaExceeded, .serverMoved] : old))
        packet.sessionPresent = version > .v3_1 && packet.reasonCode == .success && random.chance(0.5)
        guard isNew else { return packet }
        packet.sessionExpiryInterval = random.maybe { $0.number(0...UInt32.max) }
        packet.receiveMaximum = random.number(1...UInt16.max)
        packet.maximumQoS = random.pick(QoS.allCases)
        packet.retainAvailable = random.chance(0.5)
        packet.maximumPacketSize = random.maybe { $0.number(1...UInt32.max) }
        packet.assignedClientIdentifier = random.maybe { Self.text(&$0, 0...20) }
        packet.topicAliasMaximum = random.number(0...UInt16.max)
        packet.reasonString = random.maybe { Self.text(&$0, 0...20) }
        packet.userProperties = userProperties()
        packet.wildcardSubscriptionAvailable = random.chance(0.5)
        packet.subscriptionIdentifierAvailable = random.chance(0.5)
        packet.sharedSubscriptionAvailable = random.chance(0.5)
        packet.serverKeepAliveSeconds = random.maybe { $0.number(0...UInt16.max) }
        packet.responseInformation = random.maybe { Self.text(&$0, 0...20) }
        packet.serverReference = random.maybe { Self.text(&$0, 0...20) }
        packet.authenticationMethod = random.maybe { Self.text(&$0, 0...20) }
        if packet.authenticationMethod != nil { packet.authenticationData = random.maybe { Self.bytes(&$0) } }
        return packet
    }

    private mutating func publish(from sender: Sender) -> Publish {
        let qos = random.pick(QoS.allCases)
        var packet = Publish(
            topic: Self.text(&random, 1...60),
            payload: Self.bytes(&random),
            qos: qos,
            packetIdentifier: qos == .atMostOnce ? 0 : identifier(),
            dup: qos != .atMostOnce && random.chance(0.5),
            retain: random.chance(0.5),
        )
        guard isNew else { return packet }
        packet.topicAlias = random.maybe { $0.number(1...UInt16.max) } ?? 0
        if packet.topicAlias != 0, random.chance(0.5) { packet.topic = "" }
        packet.messageExpiryInterval = random.maybe { $0.number(0...UInt32.max) }
        packet.properties = messageProperties()
        if sender == .server {
            packet.subscriptionIdentifiers = random.array(0...3) { $0.number(1...268_435_455) }
        }
        return packet
    }

    private mutating func acknowledgement(_ type: PacketType) -> Acknowledgement {
        var packet = Acknowledgement(type: type, packetIdentifier: identifier())
        guard isNew else { return packet }
        let isSecondHalf = type == .pubRel || type == .pubComp
        packet.reasonCode = random.pick(
            isSecondHalf ? [.success, .packetIdentifierNotFound] : [.success, .noMatchingSubscribers, .quotaExceeded]
        )
        packet.reasonString = random.maybe { Self.text(&$0, 0...20) }
        packet.userProperties = userProperties()
        return packet
    }

    private mutating func subscribe() -> Subscribe {
        let isNew = isNew
        return Subscribe(
            packetIdentifier: identifier(),
            requests: random.array(1...4) { random in
                let options = SubscriptionOptions(
                    qos: random.pick(QoS.allCases),
                    noLocal: isNew && random.chance(0.5),
                    retainAsPublished: isNew && random.chance(0.5),
                    retainHandling: isNew ? random.pick(RetainHandling.allCases) : .sendAtSubscribe,
                )
                return Subscribe.Request(Self.text(&random, 1...30), options)
            },
            subscriptionIdentifier: isNew ? random.maybe { $0.number(1...268_435_455) } ?? 0 : 0,
            userProperties: userProperties(),
        )
    }

    private mutating func subAck() -> SubAck {
        let codes: [ReasonCode] =
            switch version {
            case .v3_1: [.success, .grantedQoS1, .grantedQoS2]
            case .v3_1_1: [.success, .grantedQoS1, .grantedQoS2, .unspecifiedError]
            case .v5: [.success, .grantedQoS1, .grantedQoS2, .notAuthorized, .wildcardSubscriptionsNotSupported]
            }
        return SubAck(
            packetIdentifier: identifier(),
            reasonCodes: random.array(1...5) { $0.pick(codes) },
            reasonString: isNew ? random.maybe { Self.text(&$0, 0...20) } : nil,
            userProperties: userProperties(),
        )
    }

    private mutating func unsubAck() -> UnsubAck {
        UnsubAck(
            packetIdentifier: identifier(),
            reasonCodes: isNew
                ? random.array(1...5) { $0.pick([.success, .noSubscriptionExisted, .notAuthorized]) } : [],
            reasonString: isNew ? random.maybe { Self.text(&$0, 0...20) } : nil,
            userProperties: userProperties(),
        )
    }

    private mutating func disconnect(from sender: Sender) -> Disconnect {
        guard isNew else { return Disconnect() }
        var packet = Disconnect(
            reasonCode: random.pick([.success, .protocolError, sender == .client ? .disconnectWithWill : .serverBusy]),
            reasonString: random.maybe { Self.text(&$0, 0...20) },
            userProperties: userProperties(),
        )
        if sender == .client {
            packet.sessionExpiryInterval = random.maybe { $0.number(0...UInt32.max) }
        } else {
            packet.serverReference = random.maybe { Self.text(&$0, 0...20) }
        }
        return packet
    }

    private mutating func auth(from sender: Sender) -> Auth {
        Auth(
            reasonCode: random.pick([.continueAuthentication, sender == .client ? .reauthenticate : .success]),
            authenticationMethod: Self.text(&random, 0...20),
            authenticationData: random.maybe { Self.bytes(&$0) },
            reasonString: random.maybe { Self.text(&$0, 0...20) },
            userProperties: userProperties(),
        )
    }

    // MARK: - Fields

    private mutating func identifier() -> PacketIdentifier { random.number(1...UInt16.max) }

    private mutating func messageProperties() -> MessageProperties {
        MessageProperties(
            payloadFormat: random.maybe { $0.pick(PayloadFormat.allCases) },
            contentType: random.maybe { Self.text(&$0, 0...20) },
            responseTopic: random.maybe { Self.text(&$0, 1...20) },
            correlationData: random.maybe { Self.bytes(&$0) },
            userProperties: userProperties(),
        )
    }

    private mutating func userProperties() -> [UserProperty] {
        guard isNew, random.chance(0.4) else { return [] }
        return random.array(0...3) { UserProperty(Self.text(&$0, 0...8), Self.text(&$0, 0...8)) }
    }

    /// Text without wildcards, with characters of one to four bytes.
    private static func text(_ random: inout SeededRandom, _ length: ClosedRange<Int>) -> String {
        let alphabet: [Character] = ["a", "b", "/", "7", " ", "$", "\u{01}", "é", "漢", "😀", "\u{FEFF}", "\u{FFFF}"]
        return String(random.array(length) { $0.chance(0.8) ? "x" : $0.pick(alphabet) })
    }

    /// Mostly short; sometimes long enough for remaining lengths of two and three bytes.
    private static func bytes(_ random: inout SeededRandom) -> [UInt8] {
        let longest = random.chance(0.02) ? 20_000 : 40
        return random.array(0...longest) { UInt8.random(in: 0...255, using: &$0) }
    }
}
