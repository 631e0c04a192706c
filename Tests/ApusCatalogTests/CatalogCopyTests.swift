import ApusMessage
import ApusResources
import Foundation
import GRDB
import Testing

@testable import ApusCatalog

@Suite("Catalog copy")
struct CatalogCopyTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private var copy: String { folder.file("copy") }

    /// Why the file would not be restored; `nil` when it would.
    private func refusal(_ path: String) -> String? {
        do throws(CatalogError) {
            try CatalogCopy.check(path, named: "it")
            return nil
        } catch {
            return error.description
        }
    }

    private func contents(of path: String) throws -> CatalogContents { try SQLiteCatalog(path: path).load().sorted }

    private func filled(_ catalog: SQLiteCatalog) throws {
        _ = try catalog.commit(Samples(instance: try catalog.makeInstance()).puts, audit: nil)
    }

    @Test func `a copy of a catalog in use is what was committed`() throws {
        let catalog = try SQLiteCatalog(path: folder.catalog)
        try filled(catalog)
        try CatalogCopy.make(of: folder.catalog, to: copy)
        let then = try catalog.load().sorted
        _ = try catalog.makeInstance("later")
        #expect(refusal(copy) == nil)
        #expect(try contents(of: copy) == then)
    }

    /// The numbers of instances go on where they were: no later one may get that of a deleted one.
    @Test func `a copy never gives a number again`() throws {
        let catalog = try SQLiteCatalog(path: folder.catalog)
        _ = try catalog.makeInstance()
        let deleted = try catalog.makeInstance("deleted")
        try catalog.commit(.deleteInstance(deleted))
        try CatalogCopy.make(of: folder.catalog, to: copy)
        #expect(try SQLiteCatalog(path: copy).makeInstance("next").rawValue == deleted.rawValue + 1)
    }

    @Test func `what was killed is copied with what stands in its log`() throws {
        let catalog = try SQLiteCatalog(path: folder.catalog)
        try filled(catalog)
        let killed = try TemporaryFolder()
        for name in ["catalog.sqlite", "catalog.sqlite-wal"] { try killed.write(try folder.bytes(of: name), to: name) }
        try CatalogCopy.make(of: killed.catalog, to: copy)
        #expect(try contents(of: copy) == (try catalog.load().sorted))
    }

    @Test func `each of many commits is in a copy whole or not at all`() async throws {
        let catalog = try SQLiteCatalog(path: folder.catalog)
        let number = try catalog.makeInstance()
        let writing = Task.detached {
            for round in 0..<200 {
                let topics = (0..<5).map { index in
                    CatalogChange.putTopic(
                        ParentTopic(instance: number, name: "\(round)-\(index)", remark: "", createdAt: 1)
                    )
                }
                _ = try catalog.commit(topics, audit: nil)
            }
        }
        for number in 0..<10 {
            let copy = folder.file("copy-\(number)")
            try CatalogCopy.make(of: folder.catalog, to: copy)
            #expect(refusal(copy) == nil)
            #expect(try contents(of: copy).topics.count.isMultiple(of: 5))
        }
        try await writing.value
        #expect(try catalog.load().topics.count == 1000)
    }

    @Test func `a deleted secret is not in a copy`() throws {
        let catalog = try SQLiteCatalog(path: folder.catalog)
        let key = AccessKey(id: "k", secret: "verySecretText", account: "a", rights: .data, createdAt: 1)
        try catalog.commit(.putAccount(Account(name: "a", createdAt: 1)), .putAccessKey(key))
        try catalog.commit(.deleteAccessKey(id: "k"))
        try CatalogCopy.make(of: folder.catalog, to: copy)
        #expect(try folder.bytes(of: "copy").range(of: Data("verySecretText".utf8)) == nil)
    }

    @Test func `a copy is not made over a file with anything in it, nor of none`() throws {
        try withExtendedLifetime(SQLiteCatalog(path: folder.catalog)) { try filled($0) }
        try folder.write(Data("something".utf8), to: "copy")
        #expect(throws: CatalogError.self) { try CatalogCopy.make(of: folder.catalog, to: copy) }
        #expect(throws: CatalogError.self) { try CatalogCopy.make(of: folder.file("none"), to: folder.file("new")) }
        #expect(try folder.bytes(of: "copy") == Data("something".utf8))
    }

    // MARK: - Check

    @Test func `a copy that is cut at any page is refused`() throws {
        try withExtendedLifetime(SQLiteCatalog(path: folder.catalog)) { try filled($0) }
        try CatalogCopy.make(of: folder.catalog, to: copy)
        let whole = try folder.bytes(of: "copy")
        for count in stride(from: 0, to: whole.count, by: 4096) {
            try folder.write(whole.prefix(count), to: "cut")
            #expect(refusal(folder.file("cut")) != nil, "\(count) bytes")
        }
    }

    @Test(
        arguments: [
            ("UPDATE instance SET profile = 'other'", "the catalog cannot be used: "),
            ("PRAGMA user_version = 3", "the catalog cannot be used: it was written by a newer Apus"),
            ("PRAGMA user_version = 0", "the catalog cannot be used: it is no catalog"),
            (
                "PRAGMA foreign_keys = OFF; UPDATE topic SET instance = 99",
                "the catalog cannot be used: it is damaged"
            ),
        ],
    )
    func `what no service starts with is refused with a sentence`(statement: String, reason: String) throws {
        try withExtendedLifetime(SQLiteCatalog(path: folder.catalog)) { try filled($0) }
        try CatalogCopy.make(of: folder.catalog, to: copy)
        let queue = try DatabaseQueue(path: copy)
        try queue.writeWithoutTransaction { try $0.execute(sql: statement) }
        try queue.close()
        #expect(refusal(copy)?.hasPrefix(reason) == true, "\(self.refusal(copy) ?? "")")
    }
}
