internal import ApusMessage
internal import ApusTopics

/// What may stand in the catalog (apsaramq-facts 1, 2, 7; design, section 1).
enum ResourceRules {
    /// - Throws: which rule the change breaks, and what would be right.
    static func check(_ change: CatalogChange, in state: ResourceState) throws(ResourceError) {
        switch change {
        case .putAccount(let account): try checkAccount(account, state)
        case .deleteAccount(let name):
            guard state.accounts[ExactText(name)] != nil else { throw missing("account", name) }
            if let owned = state.instances.values.first(where: { $0.account == name }) {
                throw ResourceError(.inUse, "account `\(name)` owns instance `\(owned.id)`; delete its instances first")
            }
            try keepAnAdministrator(without: state.accessKeys.values.filter { $0.account == name }, state)
        case .putAccessKey(let key): try checkAccessKey(key, state)
        case .deleteAccessKey(let id):
            guard let key = state.accessKeys[ExactText(id)] else { throw missing("access key", id) }
            try keepAnAdministrator(without: [key], state)
        case .putInstance(let instance): try checkInstance(instance, state)
        case .deleteInstance(let number): _ = try tenant(number, state)
        case .putTopic(let topic): try checkTopic(topic, state)
        case .deleteTopic(let number, let name):
            guard try tenant(number, state).topics[ExactText(name)] != nil else { throw missing("parent topic", name) }
        case .putGroup(let group): try checkGroup(group, state)
        case .deleteGroup(let number, let id):
            guard try tenant(number, state).groups[ExactText(id)] != nil else { throw missing("group", id) }
        case .putTag(let tag): try checkTag(tag, state)
        case .deleteTag(let number, _, _, _): _ = try tenant(number, state)
        default: try checkCredentials(change, state)
        }
    }

    private static func checkCredentials(_ change: CatalogChange, _ state: ResourceState) throws(ResourceError) {
        switch change {
        case .putDeviceCredential(let credential): try checkDeviceCredential(credential, state)
        case .deleteDeviceCredential(let number, let clientID):
            guard try tenant(number, state).credentials[ExactText(clientID)] != nil else {
                throw missing("device credential of client", clientID)
            }
        case .putIdentity(let identity): try checkIdentity(identity, state)
        case .deleteIdentity(let number, let type, let userName, let clientID):
            try checkClientID(clientID, type)
            guard try tenant(number, state).identities[ExactText(userName)]?[ExactText(clientID ?? "")] != nil else {
                throw missing("identity", userName)
            }
        case .putPermission(let permission): try checkPermission(permission, state)
        case .deletePermission(let number, let type, let identity, let topic):
            let key = ResourceState.PermissionKey(type, identity)
            guard try tenant(number, state).permissions[key]?[ExactText(topic)] != nil else {
                throw missing("permission of `\(excerpt(identity))` for topic", topic)
            }
        case .putBan(let ban):
            let tenant = try tenant(ban.instance, state)
            try words(ban.clientID, 1...64, "clientId", "a client id")
            if !tenant.bans.contains(ExactText(ban.clientID)) {
                try bound(tenant.permissionCount + tenant.bans.count, ban.instance, state, .customAuthEntries)
            }
        case .deleteBan(let ban):
            guard try tenant(ban.instance, state).bans.contains(ExactText(ban.clientID)) else {
                throw missing("ban of client", ban.clientID)
            }
        case .putRevokedToken(let token):
            // Without a bound: taking back is never refused.
            _ = try tenant(token.instance, state)
            try words(token.tokenID, 1...64, "tokenId", "a token's id")
        default: try checkCertificates(change, state)
        }
    }

