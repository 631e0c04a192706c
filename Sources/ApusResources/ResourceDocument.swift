package import ApusMessage
internal import MQTTCodec

/// The resources file: accounts with their keys, and instances with what belongs to them.
///
/// The shape is stable. An unknown key is refused with its place, as everything that cannot be read; what is left out of an instance's policies and limits is
/// as in its profile.
package struct ResourceDocument: Codable, Sendable, Equatable {
    package struct Key: Codable, Sendable, Equatable {
        package var id: String
        package var secret: String
        package var rights: String
        /// `nil` leaves it as it is: who has disabled a key that leaked does not want the next apply to open it again.
        package var enabled: Bool?
        var problems: [DocumentError.Problem] = []

        private enum CodingKeys: String, CodingKey, CaseIterable { case id, secret, rights, enabled }

        package init(from decoder: any Decoder) throws {
            var fields = try DocumentFields(decoder, CodingKeys.allCases.map(\.rawValue))
            id = fields.text("id")
            secret = fields.text("secret")
            rights = fields.optional("rights") ?? AccessKey.Rights.data.rawValue
            enabled = fields.optional("enabled")
            problems = fields.problems
        }

        init(_ key: AccessKey) {
            id = key.id
            secret = key.secret
            rights = key.rights.rawValue
            enabled = key.isEnabled ? nil : false
        }
    }

    package struct Owner: Codable, Sendable, Equatable {
        package var name: String
        package var keys: [Key]
        var problems: [DocumentError.Problem] = []

        private enum CodingKeys: String, CodingKey, CaseIterable { case name, keys }

        package init(from decoder: any Decoder) throws {
            var fields = try DocumentFields(decoder, CodingKeys.allCases.map(\.rawValue))
            name = fields.text("name")
            keys = fields.list("keys")
            problems = fields.problems
        }

        init(name: String, keys: [Key]) {
            self.name = name
            self.keys = keys
        }
    }

    package struct Tenant: Codable, Sendable, Equatable {
        package var id: String
        package var name: String?
        package var account: String
        package var profile: String
        /// `nil` leaves it as it is: an instance that was stopped stays stopped.
        package var state: String?
        package var topics: [String]
        package var groups: [String]
        package var policies: PolicyFields
        package var limits: [String: Int]
        var problems: [DocumentError.Problem] = []

        private enum CodingKeys: String, CodingKey, CaseIterable {
            case id, name, account, profile, state, topics, groups, policies, limits
        }

        package init(from decoder: any Decoder) throws {
            var fields = try DocumentFields(decoder, CodingKeys.allCases.map(\.rawValue))
            id = fields.text("id")
            name = fields.optional("name")
            account = fields.text("account")
            profile = fields.optional("profile") ?? Profile.apsaramq.rawValue
            state = fields.optional("state")
            topics = fields.texts("topics")
            groups = fields.texts("groups")
            policies = fields.part("policies") ?? PolicyFields()
            let numbers: LimitFields? = fields.part("limits")
            limits = numbers?.values ?? [:]
            problems = fields.problems
        }

        init(_ instance: Instance, topics: [String], groups: [String]) {
            id = instance.id
            name = instance.name == instance.id ? nil : instance.name
            account = instance.account
            profile = instance.profile.rawValue
            state = instance.state == .running ? nil : instance.state.rawValue
            self.topics = topics
            self.groups = groups
            policies = PolicyFields(instance.policies)
            limits = Dictionary(uniqueKeysWithValues: instance.limits.values.map { ($0.rawValue, $1) })
        }
    }

    /// Policies by the names that file and API use; `nil` is as in the profile.
    package struct PolicyFields: Codable, Sendable, Equatable {
        package var duplicateClientId: String?
        package var onDenied: String?
        package var maximumQoS: Int?
        package var requiresGroup: Bool?
        package var requiresParentTopic: Bool?
        package var persistentQoS2: Bool?
        package var p2p: Bool?
        package var anonymousOnLoopback: Bool?
        package var trace: Bool?

        var problems: [DocumentError.Problem] = []

        private enum CodingKeys: String, CodingKey, CaseIterable {
            case duplicateClientId, onDenied, maximumQoS, requiresGroup, requiresParentTopic, persistentQoS2, p2p
            case anonymousOnLoopback, trace
        }

        package static var names: [String] { CodingKeys.allCases.map(\.rawValue) }

        package init() {}

        package init(from decoder: any Decoder) throws {
            var fields = try DocumentFields(decoder, Self.names)
            duplicateClientId = fields.word("duplicateClientId", of: Policies.DuplicateClientID.self)
            onDenied = fields.word("onDenied", of: Policies.OnDenied.self)
            maximumQoS = fields.optional("maximumQoS")
            requiresGroup = fields.optional("requiresGroup")
            requiresParentTopic = fields.optional("requiresParentTopic")
            persistentQoS2 = fields.optional("persistentQoS2")
            p2p = fields.optional("p2p")
            anonymousOnLoopback = fields.optional("anonymousOnLoopback")
            trace = fields.optional("trace")
            problems = fields.problems
        }

        package init(_ overrides: PolicyOverrides) {
            duplicateClientId = overrides.duplicateClientID?.rawValue
            onDenied = overrides.onDenied?.rawValue
            maximumQoS = overrides.maximumQoS.map { Int($0.rawValue) }
            requiresGroup = overrides.requiresGroup
            requiresParentTopic = overrides.requiresParentTopic
            persistentQoS2 = overrides.persistentQoS2
            p2p = overrides.p2p
            anonymousOnLoopback = overrides.anonymousOnLoopback
            trace = overrides.trace
        }

        /// - Parameter place: stands before the field in errors.
        package func overrides(at place: String) throws(ResourceError) -> PolicyOverrides {
            var result = PolicyOverrides()
            result.duplicateClientID = try word(duplicateClientId, "\(place).duplicateClientId")
            result.onDenied = try word(onDenied, "\(place).onDenied")
            if let maximumQoS {
                guard let qos = UInt8(exactly: maximumQoS).flatMap(QoS.init) else {
                    throw ResourceError(.invalid(field: "\(place).maximumQoS"), "maximumQoS is 0, 1 or 2")
                }
                result.maximumQoS = qos
            }
            result.requiresGroup = requiresGroup
            result.requiresParentTopic = requiresParentTopic
            result.persistentQoS2 = persistentQoS2
            result.p2p = p2p
            result.anonymousOnLoopback = anonymousOnLoopback
            result.trace = trace
            return result
        }
    }

    package var accounts: [Owner]
    package var instances: [Tenant]
    /// What could not be read; the rest stands here, so that a plan finds what else is wrong, but none comes of it.
    package private(set) var problems: [DocumentError.Problem] = []

    private enum CodingKeys: String, CodingKey, CaseIterable { case accounts, instances }

    /// - Throws: `DocumentError` when there is no object.
    package init(from decoder: any Decoder) throws {
        var fields = try DocumentFields(decoder, CodingKeys.allCases.map(\.rawValue))
        accounts = fields.list("accounts")
        instances = fields.list("instances")
        problems = Array(fields.problems.prefix(DocumentError.most))
    }

    /// The state of the catalog as a document; holds secrets.
    package init(_ directory: ResourceDirectory) {
        accounts = directory.accounts.map { account in
            Owner(name: account.name, keys: directory.accessKeys(ofAccount: account.name).map(Key.init))
        }
        instances = directory.instances.map { instance in
            Tenant(
                instance,
                topics: directory.topics(of: instance.number).map(\.name),
                groups: directory.groups(of: instance.number).map(\.id),
            )
        }
    }
}

