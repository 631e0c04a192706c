internal import ApusMessage
internal import MQTTCodec

/// What a ``ResourcePlan`` finds while it goes through the document.
struct PlanDraft {
    /// One change, what people read of it, and where the document asks for it.
    struct Step {
        var change: CatalogChange
        var line: String
        var place: String
        /// Whether the place is that of a name alone, so that errors do not add a field to it.
        var isName = false
    }

    private let directory: ResourceDirectory
    private let now: Int64
    private var accounts: [Step] = []
    /// Keys that come or change, those of administrators among them.
    private var grants: [Step] = []
    /// Keys that are no administrators' any more: behind the grants, so that there is always an administrator.
    private var withdrawals: [Step] = []
    private var removedKeys: [Step] = []
    private var instances: [Step] = []
    private var changedInstances: Set<String> = []
    private var namedAccounts: Set<String> = []
    private var namedKeys: Set<String> = []
    private var namedInstances: Set<String> = []

    /// - Parameter now: Unix milliseconds.
    init(directory: ResourceDirectory, now: Int64) {
        self.directory = directory
        self.now = now
    }

    /// In the order in which they can be made.
    var steps: [Step] { accounts + grants + withdrawals + removedKeys + instances }

    /// The only instance that is changed; empty when there are others, or accounts.
    var onlyInstance: String {
        guard steps.count == instances.count, changedInstances.count == 1 else { return "" }
        return changedInstances.first ?? ""
    }
}

extension PlanDraft {
    // MARK: - Accounts

    mutating func bring(_ owner: ResourceDocument.Owner, at place: String) throws(ResourceError) {
        guard namedAccounts.insert(owner.name.lowercased()).inserted else {
            throw Self.twice("\(place).name", "account", owner.name)
        }
        if directory.account(owner.name) == nil {
            let change = CatalogChange.putAccount(Account(name: owner.name, createdAt: now))
            accounts.append(Step(change: change, line: "+ account \(owner.name)", place: place))
        }
        var listed: Set<String> = []
        for (index, key) in owner.keys.enumerated() {
            listed.insert(key.id)
            try bring(key, of: owner.name, at: "\(place).keys[\(index)]")
        }
        for key in directory.accessKeys(ofAccount: owner.name) where !listed.contains(key.id) {
            let line = "- access key \(key.id) of \(owner.name)"
            removedKeys.append(
                Step(change: .deleteAccessKey(id: key.id), line: line, place: "\(place).keys", isName: true)
            )
        }
    }

    private mutating func bring(
        _ key: ResourceDocument.Key,
        of account: String,
        at place: String,
    ) throws(ResourceError) {
        guard namedKeys.insert(key.id).inserted else { throw Self.twice("\(place).id", "access key", key.id) }
        let old = directory.accessKey(id: key.id)
        let new = AccessKey(
            id: key.id,
            secret: key.secret,
            account: account,
            rights: try word(key.rights, "\(place).rights") ?? .data,
            isEnabled: key.enabled ?? old?.isEnabled ?? true,
            createdAt: old?.createdAt ?? now,
            // Who has changed a secret does not want to go on with what the old one has given.
            tokensSince: old?.secret == key.secret ? old?.tokensSince : now,
        )
        guard new != old else { return }
        let step = Step(change: .putAccessKey(new), line: Self.line(old, new), place: place)
        if old?.isAdministrators == true, !new.isAdministrators {
            withdrawals.append(step)
        } else {
            grants.append(step)
        }
    }

    /// Names what changes of a key, and never its secret.
    private static func line(_ old: AccessKey?, _ new: AccessKey) -> String {
        let name = "access key \(new.id) of \(new.account)"
        guard let old else {
            return "+ \(name), \(new.rights.rawValue)\(new.isEnabled ? "" : ", disabled")"
        }
        var parts: [String] = []
        if old.secret != new.secret { parts.append("secret") }
        if old.rights != new.rights { parts.append("rights \(old.rights.rawValue) → \(new.rights.rawValue)") }
        if old.isEnabled != new.isEnabled { parts.append(new.isEnabled ? "enabled" : "disabled") }
        return "~ \(name): \(parts.joined(separator: ", "))"
    }

    // MARK: - Instances

