internal import ApusBroker
internal import ApusCrypto
internal import ApusMessage
internal import ApusResources
internal import MQTTCodec
internal import Synchronization

// The modes that the first part of the user name names.
extension ServiceAuthenticator {
    func outcome(
        of login: Login,
        _ mode: ServiceUserName.Mode,
        identity: String,
        instanceID: String,
    ) -> AuthenticationOutcome {
        guard instanceID.utf8.elementsEqual(login.instance.id.utf8) else {
            let sentence =
                "wrong instance: the user name names \(quoted(instanceID)), the connection is for "
                + quoted(login.instance.id)
            return Refusal(.notAuthorized, sentence).outcome
        }
        let parts = [mode.rawValue, login.instance.id, identity, login.request.clientID]
        return guarded(login, at: parts) {
            () throws(Guess) in
            switch mode {
            case .signature: try signatureOutcome(login, accessKeyID: identity)
            case .token: try tokenOutcome(login, accessKeyID: identity)
            case .deviceCredential: try deviceCredentialOutcome(login, accessKeyID: identity)
            }
        }
    }

    private func signatureOutcome(_ login: Login, accessKeyID: String) throws(Guess) -> AuthenticationOutcome {
        let key = directory.accessKey(id: accessKeyID)
        let mistake = ClientIDSignature.mistake(
            in: login.password,
            secret: key?.secret ?? decoySecret,
            clientID: login.request.clientID,
        )
        guard let key else { throw Guess("unknown access key \(quoted(accessKeyID))", form: .signature) }
        if let mistake { throw Guess("access key \(quoted(accessKeyID)): \(mistake)", form: .signature) }
        if let sentence = key.failure(in: login.instance) {
            return Refusal(.notAuthorized, sentence, told: key.toldFailure(in: login.instance)).outcome
        }
        return outcome(of: login, proving: .accessKey(id: accessKeyID), userName: login.userName)
    }

    private func tokenOutcome(_ login: Login, accessKeyID: String) throws(Guess) -> AuthenticationOutcome {
        let pairs: [(type: TokenType, token: String)]
        do throws(TokenPassword.Malformed) { pairs = try TokenPassword.pairs(login.password) } catch {
            throw Guess(error.sentence, form: .token)
        }
        var held: [HeldToken] = []
        for (type, text) in pairs {
            do throws(TokenFailure) {
                held.append(
                    try TokenCheck(directory: directory)
                        .held(text, type, accessKeyID: accessKeyID, in: login.entry, now: login.request.now)
                )
            } catch {
                if error.code == .forged { throw Guess(error.sentence, form: .token) }
                // Only who was given it can show a token of ours, so its holder may know what is wrong with it.
                return Refusal(.notAuthorized, error.sentence).outcome
            }
        }
        guard let key = directory.accessKey(id: accessKeyID) else {
            return Refusal(.notAuthorized, "access key \(quoted(accessKeyID)), which issued the token, was deleted")
                .outcome
        }
        if let sentence = key.failure(in: login.instance) {
            return Refusal(.notAuthorized, sentence, told: key.toldFailure(in: login.instance)).outcome
        }
        let tokens = HeldTokens(accessKeyID: accessKeyID, held)
        return outcome(
            of: login,
            proving: .tokens(tokens),
            userName: login.userName,
            validUntil: tokens.validUntil,
            noticeAt: tokens.noticeAt,
        )
    }

    private func deviceCredentialOutcome(_ login: Login, accessKeyID: String) throws(Guess) -> AuthenticationOutcome {
        let credential = directory.deviceCredential(login.instance.number, accessKeyID: accessKeyID)
        let mistake = ClientIDSignature.mistake(
            in: login.password,
            secret: credential?.accessKeySecret ?? decoySecret,
            clientID: login.request.clientID,
        )
        guard let credential else {
            throw Guess(
                "unknown device access key \(quoted(accessKeyID)); if it was refreshed, the device needs the new one, if "
                    + "it was unregistered, register it anew",
                form: .deviceCredential,
            )
        }
        if let mistake { throw Guess("device access key \(quoted(accessKeyID)): \(mistake)", form: .deviceCredential) }
        guard credential.clientID.utf8.elementsEqual(login.request.clientID.utf8) else {
            return Refusal(
                .notAuthorized,
                "device access key \(quoted(accessKeyID)) is bound to client id \(quoted(credential.clientID)), not "
                    + quoted(login.request.clientID),
            ).outcome
        }
        return outcome(of: login, proving: .deviceCredential(id: accessKeyID), userName: login.userName)
    }
}