    private static func checkCertificates(_ change: CatalogChange, _ state: ResourceState) throws(ResourceError) {
        switch change {
        case .putCACertificate(let authority):
            let known = try tenant(authority.instance, state).authorities
            try serialNumber(authority.serialNumber)
            if known.count >= maximumAuthorities, known[ExactText(authority.serialNumber)] == nil {
                throw invalid("CaContent", "the instance is at its limit of \(maximumAuthorities) CA certificates")
            }
            try words(authority.name, 1...64, "CaName", "a certificate's name")
        case .deleteCACertificate(let number, let serial):
            guard try tenant(number, state).authorities[ExactText(serial)] != nil else {
                throw missing("CA certificate", serial)
            }
        case .putDeviceCertificate(let certificate):
            let tenant = try tenant(certificate.instance, state)
            let authority = ExactText(certificate.caSerialNumber)
            guard tenant.authorities[authority] != nil else {
                throw missing("CA certificate", certificate.caSerialNumber)
            }
            if tenant.deviceCertificates[authority]?[ExactText(certificate.serialNumber)] == nil {
                let count = tenant.deviceCertificates.values.reduce(0) { $0 + $1.count }
                try bound(count, certificate.instance, state, .deviceCredentials)
            }
            try serialNumber(certificate.serialNumber)
            try words(certificate.name, 0...256, "DeviceName", "a certificate's name")
        case .deleteDeviceCertificate(let number, let authority, let serial):
            let known = try tenant(number, state).deviceCertificates[ExactText(authority)]
            guard known?[ExactText(serial)] != nil else { throw missing("device certificate", serial) }
        case .putServerNames(let names):
            _ = try tenant(names.instance, state)
            try words(names.defaultCertificate, 0...1_024, "DefaultCertificate", "a certificate's id")
            guard names.entries.count <= maximumServerNames else {
                throw invalid("SniConfig", "at most \(maximumServerNames) domains; there are \(names.entries.count)")
            }
            for entry in names.entries {
                try words(entry.domain, 1...255, "SniConfig", "a domain")
                try words(entry.certificateID, 1...1_024, "SniConfig", "a certificate's id")
                try words(entry.password, 0...1_024, "SniConfig", "a password", isSecret: true)
            }
            try checkNobodyElseHas(names, state)
        default: break
        }
    }

    private static let maximumServerNames = 100
    private static let maximumAuthorities = 100

    /// A server name chooses an instance, so that two cannot have the same.
    private static func checkNobodyElseHas(
        _ names: ServerNameConfiguration,
        _ state: ResourceState,
    ) throws(ResourceError) {
        let wanted = Set(names.entries.map { $0.domain.lowercased() })
        for (number, tenant) in state.tenants where number != names.instance {
            guard
                let taken = tenant.serverNames?.entries.first(where: { wanted.contains($0.domain.lowercased()) })?
                    .domain
            else { continue }
            // Whose it is is not for the caller to know.
            throw ResourceError(.exists, "domain `\(taken)` is a server name of another instance")
        }
    }

    private static func serialNumber(_ text: String) throws(ResourceError) {
        try words(text, 1...128, "Sn", "a serial number")
        guard text.utf8.count <= 128 else { throw invalid("Sn", "a serial number has at most 128 bytes") }
    }

    // MARK: - Accounts

    private static func checkAccount(_ account: Account, _ state: ResourceState) throws(ResourceError) {
        try length(account.name, 1...64, "name", "an account's name")
        try characters(account.name, "-_", "name", "an account's name")
        let wanted = account.name.lowercased()
        let same = state.accounts.values.first { $0.name != account.name && $0.name.lowercased() == wanted }?.name
        if let same { throw ResourceError(.exists, "account `\(same)` differs from `\(account.name)` in case only") }
    }

    private static func checkAccessKey(_ key: AccessKey, _ state: ResourceState) throws(ResourceError) {
        guard state.accounts[ExactText(key.account)] != nil else { throw missing("account", key.account) }
        try length(key.id, 1...64, "id", "an access key id")
        try characters(key.id, "-_.", "id", "an access key id")
        try length(key.secret, 8...128, "secret", "an access key's secret", isSecret: true)
        guard isPrintable(key.secret) else {
            throw invalid("secret", "an access key's secret has printable ASCII characters only")
        }
        guard let old = state.accessKeys[ExactText(key.id)] else { return }
        if old.account != key.account {
            throw ResourceError(.exists, "access key `\(key.id)` belongs to account `\(old.account)`")
        }
        if key.rights != .administrator || !key.isEnabled { try keepAnAdministrator(without: [old], state) }
    }

