package import ApusBroker
package import ApusCrypto
internal import ApusLocks
internal import ApusMessage
package import ApusResources
internal import MQTTCodec

/// Decides by the catalog who may connect: the modes of apsaramq-facts 2.2, and in instances of the `standard` profile
/// those of any broker.
///
/// The mode is found so:
/// 1. no user name: anonymous, where the instance's policy allows it;
/// 2. `Signature|…`, `Token|…`, `DeviceCredential|…`;
/// 3. a stored identity of custom authentication, the entry of user name and client id before that of the user name;
/// 4. in the `standard` profile a password that looks like a JWT, if keys for JWTs are configured;
/// 5. the instance's HTTP service, if it has one;
/// 6. in the `standard` profile the password file, if there is one.
///
/// Whatever the mode, a banned client id is refused, the client id must be as the instance demands, and a client
/// certificate must be one of the instance's authorities, if it has any.
///
/// The log learns what was wrong; the client learns it once it has proven who it is, and before that how user name and
/// password are written. What compares secrets takes the same time whatever they are, also for identities that do not
/// exist. Who fails too often must wait (`GuessGuard`).
package final class ServiceAuthenticator: Authenticator {
    /// What the configuration decides, and what the modes need.
    package struct Options: Sendable {
        /// The password file (and SCRAM) of instances of the `standard` profile.
        package var passwords: PasswordAuthenticator?
        /// What holds until `replaceModes`.
        package var modes = ConfiguredModes()
        /// Whether policies that allow anonymous clients on loopback are obeyed at all.
        package var anonymousOnLoopback = true
        /// The names of listeners that refuse anonymous connections all the same.
        package var listenersWithoutAnonymous: Set<String> = []
        /// Whether the common name of a client certificate is the user name in instances of the `standard` profile; the
        /// authenticator of `passwords` must be set up likewise.
        package var userNameFromCertificate = false
        /// Told of a device certificate that the catalog does not know, for its registration (apsaramq-facts 2.8).
        ///
        /// Called on the thread of the decision, a shard's as a rule, at each CONNECT until it is known: the registration
        /// happens elsewhere, and only if the certificate is still unknown then.
        package var newDeviceCertificate: (@Sendable (DeviceCertificate) -> Void)?
        package var addressFailures = FailurePolicy()
        package var identityFailures = FailurePolicy(freeFailures: 10)
        /// So many identities that were right lately are exempt from waiting.
        package var rememberedIdentities = 16_384
        /// Where each login that was decided is counted.
        package var counts = LoginCounts()

        package init() {}
    }

    /// More than MQTT can carry.
    static let maximumPasswordBytes = 65_535

    let directory: ResourceDirectory
    let table: InstanceTable
    let options: Options
    /// How the logins ended.
    package var counts: LoginCounts { options.counts }
    private let configuredModes: Guarded<ConfiguredModes>
    let guesses: GuessGuard
    let certificates: CertificateCheck
    /// Stands in for secrets of identities that do not exist.
    let decoySecret: String

    /// - Throws: `CryptoError.noRandomness`.
    package init(directory: ResourceDirectory, options: Options = Options()) throws(CryptoError) {
        self.directory = directory
        self.options = options
        configuredModes = Guarded(options.modes)
        table = InstanceTable(directory)
        guesses = GuessGuard(
            processKey: try randomBytes(32),
            addresses: options.addressFailures,
            identities: options.identityFailures,
            rememberedIdentities: max(0, options.rememberedIdentities),
        )
        certificates = CertificateCheck(directory)
        decoySecret = Base64.encode(try randomBytes(24))
    }

    /// For logins from now on; those that are in stay.
    package func replaceModes(_ modes: ConfiguredModes) { configuredModes.withLock { $0 = modes } }

    var modes: ConfiguredModes { configuredModes.withLock { $0 } }

    package func authenticate(
        _ request: AuthenticationRequest,
        reply: @escaping @Sendable (AuthenticationOutcome) -> Void,
    ) {
        judge(request) { [options] mode, judgement in
            options.counts.count(mode, judgement.result)
            reply(judgement.outcome)
        }
    }

    private func judge(_ request: AuthenticationRequest, reply: @escaping Reply) {
        guard let entry = table.entry(request.instance) else {
            let sentence = "the instance was deleted a moment ago"
            return reply(.none, .refused(LoginRefusal(.notAuthorized, .instanceUnavailable, sentence)))
        }
        if let refusal = refusalBeforeProof(request, entry) { return reply(.none, .refused(refusal)) }
        if let passwords = certificateUsers(request, entry) {
            let login = Login(request: request, entry: entry, userName: "", password: [])
            return check(login, .certificate, by: passwords, reply: reply)
        }
        guard let userName = request.userName else { return reply(.anonymous, anonymousJudgement(request, entry)) }
        guard let password = request.password else {
            let sentence = "there is no password (user name \(quoted(userName)))"
            return reply(.none, .refused(.credentials(.malformed, sentence, form: nil)))
        }
        let login = Login(request: request, entry: entry, userName: userName, password: password)
        switch ServiceUserName(userName) {
        case .incomplete(let mode):
            let sentence = "the user name \(quoted(userName)) has not three parts that are not empty"
            reply(mode.loginMode, .refused(.credentials(.malformed, sentence, form: mode)))
        case .service(let mode, let identity, let instanceID):
            reply(mode.loginMode, judgement(of: login, mode, identity: identity, instanceID: instanceID))
        case .plain:
            judgePlain(login, reply: reply)
        }
    }

    package func enhancedAuthentication(
        method: String,
        request: AuthenticationRequest,
    ) -> (any EnhancedAuthentication)? {
        guard let entry = table.entry(request.instance), entry.instance.profile == .standard,
            let exchange = options.passwords?.exchange(method: method, request: request)
        else { return nil }
        return ServiceExchange(
            exchange: exchange,
            refusal: refusalBeforeProof(request, entry),
            login: Login(request: request, entry: entry, userName: request.userName ?? "", password: []),
            authenticator: self,
        )
    }

    // MARK: - Whatever the mode

    /// Why a CONNECT is refused without a look at its proof.
    ///
    /// Bans come before the proof, so that no banned device costs an HTTP service or a slow hash anything.
    private func refusalBeforeProof(_ request: AuthenticationRequest, _ entry: InstanceTable.Entry) -> LoginRefusal? {
        let instance = entry.instance
        guard entry.isRunning else {
            let sentence = "instance \(quoted(instance.id)) is stopped; start it or use another"
            return LoginRefusal(.notAuthorized, .instanceUnavailable, sentence)
        }
        if entry.settings.policies.requiresGroup,
            case .failure(let violation) = ClientIDRule.group(of: request.clientID)
        {
            return LoginRefusal(.clientIdentifierNotValid, .malformedClientID, violation.sentence)
        }
        if directory.isBanned(instance.number, clientID: request.clientID) {
            return LoginRefusal(
                .banned,
                .banned,
                "client id \(quoted(request.clientID)) is banned in instance \(quoted(instance.id)); "
                    + "DeleteCustomAuthConnectBlack lifts the ban",
                told: "this client id is banned",
            )
        }
        if let password = request.password, password.count > Self.maximumPasswordBytes {
            return .credentials(.malformed, "the password has \(password.count) bytes", form: nil)
        }
        return nil
    }

    /// What the client may be, now that it has proven who it is.
    func judgement(
        of login: Login,
        proving proof: ServiceGrant.Proof,
        userName: String?,
        validUntil: Timestamp = .distantFuture,
        noticeAt: Timestamp = .distantFuture,
    ) -> LoginJudgement {
        let (request, entry) = (login.request, login.entry)
        if entry.settings.policies.requiresGroup, case .success(let group) = ClientIDRule.group(of: request.clientID),
            !directory.hasGroup(entry.instance.number, group)
        {
            return .refused(
                LoginRefusal(
                    .notAuthorized,
                    .unknownGroup,
                    "group \(quoted(group)) does not exist in instance \(quoted(entry.instance.id)); create it with "
                        + "CreateGroupId or use a client id of another group",
                )
            )
        }
        let finding: CertificateCheck.Finding?
        do throws(CertificateCheck.Refusal) {
            finding = try certificates.finding(
                of: request.peer,
                in: entry,
                isRequired: modes.certificateInstances.contains(entry.instance.id),
                now: request.now,
            )
        } catch {
            return .refused(LoginRefusal(.notAuthorized, .badCertificate, error.sentence))
        }
        if let certificate = finding?.unregistered { options.newDeviceCertificate?(certificate) }
        return .accepted(
            Principal(
                clientID: request.clientID,
                userName: userName,
                instance: entry.instance.number,
                grant: ServiceGrant(proof, certificate: finding?.identity),
                validUntil: validUntil,
                noticeAt: noticeAt,
            )
        )
    }

    /// Who takes the user name from a certificate, where that is wanted and the user name is of none of our modes.
    private func certificateUsers(
        _ request: AuthenticationRequest,
        _ entry: InstanceTable.Entry,
    ) -> PasswordAuthenticator? {
        guard options.userNameFromCertificate, entry.instance.profile == .standard,
            request.peer.certificateSubject != nil, ServiceUserName(request.userName ?? "") == .plain
        else { return nil }
        return options.passwords
    }

    private func anonymousJudgement(
        _ request: AuthenticationRequest,
        _ entry: InstanceTable.Entry,
    ) -> LoginJudgement {
        func refused(_ reason: String) -> LoginJudgement {
            let told = "a user name and password are required"
            return .refused(LoginRefusal(.notAuthorized, .notAllowed, "no user name: \(reason)", told: told))
        }
        guard request.password == nil else {
            return .refused(.credentials(.malformed, "there is a password without a user name", form: nil))
        }
        guard options.anonymousOnLoopback else { return refused("anonymous clients are switched off") }
        guard entry.settings.policies.anonymousOnLoopback else {
            return refused("instance \(quoted(entry.instance.id)) takes no anonymous clients")
        }
        guard !options.listenersWithoutAnonymous.contains(request.peer.listener) else {
            return refused("anonymous clients are switched off for this listener")
        }
        guard request.peer.isLoopback else { return refused("anonymous clients are taken from this machine only") }
        let login = Login(request: request, entry: entry, userName: "", password: [])
        return judgement(of: login, proving: .anonymous, userName: nil)
    }
}

