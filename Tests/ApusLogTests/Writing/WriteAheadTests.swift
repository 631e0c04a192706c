import ApusMessage
import Glibc
import Testing

@testable import ApusLog

@Suite("Writing ahead of the log")
struct WriteAheadTests {
    private func log(_ disk: SimulatedDisk, _ durability: LogOptions.Durability = .power) throws -> LogUnderTest {
        var options = LogOptions()
        options.segmentBytes = 1 << 20
        options.durability = durability
        return try LogUnderTest(disk, options: options)
    }

    private func commits(_ count: Int, payload: Int, _ log: LogUnderTest) -> SessionNumber {
        let number = log.stores[0].makeSession("one")
        for index in 0..<count {
            log.stores[0].put("m\(index)", number, handle(1), payload: payload)
            log.commit()
        }
        return number
    }

    @Test func `small commits hardly ever wait for metadata`() throws {
        let log = try log(SimulatedDisk())
        let before = log.disk.metadataSynchronizations
        _ = commits(200, payload: 2000, log)
        #expect((log.disk.calls[.synchronize] ?? 0) >= 200)
        // 200 · 2 kB, 256 kB at a time.
        #expect(log.disk.metadataSynchronizations - before == 2)
    }

    @Test func `a large commit writes no zeros`() throws {
        let log = try log(SimulatedDisk())
        let before = log.disk.calls[.write] ?? 0
        _ = commits(2, payload: SegmentFile.aheadCommitBytes, log)
        #expect((log.disk.calls[.write] ?? 0) - before == 2)
    }

    @Test func `where nothing is synced, no zeros are written`() throws {
        let log = try log(SimulatedDisk(), .process)
        let before = log.disk.calls[.write] ?? 0
        _ = commits(10, payload: 100, log)
        #expect((log.disk.calls[.write] ?? 0) - before == 10)
    }

    @Test func `zeros that cannot be written fail no commit, and the next one tries again`() throws {
        let log = try log(SimulatedDisk())
        let before = log.disk.calls[.write] ?? 0
        // Each commit writes its batch, then zeros.
        log.disk.failures[.write] = [before + 2: EIO, before + 4: ENOSPC]
        let number = commits(4, payload: 100, log)
        #expect((log.disk.calls[.write] ?? 0) - before == 7)
        #expect(log.events.now.isEmpty && log.log.statistics.failures == 0)
        log.disk.crash(.losesAll)
        let again = try self.log(log.disk)
        #expect(again.stores[0].restoreQueue(of: number, to: handle(2)) { _ in nil } == 4)
        #expect(again.log.damage.isEmpty)
    }

    @Test(arguments: [1, 20, 300])
    func `zeros behind the last batch are no damage`(count: Int) throws {
        let disk = SimulatedDisk()
        var number = SessionNumber.none
        do {
            let log = try log(disk)
            number = commits(count, payload: 4000, log)
        }
        disk.crash(.losesAll)
        let log = try log(disk)
        #expect(log.stores[0].restoreQueue(of: number, to: handle(2)) { _ in nil } == count)
        #expect(log.log.damage.isEmpty)
    }

    @Test func `the end of a segment is the end of the zeros`() throws {
        let log = try log(SimulatedDisk())
        _ = commits(600, payload: 4000, log)
        let segments = try log.disk.list().filter { $0.hasSuffix(".log") }
        #expect(segments.count >= 3)
        for name in try log.disk.list() { #expect(log.disk.bytes(of: name).count <= 1 << 20, "\(name)") }
    }
}