    /// Without one nobody could manage the service any more.
    private static func keepAnAdministrator(without keys: [AccessKey], _ state: ResourceState) throws(ResourceError) {
        guard let last = keys.first(where: \.isAdministrators) else { return }
        let gone = Set(keys.map(\.id))
        guard state.accessKeys.values.contains(where: { $0.isAdministrators && !gone.contains($0.id) }) else {
            throw ResourceError(.inUse, "access key `\(last.id)` is the last administrator's; make another first")
        }
    }

    // MARK: - Instances

    private static func checkInstance(_ instance: Instance, _ state: ResourceState) throws(ResourceError) {
        guard state.accounts[ExactText(instance.account)] != nil else { throw missing("account", instance.account) }
        for (field, text) in [("id", instance.id), ("name", instance.name)] {
            try length(text, 3...64, field, "an instance's \(field)")
            try characters(text, "-_", field, "an instance's \(field)")
        }
        let id = instance.id.lowercased()
        let name = instance.name.lowercased()
        for other in state.instances.values where other.number != instance.number {
            guard other.id.lowercased() != id else {
                throw ResourceError(.exists, "instance `\(other.id)` exists; ids differ in more than case")
            }
            guard other.name.lowercased() != name else {
                throw ResourceError(.exists, "instance `\(other.id)` has the name `\(other.name)`; choose another")
            }
        }
        if let old = state.instances[instance.number], old.id != instance.id {
            throw invalid("id", "an instance's id cannot be changed")
        }
        if !instance.number.isNew {
            guard let old = state.instances[instance.number] else { throw missing("instance", instance.id) }
            try checkRoom(for: instance, instead: old, try tenant(instance.number, state))
        }
        for name in InstanceLimits.Name.allCases {
            guard let value = instance.limits.values[name] else { continue }
            try checkLimit(name, value, "limits.\(name.rawValue)")
        }
    }

    /// - Parameter field: for the error.
    static func checkLimit(_ name: InstanceLimits.Name, _ value: Int, _ field: String) throws(ResourceError) {
        let range = name.range
        guard !range.contains(value) else { return }
        throw invalid(field, "\(value) is not from \(range.lowerBound) to \(range.upperBound)")
    }

    /// A limit does not come down to less than there is: a document of the instance could not be applied any more.
    private static func checkRoom(
        for instance: Instance,
        instead old: Instance,
        _ tenant: ResourceState.Tenant,
    ) throws(ResourceError) {
        for (name, count) in [(InstanceLimits.Name.parentTopics, tenant.topics.count), (.groups, tenant.groups.count)] {
            let (limit, before) = (instance.effectiveLimits[name], old.effectiveLimits[name])
            guard limit > 0, count > limit, before == 0 || limit < before else { continue }
            throw ResourceError(
                .overLimit(name),
                "instance `\(instance.id)` has \(count) already, more than the limit \(name.rawValue) of \(limit); "
                    + "delete what is not needed first",
            )
        }
    }

    private static func checkTopic(_ topic: ParentTopic, _ state: ResourceState) throws(ResourceError) {
        let tenant = try tenant(topic.instance, state)
        try length(topic.name, 3...64, "name", "a parent topic")
        try characters(topic.name, "-_", "name", "a parent topic")
        try words(topic.remark, 0...128, "remark", "a remark")
        guard tenant.topics[ExactText(topic.name)] == nil else { return }
        let wanted = topic.name.lowercased()
        if let same = tenant.topics.keys.first(where: { $0.text.lowercased() == wanted }) {
            throw ResourceError(.exists, "parent topic `\(same.text)` differs from `\(topic.name)` in case only")
        }
        try bound(tenant.topics.count, topic.instance, state, .parentTopics)
    }

