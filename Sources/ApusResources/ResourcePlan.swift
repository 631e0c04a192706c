internal import ApusMessage

/// How the catalog comes to what a ``ResourceDocument`` says.
///
/// Accounts and instances that the document does not name stay as they are. Of those that it names, keys, parent topics
/// and groups that it does not list are removed, and policies and limits become those of the document.
package struct ResourcePlan: Sendable {
    /// For people: `+ topic chat of post-cn-apus00001`, `~ …`, `- …`; empty when nothing is to do.
    package private(set) var lines: [String] = []
    private var first: [CatalogChange] = []
    /// What belongs to instances, whose numbers are known only when `first` is done.
    private var second: [(instance: String, change: @Sendable (InstanceNumber) -> CatalogChange)] = []

    package var isEmpty: Bool { lines.isEmpty }

    /// - Parameter now: Unix milliseconds.
    /// - Throws: the first thing of the document that breaks a rule; then nothing of it may be done.
    package static func make(
        _ document: ResourceDocument,
        _ directory: ResourceDirectory,
        now: Int64,
    ) throws(ResourceError) -> ResourcePlan {
        var plan = ResourcePlan()
        for (index, owner) in document.accounts.enumerated() {
            try plan.bring(owner, at: "accounts[\(index)]", directory, now)
        }
        for (index, tenant) in document.instances.enumerated() {
            try plan.bring(tenant, at: "instances[\(index)]", directory, now)
        }
        try plan.rehearse(directory)
        return plan
    }

    /// Makes the changes.
    ///
    /// - Returns: how many there were.
    @discardableResult
    package func apply(_ manager: ResourceManager, by actor: ResourceManager.Actor) throws(ResourceError) -> Int {
        guard !isEmpty else { return 0 }
        let detail = lines.count > 20 ? "\(lines.prefix(20).joined(separator: "; ")); …" : lines.joined(separator: "; ")
        if !first.isEmpty {
            try manager.change(first, by: actor, action: "apply", instance: "", detail: detail)
        }
        let changes = second.compactMap { item in
            manager.directory.instance(id: item.instance).map { item.change($0.number) }
        }
        if !changes.isEmpty {
            let named = Set(second.map(\.instance))
            let instance = named.count == 1 ? named.first ?? "" : ""
            try manager.change(changes, by: actor, action: "apply", instance: instance, detail: detail)
        }
        return first.count + second.count
    }

    // MARK: - Accounts

    private mutating func bring(
        _ owner: ResourceDocument.Owner,
        at place: String,
        _ directory: ResourceDirectory,
        _ now: Int64,
    ) throws(ResourceError) {
        if directory.account(owner.name) == nil {
            lines.append("+ account \(owner.name)")
            first.append(.putAccount(Account(name: owner.name, createdAt: now)))
        }
        var listed: Set<String> = []
        for (index, key) in owner.keys.enumerated() {
            let keyPlace = "\(place).keys[\(index)]"
            guard listed.insert(key.id).inserted else {
                throw ResourceError(.invalid(field: "\(keyPlace).id"), "access key `\(key.id)` stands twice")
            }
            let rights: AccessKey.Rights = try word(key.rights, "\(keyPlace).rights") ?? .data
            let old = directory.accessKey(id: key.id)
            let new = AccessKey(
                id: key.id,
                secret: key.secret,
                account: owner.name,
                rights: rights,
                isEnabled: key.enabled,
                createdAt: old?.createdAt ?? now,
            )
            guard new != old else { continue }
            lines.append("\(old == nil ? "+" : "~") access key \(key.id) of \(owner.name), \(rights.rawValue)")
            first.append(.putAccessKey(new))
        }
        // Last, so that there is always an administrator.
        for key in directory.accessKeys(ofAccount: owner.name) where !listed.contains(key.id) {
            lines.append("- access key \(key.id) of \(owner.name)")
            first.append(.deleteAccessKey(id: key.id))
        }
    }

    // MARK: - Instances

    private mutating func bring(
        _ tenant: ResourceDocument.Tenant,
        at place: String,
        _ directory: ResourceDirectory,
        _ now: Int64,
    ) throws(ResourceError) {
        let old = directory.instance(id: tenant.id)
        var limits = LimitOverrides()
        for (name, value) in tenant.limits {
            guard let limit = InstanceLimits.Name(rawValue: name) else {
                let names = InstanceLimits.Name.allCases.map(\.rawValue).joined(separator: ", ")
                throw ResourceError(
                    .invalid(field: "\(place).limits.\(name)"),
                    "unknown limit `\(name.prefix(64))`; there are \(names)",
                )
            }
            limits.values[limit] = value
        }
        let new = Instance(
            number: old?.number ?? .none,
            id: tenant.id,
            name: tenant.name,
            account: tenant.account,
            profile: try word(tenant.profile, "\(place).profile") ?? .apsaramq,
            policies: try tenant.policies.overrides(at: "\(place).policies"),
            limits: limits,
            state: try word(tenant.state, "\(place).state") ?? .running,
            createdAt: old?.createdAt ?? now,
        )
        if new != old {
            lines.append(Self.line(old, new))
            first.append(.putInstance(new))
        }
        let number = old?.number ?? .none
        bringNames(
            "topic",
            tenant.topics,
            had: old == nil ? [] : directory.topics(of: number).map(\.name),
            of: tenant.id,
            put: { .putTopic(ParentTopic(instance: $0, name: $1, createdAt: now)) },
            delete: { .deleteTopic($0, name: $1) },
        )
        bringNames(
            "group",
            tenant.groups,
            had: old == nil ? [] : directory.groups(of: number).map(\.id),
            of: tenant.id,
            put: { .putGroup(Group(instance: $0, id: $1, createdAt: now, updatedAt: now)) },
            delete: { .deleteGroup($0, id: $1) },
        )
    }

    private mutating func bringNames(
        _ kind: String,
        _ names: [String],
        had: [String],
        of instance: String,
        put: @escaping @Sendable (InstanceNumber, String) -> CatalogChange,
        delete: @escaping @Sendable (InstanceNumber, String) -> CatalogChange,
    ) {
        let wanted = Set(names)
        // Those that go make room for those that come.
        for name in had where !wanted.contains(name) {
            lines.append("- \(kind) \(name) of \(instance)")
            second.append((instance, { delete($0, name) }))
        }
        let known = Set(had)
        var added: Set<String> = []
        for name in names where !known.contains(name) && added.insert(name).inserted {
            lines.append("+ \(kind) \(name) of \(instance)")
            second.append((instance, { put($0, name) }))
        }
    }

    private static func line(_ old: Instance?, _ new: Instance) -> String {
        guard let old else { return "+ instance \(new.id), profile \(new.profile.rawValue), of \(new.account)" }
        var parts: [String] = []
        if old.name != new.name { parts.append("name \(new.name)") }
        if old.account != new.account { parts.append("account \(new.account)") }
        if old.profile != new.profile { parts.append("profile \(new.profile.rawValue)") }
        if old.state != new.state { parts.append("state \(new.state.rawValue)") }
        if old.policies != new.policies { parts.append("policies") }
        for name in InstanceLimits.Name.allCases where old.effectiveLimits[name] != new.effectiveLimits[name] {
            parts.append("limits.\(name.rawValue) \(old.effectiveLimits[name]) → \(new.effectiveLimits[name])")
        }
        if parts.isEmpty { parts.append("limits") }
        return "~ instance \(new.id): \(parts.joined(separator: ", "))"
    }

    /// Goes through all changes without making them.
    private func rehearse(_ directory: ResourceDirectory) throws(ResourceError) {
        try directory.inspect { (state) throws(ResourceError) in
            var state = state
            var next = UInt32.max
            for change in first {
                try ResourceRules.check(change, in: state)
                if case .putInstance(var instance) = change, instance.number == .none {
                    next -= 1
                    instance.number = InstanceNumber(rawValue: next)
                    state.apply(.putInstance(instance))
                } else {
                    state.apply(change)
                }
            }
            for item in second {
                guard let number = state.numbers[item.instance] else { continue }
                let change = item.change(number)
                try ResourceRules.check(change, in: state)
                state.apply(change)
            }
        }
    }
}