// MARK: - Parts

extension ServiceAuthenticator {
    /// A CONNECT with user name and password, and the instance that it is for.
    struct Login: Sendable {
        let request: AuthenticationRequest
        let entry: InstanceTable.Entry
        let userName: String
        let password: [UInt8]

        var instance: Instance { entry.instance }
    }

    /// Takes the mode of a login and how it ended, once.
    typealias Reply = @Sendable (LoginMode, LoginJudgement) -> Void
}

/// An exchange of another authenticator, whose end belongs to an instance.
private struct ServiceExchange: EnhancedAuthentication {
    var exchange: GuardedScram
    let refusal: LoginRefusal?
    let login: ServiceAuthenticator.Login
    let authenticator: ServiceAuthenticator

    mutating func received(_ data: [UInt8]) -> EnhancedAuthenticationStep {
        if let refusal { return refused(refusal) }
        let step = exchange.received(data)
        switch step {
        case .challenge: return step
        case .refused:
            count(exchange.refusal ?? .malformed)
            return step
        case .accepted(let principal, let data):
            switch authenticator.judgement(of: login, proving: .password, userName: principal.userName) {
            case .accepted(let principal):
                count(.accepted)
                return .accepted(principal, data: data)
            case .refused(let refusal): return refused(refusal)
            }
        }
    }

    private func refused(_ refusal: LoginRefusal) -> EnhancedAuthenticationStep {
        count(refusal.result)
        return .refused(refusal.code, explanation: refusal.sentence, clientExplanation: refusal.told)
    }

    private func count(_ result: LoginResult) { authenticator.options.counts.count(.scram, result) }
}