    private static func checkGroup(_ group: Group, _ state: ResourceState) throws(ResourceError) {
        let tenant = try tenant(group.instance, state)
        guard group.id.hasPrefix("GID_") || group.id.hasPrefix("GID-") else {
            throw invalid("id", "`\(excerpt(group.id))` does not begin with GID_ or GID-")
        }
        try length(group.id, 7...64, "id", "a group id")
        try characters(group.id, "-_", "id", "a group id")
        if tenant.groups[ExactText(group.id)] == nil { try bound(tenant.groups.count, group.instance, state, .groups) }
    }

    private static func checkTag(_ tag: Tag, _ state: ResourceState) throws(ResourceError) {
        let tenant = try tenant(tag.instance, state)
        try words(tag.key, 1...64, "Tag.Key", "a tag's key")
        try words(tag.value, 0...128, "Tag.Value", "a tag's value")
        let exists =
            switch tag.kind {
            case .instance: state.instances[tag.instance]?.id == tag.resource
            case .group: tenant.groups[ExactText(tag.resource)] != nil
            case .topic: tenant.topics[ExactText(tag.resource)] != nil
            }
        guard exists else { throw missing(tag.kind.rawValue.lowercased(), tag.resource) }
        let known = tenant.tags[ResourceState.TagCarrier(tag.kind, tag.resource)] ?? [:]
        if known.count >= maximumTags, known[ExactText(tag.key)] == nil {
            throw invalid("Tag", "`\(tag.resource)` is at its limit of \(maximumTags) tags")
        }
    }

    private static let maximumTags = 20

    // MARK: - Credentials

    private static func checkDeviceCredential(
        _ credential: DeviceCredential,
        _ state: ResourceState,
    ) throws(ResourceError) {
        let tenant = try tenant(credential.instance, state)
        if tenant.credentials[ExactText(credential.clientID)] == nil {
            try bound(tenant.credentials.count, credential.instance, state, .deviceCredentials)
        }
        try length(credential.clientID, 1...64, "clientId", "a client id")
        guard isPrintable(credential.clientID) else {
            throw invalid("clientId", "a client id has printable ASCII characters only")
        }
        let id = credential.accessKeyID
        try length(id, 4...64, "accessKeyId", "a device's access key id")
        try characters(id, "-_.", "accessKeyId", "a device's access key id")
        guard id.hasPrefix("DC."), credential.accessKeySecret.hasPrefix("DC.") else {
            throw invalid("accessKeyId", "a device's access key id and its secret begin with DC.")
        }
        if let other = tenant.credentialsByKey[ExactText(id)], other != ExactText(credential.clientID) {
            throw ResourceError(.exists, "another client has the access key id `\(id)`")
        }
    }

    private static func checkClientID(_ clientID: String?, _ type: IdentityType) throws(ResourceError) {
        switch type {
        case .user where clientID != nil:
            throw invalid("clientId", "an identity of type USER has no client id; use type CLIENT")
        case .client where clientID?.isEmpty ?? true:
            throw invalid("clientId", "an identity of type CLIENT needs a client id")
        case .user, .client: break
        }
    }

    private static func checkIdentity(_ identity: CustomIdentity, _ state: ResourceState) throws(ResourceError) {
        let tenant = try tenant(identity.instance, state)
        try words(identity.userName, 1...64, "userName", "a user name")
        try words(identity.secret, 1...128, "secret", "a secret", isSecret: true)
        guard !identity.userName.utf8.contains(UInt8(ascii: "|")) else {
            throw invalid("userName", "a user name of custom authentication has no `|`")
        }
        try checkClientID(identity.clientID, identity.type)
        if let clientID = identity.clientID { try words(clientID, 1...64, "clientId", "a client id") }
        if tenant.identities[ExactText(identity.userName)]?[ExactText(identity.clientID ?? "")] == nil {
            try bound(tenant.identityCount, identity.instance, state, .customAuthEntries)
        }
    }

