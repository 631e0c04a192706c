internal import ApusMessage

/// What the catalog holds, in the shape in which it is looked up.
///
/// Names are keys byte by byte: as `String` they would be compared as characters, and `K` and the sign of the kelvin are
/// one there.
struct ResourceState: Sendable {
    /// All that belongs to one instance.
    struct Tenant: Sendable {
        var topics: [ExactText: ParentTopic] = [:]
        var groups: [ExactText: Group] = [:]
        var credentials: [ExactText: DeviceCredential] = [:]
        /// Client ids by access key id.
        var credentialsByKey: [ExactText: ExactText] = [:]
        /// By user name, then client id; of type `user` under the empty client id.
        var identities: [ExactText: [ExactText: CustomIdentity]] = [:]
        /// Of all user names; counting them anew would cost each registration the length of the table.
        var identityCount = 0
        /// By type and identity, then topic.
        var permissions: [PermissionKey: [ExactText: CustomPermission]] = [:]
        var permissionCount = 0
        var bans: Set<ExactText> = []
        var revokedTokens: [ExactText: RevokedToken] = [:]
        var authorities: [ExactText: CACertificate] = [:]
        /// By serial number of the authority, then of the device.
        var deviceCertificates: [ExactText: [ExactText: DeviceCertificate]] = [:]
        /// By what carries them, then key.
        var tags: [TagCarrier: [ExactText: Tag]] = [:]
        var serverNames: ServerNameConfiguration?
    }

    struct PermissionKey: Hashable, Sendable {
        let type: IdentityType
        let identity: ExactText

        init(_ type: IdentityType, _ identity: String) {
            self.type = type
            self.identity = ExactText(identity)
        }
    }

    struct TagCarrier: Hashable, Sendable {
        let kind: Tag.Kind
        let resource: ExactText

        init(_ kind: Tag.Kind, _ resource: String) {
            self.kind = kind
            self.resource = ExactText(resource)
        }
    }

    var accounts: [ExactText: Account] = [:]
    var accessKeys: [ExactText: AccessKey] = [:]
    var instances: [InstanceNumber: Instance] = [:]
    var numbers: [ExactText: InstanceNumber] = [:]
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
        case .putAccount(let account): accounts[ExactText(account.name)] = account
        case .deleteAccount(let name):
            accounts[ExactText(name)] = nil
            accessKeys = accessKeys.filter { ExactText($0.value.account) != ExactText(name) }
        case .putAccessKey(let key): accessKeys[ExactText(key.id)] = key
        case .deleteAccessKey(let id): accessKeys[ExactText(id)] = nil
        case .putInstance(let instance):
            if let old = instances[instance.number] { numbers[ExactText(old.id)] = nil }
            instances[instance.number] = instance
            numbers[ExactText(instance.id)] = instance.number
            if tenants[instance.number] == nil { tenants[instance.number] = Tenant() }
        case .deleteInstance(let number):
            if let old = instances.removeValue(forKey: number) { numbers[ExactText(old.id)] = nil }
            tenants[number] = nil
        case .putServiceSecret(let name, let secret): serviceSecrets[name] = secret
        case .forgetRevokedTokens(let time):
            for number in tenants.keys { tenants[number]?.forgetRevokedTokens(expiredBefore: time) }
        default:
            if let number = change.tenant { tenants[number]?.apply(change) }
        }
    }
}

extension ResourceState.Tenant {
    mutating func apply(_ change: CatalogChange) {
        switch change {
        case .putTopic(let topic): topics[ExactText(topic.name)] = topic
        case .deleteTopic(_, let name):
            topics[ExactText(name)] = nil
            tags[ResourceState.TagCarrier(.topic, name)] = nil
        case .putGroup(let group): groups[ExactText(group.id)] = group
        case .deleteGroup(_, let id):
            groups[ExactText(id)] = nil
            tags[ResourceState.TagCarrier(.group, id)] = nil
        case .putTag(let tag):
            tags[ResourceState.TagCarrier(tag.kind, tag.resource), default: [:]][ExactText(tag.key)] = tag
        case .deleteTag(_, let kind, let resource, let key):
            let carrier = ResourceState.TagCarrier(kind, resource)
            tags[carrier]?[ExactText(key)] = nil
            if tags[carrier]?.isEmpty == true { tags[carrier] = nil }
        case .putServerNames(let names): serverNames = names
        case .putDeviceCredential, .deleteDeviceCredential, .putRevokedToken: applyToCredentials(change)
        case .putIdentity, .deleteIdentity, .putPermission, .deletePermission, .putBan, .deleteBan:
            applyToCustomAuthentication(change)
        default: applyToCertificates(change)
        }
    }

