internal import ApusMessage
internal import ApusTopics

/// What may stand in the catalog (apsaramq-facts 1, 2, 7; design, section 1).
enum ResourceRules {
    /// - Throws: which rule the change breaks, and what would be right.
    static func check(_ change: CatalogChange, in state: ResourceState) throws(ResourceError) {
        switch change {
        case .putAccount(let account): try checkAccount(account, state)
        case .deleteAccount(let name):
            guard state.accounts[name] != nil else { throw missing("account", name) }
            if let owned = state.instances.values.first(where: { $0.account == name }) {
                throw ResourceError(.inUse, "account `\(name)` owns instance `\(owned.id)`; delete its instances first")
            }
        case .putAccessKey(let key): try checkAccessKey(key, state)
        case .deleteAccessKey(let id):
            guard let key = state.accessKeys[id] else { throw missing("access key", id) }
            try keepAnAdministrator(without: key, state)
        case .putInstance(let instance): try checkInstance(instance, state)
        case .deleteInstance(let number): _ = try tenant(number, state)
        case .putTopic(let topic): try checkTopic(topic, state)
        case .deleteTopic(let number, let name):
            guard try tenant(number, state).topics[name] != nil else { throw missing("parent topic", name) }
        case .putGroup(let group): try checkGroup(group, state)
        case .deleteGroup(let number, let id):
            guard try tenant(number, state).groups[id] != nil else { throw missing("group", id) }
        case .putTag(let tag): try checkTag(tag, state)
        case .deleteTag(let number, _, _, _): _ = try tenant(number, state)
        default: try checkCredentials(change, state)
        }
    }

    private static func checkCredentials(_ change: CatalogChange, _ state: ResourceState) throws(ResourceError) {
        switch change {
        case .putDeviceCredential(let credential):
            _ = try tenant(credential.instance, state)
            try length(credential.clientID, 1...64, "clientId", "a client id")
            guard isPrintable(credential.clientID) else {
                throw invalid("clientId", "a client id has printable ASCII characters only")
            }
        case .deleteDeviceCredential(let number, let clientID):
            guard try tenant(number, state).credentials[clientID] != nil else {
                throw missing("device credential of client", clientID)
            }
        case .putIdentity(let identity): try checkIdentity(identity, state)
        case .deleteIdentity(let number, _, let userName, let clientID):
            guard try tenant(number, state).identities[userName]?[clientID ?? ""] != nil else {
                throw missing("identity", userName)
            }
        case .putPermission(let permission): try checkPermission(permission, state)
        case .deletePermission(let number, let type, let identity, let topic):
            let key = ResourceState.PermissionKey(type: type, identity: identity)
            guard try tenant(number, state).permissions[key]?[topic] != nil else {
                throw missing("permission of `\(identity)` for topic", topic)
            }
        case .putBan(let ban):
            let tenant = try tenant(ban.instance, state)
            try length(ban.clientID, 1...64, "clientId", "a client id")
            if !tenant.bans.contains(ban.clientID) {
                try bound(tenant.permissionCount + tenant.bans.count, ban.instance, state, .customAuthEntries)
            }
        case .deleteBan(let ban):
            guard try tenant(ban.instance, state).bans.contains(ban.clientID) else {
                throw missing("ban of client", ban.clientID)
            }
        case .putCACertificate(let authority):
            _ = try tenant(authority.instance, state)
            try length(authority.serialNumber, 1...128, "Sn", "a serial number")
            try length(authority.name, 1...64, "CaName", "a certificate's name")
        case .deleteCACertificate(let number, let serial):
            guard try tenant(number, state).authorities[serial] != nil else { throw missing("CA certificate", serial) }
        case .putDeviceCertificate(let certificate):
            guard try tenant(certificate.instance, state).authorities[certificate.caSerialNumber] != nil else {
                throw missing("CA certificate", certificate.caSerialNumber)
            }
        case .deleteDeviceCertificate(let number, let authority, let serial):
            guard try tenant(number, state).deviceCertificates[authority]?[serial] != nil else {
                throw missing("device certificate", serial)
            }
        case .putRevokedToken(let token): _ = try tenant(token.instance, state)
        case .putServerNames(let names): _ = try tenant(names.instance, state)
        default: break
        }
    }

    // MARK: - Accounts

    private static func checkAccount(_ account: Account, _ state: ResourceState) throws(ResourceError) {
        try length(account.name, 1...64, "name", "an account's name")
        try characters(account.name, "-_", "name", "an account's name")
        let same = state.accounts.keys.first { $0 != account.name && $0.lowercased() == account.name.lowercased() }
        if let same { throw ResourceError(.exists, "account `\(same)` differs from `\(account.name)` in case only") }
    }

