internal import ApusMessage
package import ApusResources
internal import Foundation
internal import GRDB
internal import Synchronization

/// The catalog in a SQLite file: safe on return of `commit`, for one process at a time, readable by its owner only.
package final class SQLiteCatalog: Catalog {
    private let queue: DatabaseQueue

    /// Of the file; a file of a higher one is refused.
    static let schemaVersion = 1
    /// The newest entries of the audit log that are kept.
    static let auditEntries: Int64 = 1_000_000

    /// Opens the file, or makes it.
    package init(path: String) throws(CatalogError) {
        do {
            try Self.makePrivate(path)
            var configuration = GRDB.Configuration()
            configuration.label = "apus catalog"
            configuration.prepareDatabase { db in
                // The file is this process's alone from the first write on, and what is committed is on the disk.
                try db.execute(sql: "PRAGMA locking_mode = EXCLUSIVE")
                try db.execute(sql: "PRAGMA journal_mode = WAL")
                try db.execute(sql: "PRAGMA synchronous = FULL")
                try db.execute(sql: "PRAGMA foreign_keys = ON")
            }
            queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.inDatabase { db in
                let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
                guard version <= Self.schemaVersion else {
                    throw CatalogError.unusable("\(path) is of version \(version); this is for \(Self.schemaVersion)")
                }
            }
            try CatalogSchema.migrator.migrate(queue)
            try queue.write { db in try db.execute(sql: "PRAGMA user_version = \(Self.schemaVersion)") }
        } catch let error as CatalogError {
            throw error
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
            throw .unusable("\(path) is in use by another process")
        } catch {
            throw .unusable("\(path): \(error)")
        }
    }

    /// SQLite gives its other files the mode of the first one.
    private static func makePrivate(_ path: String) throws(CatalogError) {
        let number = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard number >= 0 else {
            throw .unusable("\(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
        close(number)
    }

    package func load() throws(CatalogError) -> CatalogContents {
        do {
            return try queue.read { try CatalogRows.load($0) }
        } catch let error as CatalogError {
            throw error
        } catch {
            throw .unusable("\(error)")
        }
    }

    package func commit(_ changes: [CatalogChange], audit: AuditEntry?) throws(CatalogError) -> [CatalogChange] {
        do {
            return try queue.write { db in
                var made: [CatalogChange] = []
                for change in changes { made.append(try CatalogRows.apply(change, db)) }
                if let audit { try Self.write(audit, db) }
                return made
            }
        } catch {
            throw .storage("\(error)")
        }
    }

    private static func write(_ entry: AuditEntry, _ db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO audit (time, actor, source, action, instance, detail, outcome)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                entry.time, entry.actor, entry.source, entry.action, entry.instance, entry.detail, entry.outcome,
            ],
        )
        let number = db.lastInsertedRowID
        // Now and then, so that most entries cost one row.
        guard number % 1_000 == 0, number > Self.auditEntries else { return }
        try db.execute(sql: "DELETE FROM audit WHERE number <= ?", arguments: [number - Self.auditEntries])
    }

    package func audit(before: Int64?, limit: Int, instance: String?) throws(CatalogError) -> [AuditEntry] {
        do {
            return try queue.read { db in
                let rows = try Row.fetchAll(
                    db,
                    sql: """
                        SELECT * FROM audit WHERE number < ? AND (? IS NULL OR instance = ?)
                        ORDER BY number DESC LIMIT ?
                        """,
                    arguments: [before ?? .max, instance, instance, limit],
                )
                return rows.map { row in
                    AuditEntry(
                        number: row["number"],
                        time: row["time"],
                        actor: row["actor"],
                        source: row["source"],
                        action: row["action"],
                        instance: row["instance"],
                        detail: row["detail"],
                        outcome: row["outcome"],
                    )
                }
            }
        } catch {
            throw .storage("\(error)")
        }
    }
}
