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
        package var passwords: (any Authenticator)?
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

        package init() {}
    }

    /// More than MQTT can carry.
    static let maximumPasswordBytes = 65_535

    let directory: ResourceDirectory
    let table: InstanceTable
    let options: Options
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
        guard let entry = table.entry(request.instance) else {
            return reply(.refused(.notAuthorized, explanation: "the instance was deleted a moment ago"))
        }
        if let refusal = refusalBeforeProof(request, entry) { return reply(refusal.outcome) }
        if let passwords = certificateUsers(request, entry) {
            let login = Login(request: request, entry: entry, userName: "", password: [])
            return check(login, by: passwords, reply: reply)
        }
        guard let userName = request.userName else { return reply(anonymousOutcome(request, entry)) }
        guard let password = request.password else {
            return reply(
                Refusal.credentials("there is no password (user name \(quoted(userName)))", form: nil).outcome
            )
        }
        let login = Login(request: request, entry: entry, userName: userName, password: password)
        switch ServiceUserName(userName) {
        case .incomplete(let mode):
            let sentence = "the user name \(quoted(userName)) has not three parts that are not empty"
            reply(Refusal.credentials(sentence, form: mode).outcome)
        case .service(let mode, let identity, let instanceID):
            reply(outcome(of: login, mode, identity: identity, instanceID: instanceID))
        case .plain:
            authenticatePlain(login, reply: reply)
        }
    }

    package func enhancedAuthentication(
        method: String,
        request: AuthenticationRequest,
    ) -> (any EnhancedAuthentication)? {
        guard let entry = table.entry(request.instance), entry.instance.profile == .standard,
            let exchange = options.passwords?.enhancedAuthentication(method: method, request: request)
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
    private func refusalBeforeProof(_ request: AuthenticationRequest, _ entry: InstanceTable.Entry) -> Refusal? {
        let instance = entry.instance
        guard entry.isRunning else {
            return Refusal(.notAuthorized, "instance \(quoted(instance.id)) is stopped; start it or use another")
        }
        if entry.settings.policies.requiresGroup,
            case .failure(let violation) = ClientIDRule.group(of: request.clientID)
        {
            return Refusal(.clientIdentifierNotValid, violation.sentence)
        }
        if directory.isBanned(instance.number, clientID: request.clientID) {
            return Refusal(
                .banned,
                "client id \(quoted(request.clientID)) is banned in instance \(quoted(instance.id)); "
                    + "DeleteCustomAuthConnectBlack lifts the ban",
                told: "this client id is banned",
            )
        }
        if let password = request.password, password.count > Self.maximumPasswordBytes {
            return Refusal.credentials("the password has \(password.count) bytes", form: nil)
        }
        return nil
    }

    /// What the client may be, now that it has proven who it is.
    func outcome(
        of login: Login,
        proving proof: ServiceGrant.Proof,
        userName: String?,
        validUntil: Timestamp = .distantFuture,
        noticeAt: Timestamp = .distantFuture,
    ) -> AuthenticationOutcome {
        let (request, entry) = (login.request, login.entry)
        if entry.settings.policies.requiresGroup, case .success(let group) = ClientIDRule.group(of: request.clientID),
            !directory.hasGroup(entry.instance.number, group)
        {
            return Refusal(
                .notAuthorized,
                "group \(quoted(group)) does not exist in instance \(quoted(entry.instance.id)); create it with "
                    + "CreateGroupId or use a client id of another group",
            ).outcome
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
            return Refusal(.notAuthorized, error.sentence).outcome
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
    ) -> (any Authenticator)? {
        guard options.userNameFromCertificate, entry.instance.profile == .standard,
            request.peer.certificateSubject != nil, ServiceUserName(request.userName ?? "") == .plain
        else { return nil }
        return options.passwords
    }

    private func anonymousOutcome(
        _ request: AuthenticationRequest,
        _ entry: InstanceTable.Entry,
    ) -> AuthenticationOutcome {
        func refused(_ reason: String) -> AuthenticationOutcome {
            Refusal(.notAuthorized, "no user name: \(reason)", told: "a user name and password are required").outcome
        }
        guard request.password == nil else {
            return Refusal.credentials("there is a password without a user name", form: nil).outcome
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
        return outcome(of: login, proving: .anonymous, userName: nil)
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

    /// A refusal with two sentences: for the log, and for a client that has proven nothing.
    struct Refusal: Error, Sendable, Equatable {
        var code: ReasonCode
        var sentence: String
        /// `nil` when the client may read the sentence of the log.
        var told: String?

        init(_ code: ReasonCode, _ sentence: String, told: String? = nil) {
            self.code = code
            self.sentence = sentence
            self.told = told
        }

        /// Wrong credentials of any kind: the client is not told which part is wrong, only how they are written.
        static func credentials(_ sentence: String, form: ServiceUserName.Mode?) -> Refusal {
            let wrong = "the user name or password is wrong"
            return Refusal(
                .badUserNameOrPassword,
                sentence,
                told: form.map { "\(wrong); in mode \($0.rawValue): \($0.form)" } ?? wrong,
            )
        }

        var outcome: AuthenticationOutcome { .refused(code, explanation: sentence, clientExplanation: told) }
    }
}

/// An exchange of another authenticator, whose end belongs to an instance.
private struct ServiceExchange: EnhancedAuthentication {
    var exchange: any EnhancedAuthentication
    let refusal: ServiceAuthenticator.Refusal?
    let login: ServiceAuthenticator.Login
    let authenticator: ServiceAuthenticator

    mutating func received(_ data: [UInt8]) -> EnhancedAuthenticationStep {
        if let refusal {
            return .refused(refusal.code, explanation: refusal.sentence, clientExplanation: refusal.told)
        }
        let step = exchange.received(data)
        guard case .accepted(let principal, let data) = step else { return step }
        switch authenticator.outcome(of: login, proving: .password, userName: principal.userName) {
        case .accepted(let principal):
            return .accepted(principal, data: data)
        case .refused(let code, let explanation, let clientExplanation):
            return .refused(code, explanation: explanation, clientExplanation: clientExplanation)
        }
    }
}
