package import ApusMessage
internal import MQTTCodec

/// The resources file: accounts with their keys, and instances with what belongs to them.
///
/// The shape is stable. An unknown key is refused with its place; what is left out of an instance's policies and limits is
/// as in its profile.
package struct ResourceDocument: Codable, Sendable, Equatable {
    package struct Key: Codable, Sendable, Equatable {
        package var id: String
        package var secret: String
        package var rights: String
        /// `nil` leaves it as it is: who has disabled a key that leaked does not want the next apply to open it again.
        package var enabled: Bool?

        package init(from decoder: any Decoder) throws {
            let fields = try Fields(decoder, ["id", "secret", "rights", "enabled"])
            id = try fields.text("id")
            secret = try fields.text("secret")
            rights = try fields.optional("rights") ?? AccessKey.Rights.data.rawValue
            enabled = try fields.optional("enabled")
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

        package init(from decoder: any Decoder) throws {
            let fields = try Fields(decoder, ["name", "keys"])
            name = try fields.text("name")
            keys = try fields.optional("keys") ?? []
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

        package init(from decoder: any Decoder) throws {
            let names = ["id", "name", "account", "profile", "state", "topics", "groups", "policies", "limits"]
            let fields = try Fields(decoder, names)
            id = try fields.text("id")
            name = try fields.optional("name")
            account = try fields.text("account")
            profile = try fields.optional("profile") ?? Profile.apsaramq.rawValue
            state = try fields.optional("state")
            topics = try fields.optional("topics") ?? []
            groups = try fields.optional("groups") ?? []
            policies = try fields.optional("policies") ?? PolicyFields()
            limits = try fields.optional("limits", Numbers.self)?.values ?? [:]
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

        package static let names = [
            "duplicateClientId", "onDenied", "maximumQoS", "requiresGroup", "requiresParentTopic", "persistentQoS2",
            "p2p", "anonymousOnLoopback", "trace",
        ]

        package init() {}

        package init(from decoder: any Decoder) throws {
            let fields = try Fields(decoder, Self.names)
            duplicateClientId = try fields.optional("duplicateClientId")
            onDenied = try fields.optional("onDenied")
            maximumQoS = try fields.optional("maximumQoS")
            requiresGroup = try fields.optional("requiresGroup")
            requiresParentTopic = try fields.optional("requiresParentTopic")
            persistentQoS2 = try fields.optional("persistentQoS2")
            p2p = try fields.optional("p2p")
            anonymousOnLoopback = try fields.optional("anonymousOnLoopback")
            trace = try fields.optional("trace")
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

    package init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, ["accounts", "instances"])
        accounts = try fields.optional("accounts") ?? []
        instances = try fields.optional("instances") ?? []
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
private struct Numbers: Decodable {
    var values: [String: Int] = [:]

    init(from decoder: any Decoder) throws {
        let names = InstanceLimits.Name.allCases.map(\.rawValue)
        let fields = try Fields(decoder, names)
        for name in names { values[name] = try fields.optional(name, Int.self) }
    }
}

/// The members of a JSON object, of which none may be unknown.
private struct Fields {
    private let container: KeyedDecodingContainer<AnyKey>
    private let place: String

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(_ decoder: any Decoder, _ names: [String]) throws {
        place = Self.path(decoder.codingPath)
        do {
            container = try decoder.container(keyedBy: AnyKey.self)
        } catch {
            throw ResourceError(.invalid(field: place), "an object is expected, with \(names.joined(separator: ", "))")
        }
        guard let key = container.allKeys.map(\.stringValue).filter({ !names.contains($0) }).min() else { return }
        let name = key.legible(most: 64)
        throw ResourceError(
            .invalid(field: Self.join(place, name)),
            "unknown key `\(name)`; there are \(names.joined(separator: ", "))",
        )
    }

    func text(_ name: String) throws -> String {
        guard let value: String = try optional(name) else {
            throw ResourceError(.invalid(field: Self.join(place, name)), "`\(name)` is missing")
        }
        return value
    }

    func optional<Value: Decodable>(_ name: String, _ type: Value.Type = Value.self) throws -> Value? {
        do {
            return try container.decodeIfPresent(Value.self, forKey: AnyKey(stringValue: name))
        } catch let error as ResourceError {
            throw error
        } catch let error as DecodingError {
            let (path, expected) = Self.place(error)
            let right = expected.map { "; \($0) is expected" } ?? ""
            throw ResourceError(
                .invalid(field: path ?? Self.join(place, name)),
                "`\(name)` is not of the right type\(right)",
            )
        } catch {
            // JSONDecoder's own, without a place: a number that the type cannot hold.
            throw ResourceError(.invalid(field: Self.join(place, name)), "`\(name)` is not of the right type")
        }
    }

    private static func place(_ error: DecodingError) -> (path: String?, expected: String?) {
        switch error {
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            return (path(context.codingPath), expected(type))
        case .keyNotFound(let key, let context): return (join(path(context.codingPath), key.stringValue), nil)
        case .dataCorrupted(let context): return (path(context.codingPath), nil)
        @unknown default: return (nil, nil)
        }
    }

    private static func expected(_ type: Any.Type) -> String? {
        switch type {
        case is String.Type: "text"
        case is Int.Type: "a whole number"
        case is Bool.Type: "true or false"
        case is any Sequence.Type: "a list or an object"
        default: nil
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        keys.reduce("") { path, key in
            key.intValue.map { "\(path)[\($0)]" } ?? join(path, key.stringValue)
        }
    }

    private static func join(_ place: String, _ name: String) -> String { place.isEmpty ? name : "\(place).\(name)" }
}
