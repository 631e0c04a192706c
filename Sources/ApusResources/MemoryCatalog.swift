internal import ApusMessage
internal import Synchronization

/// A catalog that ends with the process.
package final class MemoryCatalog: Catalog {
    private struct Content: Sendable {
        var state = ResourceState()
        var lastNumber: UInt32 = 0
        var audit: [AuditEntry] = []
    }

    private let content = Mutex(Content())

    package init() {}

    package func load() throws(CatalogError) -> CatalogContents {
        content.withLock { CatalogContents($0.state) }
    }

    package func commit(_ changes: [CatalogChange], audit: AuditEntry?) throws(CatalogError) -> [CatalogChange] {
        content.withLock { content in
            let made = changes.map { change in
                guard case .putInstance(var instance) = change, instance.number == .none else { return change }
                content.lastNumber += 1
                instance.number = InstanceNumber(rawValue: content.lastNumber)
                return .putInstance(instance)
            }
            for change in made { content.state.apply(change) }
            if var audit {
                audit.number = Int64(content.audit.count) + 1
                content.audit.append(audit)
            }
            return made
        }
    }

    package func audit(before: Int64?, limit: Int, instance: String?) throws(CatalogError) -> [AuditEntry] {
        content.withLock { content in
            let fitting = content.audit.reversed().lazy.filter { entry in
                entry.number < before ?? .max && (instance == nil || entry.instance == instance)
            }
            return Array(fitting.prefix(limit))
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
            tags += tenant.tags.values
            deviceCredentials += tenant.credentials.values
            identities += tenant.identities.values.flatMap(\.values)
            permissions += tenant.permissions.values.flatMap(\.values)
            revokedTokens += tenant.revokedTokens.values
            caCertificates += tenant.authorities.values
            deviceCertificates += tenant.deviceCertificates.values.flatMap(\.values)
            if let names = tenant.serverNames { serverNames.append(names) }
        }
        for (number, tenant) in state.tenants {
            bans += tenant.bans.map { BannedClient(instance: number, clientID: $0) }
        }
        serviceSecrets = state.serviceSecrets
    }
}
