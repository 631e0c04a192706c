internal import MQTTCodec

/// What to do about a CONNECT that the broker refused: it follows from the reason that the broker gave, and there is none
/// where the reason says all.
struct LoginAdvice {
    let login: LoginDiagnosis
    let code: ReasonCode
    /// The reason string, which only MQTT 5 has room for.
    let sentence: String?

    init(login: LoginDiagnosis, code: ReasonCode, sentence: String?) {
        var login = login
        login.decidedInstance = sentence.flatMap(Self.decidedInstance)
        self.login = login
        self.code = code
        self.sentence = sentence
    }

    /// Sentences, the most telling first.
    var lines: [String] {
        guard let sentence, !sentence.isEmpty else { return withoutSentence }
        return advice(sentence) + [otherInstance].compactMap(\.self)
    }

    private func advice(_ sentence: String) -> [String] {
        switch code {
        case .badUserNameOrPassword: return doubts + [trace]
        case .notAuthorized: return Self.reasons.first { sentence.contains($0.words) }?.advice(login) ?? []
        case .clientIdentifierNotValid: return byClientID(sentence)
        case .quotaExceeded: return byQuota(sentence)
        default: return byCode
        }
    }

    /// The instance in ``…; instance `local` has decided``, which the broker tells where the user name names none.
    private static func decidedInstance(_ sentence: String) -> String? {
        let end = "` has decided"
        guard sentence.hasSuffix(end), let start = sentence.ranges(of: "instance `").last?.upperBound else {
            return nil
        }
        return String(sentence[start...].dropLast(end.count))
    }

    /// What to do where the device was meant for another instance than the one that has refused it.
    private var otherInstance: String? {
        login.decidedInstance.map { id in
            "instance \(id) was asked, since the user name names none. Is the device's another? Then connect by a listener "
                + "with `instance: ID`, or by the host ID.DOMAIN of TLS or WebSocket; else the first that runs is asked"
        }
    }

    private var doubts: [String] { login.complaints.isEmpty ? login.suspicions : login.complaints }

    /// Where the reason stands that a client is not told.
    private var trace: String {
        "the exact reason is in the broker's log, and for managers in `apus client trace \(login.client)`"
    }

    /// Below MQTT 5 the code is all there is, and one code stands for many reasons.
    private var withoutSentence: [String] {
        let ask = "MQTT 3.1.1 has no room for the reason: try -V 5"
        return switch code {
        case .badUserNameOrPassword: doubts + [trace]
        case .notAuthorized: login.complaints + [ask, trace]
        case .clientIdentifierNotValid:
            (ClientIDShape.complaint(login.clientID).map { [$0] } ?? [Self.duplicate(login)]) + [ask]
        case .serverUnavailable: byCode + [ask]
        default: byCode
        }
    }

    /// Where the code alone says enough.
    private var byCode: [String] {
        switch code {
        case .banned: ["`apus ban lift \(login.client)` lifts the ban"]
        case .sessionTakenOver: [Self.duplicate(login)]
        case .serverUnavailable, .serverBusy, .serverShuttingDown: ["try again in a while"]
        case .connectionRateExceeded:
            ["wait so long: after several wrong passwords an address and a user name have to; then try the right one"]
        case .unsupportedProtocolVersion: ["try -V 3.1.1"]
        default: []
        }
    }

    // MARK: - Reasons

    private static func duplicate(_ login: LoginDiagnosis) -> String {
        "perhaps the device itself, or another client with its id, is connected: `apus client show \(login.client)`"
    }

    private func byClientID(_ sentence: String) -> [String] {
        if sentence.contains("is in use") { return [Self.duplicate(login)] }
        if sentence.contains("session of another user") {
            return [
                "`apus session show \(login.client)` shows that session, `apus session end \(login.client)` ends it"
            ]
        }
        return ClientIDShape.complaint(login.clientID).map { [$0] } ?? []
    }

    private func byQuota(_ sentence: String) -> [String] {
        guard sentence.contains("the instance is at") else {
            return sentence.contains("the broker is at") ? ["the limit is one of the broker's configuration"] : []
        }
        let place = login.instanceID.map { " \(CommandWord.text($0))" } ?? ""
        return ["`apus instance show\(place)` shows the limits, `apus instance change` raises them"]
    }

    /// What the broker tells with "not authorised", by words of the sentence; the first that fits counts.
    private static let reasons: [(words: String, advice: @Sendable (LoginDiagnosis) -> [String])] = [
        ("takes no connections", stoppedInstance), ("is stopped", stoppedInstance),
        (
            "is disabled",
            { login in
                ["`apus key change \(login.key) --enable-key` enables it; or log in with another key: `apus key list`"]
            }
        ),
        (
            "of another account",
            { _ in
                [
                    "use a key of the account that owns the instance: `apus instance list` names each instance's account, "
                        + "`apus key list` each key's"
                ]
            }
        ),
        (
            "does not exist in instance",
            { login in
                let group = login.group.map { CommandWord.text($0) } ?? "GROUP"
                return [
                    "`apus group create \(group)\(login.instanceOption)` makes it, "
                        + "`apus group list\(login.instanceOption)` names those that there are"
                ]
            }
        ),
        ("issued the token, was deleted", newToken), ("token expired", newToken), ("token was revoked", newToken),
        ("token is older", newToken), ("token was issued for another instance", newToken),
        ("token was issued by another", newToken),
        (
            "is bound to client id",
            { login in ["each device has a credential of its own: `apus credential show \(login.client)`"] }
        ),
        ("demands a client certificate", { _ in ["give the device's certificate with --cert and --key, over TLS"] }),
        ("password are required", { $0.complaints }),
    ]

    @Sendable private static func stoppedInstance(_ login: LoginDiagnosis) -> [String] {
        guard let id = login.instanceID.map({ CommandWord.text($0) }) else {
            return ["the user name names no instance, and none takes the connection: `apus instance list`"]
        }
        return [
            "`apus instance show \(id)` says whether there is such an instance and whether it runs; "
                + "`apus instance change \(id) --state running` starts one that is stopped"
        ]
    }

    @Sendable private static func newToken(_ login: LoginDiagnosis) -> [String] {
        [
            "`apus token issue TOPIC\(login.instanceOption)` with the key of the user name makes a new token, "
                + "`apus credential password --mode token` a password of it"
        ]
    }
}

extension LoginDiagnosis {
    /// The third part of a user name of the service's own modes, or else what the broker has told.
    var instanceID: String? { ofService?.instance ?? decidedInstance }

    /// The group in the client id.
    var group: String? {
        clientID.firstRange(of: "@@@").map { String(clientID[..<$0.lowerBound]) }
    }

    /// The access key's id as a word of a command.
    fileprivate var key: String { ofService.map { CommandWord.text($0.accessKeyID) } ?? "KEY" }

    /// The client and its instance as words of a command.
    fileprivate var client: String { CommandWord.text(clientID) + instanceOption }

    fileprivate var instanceOption: String { instanceID.map { " -I \(CommandWord.text($0))" } ?? "" }
}
