internal import ApusBroker
internal import ApusCrypto
internal import ApusMessage
internal import ApusResources
internal import MQTTCodec
internal import Synchronization

// The modes that the first part of the user name names.
extension ServiceAuthenticator {
    func judgement(
        of login: Login,
        _ mode: ServiceUserName.Mode,
        identity: String,
        instanceID: String,
    ) -> LoginJudgement {
        guard instanceID.utf8.elementsEqual(login.instance.id.utf8) else {
            let sentence =
                "wrong instance: the user name names \(quoted(instanceID)), the connection is for "
                + quoted(login.instance.id)
            return .refused(LoginRefusal(.notAuthorized, .wrongInstance, sentence))
        }
        let parts = [mode.rawValue, login.instance.id, identity, login.request.clientID]
        return guarded(login, at: parts) {
            () throws(Guess) in
            switch mode {
            case .signature: try signatureJudgement(login, accessKeyID: identity)
            case .token: try tokenJudgement(login, accessKeyID: identity)
            case .deviceCredential: try deviceCredentialJudgement(login, accessKeyID: identity)
            }
        }
    }

    private func signatureJudgement(_ login: Login, accessKeyID: String) throws(Guess) -> LoginJudgement {
        let key = directory.accessKey(id: accessKeyID)
        let mistake = ClientIDSignature.mistake(
            in: login.password,
            secret: key?.secret ?? decoySecret,
            clientID: login.request.clientID,
        )
        guard let key else { throw Guess(.unknownKey, "unknown access key \(quoted(accessKeyID))", form: .signature) }
        if let mistake { throw Guess(.badSignature, "access key \(quoted(accessKeyID)): \(mistake)", form: .signature) }
        if let sentence = key.failure(in: login.instance) {
            let told = key.toldFailure(in: login.instance)
            return .refused(LoginRefusal(.notAuthorized, .unusableKey, sentence, told: told))
        }
        return judgement(of: login, proving: .accessKey(id: accessKeyID), userName: login.userName)
    }

    private func tokenJudgement(_ login: Login, accessKeyID: String) throws(Guess) -> LoginJudgement {
        let pairs: [(type: TokenType, token: String)]
        do throws(TokenPassword.Malformed) { pairs = try TokenPassword.pairs(login.password) } catch {
            throw Guess(.malformed, error.sentence, form: .token)
        }
        var held: [HeldToken] = []
        for (type, text) in pairs {
            do throws(TokenFailure) {
                held.append(
                    try TokenCheck(directory: directory)
                        .held(text, type, accessKeyID: accessKeyID, in: login.entry, now: login.request.now)
                )
            } catch {
                if error.code == .forged { throw Guess(.badToken, error.sentence, form: .token) }
                // Only who was given it can show a token of ours, so its holder may know what is wrong with it.
                return .refused(LoginRefusal(.notAuthorized, error.code.result, error.sentence))
            }
        }
        guard let key = directory.accessKey(id: accessKeyID) else {
            let sentence = "access key \(quoted(accessKeyID)), which issued the token, was deleted"
            return .refused(LoginRefusal(.notAuthorized, .unusableKey, sentence))
        }
        if let sentence = key.failure(in: login.instance) {
            let told = key.toldFailure(in: login.instance)
            return .refused(LoginRefusal(.notAuthorized, .unusableKey, sentence, told: told))
        }
        let tokens = HeldTokens(accessKeyID: accessKeyID, held)
        return judgement(
            of: login,
            proving: .tokens(tokens),
            userName: login.userName,
            validUntil: tokens.validUntil,
            noticeAt: tokens.noticeAt,
        )
    }