    private static func checkAccessKey(_ key: AccessKey, _ state: ResourceState) throws(ResourceError) {
        guard state.accounts[key.account] != nil else { throw missing("account", key.account) }
        try length(key.id, 1...64, "id", "an access key id")
        try characters(key.id, "-_.", "id", "an access key id")
        try length(key.secret, 8...128, "secret", "an access key's secret")
        guard isPrintable(key.secret) else {
            throw invalid("secret", "an access key's secret has printable ASCII characters only")
        }
        guard let old = state.accessKeys[key.id] else { return }
        if old.account != key.account {
            throw ResourceError(.exists, "access key `\(key.id)` belongs to account `\(old.account)`")
        }
        if key.rights != .administrator || !key.isEnabled { try keepAnAdministrator(without: old, state) }
    }

    /// Without one nobody could manage the service any more.
    private static func keepAnAdministrator(without key: AccessKey, _ state: ResourceState) throws(ResourceError) {
        guard key.rights == .administrator, key.isEnabled else { return }
        let others = state.accessKeys.values.contains { $0.id != key.id && $0.rights == .administrator && $0.isEnabled }
        guard others else {
            throw ResourceError(.inUse, "access key `\(key.id)` is the last administrator's; make another first")
        }
    }

    // MARK: - Instances

    private static func checkInstance(_ instance: Instance, _ state: ResourceState) throws(ResourceError) {
        guard state.accounts[instance.account] != nil else { throw missing("account", instance.account) }
        for (field, text) in [("id", instance.id), ("name", instance.name)] {
            try length(text, 3...64, field, "an instance's \(field)")
            try characters(text, "-_", field, "an instance's \(field)")
        }
        for other in state.instances.values where other.number != instance.number {
            guard other.id.lowercased() != instance.id.lowercased() else {
                throw ResourceError(.exists, "instance `\(other.id)` exists")
            }
        }
        if let old = state.instances[instance.number], old.id != instance.id {
            throw invalid("id", "an instance's id cannot be changed")
        }
        if instance.number != .none, state.instances[instance.number] == nil {
            throw missing("instance", instance.id)
        }
        for (name, value) in instance.limits.values where !name.range.contains(value) {
            let range = name.range
            throw invalid("limits.\(name.rawValue)", "\(value) is not from \(range.lowerBound) to \(range.upperBound)")
        }
    }

    private static func checkTopic(_ topic: ParentTopic, _ state: ResourceState) throws(ResourceError) {
        let tenant = try tenant(topic.instance, state)
        try length(topic.name, 3...64, "topic", "a parent topic")
        try characters(topic.name, "-_", "topic", "a parent topic")
        try length(topic.remark, 0...128, "remark", "a remark")
        guard tenant.topics[topic.name] == nil else { return }
        if let same = tenant.topics.keys.first(where: { $0.lowercased() == topic.name.lowercased() }) {
            throw ResourceError(.exists, "parent topic `\(same)` differs from `\(topic.name)` in case only")
        }
        try bound(tenant.topics.count, topic.instance, state, .parentTopics)
    }

    private static func checkGroup(_ group: Group, _ state: ResourceState) throws(ResourceError) {
        let tenant = try tenant(group.instance, state)
        guard group.id.hasPrefix("GID_") || group.id.hasPrefix("GID-") else {
            throw invalid("groupId", "`\(excerpt(group.id))` does not begin with GID_ or GID-")
        }
        try length(group.id, 7...64, "groupId", "a group id")
        try characters(group.id, "-_", "groupId", "a group id")
        if tenant.groups[group.id] == nil { try bound(tenant.groups.count, group.instance, state, .groups) }
    }

    private static func checkTag(_ tag: Tag, _ state: ResourceState) throws(ResourceError) {
        let tenant = try tenant(tag.instance, state)
        try length(tag.key, 1...64, "Tag.Key", "a tag's key")
        try length(tag.value, 0...128, "Tag.Value", "a tag's value")
        let exists =
            switch tag.kind {
            case .instance: state.instances[tag.instance]?.id == tag.resource
            case .group: tenant.groups[tag.resource] != nil
            case .topic: tenant.topics[tag.resource] != nil
            }
        guard exists else { throw missing(tag.kind.rawValue.lowercased(), tag.resource) }
        let ofResource = tenant.tags.values.filter { $0.kind == tag.kind && $0.resource == tag.resource }
        if ofResource.count >= maximumTags, !ofResource.contains(where: { $0.key == tag.key }) {
            throw invalid("Tag", "`\(tag.resource)` has its limit of \(maximumTags) tags")
        }
    }

