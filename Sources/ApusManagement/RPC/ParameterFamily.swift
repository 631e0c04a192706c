/// With which code an action refuses a parameter (apsaramq-facts 8.1).
enum ParameterFamily: Sendable {
    /// Tokens, messages, credentials, sessions, traces.
    case check
    /// Groups and certificates.
    case field
    /// Newer actions, whose code names the parameter.
    case named

    func refusal(of parameter: String, _ message: String) -> RPCError {
        let code =
            switch self {
            case .check: "ParameterCheckFailed"
            case .field: "ParameterFieldCheckFailed"
            case .named: "InvalidParameter.\(parameter)"
            }
        return RPCError(400, code, "\(parameter): \(message)")
    }
}
