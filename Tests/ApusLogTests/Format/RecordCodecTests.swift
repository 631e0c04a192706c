import ApusMessage
import ApusStore
import MQTTCodec
import Testing

@testable import ApusLog

@Suite("Record codec")
struct RecordCodecTests {
    @Test(arguments: 0..<200)
    func `random records come back as they were`(seed: UInt64) throws {
        var random = RandomRecords(seed: seed)
        var expected: [String] = []
        let count = random.number(1..<30)
        let batch = LogFixture.batch(9) { builder in
            for _ in 0..<count { expected.append(random.append(to: &builder)) }
        }
        #expect(try records(of: batch).map { words($0, batch) } == expected)
        let header = try #require(batchHeader(batch))
        #expect(header.records == count)
        #expect(header.batchByteCount == batch.count)
    }

    @Test(arguments: 0..<20)
    func `a cut record is none, wherever it is cut`(seed: UInt64) throws {
        var random = RandomRecords(seed: seed)
        let batch = LogFixture.batch(9) { _ = random.append(to: &$0) }
        let record = Array(batch[BatchHeader.byteCount..<batch.count - BatchHeader.byteCount])
        let length = Int(record.span.bytes.uint32(4))
        for count in 0..<8 + length {
            #expect(throws: RecordDamage.truncated) {
                try LogRecordReader.body(Array(record[..<count]).span, at: 0, seed: LogFixture.seed)
            }
        }
    }

    /// The checksum is right; only we can have written this.
    @Test(arguments: 0..<20)
    func `a body that ends early or late is malformed, never a crash`(seed: UInt64) throws {
        var random = RandomRecords(seed: seed)
        let batch = LogFixture.batch(9) { _ = random.append(to: &$0) }
        let start = BatchHeader.byteCount + 8
        let length = Int(batch.span.bytes.uint32(start - 4))
        for count in 0..<length {
            #expect(throws: RecordDamage.malformed) {
                try LogRecordReader.record(in: batch.span, body: start..<start + count)
            }
        }
    }

    @Test
    func `a record of an unknown type is malformed`() {
        for type in [0, 13, 255] as [UInt8] {
            let bytes = [type] + [UInt8](repeating: 0, count: 63)
            #expect(throws: RecordDamage.malformed) { try LogRecordReader.record(in: bytes.span, body: 0..<64) }
        }
    }

    @Test
    func `another log's seed makes nothing valid`() {
        let batch = LogFixture.batch(1) { $0.message(to: [recipient(1)]) }
        #expect(BatchHeader(batch.span, at: 0, seed: 1) == nil)
        #expect(throws: RecordDamage.checksum) {
            try LogRecordReader.body(batch.span, at: BatchHeader.byteCount, seed: 1)
        }
    }

    @Test
    func `a position names batch and place`() {
        var builder = BatchBuilder(number: 0xABC_DEF0_1234, shard: 0, seed: 0)
        let first = builder.message(to: [])
        let second = builder.message(String(repeating: "y", count: 2_000_000), to: [])
        #expect(first.batchNumber == 0xABC_DEF0_1234)
        #expect(first.offsetInBatch == BatchHeader.byteCount)
        #expect(second.offsetInBatch == first.offsetInBatch + builder.messageBytes - 2_000_040)
        #expect(builder.isFull)
    }

    @Test
    func `marking a batch as joined changes only the flags`() throws {
        var batch = LogFixture.batch(1) { $0.message(to: []) }
        let before = try #require(batchHeader(batch))
        BatchHeader.markJoined(&batch, seed: LogFixture.seed)
        var after = try #require(batchHeader(batch))
        let place = batch.count - BatchHeader.byteCount
        let magic = BatchHeader.trailerMagic
        #expect(batchHeader(batch, at: place, magic: magic) == after)
        #expect(after.flags == .joined)
        after.flags = []
        #expect(after == before)
    }
}