    private func deviceCredentialJudgement(_ login: Login, accessKeyID: String) throws(Guess) -> LoginJudgement {
        let credential = directory.deviceCredential(login.instance.number, accessKeyID: accessKeyID)
        let mistake = ClientIDSignature.mistake(
            in: login.password,
            secret: credential?.accessKeySecret ?? decoySecret,
            clientID: login.request.clientID,
        )
        guard let credential else {
            throw Guess(
                .unknownKey,
                "unknown device access key \(quoted(accessKeyID)); if it was refreshed, the device needs the new one, if "
                    + "it was unregistered, register it anew",
                form: .deviceCredential,
            )
        }
        if let mistake {
            throw Guess(.badSignature, "device access key \(quoted(accessKeyID)): \(mistake)", form: .deviceCredential)
        }
        guard credential.clientID.utf8.elementsEqual(login.request.clientID.utf8) else {
            return .refused(
                LoginRefusal(
                    .notAuthorized,
                    .wrongClientID,
                    "device access key \(quoted(accessKeyID)) is bound to client id \(quoted(credential.clientID)), not "
                        + quoted(login.request.clientID),
                )
            )
        }
        return judgement(of: login, proving: .deviceCredential(id: accessKeyID), userName: login.userName)
    }
}

// MARK: - Other user names

extension ServiceAuthenticator {
    func judgePlain(_ login: Login, reply: @escaping Reply) {
        let (request, instance) = (login.request, login.instance)
        let isStandard = instance.profile == .standard
        let modes = self.modes
        let stored = directory.identity(instance.number, userName: login.userName, clientID: request.clientID)
        if let stored { return reply(.custom, customJudgement(login, stored)) }
        if isStandard, JWTVerifier.resembles(login.password),
            let verifier = modes.verifier(ofInstance: instance.id)
        {
            return reply(.jwt, jwtJudgement(login, verifier))
        }
        if let hook = modes.hooks[instance.id] { return ask(hook, login, reply: reply) }
        if isStandard, let passwords = options.passwords {
            return check(login, .passwordFile, by: passwords, reply: reply)
        }
        reply(.none, unknownUserJudgement(login))
    }

    /// Lets another authenticator decide, whose users belong to the instance from then on.
    func check(
        _ login: Login,
        _ mode: LoginMode,
        by passwords: PasswordAuthenticator,
        reply: @escaping Reply,
    ) {
        passwords.judge(login.request) { [self] judgement in
            switch judgement {
            case .accepted(let principal):
                reply(mode, self.judgement(of: login, proving: .password, userName: principal.userName))
            case .refused(var refusal):
                if refusal.result == .unknownUser {
                    let id = quoted(login.instance.id)
                    refusal.sentence += ", and instance \(id) has no identity of this name\(elsewhere(login))"
                }
                reply(mode, .refused(refusal))
            }
        }
    }

