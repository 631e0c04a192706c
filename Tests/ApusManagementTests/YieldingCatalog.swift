import ApusResources
import Glibc

/// A catalog in memory whose commits let other threads run first: what is looked at before a change is old by then.
final class YieldingCatalog: Catalog {
    private let inner = MemoryCatalog()

    func load() throws(CatalogError) -> CatalogContents { try inner.load() }

    func commit(_ changes: [CatalogChange], audit: AuditEntry?) throws(CatalogError) -> [CatalogChange] {
        for _ in 0..<200 { sched_yield() }
        return try inner.commit(changes, audit: audit)
    }

    func audit(before: Int64?, limit: Int, instance: String?) throws(CatalogError) -> [AuditEntry] {
        try inner.audit(before: before, limit: limit, instance: instance)
    }
}
