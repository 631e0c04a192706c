internal import ApusMessage
internal import ApusResources
internal import MQTTCodec

/// Policies and limits of instances as JSON, under the names that the resources file has too.
enum InstanceSettings {
    private struct Policy: Sendable {
        var name: String
        var text: SettingText
        var schema: Schema
        /// The value that holds.
        var value: @Sendable (Policies) -> JSONValue
        /// The value that differs from the profile; `nil` for none.
        var override: @Sendable (PolicyOverrides) -> JSONValue?
        /// Takes a value that the schema allows, or null for the profile's.
        var set: @Sendable (inout PolicyOverrides, JSONValue) -> Void
    }

    private static let policies: [Policy] = [
        Policy(
            name: "duplicateClientId",
            text: .duplicateClientID,
            schema: .choice(Policies.DuplicateClientID.self),
            value: { .string($0.duplicateClientID.rawValue) },
            override: { $0.duplicateClientID.map { .string($0.rawValue) } },
            set: { $0.duplicateClientID = $1.string.flatMap(Policies.DuplicateClientID.init) },
        ),
        Policy(
            name: "onDenied",
            text: .onDenied,
            schema: .choice(Policies.OnDenied.self),
            value: { .string($0.onDenied.rawValue) },
            override: { $0.onDenied.map { .string($0.rawValue) } },
            set: { $0.onDenied = $1.string.flatMap(Policies.OnDenied.init) },
        ),
        Policy(
            name: "maximumQoS",
            text: .maximumQoS,
            schema: .integer(0...2),
            value: { .integer(Int64($0.maximumQoS.rawValue)) },
            override: { $0.maximumQoS.map { .integer(Int64($0.rawValue)) } },
            set: { $0.maximumQoS = $1.integer.flatMap { UInt8(exactly: $0) }.flatMap(QoS.init) },
        ),
        flag("requiresGroup", .requiresGroup, { $0.requiresGroup }, { $0.requiresGroup }, { $0.requiresGroup = $1 }),
        flag(
            "requiresParentTopic",
            .requiresParentTopic,
            { $0.requiresParentTopic },
            { $0.requiresParentTopic },
            { $0.requiresParentTopic = $1 }
        ),
        flag(
            "persistentQoS2",
            .persistentQoS2,
            { $0.persistentQoS2 },
            { $0.persistentQoS2 },
            { $0.persistentQoS2 = $1 }
        ),
        flag("p2p", .p2p, { $0.p2p }, { $0.p2p }, { $0.p2p = $1 }),
        flag(
            "anonymousOnLoopback",
            .anonymousOnLoopback,
            { $0.anonymousOnLoopback },
            { $0.anonymousOnLoopback },
            { $0.anonymousOnLoopback = $1 }
        ),
        flag("trace", .trace, { $0.trace }, { $0.trace }, { $0.trace = $1 }),
    ]

    private static func flag(
        _ name: String,
        _ text: SettingText,
        _ value: @escaping @Sendable (Policies) -> Bool,
        _ override: @escaping @Sendable (PolicyOverrides) -> Bool?,
        _ set: @escaping @Sendable (inout PolicyOverrides, Bool?) -> Void,
    ) -> Policy {
        Policy(
            name: name,
            text: text,
            schema: .boolean,
            value: { .bool(value($0)) },
            override: { override($0).map { .bool($0) } },
            set: { set(&$0, $1.bool) },
        )
    }

    // MARK: - Schemas

    static func policyProperties(required: Bool, nullable: Bool) -> [Schema.Property] {
        policies.map { policy in
            let schema = nullable ? Schema.nullable(policy.schema) : policy.schema
            return Schema.Property(policy.name, schema, required: required, policy.text.description)
        }
    }

    static func limitProperties(required: Bool, nullable: Bool) -> [Schema.Property] {
        InstanceLimits.Name.allCases.map { name in
            let schema = Schema.integer(Int64(name.range.lowerBound)...Int64(name.range.upperBound))
            return Schema.Property(
                name.rawValue,
                nullable ? .nullable(schema) : schema,
                required: required,
                SettingText(name).description,
            )
        }
    }

    // MARK: - Values

    static func json(_ instance: Instance) -> JSONValue {
        [
            "policies": .object(policies.map { .init(name: $0.name, value: $0.value(instance.effectivePolicies)) }),
            "limits": .object(
                InstanceLimits.Name.allCases.map {
                    .init(name: $0.rawValue, value: JSONValue(instance.effectiveLimits[$0]))
                }
            ),
            "policyOverrides": .object(
                policies.compactMap { policy in
                    policy.override(instance.policies).map { .init(name: policy.name, value: $0) }
                }
            ),
            "limitOverrides": .object(
                InstanceLimits.Name.allCases.compactMap { name in
                    instance.limits.values[name].map { .init(name: name.rawValue, value: JSONValue($0)) }
                }
            ),
        ]
    }

    /// Takes over what a request says about policies and limits; it was checked.
    static func apply(_ body: JSONValue, to instance: inout Instance) {
        for member in body["policies"]?.members ?? [] {
            policies.first { $0.name == member.name }?.set(&instance.policies, member.value)
        }
        for member in body["limits"]?.members ?? [] {
            guard let name = InstanceLimits.Name(rawValue: member.name) else { continue }
            instance.limits.values[name] = member.value.integer.map { Int($0) }
        }
    }
}
