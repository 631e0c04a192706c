import ApusLoop
import ApusMessage
import ApusStore
import MQTTCodec
import Testing

@testable import ApusLog

@Suite("Damage")
struct DamageTests {
    /// Two segments; writes of one and of several batches; the last write is a small one that any flip leaves alone.
    private static func history(seed: UInt64) -> LogFixture {
        var random = RandomRecords(seed: seed)
        var fixture = LogFixture()
        for number in 1...7 as ClosedRange<UInt64> {
            if number == 4 { fixture.beginSegment() }
            fixture.append(number, joined: number == 2 || number == 6) { builder in
                if number == 7 {
                    _ = builder.finished(StorePosition(rawValue: 1 << 20), by: SessionNumber(rawValue: 1))
                    return
                }
                for _ in 0..<random.number(1..<4) { _ = random.append(to: &builder) }
            }
        }
        return fixture
    }

    /// The records that are accepted, in words.
    private static func accepted(_ fixture: LogFixture) throws -> [String] {
        var result: [String] = []
        for source in fixture.sources() {
            var scanner = SegmentScanner(source, seed: LogFixture.seed)
            var batches: [SegmentScanner.Batch] = []
            scanning: while true {
                switch try scanner.next() {
                case .batch(let batch): batches.append(batch)
                case .gap: continue
                case .end: break scanning
                }
            }
            for batch in batches {
                let bytes = fixture.segments[Int(source.number) - 1]
                var at = batch.offset + BatchHeader.byteCount
                let inspection = BatchInspection(bytes.span, at..<batch.bodyEnd, seed: LogFixture.seed)
                while at < batch.bodyEnd {
                    if let damage = inspection.damage.first(where: { $0.range.lowerBound == at }) {
                        at = damage.range.upperBound
                        continue
                    }
                    let body = try LogRecordReader.body(bytes.span, at: at, seed: LogFixture.seed)
                    result.append(words(try LogRecordReader.record(in: bytes.span, body: body), bytes))
                    at += LogRecordReader.recordByteCount(bytes.span, at: at) ?? 0
                }
            }
        }
        return result
    }

