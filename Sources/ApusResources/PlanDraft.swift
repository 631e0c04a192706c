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
    private(set) var problems: DocumentProblems

    /// - Parameters:
    ///   - problems: of the document's reading.
    ///   - now: Unix milliseconds.
    init(_ problems: [DocumentError.Problem], directory: ResourceDirectory, now: Int64) {
        self.problems = DocumentProblems(problems)
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

    mutating func bring(_ owner: ResourceDocument.Owner, at place: String) {
        guard namedAccounts.insert(owner.name.lowercased()).inserted else {
            return twice("\(place).name", "account", owner.name)
        }
        if directory.account(owner.name) == nil {
            let change = CatalogChange.putAccount(Account(name: owner.name, createdAt: now))
            accounts.append(Step(change: change, line: "+ account \(owner.name)", place: place))
        }
        var listed: Set<String> = []
        for (index, key) in owner.keys.enumerated() {
            listed.insert(key.id)
            bring(key, of: owner.name, at: "\(place).keys[\(index)]")
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
    ) {
        guard namedKeys.insert(key.id).inserted else { return twice("\(place).id", "access key", key.id) }
        let old = directory.accessKey(id: key.id)
        let new = AccessKey(
            id: key.id,
            secret: key.secret,
            account: account,
            rights: chosen(key.rights, at: "\(place).rights") ?? .data,
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
    ) {
        guard namedInstances.insert(tenant.id.lowercased()).inserted else {
            return twice("\(place).id", "instance", tenant.id)
        }
        let old = directory.instance(id: tenant.id)
        let new = Instance(
            number: old?.number ?? .provisional(index),
            id: tenant.id,
            name: tenant.name,
            account: tenant.account,
            profile: chosen(tenant.profile, at: "\(place).profile") ?? .apsaramq,
            policies: policies(tenant.policies, at: "\(place).policies"),
            limits: limits(tenant.limits, at: "\(place).limits"),
            state: chosen(tenant.state, at: "\(place).state") ?? old?.state ?? .running,
            createdAt: old?.createdAt ?? now,
        )
        let before = instances.count
        let now = now
        let topics = Kind(
            name: "topic",
            limit: .parentTopics,
            had: old.map { directory.topics(of: $0.number).map(\.name) } ?? [],
            wanted: once(tenant.topics, "topic", at: "\(place).topics"),
            place: "\(place).topics",
            put: { .putTopic(ParentTopic(instance: new.number, name: $0, createdAt: now)) },
            delete: { .deleteTopic(new.number, name: $0) },
        )
        let groups = Kind(
            name: "group",
            limit: .groups,
            had: old.map { directory.groups(of: $0.number).map(\.id) } ?? [],
            wanted: once(tenant.groups, "group", at: "\(place).groups"),
            place: "\(place).groups",
            put: { .putGroup(Group(instance: new.number, id: $0, createdAt: now, updatedAt: now)) },
            delete: { .deleteGroup(new.number, id: $0) },
        )
        // Those that go make room for a lower limit, and for those that come.
        for kind in [topics, groups] { remove(kind, of: new, at: place) }
        if new != old {
            instances.append(Step(change: .putInstance(new), line: Self.line(old, new), place: place))
        }
        for kind in [topics, groups] { add(kind, of: new) }
        if instances.count > before { changedInstances.insert(tenant.id) }
    }

    /// A policy that is none of its words leaves the others.
    private mutating func policies(_ fields: ResourceDocument.PolicyFields, at place: String) -> PolicyOverrides {
        do throws(ResourceError) {
            return try fields.overrides(at: place)
        } catch {
            note(error, at: place)
            return PolicyOverrides()
        }
    }

    private mutating func limits(_ limits: [String: Int], at place: String) -> LimitOverrides {
        var result = LimitOverrides()
        for (name, value) in limits.sorted(by: { $0.key < $1.key }) {
            // Others are refused where the document is read.
            guard let limit = InstanceLimits.Name(rawValue: name) else { continue }
            do throws(ResourceError) {
                try ResourceRules.checkLimit(limit, value, "\(place).\(name)")
                result.values[limit] = value
            } catch {
                note(error, at: "\(place).\(name)")
            }
        }
        return result
    }

    /// Names with their index in the list, without those that stand there before.
    private mutating func once(_ names: [String], _ what: String, at place: String) -> [(index: Int, name: String)] {
        var known: Set<ExactText> = []
        return names.enumerated().compactMap { index, name in
            guard known.insert(ExactText(name)).inserted else {
                twice("\(place)[\(index)]", what, name)
                return nil
            }
            return (index, name)
        }
    }

    /// What an instance has by name.
    private struct Kind {
        let name: String
        let limit: InstanceLimits.Name
        let had: [String]
        let wanted: [(index: Int, name: String)]
        let place: String
        let put: (String) -> CatalogChange
        let delete: (String) -> CatalogChange
    }

    /// - Parameter owner: the instance's place.
    private mutating func remove(_ kind: Kind, of instance: Instance, at owner: String) {
        let wanted = Set(kind.wanted.map { ExactText($0.name) })
        // Also when a limit comes down to less than there is.
        let limit = instance.effectiveLimits[kind.limit]
        if limit > 0, wanted.count > limit, isKnown(kind.limit, of: owner) {
            let message =
                "it lists \(wanted.count), but the limit \(kind.limit.rawValue) of instance "
                + "`\(instance.id.legible(most: 64))` is \(limit); list fewer or raise the limit"
            problems.add(.init(place: kind.place, error: ResourceError(.overLimit(kind.limit), message)))
        }
        for name in kind.had where !wanted.contains(ExactText(name)) {
            let line = "- \(kind.name) \(name) of \(instance.id)"
            instances.append(Step(change: kind.delete(name), line: line, place: kind.place, isName: true))
        }
    }

    /// Whether the limit of an instance is what the document means: it may stand there misspelt.
    private func isKnown(_ limit: InstanceLimits.Name, of owner: String) -> Bool {
        let others = InstanceLimits.Name.allCases.filter { $0 != limit }.map { "\(owner).limits.\($0.rawValue)" }
        return !problems.all.contains { problem in
            problem.place == "\(owner).profile" || problem.place == "\(owner).limits"
                || problem.place.hasPrefix("\(owner).limits.") && !others.contains(problem.place)
        }
    }

    private mutating func add(_ kind: Kind, of instance: Instance) {
        let known = Set(kind.had.map(ExactText.init))
        for (index, name) in kind.wanted where !known.contains(ExactText(name)) {
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

    // MARK: - Problems

    private mutating func twice(_ place: String, _ what: String, _ name: String) {
        problems.add(.init(place, "\(what) `\(name.legible(most: 64))` stands twice"))
    }

    private mutating func note(_ error: ResourceError, at place: String) {
        guard case .invalid(let field) = error.kind else { return problems.add(.init(place: place, error: error)) }
        problems.add(.init(place: field, error: error))
    }

    private mutating func chosen<Word: RawRepresentable<String> & CaseIterable>(
        _ text: String?,
        at place: String,
    ) -> Word? {
        do throws(ResourceError) {
            return try word(text, place)
        } catch {
            note(error, at: place)
            return nil
        }
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
