internal import ApusBroker
internal import ApusLocks
internal import ApusMessage
internal import FoundationEssentials
internal import MQTTCodec

/// What became of a call of an HTTP service.
package enum AuthenticationHookAnswer: Sendable, Equatable {
    case answered(status: Int, contentType: String, body: [UInt8])
    /// No answer in time, none at all, or one that is too long; the sentence goes into the log.
    case failed(String)
}

/// The HTTP client that a hook needs, made for its URL.
package protocol AuthenticationHookClient: Sendable {
    /// Posts a JSON document and returns at once; `reply` is called from any thread, exactly once and not later than a
    /// little after `timeoutMilliseconds`. An answer beyond `maximumBytes` is a failure. Follows no redirections.
    func post(
        _ json: [UInt8],
        timeoutMilliseconds: Int,
        maximumBytes: Int,
        reply: @escaping @Sendable (AuthenticationHookAnswer) -> Void,
    )
}

/// An HTTP service that judges the CONNECTs of one instance (apsaramq-facts 2.7).
///
/// It gets `{"instanceId","clientId","username","password","clientIp","protocolVersion"}` by POST, user name and password
/// being `null` when CONNECT has none, and answers 200 with `application/json`, at most 4 KB:
/// `{"result":"allow|deny","expireAt":<Unix ms>,"acl":[…]}`, at most 10 rules. Anything else refuses the client. Without
/// `acl` all topics of the instance are allowed; with it, what a rule allows and none denies. An `expireAt` below 10^11
/// is taken as seconds.
package struct AuthenticationHook: Sendable {
    /// For sentences in the log.
    package var url: String
    package var timeoutMilliseconds: Int
    private let client: any AuthenticationHookClient
    /// Of its own, so that a slow service holds up nobody but the clients of its instance.
    let calls: HookCalls

    /// - Parameters:
    ///   - calls: so many run at a time.
    ///   - waitingCalls: so many more may wait; beyond, clients are told that the server is busy.
    package init(
        url: String,
        timeoutMilliseconds: Int = 3000,
        calls: Int = 64,
        waitingCalls: Int = 1024,
        client: any AuthenticationHookClient,
    ) {
        self.url = url
        self.timeoutMilliseconds = timeoutMilliseconds
        self.client = client
        self.calls = HookCalls(maximumRunning: max(1, calls), maximumWaiting: max(0, waitingCalls))
    }

    /// What the service decided.
    enum Verdict: Sendable {
        /// `nil` rules are all topics.
        case allow(TopicRules?, validUntil: Timestamp)
        case deny
        /// The service is at fault; the sentence says how.
        case failure(String)
    }

    func judge(
        _ request: AuthenticationRequest,
        instanceID: String,
        reply: @escaping @Sendable (Verdict) -> Void,
    ) {
        let question = Question(
            instanceId: instanceID,
            clientId: request.clientID,
            username: request.userName,
            password: request.password.map { String(decoding: $0, as: UTF8.self) },
            clientIp: FailureTable.host(of: request.peer.address),
            protocolVersion: Int(request.version.rawValue),
        )
        let json: [UInt8]
        do { json = Array(try JSONEncoder().encode(question)) } catch {
            return reply(.failure("the question could not be written: \(error)"))
        }
        let (url, now) = (url, request.now)
        client.post(json, timeoutMilliseconds: timeoutMilliseconds, maximumBytes: Self.maximumBytes) { answer in
            reply(Self.verdict(answer, url: url, now: now))
        }
    }

    static let maximumBytes = 4096
    static let maximumRules = 10

    private struct Question: Encodable {
        var instanceId: String
        var clientId: String
        var username: String?
        var password: String?
        var clientIp: String
        var protocolVersion: Int

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(instanceId, forKey: .instanceId)
            try container.encode(clientId, forKey: .clientId)
            // As `null`, not left out.
            try container.encode(username, forKey: .username)
            try container.encode(password, forKey: .password)
            try container.encode(clientIp, forKey: .clientIp)
            try container.encode(protocolVersion, forKey: .protocolVersion)
        }

        enum CodingKeys: String, CodingKey {
            case instanceId, clientId, username, password, clientIp, protocolVersion
        }
    }

    private struct Answer: Decodable {
        var result: String
        var expireAt: Double?
        var acl: [RuleDocument]?
    }

    private static func verdict(_ answer: AuthenticationHookAnswer, url: String, now: Timestamp) -> Verdict {
        func failure(_ what: String) -> Verdict { .failure("the HTTP authentication service \(quoted(url)) \(what)") }
        let body: [UInt8]
        switch answer {
        case .failed(let reason):
            return failure("failed: \(reason)")
        case .answered(let status, let contentType, let content):
            guard status == 200 else { return failure("answered with status \(status), not 200") }
            guard contentType.prefix(while: { $0 != ";" && $0 != " " }).lowercased() == "application/json" else {
                return failure("answered with content type \(quoted(contentType)), not application/json")
            }
            guard content.count <= maximumBytes else {
                return failure("answered with \(content.count) bytes; at most \(maximumBytes) are allowed")
            }
            body = content
        }
        let document: Answer
        do { document = try JSONDecoder().decode(Answer.self, from: Data(body)) } catch {
            return failure("answered with something else than {\"result\":…,\"expireAt\":…,\"acl\":[…]}")
        }
        switch document.result {
        case "deny": return .deny
        case "allow": break
        default: return failure("answered with result \(quoted(document.result)); it is `allow` or `deny`")
        }
        var validUntil = Timestamp.distantFuture
        if let end = document.expireAt {
            guard (0...1e15).contains(end) else { return failure("answered with an `expireAt` that is no time") }
            validUntil = Timestamp(milliseconds: Int64(end < 1e11 ? end * 1000 : end))
            guard now < validUntil else { return failure("answered with an `expireAt` that has passed") }
        }
        do throws(TopicRules.Malformed) {
            return .allow(
                try document.acl.map { acl throws(TopicRules.Malformed) in
                    try TopicRules(acl, limit: maximumRules)
                },
                validUntil: validUntil
            )
        } catch {
            return failure("answered with a bad `acl`: \(error.sentence)")
        }
    }
}

/// Calls of one HTTP service: some at a time, some waiting, no more.
///
/// The bound keeps a storm of logins against a slow service from becoming a queue of minutes.
final class HookCalls: Sendable {
    private struct Call {
        let start: @Sendable () -> Void
    }

    private struct State {
        var running = 0
        var waiting: [Call] = []
    }

    private let maximumRunning: Int
    private let maximumWaiting: Int
    private let state = Guarded(State())

    init(maximumRunning: Int, maximumWaiting: Int) {
        precondition(maximumRunning > 0 && maximumWaiting >= 0)
        self.maximumRunning = maximumRunning
        self.maximumWaiting = maximumWaiting
    }

    /// Starts the call now or when others have ended; whoever starts it says so with `ended` when it is over.
    ///
    /// - Returns: `false` when too many wait; then the call is never started.
    func submit(_ start: @escaping @Sendable () -> Void) -> Bool {
        enum Decision { case start, wait, refuse }
        let decision = state.withLock { state -> Decision in
            if state.running < maximumRunning {
                state.running += 1
                return .start
            }
            guard state.waiting.count < maximumWaiting else { return .refuse }
            state.waiting.append(Call(start: start))
            return .wait
        }
        if decision == .start { start() }
        return decision != .refuse
    }

    func ended() {
        let next = state.withLock { state -> Call? in
            guard !state.waiting.isEmpty else {
                state.running -= 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.start()
    }
}
