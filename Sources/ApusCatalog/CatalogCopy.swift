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
            try queue.inDatabase { db in
                try SQLiteCatalog.checkVersion(db, name)
                guard try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0 > 0 else {
                    throw CatalogError.unusable("\(name) is no catalog")
                }
                for statement in ["PRAGMA integrity_check(1)", "PRAGMA foreign_key_check"] {
                    guard let found = try Row.fetchOne(db, sql: statement) else { continue }
                    let word: String? = found[0]
                    guard word != "ok" else { continue }
                    throw CatalogError.unusable("\(name) is damaged: \(word ?? "a row")")
                }
                _ = try CatalogRows.load(db)
            }
        } catch {
            throw SQLiteCatalog.unusable(name, error)
        }
    }

    private static func open(_ path: String) throws -> DatabaseQueue {
        var configuration = GRDB.Configuration()
        configuration.label = "apus catalog copy"
        configuration.readonly = true
        configuration.busyMode = .timeout(SQLiteCatalog.busySeconds)
        return try DatabaseQueue(path: path, configuration: configuration)
    }
}
