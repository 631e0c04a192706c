package import ApusBroker
internal import ApusCrypto
internal import ApusLocks
package import ApusMessage
internal import MQTTCodec

/// Decides by password file, client certificate and address who may connect.
///
/// In this order: the name of a client certificate when `userNameFromCertificate` is set; an anonymous connection from
/// this machine when that is allowed; user name and password against the password file.
///
/// A check of a password costs a tenth of a second and 32 MiB, so it runs on threads of its own behind a bounded queue (at the
/// bound: *server busy*); passwords verified lately are remembered as keyed hashes until the next `reload`. A user that
/// does not exist costs what a wrong password costs. An address that fails too often must wait, longer each time; users
/// whose password is remembered still get in from there, so that one broken device does not lock out its neighbours.
package final class PasswordAuthenticator: Authenticator {
    /// Who may connect without a name.
    package enum AnonymousAccess: Sendable {
        case loopback, never
    }

    /// What the configuration decides.
    package struct Options: Sendable {
        /// The path of the `PasswordFile`; `nil` when nobody has a password.
        package var passwordFile: String?
        package var anonymous = AnonymousAccess.loopback
        /// The names of listeners that refuse anonymous connections all the same.
        package var listenersWithoutAnonymous: Set<String> = []
        /// Whether SCRAM-SHA-256 is offered.
        package var scram = true
        /// Whether the common name of a verified client certificate is the user name, instead of what CONNECT says.
        package var userNameFromCertificate = false
        package var workers = 1
        /// So many checks may wait; more would not be done before their connections time out.
        package var waitingChecks = 64
        /// So many checks may be pending for one address, or it would fill the queue alone.
        package var checksPerAddress = 4
        package var rememberedUsers = 10_000
        package var failures = FailurePolicy()

        package init() {}
    }

    private struct State {
        var table: PasswordTable
        /// Grows with each reload.
        var generation = 0
        var verified: VerifiedPasswords
        var failures: FailureTable
        /// Checks that wait or run, by address; as small as the queue.
        var pending: [String: Int] = [:]
    }

    /// All that a client is told about a failed login.
    static let wrongCredentials = "the user name or password is wrong"

    private let options: Options
    private let clock: @Sendable () -> Timestamp
    private let queue: HashingQueue
    private let processKey: [UInt8]
    private let decoySalt: [UInt8]
    private let state: Guarded<State>

    /// - Parameters:
    ///   - warn: Takes what an administrator should be told about the password file.
    ///   - clock: Any clock that does not run backwards.
    package init(
        options: Options,
        warn: (String) -> Void = { _ in },
        clock: @escaping @Sendable () -> Timestamp = MonotonicClock.now,
    ) throws(CredentialError) {
        self.options = options
        self.clock = clock
        queue = HashingQueue(workers: max(1, options.workers), maximumWaiting: max(0, options.waitingChecks))
        do throws(CryptoError) {
            processKey = try randomBytes(32)
            decoySalt = try randomBytes(16)
        } catch {
            throw CredentialError(file: options.passwordFile ?? "authentication", reason: error.description)
        }
        var table = PasswordTable()
        if let path = options.passwordFile {
            let loaded = try PasswordFile(path: path).load()
            loaded.warnings.forEach(warn)
            table = loaded.table
        }
        state = Guarded(
            State(
                table: table,
                verified: VerifiedPasswords(capacity: max(0, options.rememberedUsers)),
                failures: FailureTable(policy: options.failures),
            )
        )
    }

    /// Reads the password file anew; when it is bad, the users stay as they were.
    ///
    /// Reading a file is nothing for a shard's thread.
    ///
    /// - Returns: What has changed, and what an administrator should be warned of.
    package func reload() throws(CredentialError) -> (changes: UserChanges, warnings: [String]) {
        guard let path = options.passwordFile else { return (UserChanges(), []) }
        let loaded = try PasswordFile(path: path).load()
        let changes = state.withLock { state in
            defer {
                state.table = loaded.table
                state.generation += 1
                state.verified.removeAll()
            }
            return state.table.changes(to: loaded.table)
        }
        return (changes, loaded.warnings)
    }

    package func authenticate(
        _ request: AuthenticationRequest,
        reply: @escaping @Sendable (AuthenticationOutcome) -> Void,
    ) {
        judge(request) { reply($0.outcome) }
    }

    /// Decides as `authenticate` does, and says why in one word.
    func judge(_ request: AuthenticationRequest, reply: @escaping @Sendable (LoginJudgement) -> Void) {
        if let judgement = immediateJudgement(of: request) { return reply(judgement) }
        guard let userName = request.userName, let password = request.password else {
            return reply(Self.refusal(.malformed, "no password (user `\(request.userName ?? "")`)"))
        }
        let tag = HMAC.sha256(key: processKey, password)
        switch firstLook(at: userName, tag: tag, address: request.peer.address) {
        case .accept:
            reply(.accepted(Principal(clientID: request.clientID, userName: userName)))
        case .refuse(let refusal):
            reply(.refused(refusal))
        case .verify(let entry, let decoyCost, let generation):
            let decoy = ScryptHash(decoyWith: decoyCost, salt: decoySalt)
            let accepted = queue.submit { [self] in
                let isRight = (entry?.scrypt ?? decoy).matches(password)
                let reason: FailedCheck =
                    if entry == nil { (.unknownUser, "unknown user") } else if entry?.scrypt == nil {
                        (.badPassword, "the user has no $scrypt$ entry; set the password anew")
                    } else { (.badPassword, "wrong password") }
                let judgement = conclude(
                    request,
                    userName,
                    tag: tag,
                    reason: isRight && entry?.scrypt != nil ? nil : reason,
                    entry: entry,
                    generation: generation,
                )
                // Before the reply: who has an answer may ask again.
                endCheck(of: request.peer.address)
                reply(judgement)
            }
            if !accepted {
                endCheck(of: request.peer.address)
                reply(.refused(LoginRefusal(.serverBusy, .busy, "too many passwords are waiting to be checked")))
            }
        }
    }

    package func enhancedAuthentication(
        method: String,
        request: AuthenticationRequest,
    ) -> (any EnhancedAuthentication)? { exchange(method: method, request: request) }

    func exchange(method: String, request: AuthenticationRequest) -> GuardedScram? {
        guard options.scram, options.passwordFile != nil, method == ScramServer.method else { return nil }
        let nonce: [UInt8]
        // Without randomness there is no safe exchange, hence no such method.
        do { nonce = try randomBytes(18) } catch { return nil }
        let table = state.withLock { $0.table }
        let server = ScramServer(
            table: table,
            clientID: request.clientID,
            decoyKey: table.decoyKey ?? processKey,
            serverNonce: Base64.encode(nonce),
        )
        return GuardedScram(server: server, address: request.peer.address, authenticator: self)
    }

    // MARK: - Without a password

    /// The decision where no password is needed; `nil` when the password decides.
    private func immediateJudgement(of request: AuthenticationRequest) -> LoginJudgement? {
        if options.userNameFromCertificate, let subject = request.peer.certificateSubject {
            guard let name = CertificateSubject(subject).commonName else {
                let sentence = "the client certificate has no usable common name"
                return .refused(LoginRefusal(.notAuthorized, .badCertificate, sentence))
            }
            return .accepted(Principal(clientID: request.clientID, userName: name))
        }
        if request.userName == nil {
            return request.password == nil
                ? anonymousJudgement(of: request) : Self.refusal(.malformed, "a password without a user name")
        }
        return options.passwordFile == nil ? Self.refusal(.unknownUser, "no password file is configured") : nil
    }

    private func anonymousJudgement(of request: AuthenticationRequest) -> LoginJudgement {
        func refused(_ reason: String) -> LoginJudgement {
            .refused(
                LoginRefusal(
                    .notAuthorized,
                    .notAllowed,
                    "anonymous connection: \(reason)",
                    told: "a user name and password are required",
                )
            )
        }
        guard options.anonymous == .loopback else { return refused("switched off by authentication.anonymous") }
        guard !options.listenersWithoutAnonymous.contains(request.peer.listener) else {
            return refused("switched off for this listener")
        }
        guard request.peer.isLoopback else { return refused("accepted from this machine only") }
        return .accepted(Principal(clientID: request.clientID, userName: nil))
    }

    // MARK: - With a password

    private typealias FailedCheck = (result: LoginResult, sentence: String)

    private enum FirstLook {
        case accept
        case refuse(LoginRefusal)
        case verify(PasswordTable.Entry?, decoyCost: ScryptHash.Cost, generation: Int)
    }

    private func firstLook(at userName: String, tag: [UInt8], address: String) -> FirstLook {
        let now = clock()
        return state.withLock { state in
            if state.verified.contains(userName, tag: tag) { return .accept }
            let pause = state.failures.pause(for: address, now: now)
            if pause > 0 { return .refuse(Self.tooManyFailures(pause)) }
            let key = FailureTable.key(of: address)
            guard state.pending[key, default: 0] < options.checksPerAddress else {
                return .refuse(
                    LoginRefusal(.serverBusy, .busy, "too many passwords of this address are waiting to be checked")
                )
            }
            state.pending[key, default: 0] += 1
            return .verify(
                state.table.entries[ExactText(userName)],
                decoyCost: state.table.decoyCost,
                generation: state.generation,
            )
        }
    }

    private func endCheck(of address: String) {
        let key = FailureTable.key(of: address)
        state.withLock { state in
            let left = (state.pending[key] ?? 1) - 1
            state.pending[key] = left > 0 ? left : nil
        }
    }

    /// Draws the consequences of a check: remembers a success, counts a failure.
    private func conclude(
        _ request: AuthenticationRequest,
        _ userName: String,
        tag: [UInt8],
        reason: FailedCheck?,
        entry: PasswordTable.Entry?,
        generation: Int,
    ) -> LoginJudgement {
        let now = clock()
        let reason = state.withLock { state -> FailedCheck? in
            var reason = reason
            if reason == nil, state.generation != generation, state.table.entries[ExactText(userName)] != entry {
                reason = (.badPassword, "the password was changed a moment ago")
            }
            if reason == nil {
                state.verified.insert(userName, tag: tag)
            } else {
                state.failures.recordFailure(of: request.peer.address, now: now)
            }
            return reason
        }
        guard let reason else { return .accepted(Principal(clientID: request.clientID, userName: userName)) }
        return Self.refusal(reason.result, "\(reason.sentence) (user `\(userName)`)")
    }

    private static func refusal(_ result: LoginResult, _ sentence: String) -> LoginJudgement {
        .refused(LoginRefusal(.badUserNameOrPassword, result, sentence, told: wrongCredentials))
    }

    private static func tooManyFailures(_ pause: Int64) -> LoginRefusal {
        LoginRefusal(.connectionRateExceeded, .tooManyFailures, tooManyFailuresText(pause))
    }

    fileprivate static func tooManyFailuresText(_ pause: Int64) -> String {
        "too many failed logins from this address; try again in \((pause + 999) / 1000) s"
    }
}

