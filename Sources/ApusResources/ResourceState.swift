internal import ApusMessage

/// What the catalog holds, in the shape in which it is looked up.
struct ResourceState: Sendable {
    /// All that belongs to one instance.
    struct Tenant: Sendable {
        var topics: [String: ParentTopic] = [:]
        var groups: [String: Group] = [:]
        var credentials: [String: DeviceCredential] = [:]
        var credentialsByKey: [String: String] = [:]
        /// By user name, then client id; of type `user` under the empty client id.
        var identities: [String: [String: CustomIdentity]] = [:]
        /// By type and identity.
        var permissions: [PermissionKey: [String: CustomPermission]] = [:]
        var bans: Set<String> = []
        var revokedTokens: [String: RevokedToken] = [:]
        var authorities: [String: CACertificate] = [:]
        /// By serial number of the authority, then of the device.
        var deviceCertificates: [String: [String: DeviceCertificate]] = [:]
        var tags: [TagKey: Tag] = [:]
        var serverNames: ServerNameConfiguration?

        var identityCount: Int { identities.values.reduce(0) { $0 + $1.count } }
        var permissionCount: Int { permissions.values.reduce(0) { $0 + $1.count } }
    }

    struct PermissionKey: Hashable, Sendable {
        let type: IdentityType
        let identity: String
    }

    struct TagKey: Hashable, Sendable {
        let kind: Tag.Kind
        let resource: String
        let key: String
    }

    var accounts: [String: Account] = [:]
    var accessKeys: [String: AccessKey] = [:]
    var instances: [InstanceNumber: Instance] = [:]
    var numbers: [String: InstanceNumber] = [:]
    var tenants: [InstanceNumber: Tenant] = [:]
    var serviceSecrets: [String: [UInt8]] = [:]

    init() {}

    init(_ contents: CatalogContents) {
        for one in contents.accounts { apply(.putAccount(one)) }
        for one in contents.accessKeys { apply(.putAccessKey(one)) }
        for one in contents.instances { apply(.putInstance(one)) }
        for one in contents.topics { apply(.putTopic(one)) }
        for one in contents.groups { apply(.putGroup(one)) }
        for one in contents.tags { apply(.putTag(one)) }
        for one in contents.deviceCredentials { apply(.putDeviceCredential(one)) }
        for one in contents.identities { apply(.putIdentity(one)) }
        for one in contents.permissions { apply(.putPermission(one)) }
        for one in contents.bans { apply(.putBan(one)) }
        for one in contents.revokedTokens { apply(.putRevokedToken(one)) }
        for one in contents.caCertificates { apply(.putCACertificate(one)) }
        for one in contents.deviceCertificates { apply(.putDeviceCertificate(one)) }
        for one in contents.serverNames { apply(.putServerNames(one)) }
        serviceSecrets = contents.serviceSecrets
    }

    mutating func apply(_ change: CatalogChange) {
        switch change {
        case .putAccount(let account): accounts[account.name] = account
        case .deleteAccount(let name):
            accounts[name] = nil
            accessKeys = accessKeys.filter { $0.value.account != name }
        case .putAccessKey(let key): accessKeys[key.id] = key
        case .deleteAccessKey(let id): accessKeys[id] = nil
        case .putInstance(let instance):
            if let old = instances[instance.number] { numbers[old.id] = nil }
            instances[instance.number] = instance
            numbers[instance.id] = instance.number
            if tenants[instance.number] == nil { tenants[instance.number] = Tenant() }
        case .deleteInstance(let number):
            if let old = instances.removeValue(forKey: number) { numbers[old.id] = nil }
            tenants[number] = nil
        case .putServiceSecret(let name, let secret): serviceSecrets[name] = secret
        default: applyToTenant(change)
        }
    }

    private mutating func applyToTenant(_ change: CatalogChange) {
        switch change {
        case .putTopic(let topic): tenants[topic.instance]?.topics[topic.name] = topic
        case .deleteTopic(let number, let name): tenants[number]?.topics[name] = nil
        case .putGroup(let group): tenants[group.instance]?.groups[group.id] = group
        case .deleteGroup(let number, let id): tenants[number]?.groups[id] = nil
        case .putTag(let tag):
            tenants[tag.instance]?.tags[TagKey(kind: tag.kind, resource: tag.resource, key: tag.key)] = tag
        case .deleteTag(let number, let kind, let resource, let key):
            tenants[number]?.tags[TagKey(kind: kind, resource: resource, key: key)] = nil
        case .putDeviceCredential(let credential):
            if let old = tenants[credential.instance]?.credentials[credential.clientID] {
                tenants[credential.instance]?.credentialsByKey[old.accessKeyID] = nil
            }
            tenants[credential.instance]?.credentials[credential.clientID] = credential
            tenants[credential.instance]?.credentialsByKey[credential.accessKeyID] = credential.clientID
        case .deleteDeviceCredential(let number, let clientID):
            guard let old = tenants[number]?.credentials.removeValue(forKey: clientID) else { return }
            tenants[number]?.credentialsByKey[old.accessKeyID] = nil
        case .putIdentity(let identity):
            tenants[identity.instance]?.identities[identity.userName, default: [:]][identity.clientID ?? ""] = identity
        case .deleteIdentity(let number, _, let userName, let clientID):
            tenants[number]?.identities[userName]?[clientID ?? ""] = nil
            if tenants[number]?.identities[userName]?.isEmpty == true { tenants[number]?.identities[userName] = nil }
        case .putPermission(let permission):
            let key = PermissionKey(type: permission.type, identity: permission.identity)
            tenants[permission.instance]?.permissions[key, default: [:]][permission.topic] = permission
        case .deletePermission(let number, let type, let identity, let topic):
            let key = PermissionKey(type: type, identity: identity)
            tenants[number]?.permissions[key]?[topic] = nil
            if tenants[number]?.permissions[key]?.isEmpty == true { tenants[number]?.permissions[key] = nil }
        case .putBan(let ban): tenants[ban.instance]?.bans.insert(ban.clientID)
        case .deleteBan(let ban): tenants[ban.instance]?.bans.remove(ban.clientID)
        case .putRevokedToken(let token): tenants[token.instance]?.revokedTokens[token.tokenID] = token
        case .forgetRevokedTokens(let time):
            for (number, tenant) in tenants where !tenant.revokedTokens.isEmpty {
                tenants[number]?.revokedTokens = tenant.revokedTokens.filter { $0.value.expiresAt >= time }
            }
        case .putCACertificate(let authority):
            tenants[authority.instance]?.authorities[authority.serialNumber] = authority
        case .deleteCACertificate(let number, let serialNumber):
            tenants[number]?.authorities[serialNumber] = nil
            tenants[number]?.deviceCertificates[serialNumber] = nil
        case .putDeviceCertificate(let certificate):
            tenants[certificate.instance]?
                .deviceCertificates[certificate.caSerialNumber, default: [:]][certificate.serialNumber] = certificate
        case .deleteDeviceCertificate(let number, let authority, let serialNumber):
            tenants[number]?.deviceCertificates[authority]?[serialNumber] = nil
        case .putServerNames(let names): tenants[names.instance]?.serverNames = names
        case .putAccount, .deleteAccount, .putAccessKey, .deleteAccessKey, .putInstance, .deleteInstance,
            .putServiceSecret:
            break
        }
    }
}