// MARK: - Other user names

extension ServiceAuthenticator {
    func authenticatePlain(_ login: Login, reply: @escaping @Sendable (AuthenticationOutcome) -> Void) {
        let (request, instance) = (login.request, login.instance)
        let isStandard = instance.profile == .standard
        let modes = self.modes
        let stored = directory.identity(instance.number, userName: login.userName, clientID: request.clientID)
        if let stored { return reply(customOutcome(login, stored)) }
        if isStandard, JWTVerifier.resembles(login.password),
            let verifier = modes.verifier(ofInstance: instance.id)
        {
            return reply(jwtOutcome(login, verifier))
        }
        if let hook = modes.hooks[instance.id] { return ask(hook, login, reply: reply) }
        if isStandard, let passwords = options.passwords {
            return check(login, by: passwords, reply: reply)
        }
        reply(unknownUserOutcome(login))
    }

    /// Lets another authenticator decide, whose users belong to the instance from then on.
    func check(
        _ login: Login,
        by passwords: any Authenticator,
        reply: @escaping @Sendable (AuthenticationOutcome) -> Void,
    ) {
        passwords.authenticate(login.request) { [self] outcome in
            guard case .accepted(let principal) = outcome else { return reply(outcome) }
            reply(self.outcome(of: login, proving: .password, userName: principal.userName))
        }
    }

    private func unknownUserOutcome(_ login: Login) -> AuthenticationOutcome {
        guarded(login, at: ["Custom", login.instance.id, login.userName]) { () throws(Guess) in
            // Costs what a wrong password costs.
            _ = ClientIDSignature.mistake(
                in: login.password,
                secret: decoySecret,
                clientID: login.request.clientID,
            )
            let modes = ServiceUserName.Mode.allCases.map(\.rawValue)
            let prefix = String(Substring(login.userName.utf8.prefix(20).prefix { $0 != UInt8(ascii: "|") }))
            if let mode = modes.first(where: { $0.lowercased() == prefix.lowercased() }) {
                throw Guess("unknown user \(quoted(login.userName)); the mode is written `\(mode)|`", form: nil)
            }
            throw Guess(
                "unknown user \(quoted(login.userName)): no stored identity of instance \(quoted(login.instance.id)), and "
                    + "the name begins with none of the modes `\(modes.joined(separator: "|`, `"))|`",
                form: nil,
            )
        }
    }

    private func customOutcome(_ login: Login, _ identity: CustomIdentity) -> AuthenticationOutcome {
        let clientID = login.request.clientID
        var parts = ["Custom", login.instance.id, login.userName]
        if identity.type == .client || identity.signMode == .signed { parts.append(clientID) }
        return guarded(login, at: parts) { () throws(Guess) in
            let name = "identity \(quoted(login.userName)) (\(identity.type.rawValue), \(identity.signMode.rawValue))"
            let mistake = ClientIDSignature.mistake(in: login.password, secret: identity.secret, clientID: clientID)
            switch identity.signMode {
            case .origin:
                // As hashes, so that not even the length of the secret shows.
                let (given, stored) = (Digest.sha256(login.password), Digest.sha256(Array(identity.secret.utf8)))
                guard constantTimeEqual(given, stored) else {
                    let hint = mistake == nil ? "; this is the signature, which SignMode SIGNED demands" : ""
                    throw Guess(
                        "\(name): wrong password; in SignMode ORIGIN it is the stored secret itself\(hint)",
                        form: nil,
                    )
                }
            case .signed:
                if let mistake { throw Guess("\(name): \(mistake)", form: nil) }
            }
            let rights = CustomRights(
                login.instance.number,
                identity.type,
                userName: login.userName,
                clientID: clientID,
            )
            return outcome(of: login, proving: .custom(rights), userName: login.userName)
        }
    }

