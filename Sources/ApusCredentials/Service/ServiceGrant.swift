internal import ApusBroker
internal import ApusLocks
internal import ApusMessage
internal import ApusResources
internal import ApusTopics

/// What a client of the service has proven, for `ServiceAuthorizer`.
package final class ServiceGrant: Grant {
    /// By which mode, with what the rights follow from.
    enum Proof: Sendable {
        /// All topics of the instance, while the key is there and enabled.
        case accessKey(id: String)
        /// The topics and actions of the tokens.
        case tokens(HeldTokens)
        /// All topics of the instance; holds until the connection ends (apsaramq-facts 2.5).
        case deviceCredential(id: String)
        /// The stored permissions of user name and client id, while the identity is stored.
        case custom(CustomRights)
        /// What an HTTP service or a JWT said; `nil` for all topics of the instance.
        case rules(TopicRules?, source: RuleSource)
        /// A user of the password file.
        case password
        case anonymous
    }

    /// Who made the rules of a connection.
    enum RuleSource: String, Sendable {
        case http = "the HTTP authentication service"
        case jwt = "the JWT's `acl` claim"
    }

    let proof: Proof
    /// The client certificate that was checked besides, if the instance has authorities of its own.
    let certificate: CertificateIdentity?

    init(_ proof: Proof, certificate: CertificateIdentity? = nil) {
        self.proof = proof
        self.certificate = certificate
    }
}

/// The numbers under which a client certificate is known to the catalog.
struct CertificateIdentity: Sendable, Equatable {
    var caSerialNumber: String
    var serialNumber: String
}

/// The stored permissions of one user and client, parsed once for each revision of the directory.
final class CustomRights: Sendable {
    private struct Parsed {
        var revision: UInt64
        var rules: TopicRules
    }

    let userName: String
    /// Of which type the identity is that has proven them.
    let type: IdentityType
    private let instance: InstanceNumber
    private let clientID: String
    private let parsed = Guarded<Parsed?>(nil)

    init(_ instance: InstanceNumber, _ type: IdentityType, userName: String, clientID: String) {
        self.instance = instance
        self.type = type
        self.userName = userName
        self.clientID = clientID
    }

    /// Whether the identity that has proven them is stored; another one of the same user name does not stand in for it.
    func isStored(in directory: ResourceDirectory) -> Bool {
        let clientID = type == .client ? clientID : nil
        return directory.storedIdentity(instance, userName: userName, clientID: clientID) != nil
    }

    func rules(from directory: ResourceDirectory) -> TopicRules {
        parsed.withLock { parsed in
            let revision = directory.revision
            if let parsed, parsed.revision == revision { return parsed.rules }
            let rules = TopicRules(
                rules: directory.permissions(instance, userName: userName, clientID: clientID).compactMap(
                    TopicRule.init
                )
            )
            parsed = Parsed(revision: revision, rules: rules)
            return rules
        }
    }
}

extension TopicRule {
    /// `nil` for a stored topic that is no filter: it grants nothing and, there being no topic that it could match,
    /// forbids nothing.
    init?(_ permission: CustomPermission) {
        do { filter = try TopicFilter(permission.topic) } catch { return nil }
        isGrant = permission.effect == .allow
        publish = permission.action != .subscribe
        subscribe = permission.action != .publish
    }
}