// MARK: - SCRAM

/// A SCRAM exchange that counts as a login of its address.
struct GuardedScram: EnhancedAuthentication {
    fileprivate var server: ScramServer
    fileprivate let address: String
    fileprivate let authenticator: PasswordAuthenticator
    /// Why it has ended with a refusal; `nil` before.
    private(set) var refusal: LoginResult?

    fileprivate init(server: ScramServer, address: String, authenticator: PasswordAuthenticator) {
        self.server = server
        self.address = address
        self.authenticator = authenticator
    }

    var claimedUserName: String? { server.claimedUserName }

    mutating func received(_ data: [UInt8]) -> EnhancedAuthenticationStep {
        let pause = authenticator.pause(for: address)
        if pause > 0 {
            refusal = .tooManyFailures
            return .refused(.notAuthorized, explanation: PasswordAuthenticator.tooManyFailuresText(pause))
        }
        let step = server.received(data)
        refusal = server.refusal
        if case .refused = step { authenticator.recordFailure(of: address) }
        return step
    }
}

extension PasswordAuthenticator {
    fileprivate func pause(for address: String) -> Int64 {
        let now = clock()
        return state.withLock { $0.failures.pause(for: address, now: now) }
    }

    fileprivate func recordFailure(of address: String) {
        let now = clock()
        state.withLock { $0.failures.recordFailure(of: address, now: now) }
    }
}