    private func jwtOutcome(_ login: Login, _ verifier: JWTVerifier) -> AuthenticationOutcome {
        guarded(login, at: ["JWT", login.instance.id, login.userName]) { () throws(Guess) in
            let request = login.request
            let claims: JWTVerifier.Claims
            do throws(JWTVerifier.Refusal) {
                claims = try verifier.claims(
                    of: login.password,
                    userName: login.userName,
                    clientID: request.clientID,
                    now: request.now,
                )
            } catch {
                guard error.isSigned else {
                    throw Guess("\(error.sentence) (user \(quoted(login.userName)))", form: nil)
                }
                return Refusal(.notAuthorized, error.sentence).outcome
            }
            return outcome(
                of: login,
                proving: .rules(claims.rules, source: .jwt),
                userName: claims.subject,
                validUntil: claims.validUntil,
            )
        }
    }

    private func ask(
        _ hook: AuthenticationHook,
        _ login: Login,
        reply: @escaping @Sendable (AuthenticationOutcome) -> Void,
    ) {
        let request = login.request
        let parts = ["HTTP", login.instance.id, login.userName, request.clientID]
        let attempt = guesses.attempt(at: parts, password: login.password, from: request.peer.address)
        if let pause = guesses.pause(for: attempt, now: request.now) {
            return reply(.refused(.connectionRateExceeded, explanation: pause))
        }
        let answer = OnceReply(reply)
        let accepted = hook.calls.submit { [self] in
            hook.judge(request, instanceID: login.instance.id) { [self] verdict in
                guard answer.take() else { return }
                hook.calls.ended()
                switch verdict {
                case .allow(let rules, let validUntil):
                    guesses.recordSuccess(of: attempt)
                    answer.reply(
                        outcome(
                            of: login,
                            proving: .rules(rules, source: .http),
                            userName: login.userName,
                            validUntil: validUntil,
                        )
                    )
                case .deny:
                    guesses.recordFailure(of: attempt, now: request.now)
                    let sentence = "the HTTP authentication service denied user \(quoted(login.userName))"
                    answer.reply(Refusal.credentials(sentence, form: nil).outcome)
                case .failure(let sentence):
                    answer.reply(
                        Refusal(.serverUnavailable, sentence, told: "the authentication service has failed").outcome
                    )
                }
            }
        }
        if !accepted {
            reply(.refused(.serverBusy, explanation: "too many calls of the HTTP authentication service are waiting"))
        }
    }
}

// MARK: - Guesses

extension ServiceAuthenticator {
    /// A try that may have been a guess.
    struct Guess: Error {
        var refusal: Refusal

        init(_ sentence: String, form: ServiceUserName.Mode?) { refusal = .credentials(sentence, form: form) }
    }

    /// Looks at a password unless address or identity must wait, and remembers how it ended.
    ///
    /// - Parameter identity: What the secret belongs to.
    private func guarded(
        _ login: Login,
        at identity: [String],
        _ look: () throws(Guess) -> AuthenticationOutcome,
    ) -> AuthenticationOutcome {
        let request = login.request
        let attempt = guesses.attempt(at: identity, password: login.password, from: request.peer.address)
        if let pause = guesses.pause(for: attempt, now: request.now) {
            return .refused(.connectionRateExceeded, explanation: pause)
        }
        do throws(Guess) {
            let outcome = try look()
            if case .accepted = outcome { guesses.recordSuccess(of: attempt) }
            return outcome
        } catch {
            guesses.recordFailure(of: attempt, now: request.now)
            return error.refusal.outcome
        }
    }

    /// A reply that is given once, whatever an HTTP client does.
    private final class OnceReply: Sendable {
        let reply: @Sendable (AuthenticationOutcome) -> Void
        private let isTaken = Atomic(false)

        init(_ reply: @escaping @Sendable (AuthenticationOutcome) -> Void) { self.reply = reply }

        /// Whether nobody has taken it before.
        func take() -> Bool { !isTaken.exchange(true, ordering: .relaxed) }
    }
}
