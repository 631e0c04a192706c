package import ApusMessage

/// What stands before and, with another magic number, behind the records of a batch.
///
/// A flipped bit in one of the two is made good by the other; a batch without its trailer was not written to its end.
package struct BatchHeader: Sendable, Equatable {
    package static let byteCount = 40
    static let magic: UInt32 = 0x4254_4841  // "AHTB"
    static let trailerMagic: UInt32 = 0x4254_5441  // "ATTB"

    package struct Flags: OptionSet, Sendable {
        package let rawValue: UInt16
        package init(rawValue: UInt16) { self.rawValue = rawValue }
        /// The batch was written in one go with the one before it: neither was safe before both were.
        package static let joined = Flags(rawValue: 1)
    }

    /// Of the records, with their padding.
    package var bodyLength: Int
    package var number: UInt64
    package var time: Timestamp
    package var records: Int
    package var shard: Int
    package var flags: Flags

    /// The whole batch.
    package var batchByteCount: Int { bodyLength + 2 * Self.byteCount }

    func encode(into bytes: inout [UInt8], at offset: Int, seed: UInt64, magic: UInt32 = Self.magic) {
        bytes.store(magic, at: offset)
        bytes.store(UInt32(truncatingIfNeeded: bodyLength), at: offset + 4)
        bytes.store(number, at: offset + 8)
        bytes.store(time.milliseconds, at: offset + 16)
        bytes.store(UInt32(truncatingIfNeeded: records), at: offset + 24)
        bytes.store(UInt16(truncatingIfNeeded: shard), at: offset + 28)
        bytes.store(flags.rawValue, at: offset + 30)
        bytes.store(Checksum.xxh64(bytes.span, offset..<offset + 32, seed: seed), at: offset + 32)
    }

    /// The header or trailer at this place; `nil` when there is no good one.
    init?(_ bytes: Span<UInt8>, at offset: Int, seed: UInt64, magic: UInt32 = Self.magic) {
        let raw = bytes.bytes
        guard offset >= 0, offset <= raw.byteCount - Self.byteCount, raw.uint32(offset) == magic,
            raw.word(offset + 32) == Checksum.xxh64(bytes, offset..<offset + 32, seed: seed)
        else { return nil }
        bodyLength = Int(raw.uint32(offset + 4))
        number = raw.word(offset + 8)
        time = Timestamp(milliseconds: Int64(bitPattern: raw.word(offset + 16)))
        records = Int(raw.uint32(offset + 24))
        shard = Int(raw.uint16(offset + 28))
        flags = Flags(rawValue: raw.uint16(offset + 30))
        guard bodyLength % LogFormat.alignment == 0, number <= LogFormat.maximumBatchNumber else { return nil }
    }

    init(bodyLength: Int, number: UInt64, time: Timestamp, records: Int, shard: Int, flags: Flags = []) {
        self.bodyLength = bodyLength
        self.number = number
        self.time = time
        self.records = records
        self.shard = shard
        self.flags = flags
    }

    /// Marks a finished batch as written in one go with the one before it.
    ///
    /// The writer does this to every batch but the first of a write. Recovery then knows how far back a power failure can
    /// have reached: damage in the last write is a torn tail, damage before it is corruption.
    package static func markJoined(_ batch: inout [UInt8], at offset: Int = 0, seed: UInt64) {
        guard var header = BatchHeader(batch.span, at: offset, seed: seed) else { return }
        header.flags.insert(.joined)
        header.encode(into: &batch, at: offset, seed: seed)
        header.encode(
            into: &batch,
            at: offset + byteCount + header.bodyLength,
            seed: seed,
            magic: trailerMagic,
        )
    }
}
