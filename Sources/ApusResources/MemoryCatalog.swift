internal import ApusLocks
internal import ApusMessage

/// A catalog that ends with the process.
package final class MemoryCatalog: Catalog {
    fileprivate struct Content: Sendable {
        var state = ResourceState()
        var lastNumber: UInt32 = 0
        var audit: [AuditEntry] = []
    }

    private let content = Guarded(Content())

    package init() {}

    package func load() throws(CatalogError) -> CatalogContents {
        content.withLock { CatalogContents($0.state) }
    }

    package func commit(_ changes: [CatalogChange], audit: AuditEntry?) throws(CatalogError) -> [CatalogChange] {
        let outcome = content.withLock { content in
            // A copy, so that a change in the middle that fails leaves nothing.
            var next = content
            return next.make(changes, audit).map { made in
                content = next
                return made
            }
        }
        return try outcome.get()
    }

    package func audit(before: Int64?, limit: Int, instance: String?) throws(CatalogError) -> [AuditEntry] {
        content.withLock { content in
            let fitting = content.audit.reversed().lazy.filter { entry in
                entry.number < before ?? .max && (instance == nil || entry.instance == instance)
            }
            return Array(fitting.prefix(max(0, limit)))
        }
    }
}

extension MemoryCatalog.Content {
    fileprivate mutating func make(
        _ changes: [CatalogChange],
        _ audit: AuditEntry?,
    ) -> Result<[CatalogChange], CatalogError> {
        var numbers = ProvisionalNumbers()
        var made: [CatalogChange] = []
        for change in changes {
            var change = numbers.resolve(change)
            if case .putInstance(var instance) = change, instance.number.isNew {
                lastNumber += 1
                numbers.give(InstanceNumber(rawValue: lastNumber), to: instance.number)
                instance.number = InstanceNumber(rawValue: lastNumber)
                change = .putInstance(instance)
            }
            if let reason = state.obstacle(to: change) { return .failure(.storage(reason)) }
            state.apply(change)
            made.append(change)
        }
        if var audit {
            audit.number = Int64(self.audit.count) + 1
            self.audit.append(audit)
        }
        return .success(made)
    }
}

extension ResourceState {
    /// Why a change cannot be stored: what it refers to is not there, or something refers to it.
    fileprivate func obstacle(to change: CatalogChange) -> String? {
        if let number = change.tenant, change.isPut, tenants[number] == nil { return "there is no such instance" }
        switch change {
        case .putAccessKey(let key) where accounts[ExactText(key.account)] == nil: return "there is no such account"
        case .deleteAccount(let name) where instances.values.contains { $0.account == name }:
            return "the account owns an instance"
        case .putInstance(let instance):
            guard accounts[ExactText(instance.account)] != nil else { return "there is no such account" }
            let holder = numbers[ExactText(instance.id)]
            return holder == nil || holder == instance.number ? nil : "another instance has this id"
        case .putDeviceCertificate(let certificate):
            let authority = tenants[certificate.instance]?.authorities[ExactText(certificate.caSerialNumber)]
            return authority == nil ? "there is no such CA certificate" : nil
        default: return nil
        }
    }
}

extension CatalogChange {
    fileprivate var isPut: Bool {
        switch self {
        case .putTopic, .putGroup, .putTag, .putDeviceCredential, .putIdentity, .putPermission, .putBan,
            .putRevokedToken, .putCACertificate, .putDeviceCertificate, .putServerNames:
            true
        default: false
        }
    }
}

extension CatalogContents {
    init(_ state: ResourceState) {
        self.init()
        accounts = Array(state.accounts.values)
        accessKeys = Array(state.accessKeys.values)
        instances = Array(state.instances.values)
        for tenant in state.tenants.values {
            topics += tenant.topics.values
            groups += tenant.groups.values
            tags += tenant.tags.values.flatMap(\.values)
            deviceCredentials += tenant.credentials.values
            identities += tenant.identities.values.flatMap(\.values)
            permissions += tenant.permissions.values.flatMap(\.values)
            revokedTokens += tenant.revokedTokens.values
            caCertificates += tenant.authorities.values
            deviceCertificates += tenant.deviceCertificates.values.flatMap(\.values)
            if let names = tenant.serverNames { serverNames.append(names) }
        }
        for (number, tenant) in state.tenants {
            bans += tenant.bans.map { BannedClient(instance: number, clientID: $0.text) }
        }
        serviceSecrets = state.serviceSecrets
    }
}
