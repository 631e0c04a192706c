extension DecodeError {
    /// Reason code, rule and explanation of each error, in one table so that none can be forgotten.
    var details: (ReasonCode, String, String) {
        switch self {
        case .reservedPacketType:
            (.malformedPacket, "MQTT5 2.1.2", "packet type 0 is reserved")
        case .reservedHeaderFlags:
            (.malformedPacket, "MQTT-2.1.3-1", "the reserved flags of the fixed header have a wrong value")
        case .remainingLengthTooLong:
            (.malformedPacket, "MQTT5 1.5.5", "the remaining length takes more than four bytes")
        case .packetTooLarge:
            (.packetTooLarge, "MQTT-3.2.2-15", "the packet is larger than the maximum packet size")
        case .packetFromWrongSide:
            (.protocolError, "MQTT5 2.1.2", "this packet type never travels in this direction")
        case .packetNotInThisVersion:
            (.protocolError, "MQTT5 2.1.2", "this packet type does not exist in the protocol version of the connection")
        case .truncated:
            (.malformedPacket, "MQTT5 2.1.4", "the packet ends inside a field")
        case .trailingBytes:
            (.malformedPacket, "MQTT5 2.1.4", "bytes follow the last field of the packet")
        case .variableByteIntegerTooLong:
            (.malformedPacket, "MQTT5 1.5.5", "a variable byte integer takes more than four bytes")
        case .variableByteIntegerNotMinimal:
            (.malformedPacket, "MQTT-1.5.5-1", "a variable byte integer takes more bytes than it needs")
        case .stringNotUTF8:
            (.malformedPacket, "MQTT-1.5.4-1", "a string is not well-formed UTF-8")
        case .stringContainsNull:
            (.malformedPacket, "MQTT-1.5.4-2", "a string contains U+0000")
        case .packetIdentifierZero:
            (.protocolError, "MQTT-2.2.1-3", "the packet identifier is zero")
        case .reasonCodeNotAllowed:
            (.protocolError, "MQTT5 2.4", "the reason code is not one of this packet")
        case .acknowledgeFlagsReserved:
            (.malformedPacket, "MQTT-3.2.2-1", "a reserved bit of the acknowledge flags is set")
        case .propertyUnknown:
            (.malformedPacket, "MQTT5 2.2.2.2", "the property identifier is unknown")
        case .propertyNotAllowed:
            (.malformedPacket, "MQTT5 2.2.2.2", "the property does not belong to this packet")
        case .propertyDuplicated:
            (.protocolError, "MQTT5 2.2.2.2", "the property may appear only once")
        case .propertyNotBoolean:
            (.protocolError, "MQTT5 2.2.2.2", "the property takes only the values 0 and 1")
        case .receiveMaximumZero:
            (.protocolError, "MQTT5 3.1.2.11.3", "the receive maximum is zero")
        case .maximumPacketSizeZero:
            (.protocolError, "MQTT5 3.1.2.11.4", "the maximum packet size is zero")
        case .maximumQoSInvalid:
            (.protocolError, "MQTT5 3.2.2.3.4", "the maximum QoS takes only the values 0 and 1")
        case .topicAliasZero:
            (.topicAliasInvalid, "MQTT-3.3.2-8", "the topic alias is zero")
        case .subscriptionIdentifierZero:
            (.protocolError, "MQTT5 3.8.2.1.2", "the subscription identifier is zero")
        case .subscriptionIdentifierFromClient:
            (.protocolError, "MQTT-3.3.4-6", "a client must not send a subscription identifier in PUBLISH")
        case .sessionExpiryFromServer:
            (.protocolError, "MQTT-3.14.2-2", "a server must not send a session expiry interval in DISCONNECT")
        case .serverReferenceFromClient:
            (.protocolError, "MQTT5 3.14.2.2.5", "only a server may send a server reference")
        case .authenticationMethodMissing:
            (.protocolError, "MQTT5 4.12", "authentication data needs an authentication method")
        case .responseTopicInvalid:
            (.protocolError, "MQTT-3.3.2-14", "the response topic is empty or contains a wildcard")
        case .protocolNameUnknown:
            (.unsupportedProtocolVersion, "MQTT-3.1.2-1", "the protocol name is neither MQTT nor MQIsdp")
        case .protocolLevelUnknown, .protocolLevelAboveFive:
            (.unsupportedProtocolVersion, "MQTT-3.1.2-2", "the protocol level is not supported")
        case .connectFlagReserved:
            (.malformedPacket, "MQTT-3.1.2-3", "the reserved connect flag is set")
        case .willQoSInvalid:
            (.malformedPacket, "MQTT-3.1.2-12", "the will QoS is 3")
        case .willQoSWithoutWill:
            (.malformedPacket, "MQTT-3.1.2-11", "a will QoS is given without a will")
        case .willRetainWithoutWill:
            (.malformedPacket, "MQTT-3.1.2-13", "will retain is set without a will")
        case .willTopicEmpty:
            (.topicNameInvalid, "MQTT-4.7.3-1", "the will topic is empty")
        case .willTopicContainsWildcard:
            (.topicNameInvalid, "MQTT-3.3.2-2", "the will topic contains a wildcard")
        case .passwordWithoutUserName:
            (.malformedPacket, "v3 MQTT-3.1.2-22", "a password is given without a user name")
        case .sessionPresentOnFailure:
            (.protocolError, "MQTT-3.2.2-6", "session present is set together with a failure")
        case .returnCodeUnknown:
            (.protocolError, "v3 MQTT-3.2.2-6", "the connect return code is reserved")
        case .publishQoSInvalid:
            (.malformedPacket, "MQTT-3.3.1-4", "both QoS bits are set")
        case .duplicateFlagOnQoS0:
            (.malformedPacket, "MQTT-3.3.1-2", "DUP is set on a QoS 0 message")
        case .topicEmpty:
            (.topicNameInvalid, "MQTT-4.7.3-1", "the topic name is empty")
        case .topicEmptyWithoutAlias:
            (.protocolError, "MQTT5 3.3.2.1", "the topic name is empty and there is no topic alias")
        case .topicContainsWildcard:
            (.topicNameInvalid, "MQTT-3.3.2-2", "the topic name contains a wildcard")
        case .subscribeWithoutFilter:
            (.protocolError, "MQTT-3.8.3-2", "SUBSCRIBE holds no topic filter")
        case .unsubscribeWithoutFilter:
            (.protocolError, "MQTT-3.10.3-2", "UNSUBSCRIBE holds no topic filter")
        case .topicFilterEmpty:
            (.topicFilterInvalid, "MQTT-4.7.3-1", "a topic filter is empty")
        case .subscriptionOptionsReserved:
            (.malformedPacket, "MQTT-3.8.3-5", "a reserved bit of the subscription options is set")
        case .subscriptionQoSInvalid:
            (.protocolError, "MQTT5 3.8.3.1", "the QoS of a subscription is 3")
        case .retainHandlingInvalid:
            (.protocolError, "MQTT5 3.8.3.1", "the retain handling of a subscription is 3")
        case .noLocalOnSharedSubscription:
            (.protocolError, "MQTT-3.8.3-4", "no local is set on a shared subscription")
        case .acknowledgementWithoutReason:
            (.protocolError, "MQTT-3.9.3-1", "the acknowledgement holds no reason code")
        }
    }
}
