import ApusLoop
import ApusMessage
import ApusStore
import Testing

@testable import ApusLog

@Suite("What damage has cost")
struct DamageEffectTests {
    private static let firstRecord = SegmentHeader.byteCount + BatchHeader.byteCount

    private func disk(_ fixture: LogFixture, without: Int? = nil) -> MemoryDisk {
        let disk = MemoryDisk()
        for (index, bytes) in fixture.segments.enumerated() where index + 1 != without {
            disk.set(LogSource.name(ofSegment: UInt64(index + 1)), bytes)
        }
        return disk
    }

    /// Three segments: sessions, messages, and the end that a stopped broker leaves.
    private func history() -> LogFixture {
        var fixture = LogFixture()
        fixture.append(1) { $0.session(1) }
        fixture.beginSegment()
        fixture.append(2) { $0.message("one", to: [recipient(1)]) }
        fixture.append(3) { $0.message("two", to: [recipient(1)]) }
        fixture.beginSegment()
        fixture.append(4) { $0.message("three", to: [recipient(1)]) }
        fixture.append(5) { _ in }
        return fixture
    }

    @Test
    func `a damaged message is one message lost`() throws {
        var fixture = history()
        fixture.segments[1][Self.firstRecord + 30] ^= 1
        let found = try LogVerification(of: disk(fixture))
        #expect(found.effects.map(\.messages) == [1])
        #expect(found.effects.map(\.words) == ["1 message is lost for all who waited for it"])
    }

    @Test
    func `a damaged change of a session is no message lost`() throws {
        var fixture = history()
        fixture.segments[0][Self.firstRecord + 20] ^= 1
        let found = try LogVerification(of: disk(fixture))
        #expect(found.effects.map(\.messages) == [0])
        #expect(found.effects.map(\.isLoss) == [true])
    }

    @Test
    func `damaged neighbours are counted each`() throws {
        var fixture = LogFixture()
        fixture.append(1) { builder in
            builder.session(1)
            for text in ["one", "two", "six"] { builder.message(text, to: [recipient(1)]) }
        }
        fixture.append(2) { _ in }
        let bytes = fixture.segments[0]
        let session = LogRecordReader.recordByteCount(bytes.span, at: Self.firstRecord)
        let first = Self.firstRecord + (try #require(session))
        let message = LogRecordReader.recordByteCount(bytes.span, at: first)
        let size = try #require(message)
        fixture.segments[0][first + 30] ^= 1
        fixture.segments[0][first + size + 30] ^= 1
        let found = try LogVerification(of: disk(fixture))
        #expect(found.effects.reduce(0) { $0 + $1.messages } == 2)
    }

    @Test(arguments: [
        // The segment's header, a batch's header, a batch's trailer.
        3, SegmentHeader.byteCount + 9,
    ])
    func `damage of what stands twice loses nothing`(place: Int) throws {
        var fixture = history()
        fixture.segments[1][place] ^= 1
        let found = try LogVerification(of: disk(fixture))
        #expect(found.effects.count == 1)
        #expect(found.effects.allSatisfy { !$0.isLoss && $0.messages == 0 && $0.words.hasPrefix("nothing is lost") })
    }

    @Test
    func `a missing segment is named`() throws {
        let found = try LogVerification(of: disk(history(), without: 2))
        #expect(found.effects.map(\.isLoss) == [true])
        #expect(found.effects[0].words.contains("000000000002.log"))
    }

    @Test
    func `whatever is damaged, a record that is gone is a loss and what is not gone is none`() throws {
        let whole = history()
        let records = try LogVerification(of: disk(whole)).records
        for segment in whole.segments.indices {
            for place in whole.segments[segment].indices {
                var fixture = whole
                fixture.segments[segment][place] ^= 0x40
                let found = try LogVerification(of: disk(fixture))
                guard found.unfinished == nil else { continue }
                #expect(found.effects.contains(where: \.isLoss) == (found.records < records), "\(segment), \(place)")
            }
        }
    }

    // MARK: - The end

    @Test
    func `a log that a stopped broker left ends in peace`() throws {
        let found = try LogVerification(of: disk(history()))
        #expect(found.endsInPeace == true)
        #expect(found.unfinished == nil)
    }

    @Test
    func `bytes lost at the end of such a log are no peace any more`() throws {
        let whole = history()
        for cut in 1...(whole.segments[2].count - SegmentHeader.byteCount) {
            var fixture = whole
            fixture.segments[2].removeLast(cut)
            let found = try LogVerification(of: disk(fixture))
            #expect(found.endsInPeace == false, "cut \(cut)")
        }
        #expect(try LogVerification(of: disk(whole, without: 3)).endsInPeace == false)
    }

    @Test
    func `a log without a batch has no end`() throws {
        #expect(try LogVerification(of: MemoryDisk()).endsInPeace == nil)
        #expect(try LogVerification(of: disk(LogFixture())).endsInPeace == nil)
    }
}