    private static func checkPermission(_ permission: CustomPermission, _ state: ResourceState) throws(ResourceError) {
        let tenant = try tenant(permission.instance, state)
        try words(permission.identity, 1...64, "identity", "an identity")
        try words(permission.topic, 1...65_535, "topic", "a topic")
        do {
            _ = try TopicFilter(permission.topic)
        } catch {
            throw invalid("topic", "`\(excerpt(permission.topic))` is no topic or filter: \(error)")
        }
        let instance = state.instances[permission.instance]
        let policies = instance?.effectivePolicies
        // By bytes, as MQTT splits topics.
        let levels = permission.topic.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { String(Substring($0)) }
        let parent = levels[0]
        // As for clients: of a P2P topic only the parent counts.
        let isDirect = policies?.p2p == true && levels.count == 3 && levels[1] == "p2p"
        if let most = instance?.effectiveLimits.topicCharacters, most > 0 {
            try length(isDirect ? parent : permission.topic, 0...most, "topic", isDirect ? "a parent topic" : "a topic")
        }
        if policies?.requiresParentTopic == true, tenant.topics[ExactText(parent)] == nil {
            throw ResourceError(.notFound, "there is no parent topic `\(excerpt(parent))`; create it first")
        }
        let key = ResourceState.PermissionKey(permission.type, permission.identity)
        if tenant.permissions[key]?[ExactText(permission.topic)] == nil {
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
        guard let instance = state.instances[number] else { return }
        let limit = instance.effectiveLimits[name]
        guard limit == 0 || count < limit else { throw overLimit(name, limit, instance.id) }
    }

    /// - Parameter limit: its value, that has been reached.
    static func overLimit(_ name: InstanceLimits.Name, _ limit: Int, _ instance: String) -> ResourceError {
        ResourceError(
            .overLimit(name),
            "instance `\(instance)` is at its limit \(name.rawValue) of \(limit); delete what is not needed or raise it",
        )
    }

    /// Text that people read and devices send: without control characters, which hide what stands there.
    private static func words(
        _ text: String,
        _ range: ClosedRange<Int>,
        _ field: String,
        _ what: String,
        isSecret: Bool = false,
    ) throws(ResourceError) {
        try length(text, range, field, what, isSecret: isSecret)
        guard !text.unicodeScalars.contains(where: \.isControl) else {
            let shown = isSecret ? "this one" : "`\(excerpt(text))`"
            throw invalid(field, "\(what) has no control characters; \(shown) has some")
        }
    }

    private static func length(
        _ text: String,
        _ range: ClosedRange<Int>,
        _ field: String,
        _ what: String,
        isSecret: Bool = false,
    ) throws(ResourceError) {
        let count = text.unicodeScalars.count
        guard !range.contains(count) else { return }
        let shown = isSecret ? "this one" : "`\(excerpt(text))`"
        throw invalid(
            field,
            "\(what) has \(range.lowerBound) to \(range.upperBound) characters; \(shown) has \(count)",
        )
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
    private static func excerpt(_ text: String) -> String { text.legible(most: 64) }
}

extension String {
    /// As it may stand in messages and in the audit log.
    ///
    /// - Parameter most: scalars that are kept.
    func legible(most: Int) -> String {
        let scalars = unicodeScalars.prefix(most).map { $0.isControl ? "\u{FFFD}" : $0 }
        let cut = String(String.UnicodeScalarView(scalars))
        return unicodeScalars.dropFirst(most).isEmpty ? cut : cut + "…"
    }
}

extension Unicode.Scalar {
    fileprivate var isControl: Bool { properties.generalCategory == .control }
}

extension AccessKey {
    /// Whether it can manage the service.
    var isAdministrators: Bool { rights == .administrator && isEnabled }
}