    private static let maximumTags = 20

    // MARK: - Custom authentication

    private static func checkIdentity(_ identity: CustomIdentity, _ state: ResourceState) throws(ResourceError) {
        let tenant = try tenant(identity.instance, state)
        try length(identity.userName, 1...64, "Username", "a user name")
        try length(identity.secret, 1...128, "Secret", "a secret")
        guard !identity.userName.utf8.contains(UInt8(ascii: "|")) else {
            throw invalid("Username", "a user name of custom authentication has no `|`")
        }
        switch identity.type {
        case .user where identity.clientID != nil:
            throw invalid("ClientId", "an identity of type USER has no client id; use type CLIENT")
        case .client:
            guard let clientID = identity.clientID, !clientID.isEmpty else {
                throw invalid("ClientId", "an identity of type CLIENT needs a client id")
            }
            try length(clientID, 1...64, "ClientId", "a client id")
        case .user: break
        }
        if tenant.identities[identity.userName]?[identity.clientID ?? ""] == nil {
            try bound(tenant.identityCount, identity.instance, state, .customAuthEntries)
        }
    }

    private static func checkPermission(_ permission: CustomPermission, _ state: ResourceState) throws(ResourceError) {
        let tenant = try tenant(permission.instance, state)
        try length(permission.identity, 1...64, "Identity", "an identity")
        try length(permission.topic, 1...128, "Topic", "a topic")
        do {
            _ = try TopicFilter(permission.topic)
        } catch {
            throw invalid("Topic", "`\(excerpt(permission.topic))` is no topic or filter: \(error)")
        }
        let parent = String(permission.topic.prefix { $0 != "/" })
        if state.instances[permission.instance]?.effectivePolicies.requiresParentTopic == true,
            tenant.topics[parent] == nil
        {
            throw ResourceError(.notFound, "there is no parent topic `\(excerpt(parent))`; create it first")
        }
        let key = ResourceState.PermissionKey(type: permission.type, identity: permission.identity)
        if tenant.permissions[key]?[permission.topic] == nil {
            try bound(tenant.permissionCount + tenant.bans.count, permission.instance, state, .customAuthEntries)
        }
    }

    // MARK: - Words

    private static func tenant(
        _ number: InstanceNumber,
        _ state: ResourceState,
    ) throws(ResourceError) -> ResourceState.Tenant {
        guard let tenant = state.tenants[number] else { throw ResourceError(.notFound, "there is no such instance") }
        return tenant
    }

    private static func missing(_ what: String, _ name: String) -> ResourceError {
        ResourceError(.notFound, "there is no \(what) `\(excerpt(name))`")
    }

    private static func invalid(_ field: String, _ message: String) -> ResourceError {
        ResourceError(.invalid(field: field), message)
    }

    private static func bound(
        _ count: Int,
        _ number: InstanceNumber,
        _ state: ResourceState,
        _ name: InstanceLimits.Name,
    ) throws(ResourceError) {
        let limit = state.instances[number]?.effectiveLimits[name] ?? 0
        guard limit == 0 || count < limit else {
            throw ResourceError(.overLimit(name), "the instance has its limit \(name.rawValue) of \(limit)")
        }
    }

    private static func length(
        _ text: String,
        _ range: ClosedRange<Int>,
        _ field: String,
        _ what: String,
    ) throws(ResourceError) {
        guard !range.contains(text.unicodeScalars.count) else { return }
        let bounds = "\(range.lowerBound) to \(range.upperBound)"
        throw invalid(field, "\(what) has \(bounds) characters; `\(excerpt(text))` has \(text.unicodeScalars.count)")
    }

    private static func characters(
        _ text: String,
        _ more: String,
        _ field: String,
        _ what: String,
    ) throws(ResourceError) {
        let isAllowed = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"):
                true
            default: more.utf8.contains(byte)
            }
        }
        guard isAllowed else {
            throw invalid(field, "\(what) has letters, digits and `\(more)` only; `\(excerpt(text))` has others")
        }
    }

    private static func isPrintable(_ text: String) -> Bool { text.utf8.allSatisfy { (0x21...0x7E).contains($0) } }

    /// Hostile names may be long and hold anything.
    private static func excerpt(_ text: String) -> String {
        let scalars = text.unicodeScalars.prefix(64).map { $0.value < 0x20 || $0.value == 0x7F ? "�" : $0 }
        let cut = String(String.UnicodeScalarView(scalars))
        return text.unicodeScalars.count > 64 ? cut + "…" : cut
    }
}
