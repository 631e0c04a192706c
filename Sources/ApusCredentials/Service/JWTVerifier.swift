package import ApusCrypto
internal import ApusMessage
internal import FoundationEssentials

/// Checks JSON Web Tokens (RFC 7519) that come as passwords, a mode of instances of the `standard` profile.
///
/// The keys decide the algorithm: a token of another one, `none` above all, is refused. Claims:
///
/// | claim | meaning |
/// |---|---|
/// | `exp` | required, seconds; the connection ends then |
/// | `nbf` | seconds; not good before |
/// | `iss`, `aud` | must be as configured, if they are |
/// | `sub` | the user; must be CONNECT's user name, if that is not empty |
/// | `client_id` | the one client id that may use it |
/// | `acl` | rules as in ``RuleDocument``, at most 100; without them all topics of the instance |
package struct JWTVerifier: Sendable {
    /// What a signature is checked with.
    package enum Key: Sendable {
        /// HMAC with SHA-256; 32 bytes at least.
        case hs256([UInt8])
        /// RS256 or ES256.
        case publicKey(PublicKey)
    }

    private let keys: [(id: String?, key: Key)]
    private let issuer: String?
    private let audience: String?
    /// How far the clocks of issuer and service may be apart.
    private let leewayMilliseconds: Int64

    /// - Parameters:
    ///   - keys: with the `kid` that tokens name them by; `nil` fits every token. Tried in this order.
    package init(
        keys: [(id: String?, key: Key)],
        issuer: String? = nil,
        audience: String? = nil,
        leewaySeconds: Int64 = 0,
    ) {
        self.keys = keys
        self.issuer = issuer
        self.audience = audience
        leewayMilliseconds = leewaySeconds * 1000
    }

    /// A token that holds.
    struct Claims: Sendable {
        var subject: String?
        /// `nil` for all topics.
        var rules: TopicRules?
        var validUntil: Timestamp
    }

    /// Why a token does not hold; a sentence without any of its bytes but its claims.
    struct Refusal: Error, Equatable {
        var sentence: String
        /// Whether the signature was right: then its holder may know what is wrong with it.
        var isSigned = false
        var result: LoginResult

        init(_ sentence: String, _ result: LoginResult = .badToken) {
            self.sentence = "the JWT \(sentence)"
            self.result = result
        }
    }

    /// Whether a password is meant to be a JWT: two dots, and before the first the URL-safe Base64 of a `{`.
    static func resembles(_ password: [UInt8]) -> Bool {
        password.first == UInt8(ascii: "e") && password.count > 1
            && (UInt8(ascii: "w")...UInt8(ascii: "z")).contains(password[1])
            && password.count { $0 == UInt8(ascii: ".") } == 2
    }

    func claims(
        of password: [UInt8],
        userName: String?,
        clientID: String,
        now: Timestamp,
    ) throws(Refusal) -> Claims {
        guard password.count <= Self.maximumBytes else { throw Refusal("is longer than \(Self.maximumBytes) bytes") }
        let parts = password.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3,
            let headerBytes = Self.decoded(parts[0]),
            let payloadBytes = Self.decoded(parts[1]),
            let signature = Self.decoded(parts[2])
        else { throw Refusal("is not three parts of URL-safe Base64 with dots between them") }
        let header: Header = try Self.document(headerBytes, "header")
        try check(signature, of: Array(password.prefix(parts[0].count + 1 + parts[1].count)), header)
        do throws(Refusal) {
            let payload: Payload = try Self.document(payloadBytes, "payload")
            return try claims(of: payload, userName: userName, clientID: clientID, now: now)
        } catch {
            var refusal = error
            refusal.isSigned = true
            throw refusal
        }
    }

    private func check(_ signature: [UInt8], of message: [UInt8], _ header: Header) throws(Refusal) {
        guard header.crit == nil else { throw Refusal("demands extensions (`crit`), of which none is known here") }
        let named = keys.filter { $0.id == nil || header.kid == nil || $0.id == header.kid }
        guard !named.isEmpty else {
            throw Refusal("names the key \(quoted(header.kid ?? "")), which is not known", .unknownKey)
        }
        let fitting = named.filter { $0.key.algorithm == header.alg }
        guard !fitting.isEmpty else {
            let known = Set(named.map(\.key.algorithm)).sorted().joined(separator: " or ")
            throw Refusal("is signed by \(quoted(header.alg)); the configured keys are of \(known)")
        }
        guard fitting.contains(where: { $0.key.verifies(signature, of: message) }) else {
            throw Refusal("has a wrong signature", .badSignature)
        }
    }

    private func claims(
        of payload: Payload,
        userName: String?,
        clientID: String,
        now: Timestamp,
    ) throws(Refusal) -> Claims {
        guard let end = Self.milliseconds(payload.exp) else { throw Refusal("has no `exp` that is a time") }
        let validUntil = Timestamp(milliseconds: end).adding(milliseconds: leewayMilliseconds)
        guard now < validUntil else { throw Refusal("expired at \(end / 1000) (Unix s)", .expiredToken) }
        if payload.nbf != nil {
            guard let start = Self.milliseconds(payload.nbf), start - leewayMilliseconds <= now.milliseconds else {
                throw Refusal("does not hold yet (`nbf`)")
            }
        }
        if let issuer, payload.iss != issuer {
            throw Refusal("is of issuer \(quoted(payload.iss ?? "")), not \(quoted(issuer))")
        }
        if let audience, payload.aud?.values.contains(audience) != true {
            throw Refusal("is not for the audience \(quoted(audience))")
        }
        if let subject = payload.sub, let userName, !userName.isEmpty, !subject.utf8.elementsEqual(userName.utf8) {
            throw Refusal("is of user \(quoted(subject)), but the user name is \(quoted(userName))")
        }
        if let bound = payload.clientID, !bound.utf8.elementsEqual(clientID.utf8) {
            throw Refusal("is bound to client id \(quoted(bound)), not \(quoted(clientID))", .wrongClientID)
        }
        var rules: TopicRules?
        if let documents = payload.acl {
            do throws(TopicRules.Malformed) {
                rules = try TopicRules(documents, limit: Self.maximumRules)
            } catch {
                throw Refusal("has a bad `acl`: \(error.sentence)")
            }
        }
        return Claims(subject: payload.sub ?? userName, rules: rules, validUntil: validUntil)
    }

    // MARK: - Form

    private static let maximumBytes = 16_384
    private static let maximumRules = 100

    private struct Header: Decodable {
        var alg: String
        var kid: String?
        var crit: [String]?
    }

    private struct Payload: Decodable {
        /// One text or a list of them.
        struct Audience: Decodable {
            var values: [String]

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                do { values = [try container.decode(String.self)] } catch {
                    values = try container.decode([String].self)
                }
            }
        }

        enum CodingKeys: String, CodingKey {
            case exp, nbf, iss, aud, sub, acl
            case clientID = "client_id"
        }

        var exp: Double?
        var nbf: Double?
        var iss: String?
        var aud: Audience?
        var sub: String?
        var clientID: String?
        var acl: [RuleDocument]?
    }

    private static func decoded(_ part: ArraySlice<UInt8>) -> [UInt8]? {
        String(validating: part, as: UTF8.self).flatMap { Base64.decodeURLSafe($0) }
    }

    private static func document<Document: Decodable>(_ bytes: [UInt8], _ name: String) throws(Refusal) -> Document {
        do { return try JSONDecoder().decode(Document.self, from: Data(bytes)) } catch {
            throw Refusal("has a \(name) that is not the JSON that it should be")
        }
    }

    /// Times beyond the year 9999 are nobody's intention.
    private static func milliseconds(_ seconds: Double?) -> Int64? {
        guard let seconds, (0...253_402_300_799).contains(seconds) else { return nil }
        return Int64(seconds * 1000)
    }
}

extension JWTVerifier.Key {
    fileprivate var algorithm: String {
        switch self {
        case .hs256: "HS256"
        case .publicKey(let key): key.algorithm.rawValue
        }
    }

    fileprivate func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        switch self {
        case .hs256(let secret): constantTimeEqual(HMAC.sha256(key: secret, message), signature)
        case .publicKey(let key): key.verifies(signature, of: message)
        }
    }
}