    private func unknownUserJudgement(_ login: Login) -> LoginJudgement {
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
                throw Guess(
                    .unknownUser,
                    "unknown user \(quoted(login.userName)); the mode is written `\(mode)|`",
                    form: nil
                )
            }
            throw Guess(
                .unknownUser,
                "unknown user \(quoted(login.userName)): no stored identity of instance \(quoted(login.instance.id)), and "
                    + "the name begins with none of the modes `\(modes.joined(separator: "|`, `"))|`\(elsewhere(login))",
                form: nil,
            )
        }
    }

    /// Where the account has an identity of this name, if not here: for the log, since a user name without an instance
    /// comes to whichever is chosen for it.
    ///
    /// Never of another account, for the trace tells this sentence to the instance's own.
    private func elsewhere(_ login: Login) -> String {
        let found = directory.instances(
            ofAccount: login.instance.account,
            withIdentity: login.userName,
            clientID: login.request.clientID,
        )
        guard !found.isEmpty else { return "" }
        let names = found.map { quoted($0) }.joined(separator: ", ")
        return "; there is one in \(names), so the connection was for the wrong instance"
    }

    private func customJudgement(_ login: Login, _ identity: CustomIdentity) -> LoginJudgement {
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
                        .badPassword,
                        "\(name): wrong password; in SignMode ORIGIN it is the stored secret itself\(hint)",
                        form: nil,
                    )
                }
            case .signed:
                if let mistake { throw Guess(.badSignature, "\(name): \(mistake)", form: nil) }
            }
            let rights = CustomRights(
                login.instance.number,
                identity.type,
                userName: login.userName,
                clientID: clientID,
            )
            return judgement(of: login, proving: .custom(rights), userName: login.userName)
        }
    }

    private func jwtJudgement(_ login: Login, _ verifier: JWTVerifier) -> LoginJudgement {
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
                    throw Guess(error.result, "\(error.sentence) (user \(quoted(login.userName)))", form: nil)
                }
                return .refused(LoginRefusal(.notAuthorized, error.result, error.sentence))
            }
            return judgement(
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
        reply: @escaping Reply,
    ) {
        let request = login.request
        let parts = ["HTTP", login.instance.id, login.userName, request.clientID]
        let attempt = guesses.attempt(at: parts, password: login.password, from: request.peer.address)
        if let pause = guesses.pause(for: attempt, now: request.now) {
            return reply(.http, .refused(LoginRefusal(.connectionRateExceeded, .tooManyFailures, pause)))
        }
        let answer = OnceReply { reply(.http, $0) }
        let accepted = hook.calls.submit { [self] in
            hook.judge(request, instanceID: login.instance.id) { [self] verdict in
                guard answer.take() else { return }
                hook.calls.ended()
                switch verdict {
                case .allow(let rules, let validUntil):
                    guesses.recordSuccess(of: attempt)
                    answer.reply(
                        judgement(
                            of: login,
                            proving: .rules(rules, source: .http),
                            userName: login.userName,
                            validUntil: validUntil,
                        )
                    )
                case .deny:
                    guesses.recordFailure(of: attempt, now: request.now)
                    let sentence = "the HTTP authentication service denied user \(quoted(login.userName))"
                    answer.reply(.refused(.credentials(.denied, sentence, form: nil)))
                case .failure(let sentence):
                    let told = "the authentication service has failed"
                    answer.reply(.refused(LoginRefusal(.serverUnavailable, .serviceFailed, sentence, told: told)))
                }
            }
        }
        if !accepted {
            let sentence = "too many calls of the HTTP authentication service are waiting"
            reply(.http, .refused(LoginRefusal(.serverBusy, .busy, sentence)))
        }
    }
}

// MARK: - Guesses

extension ServiceAuthenticator {
    /// A try that may have been a guess.
    struct Guess: Error {
        var refusal: LoginRefusal

        init(_ result: LoginResult, _ sentence: String, form: ServiceUserName.Mode?) {
            refusal = .credentials(result, sentence, form: form)
        }
    }

    /// Looks at a password unless address or identity must wait, and remembers how it ended.
    ///
    /// - Parameter identity: What the secret belongs to.
    private func guarded(
        _ login: Login,
        at identity: [String],
        _ look: () throws(Guess) -> LoginJudgement,
    ) -> LoginJudgement {
        let request = login.request
        let attempt = guesses.attempt(at: identity, password: login.password, from: request.peer.address)
        if let pause = guesses.pause(for: attempt, now: request.now) {
            return .refused(LoginRefusal(.connectionRateExceeded, .tooManyFailures, pause))
        }
        do throws(Guess) {
            let judgement = try look()
            if case .accepted = judgement { guesses.recordSuccess(of: attempt) }
            return judgement
        } catch {
            guesses.recordFailure(of: attempt, now: request.now)
            return .refused(error.refusal)
        }
    }

    /// A reply that is given once, whatever an HTTP client does.
    private final class OnceReply: Sendable {
        let reply: @Sendable (LoginJudgement) -> Void
        private let isTaken = Atomic(false)

        init(_ reply: @escaping @Sendable (LoginJudgement) -> Void) { self.reply = reply }

        /// Whether nobody has taken it before.
        func take() -> Bool { !isTaken.exchange(true, ordering: .relaxed) }
    }
}
