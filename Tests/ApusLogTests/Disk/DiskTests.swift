import ApusLoop
import Glibc
import Testing

@testable import ApusLog

@Suite("Disk")
struct DiskTests {
    /// A folder of the file system that goes with the value.
    final class Folder {
        let path: String

        init() throws {
            var template = Array("/tmp/apus-disk-XXXXXX".utf8CString)
            let made = try #require(mkdtemp(&template))
            path = String(cString: made)
        }

        deinit {
            if let disk = try? FolderDisk(existing: path), let names = try? disk.list() {
                for name in names { try? disk.delete(name) }
            }
            rmdir(path)
        }
    }

    private func disks(_ folder: Folder) throws -> [any Disk] {
        [try FolderDisk(creating: folder.path), SimulatedDisk()]
    }

    private func text(_ file: any DiskFile, _ offset: Int, _ count: Int) throws -> String {
        var bytes = [UInt8](repeating: 0, count: count + 2)
        let read = try file.read(into: &bytes, 1..<1 + count, at: offset)
        #expect(bytes[0] == 0 && bytes[count + 1] == 0)
        return String(decoding: bytes[1..<1 + read], as: UTF8.self)
    }

    @Test func `what was written is read again`() throws {
        let folder = try Folder()
        for disk in try disks(folder) {
            let file = try disk.open("a", .creating)
            try file.allocate(100)
            #expect(try file.size() == 100)
            #expect(try file.write(Array("hello".utf8).span, at: 10) == 5)
            try file.synchronize()
            #expect(try text(file, 10, 5) == "hello")
            #expect(try text(file, 95, 10).utf8.count == 5)
            #expect(try text(file, 100, 10) == "")
            try file.truncate(to: 15)
            #expect(try text(try disk.open("a", .reading), 12, 10) == "llo")
        }
    }

    @Test func `a read that must not wait finds what was just written`() throws {
        let folder = try Folder()
        for disk in try disks(folder) {
            let file = try disk.open("a", .creating)
            #expect(try file.write(Array("hello".utf8).span, at: 0) == 5)
            var bytes = [UInt8](repeating: 0, count: 8)
            #expect(try file.readNow(into: &bytes, 0..<8, at: 0) == .bytes(5))
            #expect(bytes.prefix(5).elementsEqual("hello".utf8))
        }
    }

    @Test func `files are listed, renamed and deleted`() throws {
        let folder = try Folder()
        for disk in try disks(folder) {
            _ = try disk.open("a", .creating)
            _ = try disk.open("b", .creating)
            #expect(throws: SystemError.self) { try disk.open("a", .creating) }
            #expect(throws: SystemError.self) { try disk.open("c", .writing) }
            #expect(try disk.list().sorted() == ["a", "b"])
            try disk.rename("a", to: "c")
            try disk.delete("b")
            try disk.synchronize()
            #expect(try disk.list() == ["c"])
            #expect(throws: SystemError.self) { try disk.delete("b") }
        }
    }

    @Test func `a file that is open survives its name`() throws {
        let folder = try Folder()
        for disk in try disks(folder) {
            let file = try disk.open("a", .creating)
            _ = try file.write(Array("hello".utf8).span, at: 0)
            try disk.delete("a")
            #expect(try text(file, 0, 5) == "hello")
        }
    }

    @Test func `a folder is locked once and says by whom`() throws {
        let folder = try Folder()
        let disk = try FolderDisk(creating: folder.path)
        var lock: (any AnyObject & Sendable)? = try disk.lock("lock")
        let failure = #expect(throws: SystemError.self) { try disk.lock("lock") }
        #expect(failure?.code == EWOULDBLOCK)
        #expect(disk.holder(of: "lock") == Int(getpid()))
        #expect(lock != nil)
        lock = nil
        _ = try disk.lock("lock")
    }

    // MARK: - The simulated disk lies as disks do

    private func written(_ crash: SimulatedDisk.Crash, seed: UInt64 = 1, failingSync: Bool = false) throws -> [UInt8] {
        let disk = SimulatedDisk(seed: seed)
        let file = try disk.open("a", .creating)
        try disk.synchronize()
        _ = try file.write(([1, 1, 1, 1] as [UInt8]).span, at: 0)
        try file.synchronize()
        _ = try file.write(([2, 2, 2, 2] as [UInt8]).span, at: 4)
        if failingSync {
            disk.failures[.synchronize] = [2: EIO]
            #expect(throws: SystemError.self) { try file.synchronize() }
            try file.synchronize()
            #expect(disk.bytes(of: "a").count == 8)
        }
        disk.crash(crash)
        return disk.bytes(of: "a")
    }

    @Test func `a crash leaves what was synced and as much of the rest as it likes`() throws {
        #expect(try written(.losesAll) == [1, 1, 1, 1])
        #expect(try written(.keepsAll) == [1, 1, 1, 1, 2, 2, 2, 2])
        #expect(try written(.keepsBytes(2)) == [1, 1, 1, 1, 2, 2])
        var seen: Set<[UInt8]> = []
        for seed in 1...20 as ClosedRange<UInt64> { seen.insert(try written(.keepsSome(blockBytes: 2), seed: seed)) }
        #expect(seen == [[1, 1, 1, 1], [1, 1, 1, 1, 2, 2], [1, 1, 1, 1, 0, 0, 2, 2], [1, 1, 1, 1, 2, 2, 2, 2]])
    }

    @Test func `what a failed sync has lost stays lost, though later syncs succeed`() throws {
        #expect(try written(.losesAll, failingSync: true) == [1, 1, 1, 1, 0, 0, 0, 0])
    }

    @Test func `a name that was not synced may be gone`() throws {
        let disk = SimulatedDisk()
        let file = try disk.open("a", .creating)
        _ = try file.write(([1] as [UInt8]).span, at: 0)
        try file.synchronize()
        disk.crash(.losesAll)
        #expect(try disk.list().isEmpty)
    }

    @Test func `a full disk takes a part and then nothing`() throws {
        let disk = SimulatedDisk()
        disk.budget = 6
        let file = try disk.open("a", .creating)
        #expect(throws: SystemError.self) { try file.allocate(7) }
        #expect(try file.write(([1, 2, 3, 4] as [UInt8]).span, at: 0) == 4)
        #expect(try file.write(([5, 6, 7, 8] as [UInt8]).span, at: 4) == 2)
        #expect(throws: SystemError.self) { try file.write(([7, 8] as [UInt8]).span, at: 6) }
    }
}
