internal import ApusBroker
internal import MQTTCodec

/// What an authenticator of this module has decided, with the one word that is counted.
enum LoginJudgement: Sendable, Equatable {
    case accepted(Principal)
    case refused(LoginRefusal)

    var outcome: AuthenticationOutcome {
        switch self {
        case .accepted(let principal): .accepted(principal)
        case .refused(let refusal): refusal.outcome
        }
    }

    var result: LoginResult {
        switch self {
        case .accepted: .accepted
        case .refused(let refusal): refusal.result
        }
    }
}

/// A refusal with two sentences: for the log, and for a client that has proven nothing.
struct LoginRefusal: Error, Sendable, Equatable {
    var code: ReasonCode
    var result: LoginResult
    var sentence: String
    /// `nil` when the client may read the sentence of the log.
    var told: String?

    init(_ code: ReasonCode, _ result: LoginResult, _ sentence: String, told: String? = nil) {
        self.code = code
        self.result = result
        self.sentence = sentence
        self.told = told
    }

    /// Wrong credentials of any kind: the client is not told which part is wrong, only how they are written.
    static func credentials(_ result: LoginResult, _ sentence: String, form: ServiceUserName.Mode?) -> LoginRefusal {
        let wrong = "the user name or password is wrong"
        return LoginRefusal(
            .badUserNameOrPassword,
            result,
            sentence,
            told: form.map { "\(wrong); in mode \($0.rawValue): \($0.form)" } ?? wrong,
        )
    }

    var outcome: AuthenticationOutcome { .refused(code, explanation: sentence, clientExplanation: told) }
}
