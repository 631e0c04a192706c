import ApusMessage
import ApusResources
import Testing

@testable import ApusCatalog

/// An implementation of the catalog port, under test.
enum CatalogSubject: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory, sqlite

    var testDescription: String { rawValue }

    /// Runs the body on a new catalog; `reopen` closes and opens it again where it outlives a process.
    func run(_ body: (_ catalog: any Catalog, _ reopen: () throws -> any Catalog) throws -> Void) throws {
        switch self {
        case .memory:
            let catalog = MemoryCatalog()
            try body(catalog) { catalog }
        case .sqlite:
            let folder = try TemporaryFolder()
            let handle = Handle(try SQLiteCatalog(path: folder.catalog))
            try body(handle) {
                handle.catalog = nil
                handle.catalog = try SQLiteCatalog(path: folder.catalog)
                return handle
            }
        }
    }

    /// Whatever the test holds, the file has one catalog at a time.
    private final class Handle: Catalog, @unchecked Sendable {
        // Each test has its own, on one thread.
        var catalog: SQLiteCatalog?

        init(_ catalog: SQLiteCatalog) { self.catalog = catalog }

        private var open: SQLiteCatalog {
            get throws(CatalogError) {
                guard let catalog else { throw .unusable("closed") }
                return catalog
            }
        }

        func load() throws(CatalogError) -> CatalogContents { try open.load() }

        func commit(_ changes: [CatalogChange], audit: AuditEntry?) throws(CatalogError) -> [CatalogChange] {
            try open.commit(changes, audit: audit)
        }

        func audit(before: Int64?, limit: Int, instance: String?) throws(CatalogError) -> [AuditEntry] {
            try open.audit(before: before, limit: limit, instance: instance)
        }
    }
}

extension Catalog {
    @discardableResult
    func commit(_ changes: CatalogChange...) throws(CatalogError) -> [CatalogChange] {
        try commit(changes, audit: nil)
    }

    /// Makes an account and an instance of it.
    ///
    /// - Returns: the instance's number.
    func makeInstance(_ id: String = "first") throws -> InstanceNumber {
        let instance = Instance(id: id, account: "shop", profile: .apsaramq, createdAt: 1)
        let made = try commit(.putAccount(Account(name: "shop", createdAt: 1)), .putInstance(instance))
        guard case .putInstance(let stored) = made[1] else { throw CatalogError.storage("no instance") }
        return stored.number
    }
}

extension CatalogContents {
    /// Lists in an order that does not depend on how they are stored.
    var sorted: CatalogContents {
        func sort<Value>(_ values: inout [Value]) { values.sort { "\($0)" < "\($1)" } }
        var contents = self
        sort(&contents.accounts)
        sort(&contents.accessKeys)
        sort(&contents.instances)
        sort(&contents.topics)
        sort(&contents.groups)
        sort(&contents.tags)
        sort(&contents.deviceCredentials)
        sort(&contents.identities)
        sort(&contents.permissions)
        sort(&contents.bans)
        sort(&contents.revokedTokens)
        sort(&contents.caCertificates)
        sort(&contents.deviceCertificates)
        sort(&contents.serverNames)
        return contents
    }
}
