internal import ApusLoop
package import ApusMessage
package import ApusResources
internal import Foundation
internal import GRDB

/// The catalog in a SQLite file: safe on return of `commit`, for one writer at a time, readable by its owner only.
///
/// The one writer is who holds the lock file beside it. SQLite's own lock is not exclusive, so that a backup can read what
/// was committed while the service runs (``CatalogCopy``).
package final class SQLiteCatalog: Catalog {
    private let queue: DatabaseQueue
    private let lock: FolderLock
    private let path: String

    /// Of the file; a file of a higher one is refused.
    static let schemaVersion = 2
    /// Entries of the audit log that are kept, and a hundredth more.
    private let auditEntries: Int64

    /// For recovery by a reader or the end of one; nobody holds the file for longer than that.
    static let busySeconds: Double = 5

    /// Opens the file, or makes it.
    ///
    /// - Parameter auditEntries: of the audit log, that are kept; of who has most the oldest go first.
    package init(path: String, auditEntries: Int64 = 1_000_000) throws(CatalogError) {
        self.auditEntries = auditEntries
        do {
            lock = try Self.lock(path)
            try Self.makePrivate(path)
            var configuration = GRDB.Configuration()
            configuration.label = "apus catalog"
            configuration.busyMode = .timeout(Self.busySeconds)
            configuration.prepareDatabase { db in
                // What is committed is on the disk, and readers of other processes do not wait for it.
                try db.execute(sql: "PRAGMA journal_mode = WAL")
                try db.execute(sql: "PRAGMA synchronous = FULL")
                try db.execute(sql: "PRAGMA foreign_keys = ON")
            }
            queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.read { db in
                let version = try Self.checkVersion(db, path)
                let others = "SELECT COUNT(*) FROM sqlite_master WHERE tbl_name <> 'grdb_migrations'"
                guard try version > 0 || Int.fetchOne(db, sql: others) == 0 else {
                    throw CatalogError.unusable("\(path) is a database of something else")
                }
            }
            try CatalogSchema.migrator.migrate(queue)
        } catch let error as CatalogError {
            throw error
        } catch {
            throw Self.unusable(path, error)
        }
        self.path = path
    }

    /// Refuses a file of a newer version.
    ///
    /// - Returns: its version; 0 when it has none.
    @discardableResult
    static func checkVersion(_ db: Database, _ path: String) throws -> Int {
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard version <= schemaVersion else {
            throw CatalogError.unusable(
                "\(path) was written by a newer Apus: it is of version \(version), and this one reads up to "
                    + "\(schemaVersion)"
            )
        }
        return version
    }

    private static func lock(_ path: String) throws(CatalogError) -> FolderLock {
        let place = URL(filePath: path)
        let name = place.lastPathComponent + ".lock"
        var holder: Int?
        do throws(SystemError) {
            // Such a path names a folder.
            guard !name.contains("/") else { throw SystemError(code: EISDIR, call: "open \(path)") }
            let folder = try DataFolder(place.deletingLastPathComponent().path)
            holder = folder.holder(of: name)
            return try folder.lock(name)
        } catch {
            guard error.code == EWOULDBLOCK else { throw .unusable("\(path) cannot be opened: \(error.description)") }
            throw .unusable("\(path) is in use by another process\(holder.map { " (\($0))" } ?? "")")
        }
    }

    /// SQLite gives its other files the mode of the first one.
    private static func makePrivate(_ path: String) throws(CatalogError) {
        // A file that is there is not opened: closing it would give up the lock of a catalog in this process that has it.
        let number = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if number >= 0 {
            close(number)
        } else if errno != EEXIST || chmod(path, 0o600) != 0 {
            throw .unusable("\(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
    }

    static func unusable(_ path: String, _ error: any Error) -> CatalogError {
        switch error {
        case let error as CatalogError: return error
        case let error as DatabaseError where error.resultCode == .SQLITE_BUSY:
            return .unusable("\(path) is in use by another process")
        case let error as DatabaseError where [.SQLITE_NOTADB, .SQLITE_CORRUPT].contains(error.resultCode):
            return .unusable("\(path) is damaged: \(error.message ?? "\(error.resultCode)"); restore it from a backup")
        default: return .unusable("\(path): \(error)")
        }
    }

    package func load() throws(CatalogError) -> CatalogContents {
        do {
            return try queue.read { try CatalogRows.load($0) }
        } catch {
            throw Self.unusable(path, error)
        }
    }

    package func commit(_ changes: [CatalogChange], audit: AuditEntry?) throws(CatalogError) -> [CatalogChange] {
        do {
            return try queue.write { db in
                var numbers = ProvisionalNumbers()
                var made: [CatalogChange] = []
                for change in changes {
                    let done = try CatalogRows.apply(numbers.resolve(change), db)
                    made.append(done)
                    if case .putInstance(let asked) = change, case .putInstance(let stored) = done {
                        numbers.give(stored.number, to: asked.number)
                    }
                }
                if let audit { try write(audit, db) }
                return made
            }
        } catch let error as CatalogError {
            throw error
        } catch {
            throw .storage("\(error)")
        }
    }

    private func write(_ entry: AuditEntry, _ db: Database) throws {
        let row: CatalogRows.Values = [
            "time": entry.time, "actor": entry.actor, "source": entry.source, "action": entry.action,
            "instance": entry.instance, "detail": entry.detail, "outcome": entry.outcome,
        ]
        try CatalogRows.put("audit", row, key: ["number"], db)
        let number = db.lastInsertedRowID
        // Now and then, so that most entries cost one row.
        guard number % max(1, auditEntries / 100) == 0, number > auditEntries else { return }
        try shorten(db)
    }

    /// Deletes the oldest entries of the actor who has most, so that nobody can wash the traces of others away.
    private func shorten(_ db: Database) throws {
        let excess = (try Int64.fetchOne(db, sql: "SELECT COUNT(*) FROM audit") ?? 0) - auditEntries
        guard excess > 0 else { return }
        try db.execute(
            sql: """
                DELETE FROM audit WHERE number IN (SELECT number FROM audit
                  WHERE actor = (SELECT actor FROM audit GROUP BY actor ORDER BY COUNT(*) DESC LIMIT 1)
                  ORDER BY number LIMIT ?)
                """,
            arguments: [excess],
        )
    }

    /// The highest number that an instance was ever given; those of deleted instances are not given again.
    package func lastInstanceNumber() throws(CatalogError) -> InstanceNumber {
        do {
            let number = try queue.read { db in
                try UInt32.fetchOne(db, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'instance'")
            }
            return InstanceNumber(rawValue: number ?? 0)
        } catch {
            throw Self.unusable(path, error)
        }
    }

    package func audit(before: Int64?, limit: Int, instance: String?) throws(CatalogError) -> [AuditEntry] {
        do {
            return try queue.read { db in
                // Two statements, so that each can go along its index.
                let condition = instance == nil ? "" : "AND instance = ?"
                let sql = "SELECT * FROM audit WHERE number < ? \(condition) ORDER BY number DESC LIMIT ?"
                let last = before ?? .max
                let rows = try Row.fetchAll(
                    db,
                    sql: sql,
                    arguments: instance.map { [last, $0, max(0, limit)] } ?? [last, max(0, limit)],
                )
                return try rows.map(CatalogRows.auditEntry)
            }
        } catch {
            throw .storage("\(error)")
        }
    }
}