    mutating func bring(
        _ tenant: ResourceDocument.Tenant,
        at place: String,
        _ index: Int,
    ) throws(ResourceError) {
        guard namedInstances.insert(tenant.id.lowercased()).inserted else {
            throw Self.twice("\(place).id", "instance", tenant.id)
        }
        let old = directory.instance(id: tenant.id)
        let new = Instance(
            number: old?.number ?? .provisional(index),
            id: tenant.id,
            name: tenant.name,
            account: tenant.account,
            profile: try word(tenant.profile, "\(place).profile") ?? .apsaramq,
            policies: try tenant.policies.overrides(at: "\(place).policies"),
            limits: try Self.limits(tenant.limits, at: "\(place).limits"),
            state: try word(tenant.state, "\(place).state") ?? old?.state ?? .running,
            createdAt: old?.createdAt ?? now,
        )
        let before = instances.count
        let now = now
        let topics = Kind(
            name: "topic",
            limit: .parentTopics,
            had: old.map { directory.topics(of: $0.number).map(\.name) } ?? [],
            wanted: tenant.topics,
            place: "\(place).topics",
            put: { .putTopic(ParentTopic(instance: new.number, name: $0, createdAt: now)) },
            delete: { .deleteTopic(new.number, name: $0) },
        )
        let groups = Kind(
            name: "group",
            limit: .groups,
            had: old.map { directory.groups(of: $0.number).map(\.id) } ?? [],
            wanted: tenant.groups,
            place: "\(place).groups",
            put: { .putGroup(Group(instance: new.number, id: $0, createdAt: now, updatedAt: now)) },
            delete: { .deleteGroup(new.number, id: $0) },
        )
        // Those that go make room for a lower limit, and for those that come.
        for kind in [topics, groups] { try remove(kind, of: new) }
        if new != old {
            instances.append(Step(change: .putInstance(new), line: Self.line(old, new), place: place))
        }
        for kind in [topics, groups] { add(kind, of: new) }
        if instances.count > before { changedInstances.insert(tenant.id) }
    }

    private static func limits(_ limits: [String: Int], at place: String) throws(ResourceError) -> LimitOverrides {
        var result = LimitOverrides()
        for (name, value) in limits.sorted(by: { $0.key < $1.key }) {
            guard let limit = InstanceLimits.Name(rawValue: name) else {
                let names = InstanceLimits.Name.allCases.map(\.rawValue).joined(separator: ", ")
                throw ResourceError(
                    .invalid(field: "\(place).\(name.legible(most: 64))"),
                    "unknown limit `\(name.legible(most: 64))`; there are \(names)",
                )
            }
            result.values[limit] = value
        }
        return result
    }

    /// What an instance has by name.
    private struct Kind {
        let name: String
        let limit: InstanceLimits.Name
        let had: [String]
        let wanted: [String]
        let place: String
        let put: (String) -> CatalogChange
        let delete: (String) -> CatalogChange
    }

    private mutating func remove(_ kind: Kind, of instance: Instance) throws(ResourceError) {
        let wanted = Set(kind.wanted.map(ExactText.init))
        // Also when a limit comes down to less than there is.
        let limit = instance.effectiveLimits[kind.limit]
        guard limit == 0 || wanted.count <= limit else {
            throw ResourceError(
                .overLimit(kind.limit),
                "\(kind.place) lists \(wanted.count), but the limit \(kind.limit.rawValue) of instance "
                    + "`\(instance.id.legible(most: 64))` is \(limit); list fewer or raise the limit",
            )
        }
        for name in kind.had where !wanted.contains(ExactText(name)) {
            let line = "- \(kind.name) \(name) of \(instance.id)"
            instances.append(Step(change: kind.delete(name), line: line, place: kind.place, isName: true))
        }
    }

    private mutating func add(_ kind: Kind, of instance: Instance) {
        var known = Set(kind.had.map(ExactText.init))
        for (index, name) in kind.wanted.enumerated() where known.insert(ExactText(name)).inserted {
            let line = "+ \(kind.name) \(name) of \(instance.id)"
            instances.append(Step(change: kind.put(name), line: line, place: "\(kind.place)[\(index)]", isName: true))
        }
    }

    private static func line(_ old: Instance?, _ new: Instance) -> String {
        guard let old else { return "+ instance \(new.id), profile \(new.profile.rawValue), of \(new.account)" }
        var parts: [String] = []
        if old.name != new.name { parts.append("name \(new.name)") }
        if old.account != new.account { parts.append("account \(new.account)") }
        if old.profile != new.profile { parts.append("profile \(new.profile.rawValue)") }
        if old.state != new.state { parts.append("state \(new.state.rawValue)") }
        let words = zip(old.effectivePolicies.words, new.effectivePolicies.words)
        for (before, after) in words where before.value != after.value {
            parts.append("policies.\(after.name) \(before.value) → \(after.value)")
        }
        for name in InstanceLimits.Name.allCases where old.effectiveLimits[name] != new.effectiveLimits[name] {
            parts.append("limits.\(name.rawValue) \(old.effectiveLimits[name]) → \(new.effectiveLimits[name])")
        }
        // What is written down though the profile says the same.
        if parts.isEmpty { parts.append("policies and limits as in the file, to no effect") }
        return "~ instance \(new.id): \(parts.joined(separator: ", "))"
    }

    private static func twice(_ field: String, _ what: String, _ name: String) -> ResourceError {
        ResourceError(.invalid(field: field), "\(what) `\(name.legible(most: 64))` stands twice")
    }
}

extension Policies {
    /// By the names that file and API use.
    fileprivate var words: [(name: String, value: String)] {
        [
            ("duplicateClientId", duplicateClientID.rawValue), ("onDenied", onDenied.rawValue),
            ("maximumQoS", "\(maximumQoS.rawValue)"), ("requiresGroup", "\(requiresGroup)"),
            ("requiresParentTopic", "\(requiresParentTopic)"), ("persistentQoS2", "\(persistentQoS2)"),
            ("p2p", "\(p2p)"), ("anonymousOnLoopback", "\(anonymousOnLoopback)"), ("trace", "\(trace)"),
        ]
    }
}
