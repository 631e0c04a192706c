import ApusMessage
import ApusResources
import Foundation
import GRDB
import Testing

@testable import ApusCatalog

/// What the file adds to the promises of the port.
@Suite("Catalog file")
struct SQLiteCatalogTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Why the file cannot be opened and read; `nil` when it can.
    private func refusal(_ path: String? = nil) -> String? {
        do throws(CatalogError) {
            _ = try SQLiteCatalog(path: path ?? folder.catalog).load()
            return nil
        } catch {
            return error.description
        }
    }

    /// Runs statements on the file as another program would.
    private func alter(_ statements: String...) throws {
        let queue = try DatabaseQueue(path: folder.catalog)
        try queue.writeWithoutTransaction { db in for statement in statements { try db.execute(sql: statement) } }
        try queue.close()
    }

    // MARK: - Owner only

    @Test func `all its files are the owner's alone`() throws {
        let catalog = try SQLiteCatalog(path: folder.catalog)
        _ = try catalog.makeInstance()
        let names = try folder.names
        #expect(names.contains("catalog.sqlite-wal"))
        for name in names { #expect(try folder.mode(of: name) == 0o600, "\(name)") }
    }

    @Test func `a file that others could read is theirs no more`() throws {
        try folder.write(Data(), to: "catalog.sqlite")
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: folder.catalog)
        let catalog = try SQLiteCatalog(path: folder.catalog)
        _ = try catalog.makeInstance()
        for name in try folder.names { #expect(try folder.mode(of: name) == 0o600, "\(name)") }
    }

    // MARK: - Audit log

    @Test func `who fills the audit log loses entries of their own`() throws {
        let catalog = try SQLiteCatalog(path: folder.catalog, auditEntries: 200)
        func enter(_ actor: String, _ count: Int) throws {
            for number in 1...count {
                let time = Int64(number)
                let entry = AuditEntry(time: time, actor: actor, source: "", action: "a", instance: "", detail: "")
                _ = try catalog.commit([], audit: entry)
            }
        }
        try enter("quiet", 20)
        try enter("noisy", 1_000)
        try enter("late", 20)
        let kept = try catalog.audit(before: nil, limit: 1_000, instance: nil)
        #expect(kept.count == 200)
        #expect(kept.count { $0.actor == "quiet" } == 20 && kept.count { $0.actor == "late" } == 20)
        // Of the noisy one the latest.
        #expect(kept.filter { $0.actor == "noisy" }.map(\.time) == Array((Int64(841)...1_000).reversed()))
    }

    // MARK: - One at a time

    @Test func `a second one is refused while there is the first, and takes nothing from it`() throws {
        let catalog = try SQLiteCatalog(path: folder.catalog)
        for _ in 0..<2 {
            let holder = ProcessInfo.processInfo.processIdentifier
            #expect(refusal()?.hasSuffix("catalog.sqlite is in use by another process (\(holder))") == true)
        }
        _ = try catalog.makeInstance()
    }

    /// A backup is one; it must not wait for the service, nor the service for it.
    @Test func `another program reads what is committed, and nobody waits`() throws {
        let catalog = try SQLiteCatalog(path: folder.catalog)
        _ = try catalog.makeInstance()
        let script = """
            db = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True, timeout=0, isolation_level=None)
            db.execute('BEGIN')
            assert len(db.execute('SELECT * FROM instance').fetchall()) == 1
            """
        #expect(try python(script) == 0)
        let reader = try DatabaseQueue(path: folder.catalog, configuration: Self.readOnly)
        try reader.inDatabase { db in
            try db.execute(sql: "BEGIN")
            #expect(try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM instance") == 1)
            _ = try catalog.makeInstance("second")
            #expect(try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM instance") == 1)
            try db.execute(sql: "COMMIT")
            #expect(try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM instance") == 2)
        }
    }

    private static let readOnly = {
        var configuration = GRDB.Configuration()
        configuration.readonly = true
        return configuration
    }()

    @Test func `another process that has the file is named`() throws {
        try withExtendedLifetime(SQLiteCatalog(path: folder.catalog)) {}
        let other = Process()
        let (input, output) = (Pipe(), Pipe())
        other.executableURL = URL(filePath: "/usr/bin/python3")
        other.arguments = [
            "-c",
            """
            import sqlite3, sys
            db = sqlite3.connect(sys.argv[1], isolation_level=None)
            db.execute('PRAGMA locking_mode = EXCLUSIVE')
            db.execute('BEGIN EXCLUSIVE')
            print('locked', flush=True)
            sys.stdin.read()
            """, folder.catalog,
        ]
        other.standardInput = input
        other.standardOutput = output
        try other.run()
        _ = output.fileHandleForReading.availableData
        #expect(refusal()?.hasSuffix("is in use by another process") == true)
        try input.fileHandleForWriting.close()
        other.waitUntilExit()
        #expect(refusal() == nil)
    }

    /// - Returns: the exit status.
    private func python(_ statement: String) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/python3")
        process.arguments = ["-c", "import sqlite3, sys\n\(statement)", folder.catalog]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    // MARK: - Files that it does not take

    @Test func `a file of a newer version is refused and left as it is`() throws {
        try withExtendedLifetime(SQLiteCatalog(path: folder.catalog)) { _ = try $0.makeInstance() }
        try alter("PRAGMA user_version = 3")
        let reason = try #require(self.refusal())
        #expect(reason.contains("newer Apus"))
        #expect(reason.contains("version 3") && reason.contains("up to 2"))
        try alter("PRAGMA user_version = 2")
        #expect(self.refusal() == nil)
    }

    @Test func `a file of the first version gets the tables of this one, and its backups are taken`() throws {
        let key = AccessKey(id: "k", secret: "s", account: "a", rights: .data, createdAt: 7)
        try withExtendedLifetime(SQLiteCatalog(path: folder.catalog)) {
            _ = try $0.commit([.putAccount(Account(name: "a", createdAt: 1)), .putAccessKey(key)], audit: nil)
        }
        try alter(
            "ALTER TABLE accessKey DROP COLUMN tokensSince",
            "DELETE FROM grdb_migrations WHERE identifier = '2'",
            "PRAGMA user_version = 1",
        )
        try CatalogCopy.make(of: folder.catalog, to: folder.file("copy"))
        try CatalogCopy.check(folder.file("copy"), named: "copy")
        #expect(
            try SQLiteCatalog(path: folder.catalog).load().accessKeys == [key],
            "its tokens count since its creation"
        )
    }

    @Test func `a database of another program is refused and left as it is`() throws {
        try alter("CREATE TABLE account (other TEXT)")
        #expect(refusal()?.contains("database of something else") == true)
        #expect(try DatabaseQueue(path: folder.catalog).read { try $0.tableExists("instance") } == false)
    }

    @Test(arguments: [
        "this is no database", String(repeating: "\u{0}", count: 8192), String(repeating: "SQLite", count: 900),
    ])
    func `a file of other content is refused`(content: String) throws {
        try folder.write(Data(content.utf8), to: "catalog.sqlite")
        #expect(refusal()?.contains("catalog.sqlite is damaged") == true)
    }

    @Test(arguments: ["/nowhere/catalog.sqlite", "/dev/null/catalog.sqlite", "/"])
    func `a path that cannot be a file is refused`(path: String) {
        #expect(refusal(path)?.contains(path) == true)
    }

    @Test func `a file cut at any page is refused or empty, and never read in part`() throws {
        try withExtendedLifetime(SQLiteCatalog(path: folder.catalog)) { catalog in
            _ = try catalog.commit(Samples(instance: try catalog.makeInstance()).puts, audit: nil)
        }
        try alter("PRAGMA journal_mode = DELETE")
        let whole = try folder.bytes(of: "catalog.sqlite")
        for count in stride(from: 0, to: whole.count, by: 4096) {
            let copy = try TemporaryFolder()
            try copy.write(whole.prefix(count), to: "catalog.sqlite")
            #expect((refusal(copy.catalog) == nil) == (count == 0), "\(count) bytes")
        }
    }

    static let damage = [
        "UPDATE instance SET profile = 'other'", "UPDATE instance SET state = ''", "UPDATE instance SET policies = '{'",
        "UPDATE instance SET policies = '{\"onDenied\":\"perhaps\"}'",
        "UPDATE instance SET policies = '{\"maximumQoS\":3}'", "UPDATE instance SET limits = '{\"speed\":1}'",
        "UPDATE instance SET limits = '[]'", "UPDATE identity SET signMode = 'x'",
        "UPDATE tag SET kind = 'x' WHERE kind = 'TOPIC'",
        "UPDATE permission SET effect = 'x'", "UPDATE serverNames SET entries = '[[\"a\"]]'",
        "UPDATE serverNames SET entries = 'a#b#c'",
        "INSERT INTO instance SELECT 4294967296, 'x', name, account, profile, policies, limits, state, 1 FROM instance",
    ]

    @Test(arguments: damage)
    func `what no catalog writes is refused with a sentence`(statement: String) throws {
        try withExtendedLifetime(SQLiteCatalog(path: folder.catalog)) { catalog in
            _ = try catalog.commit(Samples(instance: try catalog.makeInstance()).puts, audit: nil)
        }
        try alter(statement)
        #expect(refusal()?.hasPrefix("the catalog cannot be used: ") == true)
    }

    // MARK: - Killed in the middle

    /// What a kill leaves is the file and its log up to some write: each cut of the log stands for one.
    @Test func `a transaction that was cut off anywhere is there whole or not at all`() throws {
        let catalog = try SQLiteCatalog(path: folder.catalog)
        let number = try catalog.makeInstance()
        let before = try folder.bytes(of: "catalog.sqlite-wal").count
        for round in 0..<3 {
            let topics = (0..<40).map { index in
                CatalogChange.putTopic(
                    ParentTopic(
                        instance: number,
                        name: "topic-\(round)-\(index)",
                        remark: String(repeating: "r", count: 400),
                        createdAt: 1,
                    )
                )
            }
            let audit = AuditEntry(time: 1, actor: "a", source: "", action: "b", instance: "", detail: "")
            _ = try catalog.commit(topics, audit: audit)
        }
        let file = try folder.bytes(of: "catalog.sqlite")
        let log = try folder.bytes(of: "catalog.sqlite-wal")
        var seen: Set<Int> = []
        for count in Array(stride(from: before, to: log.count, by: 1_777)) + [log.count - 1, log.count] {
            let copy = try TemporaryFolder()
            try copy.write(file, to: "catalog.sqlite")
            try copy.write(log.prefix(count), to: "catalog.sqlite-wal")
            let reopened = try SQLiteCatalog(path: copy.catalog)
            let topics = try reopened.load().topics.count
            #expect(topics.isMultiple(of: 40), "\(topics) topics when cut at \(count)")
            #expect(try reopened.audit(before: nil, limit: 9, instance: nil).count == topics / 40)
            seen.insert(topics)
            _ = try reopened.makeInstance("after")
        }
        #expect(seen == [0, 40, 80, 120])
        withExtendedLifetime(catalog) {}
    }

    @Test func `a start that was cut off is begun again`() throws {
        try withExtendedLifetime(SQLiteCatalog(path: folder.catalog)) {}
        let other = try TemporaryFolder()
        let queue = try DatabaseQueue(path: other.catalog)
        try queue.write { try $0.execute(sql: "CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY)") }
        try queue.close()
        let catalog = try SQLiteCatalog(path: other.catalog)
        _ = try catalog.makeInstance()
    }
}
