internal import ApusBroker
internal import ApusMessage
internal import ApusResources

/// Why a token is no good, with the code of `$SYS/tokenInvalidNotice` (apsaramq-facts 8.2).
struct TokenFailure: Error, Equatable {
    enum Code: Int, Sendable {
        case noPermission = -1
        case forged = 1
        case expired = 2
        case revoked = 3
        case resourceNotCovered = 4
        case actionNotCovered = 5

        /// As logins are counted.
        var result: LoginResult {
            switch self {
            case .expired: .expiredToken
            case .revoked: .revokedToken
            case .noPermission, .forged, .resourceNotCovered, .actionNotCovered: .badToken
            }
        }
    }

    var code: Code
    var type: TokenType
    /// Never holds the token.
    var sentence: String

    var notice: SystemNotice { TokenNotice.invalid(code, type) }
}

/// Notices about tokens (apsaramq-facts 1).
enum TokenNotice {
    static let expireTopic = "$SYS/tokenExpireNotice"
    static let invalidTopic = "$SYS/tokenInvalidNotice"

    static func invalid(_ code: TokenFailure.Code, _ type: TokenType) -> SystemNotice {
        SystemNotice(
            topic: invalidTopic,
            payload: Array(#"{"code":\#(code.rawValue),"type":"\#(type.rawValue)"}"#.utf8),
        )
    }

    static func expires(_ held: HeldToken) -> SystemNotice {
        SystemNotice(
            topic: expireTopic,
            payload: Array(#"{"expireTime":\#(held.token.expiresAt),"type":"\#(held.type.rawValue)"}"#.utf8),
        )
    }
}

/// Judges tokens, when they are presented and for as long as they are held.
struct TokenCheck {
    let directory: ResourceDirectory

    /// A token as a client presents it.
    func held(
        _ text: String,
        _ type: TokenType,
        accessKeyID: String,
        in entry: InstanceTable.Entry,
        now: Timestamp,
    ) throws(TokenFailure) -> HeldToken {
        func failure(_ code: TokenFailure.Code, _ sentence: String) -> TokenFailure {
            TokenFailure(code: code, type: type, sentence: "the \(type.rawValue) token \(sentence)")
        }
        guard let secret = directory.serviceSecret(TokenSeal.secretName),
            let token = TokenSeal(secret: secret).open(text)
        else { throw failure(.forged, "is forged, cut or not of this service; apply for one with ApplyToken") }
        guard token.instance == entry.instance.number else {
            throw failure(.noPermission, "was issued for another instance than \(quoted(entry.instance.id))")
        }
        guard token.accessKeyID.utf8.elementsEqual(accessKeyID.utf8) else {
            throw failure(
                .noPermission,
                "was issued by another access key than \(quoted(accessKeyID)), which the user name gives",
            )
        }
        guard (!type.reads || token.mayRead) && (!type.writes || token.mayWrite) else {
            let rights = token.mayRead ? "R" : "W"
            throw failure(.actionNotCovered, "was issued for \(rights) only; present it as `\(rights)|<token>`")
        }
        let held = HeldToken(token, type: type)
        if let failure = self.failure(of: held, now: now) { throw failure }
        return held
    }

    /// Why a token that was good is no longer, whatever became of its access key.
    ///
    /// - Returns: `nil` while it is.
    func failure(of held: HeldToken, now: Timestamp) -> TokenFailure? {
        func failure(_ code: TokenFailure.Code, _ what: String) -> TokenFailure {
            let sentence = "the \(held.type.rawValue) token \(what); apply for a new one with ApplyToken"
            return TokenFailure(code: code, type: held.type, sentence: sentence)
        }
        return switch directory.fault(of: held.token, now: now.milliseconds) {
        case .expired: failure(.expired, "expired at \(held.token.expiresAt) (Unix ms)")
        case .revoked: failure(.revoked, "was revoked")
        case .outlived:
            failure(.revoked, "is older than what access key \(quoted(held.token.accessKeyID)) stands for now")
        // Those who ask look at the key themselves: they have more to say about it.
        case .keyDeleted, .key, nil: nil
        }
    }
}

/// The password of the `Token` mode: `<type>|<token>` pairs joined by `|` in any order, at most one of a type
/// (apsaramq-facts 2.2).
enum TokenPassword {
    /// What is wrong with a password; a sentence without any of its bytes.
    struct Malformed: Error, Equatable {
        var sentence: String
    }

    static func pairs(_ password: [UInt8]) throws(Malformed) -> [(type: TokenType, token: String)] {
        // More parts than this are wrong, however many there are.
        let parts = password.split(separator: UInt8(ascii: "|"), maxSplits: 6, omittingEmptySubsequences: false)
        guard parts.count > 1 else {
            throw Malformed(sentence: "the password is not `<type>|<token>`: it has no `|`")
        }
        guard parts.count.isMultiple(of: 2), parts.count <= 6 else {
            throw Malformed(sentence: "the password is not `<type>|<token>` once, twice or three times, joined by `|`")
        }
        var pairs: [(type: TokenType, token: String)] = []
        for index in stride(from: 0, to: parts.count, by: 2) {
            guard let type = TokenType.allCases.first(where: { $0.rawValue.utf8.elementsEqual(parts[index]) }) else {
                throw Malformed(sentence: "part \(index + 1) of the password is no token type: R, W or RW")
            }
            guard !pairs.contains(where: { $0.type == type }) else {
                throw Malformed(sentence: "the password has two tokens of type \(type.rawValue)")
            }
            // A token is text; what is none is as good as forged.
            pairs.append((type, String(validating: parts[index + 1], as: UTF8.self) ?? ""))
        }
        return pairs
    }
}