/// A word of an enumeration, or which words there are.
func word<Word: RawRepresentable<String> & CaseIterable>(
    _ text: String?,
    _ field: String,
) throws(ResourceError) -> Word? {
    guard let text else { return nil }
    if let word = Word(rawValue: text) { return word }
    let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
    throw ResourceError(.invalid(field: field), "`\(text.legible(most: 64))` is none of \(words)")
}

/// Limits by name.
private struct LimitFields: DocumentPart {
    static let unreadable = LimitFields()
    var values: [String: Int] = [:]
    var problems: [DocumentError.Problem] = []

    private init() {}

    init(from decoder: any Decoder) throws {
        let names = InstanceLimits.Name.allCases.map(\.rawValue)
        var fields = try DocumentFields(decoder, names)
        for name in names { values[name] = fields.optional(name) }
        problems = fields.problems
    }
}

extension ResourceDocument.Key: DocumentPart {
    static let unreadable = Self()

    private init() {
        id = ""
        secret = ""
        rights = AccessKey.Rights.data.rawValue
    }
}

extension ResourceDocument.Owner: DocumentPart {
    static let unreadable = Self(name: "", keys: [])
}

extension ResourceDocument.Tenant: DocumentPart {
    static let unreadable = Self()

    private init() {
        id = ""
        account = ""
        profile = Profile.apsaramq.rawValue
        topics = []
        groups = []
        policies = ResourceDocument.PolicyFields()
        limits = [:]
    }
}

extension ResourceDocument.PolicyFields: DocumentPart {
    static let unreadable = Self()
}