    /// Whether the left list is the right one, at most one missing.
    private static func isSame(_ left: [String], _ right: [String]) -> Bool {
        if left == right { return true }
        guard left.count + 1 == right.count else { return false }
        let same = zip(left, right).prefix { $0 == $1 }.count
        return Array(left[same...]) == Array(right[(same + 1)...])
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `each flipped bit is reported with its place and costs at most its record`(seed: UInt64) throws {
        let whole = Self.history(seed: seed)
        let all = try Self.accepted(whole)
        let intact = whole.recover()
        #expect(intact.damage.isEmpty)
        #expect(intact.records == all.count)
        let lastBatch = whole.segments[1].count - LogFixture.batch(7) { _ in }.count
        for segment in whole.segments.indices {
            for bit in 0..<whole.segments[segment].count * 8 {
                let place = bit / 8
                var flipped = whole
                flipped.segments[segment][place] ^= 1 << UInt8(bit % 8)
                let log = flipped.recover()
                let accepted = try Self.accepted(flipped)
                let isReported = log.damage.contains { damage in
                    damage.file == LogSource.name(ofSegment: UInt64(segment + 1)) && damage.offset <= place
                        && place < damage.offset + damage.bytes
                }
                guard isReported, Self.isSame(accepted, all) else {
                    Issue.record("seed \(seed), segment \(segment), bit \(bit): \(log.damage) \(accepted.count)")
                    return
                }
                // Only in the last write it may look like a torn one.
                if segment == 0 || place < lastBatch - 200 { #expect(log.cut == nil, "bit \(bit)") }
                if log.cut == nil { #expect(log.records == accepted.count, "seed \(seed) bit \(bit)") }
            }
        }
    }

    /// Whole blocks overwritten, moved, doubled and lost: whatever is accepted was written so.
    @Test(arguments: 0..<300 as Range<UInt64>)
    func `of a log in shreds only true records are accepted`(seed: UInt64) throws {
        let whole = Self.history(seed: seed % 10)
        let all = Set(try Self.accepted(whole))
        var random = SeededGenerator(seed: seed)
        var torn = whole
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let segment = Int.random(in: 0...1, using: &random)
            let count = torn.segments[segment].count
            let start = Int.random(in: 0..<count, using: &random)
            let length = Int.random(in: 1...min(200, count - start), using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0:
                for place in start..<start + length {
                    torn.segments[segment][place] = UInt8.random(in: 0...255, using: &random)
                }
            case 1: for place in start..<start + length { torn.segments[segment][place] = 0 }
            case 2: torn.segments[segment].removeSubrange(start..<start + length)
            case 3:
                let block = Array(torn.segments[segment][start..<start + length])
                torn.segments[segment].insert(contentsOf: block, at: Int.random(in: 0...count, using: &random) & ~7)
            default: torn.segments[segment].removeLast(min(length, count - 1))
            }
        }
        for record in try Self.accepted(torn) { #expect(all.contains(record), "seed \(seed)") }
        let log = torn.recover()
        #expect(log.queues.values.allSatisfy { $0.map(\.position) == $0.map(\.position).sorted() })
    }

    /// A last write of three batches behind two good writes.
    private static func tornHistory() -> (fixture: LogFixture, batches: [[UInt8]], start: Int) {
        var fixture = LogFixture()
        fixture.append(1) { builder in
            for number in 1...4 as ClosedRange<UInt32> { builder.session(number) }
        }
        fixture.append(2) { $0.message("one", to: [recipient(1), recipient(2, identifier: 4)]) }
        let start = fixture.segments[0].count
        let batches = [
            LogFixture.batch(3) { builder in
                builder.message("two", to: [recipient(1), recipient(3)])
                _ = builder.finished(StorePosition(rawValue: 2 << 20 | 5), by: SessionNumber(rawValue: 1))
            },
            LogFixture.batch(4, shard: 1) { $0.message("three", to: [recipient(2, group: "$share/g/t")]) },
            LogFixture.batch(5) { builder in
                builder.message("four", to: [recipient(4)])
                _ = builder.record(.ended, of: SessionNumber(rawValue: 3))
            },
        ]
        for (index, batch) in batches.enumerated() { fixture.append(batch, joined: index > 0) }
        return (fixture, batches, start)
    }

    /// What is known when the first so many batches of the last write have arrived.
    private static func pictures(_ whole: LogFixture, _ batches: [[UInt8]], _ start: Int) -> [[String]] {
        (0...batches.count).map { count in
            var fixture = whole
            let end = start + batches[..<count].reduce(0) { $0 + $1.count }
            fixture.segments[0].removeLast(fixture.segments[0].count - end)
            return fixture.recover().picture
        }
    }

    @Test(arguments: [false, true])
    func `a write torn at any byte leaves whole batches and nothing else`(zeroesFollow: Bool) throws {
        let (whole, batches, start) = Self.tornHistory()
        let pictures = Self.pictures(whole, batches, start)
        for end in start..<whole.segments[0].count {
            var torn = whole
            torn.segments[0].removeLast(torn.segments[0].count - end)
            if zeroesFollow { torn.segments[0] += [UInt8](repeating: 0, count: 4096) }
            let log = torn.recover()
            var known = 0
            var last = start
            for batch in batches {
                guard last + batch.count <= end else { break }
                known += 1
                last += batch.count
            }
            // All records of the next batch may be there already, with the trailer missing.
            let isKnown = log.picture == pictures[known] || known < 3 && log.picture == pictures[known + 1]
            #expect(isKnown, "\(end)")
            if let cut = log.cut {
                #expect(cut.segment == 1)
                #expect(cut.offset == last)
                #expect(log.damage.map(\.kind) == [.tornTail])
            } else if end > last, log.damage.isEmpty {
                // The beginning of a batch may be zeroes too.
                #expect(torn.segments[0][last..<end].allSatisfy { $0 == 0 })
            }
        }
    }

    @Test(arguments: 0..<300 as Range<UInt64>)
    func `blocks of the last write missing in any order leave whole batches and nothing else`(seed: UInt64) {
        let (whole, batches, start) = Self.tornHistory()
        let pictures = Self.pictures(whole, batches, start)
        var random = SeededGenerator(seed: seed)
        var torn = whole
        let block = [8, 16, 64].randomElement(using: &random)!
        for at in stride(from: start, to: whole.segments[0].count, by: block) where Bool.random(using: &random) {
            for place in at..<min(at + block, whole.segments[0].count) { torn.segments[0][place] = 0 }
        }
        torn.segments[0] += [UInt8](repeating: 0, count: 512)
        let log = torn.recover()
        #expect(pictures.contains(log.picture), "seed \(seed)")
        #expect(log.nextBatchNumber >= 3)
    }

    @Test
    func `damage before the last write is no torn tail`() {
        var (fixture, _, start) = Self.tornHistory()
        fixture.append(6) { $0.message("five", to: [recipient(1)]) }
        fixture.segments[0][start + BatchHeader.byteCount + 20] ^= 1
        let log = fixture.recover()
        #expect(log.cut == nil)
        #expect(log.damage.map(\.kind) == [.record(.checksum)])
        #expect(log.queue(1).map(\.batchNumber) == [6])
        #expect(log.queue(2).map(\.batchNumber) == [2, 4])
    }

    @Test
    func `damage before the empty batch that ends a log is no torn tail`() {
        var (fixture, _, start) = Self.tornHistory()
        fixture.append(6) { _ in }
        #expect(fixture.recover().damage.isEmpty)
        #expect(fixture.recover().nextBatchNumber == 7)
        fixture.segments[0][start + BatchHeader.byteCount + 20] ^= 1
        let log = fixture.recover()
        #expect(log.cut == nil)
        #expect(log.damage.map(\.kind) == [.record(.checksum)])
        #expect(log.queue(4).map(\.batchNumber) == [5])
    }

    @Test
    func `a batch that is lost whole is reported, and the next one found`() {
        var fixture = LogFixture()
        fixture.append(1) { $0.session(1) }
        let start = fixture.segments[0].count
        fixture.append(2) { $0.message(to: [recipient(1)]) }
        let end = fixture.segments[0].count
        fixture.append(3) { $0.message(to: [recipient(1)]) }
        for place in start..<end { fixture.segments[0][place] = 0 }
        let log = fixture.recover()
        #expect(log.cut == nil)
        let file = LogSource.name(ofSegment: 1)
        #expect(log.damage == [LogDamage(kind: .noBatch, file: file, offset: start, bytes: end - start)])
        #expect(log.queue(1).map(\.batchNumber) == [3])
    }

    @Test
    func `a payload that looks like a record is not taken for one`() {
        // What another log would accept: same bytes, another seed.
        var forged = BatchBuilder(number: 1, shard: 0, seed: 0)
        for _ in 0..<20 { forged.message("forged", to: [recipient(1)]) }
        let forgery = forged.finish(at: LogFixture.time)
        var fixture = LogFixture()
        fixture.append(1) { builder in
            builder.session(1)
            builder.beginMessage(
                MessageHeader(qos: .atLeastOnce, retain: false),
                storedAt: LogFixture.time,
                topic: Array("1234567".utf8).span,
                properties: [UInt8]().span,
                payload: forgery.span,
            )
            builder.addRecipient(recipient(1))
            _ = builder.endMessage()
        }
        fixture.append(2) { $0.message(to: [recipient(1)]) }
        fixture.append(3) { $0.message(to: [recipient(1)]) }
        // The length of the large message, so that its inside is searched.
        let start = SegmentHeader.byteCount + BatchHeader.byteCount
        let bytes = fixture.segments[0]
        let first = LogRecordReader.recordByteCount(bytes.span, at: start) ?? 0
        fixture.segments[0][start + first + 5] ^= 0x10
        let log = fixture.recover()
        #expect(log.queue(1).map(\.batchNumber) == [2, 3])
        #expect(log.damage.count == 1)
    }

    @Test
    func `a segment whose header is lost is read by the name of its file`() {
        var fixture = LogFixture()
        fixture.append(1) { $0.session(1) }
        fixture.beginSegment()
        fixture.append(2) { $0.message(to: [recipient(1)]) }
        for place in 0..<SegmentHeader.byteCount { fixture.segments[0][place] = 0xFF }
        let log = fixture.recover()
        #expect(log.damage.map(\.kind) == [.segmentHeader])
        #expect(log.queue(1).count == 1)
    }

    @Test
    func `a missing segment is reported`() {
        var fixture = LogFixture()
        fixture.append(1) { $0.session(1) }
        fixture.beginSegment()
        fixture.beginSegment()
        fixture.append(2) { $0.message(to: [recipient(1)]) }
        var sources = fixture.sources()
        sources.remove(at: 1)
        #expect(LogRecovery.recover(sources).damage.map(\.kind) == [.missingSegment])
    }

    @Test(arguments: [("000000000001.log", 1), ("004294967295.log", 4_294_967_295)])
    func `twelve digits name a segment`(name: String, number: UInt64) {
        #expect(LogSource.number(ofFile: name) == number)
        #expect(LogSource.name(ofSegment: number) == name)
    }

    @Test(arguments: ["000000000000.log", "004294967296.log", "999999999999.log", "1.log", "00000000000a.log", "spare"])
    func `other files are none, nor are numbers that no segment has`(name: String) {
        #expect(LogSource.number(ofFile: name) == nil)
    }

    @Test
    func `a segment made in advance and never used is no damage`() {
        var fixture = LogFixture()
        fixture.append(1) { $0.session(1) }
        fixture.segments.append([UInt8](repeating: 0, count: 65_536))
        let log = fixture.recover()
        #expect(log.damage.isEmpty)
        #expect(log.segments.count == 2)
        #expect(log.sessions.count == 1)
    }

    @Test(arguments: [0, 4096])
    func `one between others is`(bytes: Int) {
        var fixture = LogFixture()
        fixture.append(1) { $0.session(1) }
        fixture.beginSegment()
        fixture.beginSegment()
        fixture.append(2) { $0.message(to: [recipient(1)]) }
        fixture.segments[1] = [UInt8](repeating: 0, count: bytes)
        let log = fixture.recover()
        #expect(log.damage.map(\.kind) == [.noBatch])
        #expect(log.damage.map(\.file) == [LogSource.name(ofSegment: 2)])
        #expect(log.queue(1).count == 1)
    }

    /// A file of which only the first bytes can be read.
    private final class FailingFile: DiskFile {
        let file: MemoryFile
        let good: Int

        init(_ bytes: [UInt8], good: Int) {
            file = MemoryFile(bytes)
            self.good = good
        }

        func size() throws(SystemError) -> Int { file.bytes.count }
        func read(into buffer: inout [UInt8], _ range: Range<Int>, at offset: Int) throws(SystemError) -> Int {
            guard offset + range.count <= good else { throw SystemError(code: 5, call: "read") }
            return try file.read(into: &buffer, range, at: offset)
        }
        func readNow(
            into buffer: inout [UInt8],
            _ range: Range<Int>,
            at offset: Int,
        ) throws(SystemError) -> DataFile.ReadNow { .wouldWait }
        func write(_ bytes: Span<UInt8>, at offset: Int) throws(SystemError) -> Int { 0 }
        func synchronize() throws(SystemError) {}
        func allocate(_ bytes: Int) throws(SystemError) {}
        func truncate(to bytes: Int) throws(SystemError) {}
    }

    @Test
    func `a log of which a part cannot be read may not be written`() {
        var fixture = LogFixture()
        fixture.append(1) { $0.session(1) }
        #expect(fixture.recover().refusal == nil)
        let bytes = fixture.segments[0]
        let name = LogSource.name(ofSegment: 1)
        let file = FailingFile(bytes, good: SegmentHeader.byteCount)
        let source = LogSource(name: name, number: 1, byteCount: bytes.count, file: file)
        let log = LogRecovery.recover([source])
        #expect(log.refusal?.name == "EIO")
        #expect(log.cut == nil)
    }

    @Test
    func `a log without any good header may not be written`() {
        var fixture = LogFixture()
        fixture.append(1) { $0.session(1) }
        for place in 0..<SegmentHeader.byteCount { fixture.segments[0][place] = 0xFF }
        #expect(fixture.recover().refusal?.name == "EBADMSG")
    }

    @Test
    func `an empty log is empty`() {
        let log = LogRecovery.recover([])
        #expect(log.seed == nil)
        #expect(log.damage.isEmpty)
        #expect(log.nextBatchNumber == 1)
        #expect(log.nextSessionNumber == 1)
    }
}
