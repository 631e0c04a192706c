package import ApusBroker
package import ApusMessage
package import ApusResources
internal import MQTTCodec

/// Decides by the catalog, and by what a client has proven (`ServiceGrant`), what it may do, and for how long.
///
/// First come the instance's rules, which hold for everybody: the parent topic exists, the topic is not too long, nobody
/// subscribes to another's P2P messages. Then the rights:
///
/// | proven by | may |
/// |---|---|
/// | access key, device credential | everything in the instance |
/// | token | publish (`W`) and subscribe (`R`) where a resource covers the topic |
/// | custom identity | what a permission of its user name or client id allows and none denies |
/// | HTTP service, JWT | what its rules allow and none denies; everything, if it named no rules |
/// | password file, anonymous | what the access rules of the configuration say |
///
/// A client may always subscribe to `{parent}/p2p/{its own client id}`, which reaches it anyway.
package final class ServiceAuthorizer: Authorizer {
    private let directory: ResourceDirectory
    private let table: InstanceTable
    private let certificates: CertificateCheck
    private let fileRights: (any Authorizer)?
    /// That of the access rules where there are some: one object counts the changes of both.
    package let revision: RightsRevision

    /// - Parameter fileRights: What users of the password file and anonymous clients may do; `nil` for everything.
    package init(directory: ResourceDirectory, fileRights: (any Authorizer)? = nil) {
        self.directory = directory
        self.fileRights = fileRights
        revision = fileRights?.revision ?? RightsRevision()
        table = InstanceTable(directory)
        certificates = CertificateCheck(directory)
    }

    /// Must be called after each change of the directory, when the directory has it.
    ///
    /// The directory's own revision would do, but it grows with each new credential too, and each step of ours makes the
    /// broker look at all connections.
    package func resourcesChanged(_ made: [CatalogChange]) {
        guard made.contains(where: \.mayChangeRights) else { return }
        revision.advance()
    }

    // MARK: - Topics

    package func denial(of access: Access, to topic: String, for principal: Principal) -> AccessDenial? {
        guard let entry = table.entry(principal.instance) else { return .rule("the instance was deleted") }
        guard let grant = principal.grant as? ServiceGrant else {
            return .rule("the connection has proven nothing that gives rights")
        }
        if topic.utf8.starts(with: "$SYS/".utf8) || topic == "$SYS" {
            return systemDenial(of: access, to: topic, grant, principal)
        }
        let levels = TopicLevels(topic)
        if let sentence = brokenRule(of: access, topic, levels, entry, clientID: principal.clientID) {
            return .rule(sentence)
        }
        // What is left of P2P filters is the client's own.
        if access == .subscribe, entry.settings.policies.p2p, levels.behindP2P != nil { return nil }
        return missingRight(of: access, to: topic, grant, principal)
    }

    /// The notice that the real service sends when a token does not cover what a client does (apsaramq-facts 8.2); `nil`
    /// when something else is the reason of a denial.
    package func notice(ofDenied access: Access, to topic: String, for principal: Principal) -> SystemNotice? {
        guard let grant = principal.grant as? ServiceGrant, case .tokens(let tokens) = grant.proof else { return nil }
        let code: TokenFailure.Code
        switch tokens.decision(on: access, to: topic) {
        case .granted: return nil
        case .actionNotCovered: code = .actionNotCovered
        case .resourceNotCovered: code = .resourceNotCovered
        }
        let type = tokens.all.first { $0.has(access) }?.type ?? tokens.first?.type ?? .readWrite
        return TokenNotice.invalid(code, type)
    }

    /// The rule of the instance that a topic breaks, as a sentence.
    private func brokenRule(
        of access: Access,
        _ topic: String,
        _ levels: TopicLevels,
        _ entry: InstanceTable.Entry,
        clientID: String,
    ) -> String? {
        let (policies, limits) = (entry.settings.policies, entry.settings.limits)
        if policies.requiresParentTopic {
            guard !levels.hasWildcardParent else {
                return "\(quoted(topic)): the first level must be a parent topic of instance "
                    + "\(quoted(entry.instance.id)), not a wildcard"
            }
            let parent = String(Substring(levels.parent))
            guard directory.hasTopic(entry.instance.number, parent) else {
                return "\(quoted(topic)): parent topic \(quoted(parent)) does not exist in instance "
                    + "\(quoted(entry.instance.id)); create it first"
            }
        }
        let target = policies.p2p ? levels.p2pTarget : nil
        if limits.topicCharacters > 0 {
            let counted = target == nil ? topic : String(Substring(levels.parent))
            if let sentence = excess(
                of: counted,
                over: limits.topicCharacters,
                target == nil ? "topic" : "parent topic"
            ) {
                return sentence
            }
        }
        if let target,
            let sentence = excess(of: String(Substring(target)), over: ClientIDRule.maximumCharacters, "P2P client id")
        {
            return sentence
        }
        guard policies.p2p, access == .subscribe, let wanted = levels.behindP2P else { return nil }
        guard wanted.elementsEqual(clientID.utf8) else {
            return
                "\(quoted(topic)): P2P messages reach their client without a subscription, and nobody may subscribe to "
                + "those of another"
        }
        return nil
    }

    private func excess(of text: String, over limit: Int, _ name: String) -> String? {
        // No character has less than a byte.
        guard text.utf8.count > limit else { return nil }
        let count = text.unicodeScalars.count
        guard count > limit else { return nil }
        return "\(name) \(quoted(text)) has \(count) characters; at most \(limit) are allowed"
            + (name == "topic" ? " (limit topicCharacters of the instance)" : "")
    }

    /// `$SYS` is the broker's own.
    private func systemDenial(
        of access: Access,
        to topic: String,
        _ grant: ServiceGrant,
        _ principal: Principal,
    ) -> AccessDenial? {
        guard access == .subscribe else { return .rule("\(quoted(topic)): only the broker publishes beneath $SYS") }
        // They come without a subscription, which is harmless therefore.
        if topic == TokenNotice.expireTopic || topic == TokenNotice.invalidTopic { return nil }
        switch grant.proof {
        case .accessKey(let id) where directory.accessKey(id: id)?.rights == .administrator: return nil
        case .password, .anonymous: return fileRights?.denial(of: access, to: topic, for: principal)
        default:
            return .rule(
                "\(quoted(topic)): the broker's statistics are of all instances; only an administrator's key reads them",
            )
        }
    }

    private func missingRight(
        of access: Access,
        to topic: String,
        _ grant: ServiceGrant,
        _ principal: Principal,
    ) -> AccessDenial? {
        var verb: String { access == .publish ? "publish to" : "subscribe to" }
        switch grant.proof {
        case .accessKey, .deviceCredential, .rules(nil, _):
            return nil
        case .tokens(let tokens):
            switch tokens.decision(on: access, to: topic) {
            case .granted:
                return nil
            case .actionNotCovered:
                let right = access == .publish ? "W" : "R"
                return .rule(
                    "no token of the connection has the right \(right), to \(verb) \(quoted(topic)); apply for one"
                )
            case .resourceNotCovered:
                return .rule(
                    "no resource of the token covers \(quoted(topic)), to \(verb) it; apply for a token that does"
                )
            }
        case .custom(let rights):
            var owner: String { "user \(quoted(rights.userName)) or client id \(quoted(principal.clientID))" }
            return denial(
                rights.rules(from: directory).decision(on: access, to: topic),
                missing:
                    "no permission of \(owner) allows to \(verb) \(quoted(topic)); add one with AddCustomAuthPermission",
                forbidden: "a permission of \(owner) denies to \(verb) \(quoted(topic))",
            )
        case .rules(let rules?, let source):
            return denial(
                rules.decision(on: access, to: topic),
                missing: "no rule of \(source.rawValue) allows to \(verb) \(quoted(topic))",
                forbidden: "a rule of \(source.rawValue) denies to \(verb) \(quoted(topic))",
            )
        case .password, .anonymous:
            return fileRights?.denial(of: access, to: topic, for: principal)
        }
    }

    private func denial(
        _ decision: TopicRules.Decision,
        missing: @autoclosure () -> String,
        forbidden: @autoclosure () -> String,
    ) -> AccessDenial? {
        switch decision {
        case .granted: nil
        case .notGranted: .rule(missing())
        case .forbidden(let filter): .rule("\(forbidden()) (\(quoted(filter)))")
        }
    }

    // MARK: - Standing

    package func standing(of principal: Principal, now: Timestamp) -> Standing {
        func ended(_ code: ReasonCode, _ sentence: String, _ notice: SystemNotice? = nil) -> Standing {
            .ended(code, explanation: sentence, notice: notice)
        }
        guard let entry = table.entry(principal.instance) else {
            return ended(.administrativeAction, "the instance was deleted")
        }
        // Made only for a sentence: this is asked of all connections at a time.
        var id: String { quoted(entry.instance.id) }
        guard entry.isRunning else { return ended(.administrativeAction, "instance \(id) was stopped") }
        if directory.isBanned(principal.instance, clientID: principal.clientID) {
            return ended(.administrativeAction, "client id \(quoted(principal.clientID)) was banned in instance \(id)")
        }
        if entry.settings.policies.requiresGroup {
            guard case .success(let group) = ClientIDRule.group(of: principal.clientID),
                directory.hasGroup(principal.instance, group)
            else {
                return ended(.administrativeAction, "the group of client id \(quoted(principal.clientID)) was deleted")
            }
        }
        guard let grant = principal.grant as? ServiceGrant else { return .good }
        if let certificate = grant.certificate, let sentence = certificates.failure(of: certificate, principal.instance)
        {
            return ended(.notAuthorized, sentence)
        }
        return standing(of: grant.proof, principal, entry, now: now)
    }

    private func standing(
        of proof: ServiceGrant.Proof,
        _ principal: Principal,
        _ entry: InstanceTable.Entry,
        now: Timestamp,
    ) -> Standing {
        switch proof {
        case .accessKey(let id):
            if let sentence = failure(ofKey: id, entry.instance) {
                return .ended(.notAuthorized, explanation: sentence, notice: nil)
            }
        case .tokens(let tokens):
            if let sentence = failure(ofKey: tokens.accessKeyID, entry.instance) {
                let notice = tokens.first.map { TokenNotice.invalid(.noPermission, $0.type) }
                return .ended(.notAuthorized, explanation: sentence, notice: notice)
            }
            let check = TokenCheck(directory: directory)
            for held in tokens.all {
                guard let failure = check.failure(of: held, now: now) else { continue }
                return .ended(.notAuthorized, explanation: failure.sentence, notice: failure.notice)
            }
        case .custom(let rights):
            if !rights.isStored(in: directory) {
                let sentence = "identity \(quoted(rights.userName)) was deleted"
                return .ended(.notAuthorized, explanation: sentence, notice: nil)
            }
        case .rules(_, let source):
            if principal.validUntil <= now {
                let sentence =
                    "what \(source == .http ? "the HTTP authentication service" : "the JWT") allowed has expired"
                return .ended(.notAuthorized, explanation: sentence, notice: nil)
            }
        case .deviceCredential, .password, .anonymous:
            break
        }
        return .good
    }

    private func failure(ofKey id: String, _ instance: Instance) -> String? {
        guard let key = directory.accessKey(id: id) else { return "access key \(quoted(id)) was deleted" }
        return key.failure(in: instance)
    }

    package func notice(to principal: Principal, now: Timestamp) -> SystemNotice? {
        guard let grant = principal.grant as? ServiceGrant, case .tokens(let tokens) = grant.proof else { return nil }
        return tokens.first.map(TokenNotice.expires)
    }
}

extension CatalogChange {
    /// Whether a connection that was good may be so no longer, or a topic that was allowed, or the other way round.
    ///
    /// New keys, credentials and identities change nothing for those who are connected, and a changed or removed device
    /// credential does not either (apsaramq-facts 2.5).
    fileprivate var mayChangeRights: Bool {
        switch self {
        case .deleteAccount, .putAccessKey, .deleteAccessKey, .putInstance, .deleteInstance, .putTopic, .deleteTopic,
            .deleteGroup, .deleteIdentity, .putPermission, .deletePermission, .putBan, .putRevokedToken,
            .putCACertificate,
            .deleteCACertificate:
            true
        case .putDeviceCertificate(let certificate):
            !certificate.isActive
        case .putAccount, .putGroup, .putTag, .deleteTag, .putDeviceCredential, .deleteDeviceCredential, .putIdentity,
            .deleteBan, .forgetRevokedTokens, .deleteDeviceCertificate, .putServerNames, .putServiceSecret:
            false
        }
    }
}
