import ApusLoop
import ApusMessage
import ApusStore
import Testing

@testable import ApusLog

@Suite("Inspecting a log")
struct LogReportTests {
    private func disk(_ fixture: LogFixture) -> MemoryDisk {
        let disk = MemoryDisk()
        for (index, bytes) in fixture.segments.enumerated() {
            disk.set(LogSource.name(ofSegment: UInt64(index + 1)), bytes)
        }
        return disk
    }

    private func history() -> LogFixture {
        var fixture = LogFixture()
        fixture.append(1) { builder in
            for session in 1...3 as ClosedRange<UInt32> { builder.session(session) }
            let position = builder.message("done", to: [recipient(1)])
            _ = builder.finished(position, by: SessionNumber(rawValue: 1))
        }
        fixture.beginSegment()
        fixture.append(2) { builder in
            builder.message("one", to: [recipient(1), recipient(2)])
            builder.message("two", to: [recipient(2)])
        }
        return fixture
    }

    @Test
    func `sessions with a backlog come first with most`() throws {
        let report = try LogReport(of: disk(history()))
        #expect(report.backlogs.map(\.clientID) == ["client2", "client1"])
        #expect(report.backlogs.map(\.messages) == [2, 1])
        #expect(report.backlogs.map(\.oldest) == [LogFixture.time, LogFixture.time])
        #expect(report.sessionCount == 3)
        #expect(report.waitingMessages == 3)
        #expect(report.damage.isEmpty)
    }

    @Test
    func `live and dead bytes make up the segments`() throws {
        let report = try LogReport(of: disk(history()))
        let fixture = history()
        #expect(report.segments.map(\.bytes) == fixture.segments.map(\.count))
        #expect(report.segments[1].deadBytes == 2 * BatchHeader.byteCount)
        #expect(report.segments[0].liveBytes > 0)
        #expect(report.segments[0].deadBytes > 2 * BatchHeader.byteCount)
        #expect(report.oldest?.time == LogFixture.time)
        #expect(report.oldest?.offset == SegmentHeader.byteCount)
    }

    @Test
    func `verifying names file and offset of each damage`() throws {
        var fixture = history()
        fixture.append(3) { $0.session(4) }
        let place = SegmentHeader.byteCount + BatchHeader.byteCount
        fixture.segments[0][place + 20] ^= 1
        fixture.segments[1][place + 20] ^= 1
        let found = try LogVerification(of: disk(fixture))
        #expect(found.damage.map(\.file) == ["000000000001.log", "000000000002.log"])
        #expect(found.damage.map(\.offset) == [place, place])
        #expect(found.damage.allSatisfy { $0.kind == .record(.checksum) })
        #expect(found.unfinished == nil)
    }

    @Test
    func `a write under way is no damage`() throws {
        var fixture = history()
        let end = fixture.segments[1].count
        fixture.append(3) { $0.session(4) }
        fixture.segments[1].removeLast(8)
        fixture.segments[1][end + 50] = 0
        fixture.segments[1][end + 60] = 0
        let found = try LogVerification(of: disk(fixture))
        #expect(found.damage.isEmpty)
        #expect(found.unfinished?.file == "000000000002.log")
        #expect(found.unfinished?.offset == end)
    }

    @Test
    func `an empty folder is an empty log`() throws {
        let report = try LogReport(of: MemoryDisk())
        #expect(report.segments.isEmpty)
        #expect(report.oldest == nil)
        #expect(try LogVerification(of: MemoryDisk()).damage.isEmpty)
    }
}
