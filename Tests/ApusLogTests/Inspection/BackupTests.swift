import ApusLoop
import ApusMessage
import ApusStore
import Testing

@testable import ApusLog

@Suite("Backup")
struct BackupTests {
    private static func put(_ model: HistoryModel, _ disk: MemoryDisk, room: Int = 0) {
        for (index, bytes) in model.log.segments.enumerated() {
            let isLast = index == model.log.segments.count - 1
            let name = LogSource.name(ofSegment: model.firstSegment + UInt64(index))
            disk.set(name, bytes + [UInt8](repeating: 0, count: isLast ? room : 0))
        }
    }

    private static func archive(_ disk: MemoryDisk) throws -> [UInt8] {
        let target = MemoryDisk()
        let file = try target.open("archive", .creating)
        try LogBackup.write(try LogSnapshot(of: disk), to: file, at: LogFixture.time)
        return target.bytes(of: "archive") ?? []
    }

    private static func restore(_ archive: [UInt8]) throws -> MemoryDisk {
        let folder = MemoryDisk()
        _ = try LogBackup.restore(from: MemoryFile(archive), into: folder)
        return folder
    }

    private static func picture(_ disk: MemoryDisk) throws -> [String] {
        let log = LogRecovery.recover(try LogSource.all(in: disk))
        #expect(log.damage.isEmpty)
        return log.picture
    }

    /// One thread alone works with it.
    private final class Racing: @unchecked Sendable {
        var model: HistoryModel

        init(_ model: HistoryModel) { self.model = model }
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `what is restored is what was there`(seed: UInt64) throws {
        var model = HistoryModel(seed: seed)
        model.run(steps: 200)
        let disk = MemoryDisk()
        Self.put(model, disk, room: 5000)
        let restored = try Self.restore(try Self.archive(disk))
        #expect(try Self.picture(restored) == model.expected.picture)
        #expect(restored.bytes(of: "format") == Array("apus-log 1\n".utf8))
    }

    /// Vacating changes nothing that anybody can see, so the backup must hold the same wherever it happens: the copies are
    /// written in the middle of one call, the segment deleted in that of a later one.
    @Test(arguments: 0..<6 as Range<UInt64>, [1, 2, 5])
    func `a segment vacated at any moment loses nothing`(seed: UInt64, delay: Int) throws {
        var model = HistoryModel(seed: seed)
        model.run(steps: 150)
        for _ in 0..<3 {
            model.roll()
            model.run(steps: 30)
        }
        let expected = model.expected.picture
        let quiet = MemoryDisk()
        Self.put(model, quiet)
        _ = try Self.archive(quiet)
        for moment in 1...quiet.calls {
            let racing = Racing(model)
            let disk = MemoryDisk { call, disk in
                let oldest = racing.model.firstSegment
                if call == moment {
                    racing.model.roll()
                    racing.model.vacate(deleting: false)
                    Self.put(racing.model, disk)
                } else if call == moment + delay {
                    racing.model.vacate(deleting: true)
                    Self.put(racing.model, disk)
                    disk.remove(LogSource.name(ofSegment: oldest))
                }
            }
            Self.put(model, disk)
            let restored = try Self.restore(try Self.archive(disk))
            #expect(try Self.picture(restored) == expected, "seed \(seed), moment \(moment)")
        }
    }

    @Test
    func `a write under way is left out, and all before it is there`() throws {
        var fixture = LogFixture()
        fixture.append(1) { $0.session(1) }
        fixture.append(2) { $0.message(to: [recipient(1)]) }
        let whole = fixture.segments[0].count
        fixture.append(3) { $0.message("under way", to: [recipient(1)]) }
        // Disks tear words of eight bytes never, so that one with a part of the last checksum is none.
        for end in whole..<fixture.segments[0].count - 7 {
            let disk = MemoryDisk()
            disk.set(
                LogSource.name(ofSegment: 1),
                Array(fixture.segments[0][..<end]) + [UInt8](repeating: 0, count: 640)
            )
            let log = LogRecovery.recover(try LogSource.all(in: try Self.restore(try Self.archive(disk))))
            #expect(log.damage.isEmpty)
            #expect(log.queue(1).first?.batchNumber == 2)
        }
    }

    @Test
    func `a cut archive makes no log, wherever it is cut`() throws {
        var model = HistoryModel(seed: 1)
        model.run(steps: 30)
        let disk = MemoryDisk()
        Self.put(model, disk)
        let archive = try Self.archive(disk)
        for count in 0..<archive.count {
            let folder = MemoryDisk()
            #expect(throws: count < LogBackup.headerBytes ? LogBackupError.notAnArchive : .incomplete) {
                try LogBackup.restore(from: MemoryFile(Array(archive[..<count])), into: folder)
            }
            #expect(try folder.list().isEmpty)
        }
    }

