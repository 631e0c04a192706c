/// The answer to a CONNECT in MQTT 3.x [v3 MQTT-3.2.2-4].
public enum ConnectReturnCode: UInt8, Sendable, CaseIterable {
    case accepted = 0
    case unacceptableProtocolVersion = 1
    case identifierRejected = 2
    case serverUnavailable = 3
    case badUserNameOrPassword = 4
    case notAuthorized = 5

    /// The return code nearest to a reason code; *server unavailable* stands for all that MQTT 3.x cannot say.
    public init(_ reasonCode: ReasonCode) {
        self =
            switch reasonCode {
            case .success: .accepted
            case .unsupportedProtocolVersion: .unacceptableProtocolVersion
            case .clientIdentifierNotValid: .identifierRejected
            case .badUserNameOrPassword, .badAuthenticationMethod: .badUserNameOrPassword
            case .notAuthorized, .banned: .notAuthorized
            default: .serverUnavailable
            }
    }

    /// The reason code that says the same.
    public var reasonCode: ReasonCode {
        switch self {
        case .accepted: .success
        case .unacceptableProtocolVersion: .unsupportedProtocolVersion
        case .identifierRejected: .clientIdentifierNotValid
        case .serverUnavailable: .serverUnavailable
        case .badUserNameOrPassword: .badUserNameOrPassword
        case .notAuthorized: .notAuthorized
        }
    }
}
