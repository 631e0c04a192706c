package import ApusResources
internal import GRDB

/// A catalog's file as a backup takes it and as it comes back, without the right to write to the catalog.
package enum CatalogCopy {
    /// Copies what is committed at this moment to an empty file; a service may be running on the catalog, and waits for
    /// nothing.
    ///
    /// What was deleted from the catalog is not in the copy, not even as free space.
    package static func make(of path: String, to target: String) throws(CatalogError) {
        do {
            let queue = try open(path)
            defer { try? queue.close() }
            try queue.vacuum(into: target)
        } catch {
            throw SQLiteCatalog.unusable(path, error)
        }
    }

    /// Makes sure that a service can start with this file, which nobody has open.
    ///
    /// - Parameter name: what to call it in errors.
    /// - Throws: what is wrong with it: damage, a newer version, contents that no catalog writes.
    package static func check(_ path: String, named name: String) throws(CatalogError) {
        do {
            let queue = try open(path)
            defer { try? queue.close() }
            let version = try queue.inDatabase { db in
                let version = try SQLiteCatalog.checkVersion(db, name)
                guard version > 0 else { throw CatalogError.unusable("\(name) is no catalog") }
                for statement in ["PRAGMA integrity_check(1)", "PRAGMA foreign_key_check"] {
                    guard let found = try Row.fetchOne(db, sql: statement) else { continue }
                    let word: String? = found[0]
                    guard word != "ok" else { continue }
                    throw CatalogError.unusable("\(name) is damaged: \(word ?? "a row")")
                }
                return version
            }
            // As the service will find it; the file stays as it is.
            let current = version < SQLiteCatalog.schemaVersion ? try migrated(queue) : queue
            try current.read { _ = try CatalogRows.load($0) }
        } catch {
            throw SQLiteCatalog.unusable(name, error)
        }
    }

    /// The contents of an older version in memory, with the tables of this one.
    private static func migrated(_ queue: DatabaseQueue) throws -> DatabaseQueue {
        let memory = try DatabaseQueue()
        try queue.backup(to: memory)
        try CatalogSchema.migrator.migrate(memory)
        return memory
    }

    private static func open(_ path: String) throws -> DatabaseQueue {
        var configuration = GRDB.Configuration()
        configuration.label = "apus catalog copy"
        configuration.readonly = true
        configuration.busyMode = .timeout(SQLiteCatalog.busySeconds)
        return try DatabaseQueue(path: path, configuration: configuration)
    }
}