    private mutating func applyToCredentials(_ change: CatalogChange) {
        switch change {
        case .putDeviceCredential(let credential):
            let clientID = ExactText(credential.clientID)
            if let old = credentials[clientID] { credentialsByKey[ExactText(old.accessKeyID)] = nil }
            credentials[clientID] = credential
            credentialsByKey[ExactText(credential.accessKeyID)] = clientID
        case .deleteDeviceCredential(_, let clientID):
            guard let old = credentials.removeValue(forKey: ExactText(clientID)) else { return }
            credentialsByKey[ExactText(old.accessKeyID)] = nil
        case .putRevokedToken(let token): revokedTokens[ExactText(token.tokenID)] = token
        default: break
        }
    }

    private mutating func applyToCustomAuthentication(_ change: CatalogChange) {
        switch change {
        case .putIdentity(let identity):
            let old = identities[ExactText(identity.userName), default: [:]]
                .updateValue(identity, forKey: ExactText(identity.clientID ?? ""))
            if old == nil { identityCount += 1 }
        case .deleteIdentity(_, _, let userName, let clientID):
            let userName = ExactText(userName)
            guard identities[userName]?.removeValue(forKey: ExactText(clientID ?? "")) != nil else { return }
            identityCount -= 1
            if identities[userName]?.isEmpty == true { identities[userName] = nil }
        case .putPermission(let permission):
            let key = ResourceState.PermissionKey(permission.type, permission.identity)
            let old = permissions[key, default: [:]].updateValue(permission, forKey: ExactText(permission.topic))
            if old == nil { permissionCount += 1 }
        case .deletePermission(_, let type, let identity, let topic):
            let key = ResourceState.PermissionKey(type, identity)
            guard permissions[key]?.removeValue(forKey: ExactText(topic)) != nil else { return }
            permissionCount -= 1
            if permissions[key]?.isEmpty == true { permissions[key] = nil }
        case .putBan(let ban): bans.insert(ExactText(ban.clientID))
        case .deleteBan(let ban): bans.remove(ExactText(ban.clientID))
        default: break
        }
    }

    private mutating func applyToCertificates(_ change: CatalogChange) {
        switch change {
        case .putCACertificate(let authority): authorities[ExactText(authority.serialNumber)] = authority
        case .deleteCACertificate(_, let serialNumber):
            authorities[ExactText(serialNumber)] = nil
            deviceCertificates[ExactText(serialNumber)] = nil
        case .putDeviceCertificate(let certificate):
            let authority = ExactText(certificate.caSerialNumber)
            deviceCertificates[authority, default: [:]][ExactText(certificate.serialNumber)] = certificate
        case .deleteDeviceCertificate(_, let authority, let serialNumber):
            deviceCertificates[ExactText(authority)]?[ExactText(serialNumber)] = nil
        default: break
        }
    }

    fileprivate mutating func forgetRevokedTokens(expiredBefore time: Int64) {
        guard !revokedTokens.isEmpty else { return }
        revokedTokens = revokedTokens.filter { $0.value.expiresAt >= time }
    }
}

extension CatalogChange {
    /// The instance that the changed thing belongs to; `nil` for accounts, keys, instances themselves and the service.
    var tenant: InstanceNumber? {
        switch self {
        case .putTopic(let topic): topic.instance
        case .putGroup(let group): group.instance
        case .putTag(let tag): tag.instance
        case .putDeviceCredential(let credential): credential.instance
        case .putIdentity(let identity): identity.instance
        case .putPermission(let permission): permission.instance
        case .putBan(let ban), .deleteBan(let ban): ban.instance
        case .putRevokedToken(let token): token.instance
        case .putCACertificate(let authority): authority.instance
        case .putDeviceCertificate(let certificate): certificate.instance
        case .putServerNames(let names): names.instance
        case .deleteTopic(let number, _), .deleteGroup(let number, _), .deleteTag(let number, _, _, _),
            .deleteDeviceCredential(let number, _), .deleteIdentity(let number, _, _, _),
            .deletePermission(let number, _, _, _), .deleteCACertificate(let number, _),
            .deleteDeviceCertificate(let number, _, _):
            number
        case .putAccount, .deleteAccount, .putAccessKey, .deleteAccessKey, .putInstance, .deleteInstance,
            .forgetRevokedTokens, .putServiceSecret:
            nil
        }
    }
}
