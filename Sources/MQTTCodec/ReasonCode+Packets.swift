extension ReasonCode {
    /// Whether a packet of the given type may carry this code when the given side sends it (MQTT 5.0, table 2-6).
    func isAllowed(in type: PacketType, from sender: Sender) -> Bool {
        switch type {
        case .pubAck, .pubRec: isAllowedInPubAck
        case .pubRel, .pubComp: self == .success || self == .packetIdentifierNotFound
        case .connAck: isAllowedInConnAck
        case .subAck: isAllowedInSubAck
        case .unsubAck: isAllowedInUnsubAck
        case .disconnect: isAllowedInDisconnect(from: sender)
        case .auth:
            switch self {
            case .success: sender == .server
            case .continueAuthentication: true
            case .reauthenticate: sender == .client
            default: false
            }
        case .connect, .publish, .subscribe, .unsubscribe, .pingReq, .pingResp: false
        }
    }

    private var isAllowedInPubAck: Bool {
        switch self {
        case .success, .noMatchingSubscribers, .unspecifiedError, .implementationSpecificError, .notAuthorized,
            .topicNameInvalid, .packetIdentifierInUse, .quotaExceeded, .payloadFormatInvalid:
            true
        default: false
        }
    }

    private var isAllowedInConnAck: Bool {
        switch self {
        case .success, .unspecifiedError, .malformedPacket, .protocolError, .implementationSpecificError,
            .unsupportedProtocolVersion, .clientIdentifierNotValid, .badUserNameOrPassword, .notAuthorized,
            .serverUnavailable, .serverBusy, .banned, .badAuthenticationMethod, .topicNameInvalid, .packetTooLarge,
            .quotaExceeded, .payloadFormatInvalid, .retainNotSupported, .qosNotSupported, .useAnotherServer,
            .serverMoved, .connectionRateExceeded:
            true
        default: false
        }
    }

    private var isAllowedInSubAck: Bool {
        switch self {
        case .success, .grantedQoS1, .grantedQoS2, .unspecifiedError, .implementationSpecificError, .notAuthorized,
            .topicFilterInvalid, .packetIdentifierInUse, .quotaExceeded, .sharedSubscriptionsNotSupported,
            .subscriptionIdentifiersNotSupported, .wildcardSubscriptionsNotSupported:
            true
        default: false
        }
    }

    private var isAllowedInUnsubAck: Bool {
        switch self {
        case .success, .noSubscriptionExisted, .unspecifiedError, .implementationSpecificError, .notAuthorized,
            .topicFilterInvalid, .packetIdentifierInUse:
            true
        default: false
        }
    }

    /// MQTT 5.0, section 3.14.2.1, names for each code which side may send it.
    private func isAllowedInDisconnect(from sender: Sender) -> Bool {
        switch self {
        case .success, .unspecifiedError, .malformedPacket, .protocolError, .implementationSpecificError,
            .topicNameInvalid, .receiveMaximumExceeded, .topicAliasInvalid, .packetTooLarge, .messageRateTooHigh,
            .quotaExceeded, .administrativeAction, .payloadFormatInvalid:
            true
        case .disconnectWithWill:
            sender == .client
        case .notAuthorized, .serverBusy, .serverShuttingDown, .badAuthenticationMethod, .keepAliveTimeout,
            .sessionTakenOver, .topicFilterInvalid, .retainNotSupported, .qosNotSupported, .useAnotherServer,
            .serverMoved, .sharedSubscriptionsNotSupported, .connectionRateExceeded, .maximumConnectTime,
            .subscriptionIdentifiersNotSupported, .wildcardSubscriptionsNotSupported:
            sender == .server
        default: false
        }
    }
}

extension PacketReader {
    /// A reason code that packets of the given type may carry.
    mutating func reasonCode(of type: PacketType, from sender: Sender = .client) throws(DecodeError) -> ReasonCode {
        guard let code = ReasonCode(rawValue: try byte()), code.isAllowed(in: type, from: sender) else {
            throw .reasonCodeNotAllowed
        }
        return code
    }
}