    @Test
    func `an archive with a flipped bit makes no log`() throws {
        var fixture = LogFixture()
        fixture.append(1) { $0.session(1) }
        let disk = MemoryDisk()
        disk.set(LogSource.name(ofSegment: 1), fixture.segments[0])
        let archive = try Self.archive(disk)
        for bit in 0..<archive.count * 8 {
            var flipped = archive
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            let folder = MemoryDisk()
            #expect(throws: LogBackupError.self) {
                try LogBackup.restore(from: MemoryFile(flipped), into: folder)
            }
            #expect(try folder.list().isEmpty)
        }
        #expect(throws: LogBackupError.self) {
            try LogBackup.restore(from: MemoryFile(archive + [0]), into: MemoryDisk())
        }
    }

    @Test
    func `archives of newer versions are refused`() throws {
        let disk = MemoryDisk()
        disk.set(LogSource.name(ofSegment: 1), LogFixture.header(1))
        for place in [8, 12] {
            var archive = try Self.archive(disk)
            archive[place] = 3
            archive.store(Checksum.xxh64(archive.span, 0..<32, seed: 0), at: 32)
            let expected: LogBackupError = place == 8 ? .newerArchive(version: 3) : .newerFormat(version: 3)
            #expect(throws: expected) {
                try LogBackup.restore(from: MemoryFile(archive), into: MemoryDisk())
            }
        }
    }

    @Test
    func `nothing is restored to a folder with anything in it`() throws {
        let disk = MemoryDisk()
        disk.set(LogSource.name(ofSegment: 1), LogFixture.header(1))
        let archive = try Self.archive(disk)
        let folder = MemoryDisk()
        folder.set("lock", [])
        #expect(throws: LogBackupError.notEmpty(path: "memory")) {
            try LogBackup.restore(from: MemoryFile(archive), into: folder)
        }
        #expect(try folder.list() == ["lock"])
    }

    // MARK: - Attachments

    /// A segment and two attachments of more than a block and of nothing.
    private static func archiveWithAttachments() throws -> (archive: [UInt8], large: [UInt8]) {
        let disk = MemoryDisk()
        var fixture = LogFixture()
        fixture.append(1) { $0.session(1) }
        disk.set(LogSource.name(ofSegment: 1), fixture.segments[0])
        let large = (0..<LogBackup.blockBytes + 100).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let target = MemoryDisk()
        try LogBackup.write(
            try LogSnapshot(of: disk),
            [.init(number: 7, file: MemoryFile(large)), .init(number: 9, file: MemoryFile([]))],
            to: try target.open("archive", .creating),
            at: LogFixture.time,
        )
        return (target.bytes(of: "archive") ?? [], large)
    }

    @Test
    func `attachments come back as they were, before the log is one`() throws {
        let (archive, large) = try Self.archiveWithAttachments()
        let (folder, files) = (MemoryDisk(), MemoryDisk())
        var namesAtAccept: [String]?
        let summary = try LogBackup.restore(
            from: MemoryFile(archive),
            into: folder,
            attachment: { number throws(LogBackupError) in
                try systemCall { () throws(SystemError) in try files.open("\(number)", .creating) }
            },
            accept: { () throws(LogBackupError) in
                namesAtAccept = try systemCall { () throws(SystemError) in try folder.list() }
            },
        )
        #expect(files.bytes(of: "7") == large)
        #expect(files.bytes(of: "9")?.isEmpty == true)
        #expect(namesAtAccept == [LogSource.name(ofSegment: 1)])
        #expect(summary.segments == 1)
        #expect(LogRecovery.recover(try LogSource.all(in: folder)).sessions.count == 1)
    }

    @Test
    func `an archive whose attachments nobody takes or accepts makes no log`() throws {
        let (archive, _) = try Self.archiveWithAttachments()
        let folder = MemoryDisk()
        #expect(throws: LogBackupError.refused("it holds a file that this version does not know (7)")) {
            try LogBackup.restore(from: MemoryFile(archive), into: folder)
        }
        #expect(try folder.list().isEmpty)
        #expect(throws: LogBackupError.refused("no")) {
            try LogBackup.restore(
                from: MemoryFile(archive),
                into: folder,
                attachment: { number throws(LogBackupError) in
                    try systemCall { () throws(SystemError) in try MemoryDisk().open("\(number)", .creating) }
                },
                accept: { () throws(LogBackupError) in throw .refused("no") },
            )
        }
        #expect(try folder.list().isEmpty)
    }

    @Test
    func `an archive without attachments is one of the first version`() throws {
        let disk = MemoryDisk()
        disk.set(LogSource.name(ofSegment: 1), LogFixture.header(1))
        #expect(try Self.archive(disk)[8] == 1)
        #expect(try Self.archiveWithAttachments().archive[8] == 2)
    }
}
