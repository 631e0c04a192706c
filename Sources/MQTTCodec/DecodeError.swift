/// What is wrong with bytes that a peer sent.
///
/// One byte, so that throwing one costs nothing; what it means to people is looked up only when somebody asks.
/// "Not enough bytes yet" is never an error: it is `nil`.
public enum DecodeError: UInt8, Error, CaseIterable, Sendable {
    // Framing
    case reservedPacketType
    case reservedHeaderFlags
    case remainingLengthTooLong
    case packetTooLarge
    case packetFromWrongSide
    case packetNotInThisVersion

    // Fields
    case truncated
    case trailingBytes
    case variableByteIntegerTooLong
    case variableByteIntegerNotMinimal
    case stringNotUTF8
    case stringContainsNull
    case packetIdentifierZero
    case reasonCodeNotAllowed
    case acknowledgeFlagsReserved

    // Properties
    case propertyUnknown
    case propertyNotAllowed
    case propertyDuplicated
    case propertyNotBoolean
    case receiveMaximumZero
    case maximumPacketSizeZero
    case maximumQoSInvalid
    case topicAliasZero
    case subscriptionIdentifierZero
    case subscriptionIdentifierFromClient
    case sessionExpiryFromServer
    case serverReferenceFromClient
    case authenticationMethodMissing
    case responseTopicInvalid

    // CONNECT and CONNACK
    case protocolNameUnknown
    case protocolLevelUnknown
    case protocolLevelAboveFive
    case connectFlagReserved
    case willQoSInvalid
    case willQoSWithoutWill
    case willRetainWithoutWill
    case willTopicEmpty
    case willTopicContainsWildcard
    case passwordWithoutUserName
    case sessionPresentOnFailure
    case returnCodeUnknown

    // PUBLISH
    case publishQoSInvalid
    case duplicateFlagOnQoS0
    case topicEmpty
    case topicEmptyWithoutAlias
    case topicContainsWildcard

    // SUBSCRIBE and UNSUBSCRIBE
    case subscribeWithoutFilter
    case unsubscribeWithoutFilter
    case topicFilterEmpty
    case subscriptionOptionsReserved
    case subscriptionQoSInvalid
    case retainHandlingInvalid
    case noLocalOnSharedSubscription
    case acknowledgementWithoutReason
}

extension DecodeError {
    /// The MQTT 5.0 reason code to answer with; see ``connectReplyVersion`` for a failed CONNECT.
    public var reasonCode: ReasonCode { details.0 }

    /// The broken rule: a normative statement such as `MQTT-3.3.1-4`, or a section where the text has no number.
    public var rule: String { details.1 }

    /// One sentence for a log line or a reason string; it holds nothing that the peer sent.
    public var explanation: String { details.2 }

    /// Which kind of CONNACK tells the peer that its protocol is not spoken here; `nil` when none fits.
    ///
    /// `.v3_1_1` asks for return code 0x01, `.v5` for reason code 0x84. A peer with an unknown protocol name may not be
    /// an MQTT client at all, so it gets no answer. For every other error ask ``Connect/announcedVersion(in:frame:)``.
    public var connectReplyVersion: ProtocolVersion? {
        switch self {
        case .protocolLevelUnknown: .v3_1_1
        case .protocolLevelAboveFive: .v5
        default: nil
        }
    }
}

extension DecodeError: CustomStringConvertible {
    /// The explanation followed by the rule in brackets.
    public var description: String { "\(explanation) [\(rule)]" }
}
