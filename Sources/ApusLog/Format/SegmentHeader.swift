package import ApusMessage

/// The beginning of each segment file, written twice so that one flipped bit costs nothing.
package struct SegmentHeader: Sendable, Equatable {
    /// Both copies; the first batch follows.
    package static let byteCount = 128
    private static let copyBytes = 64
    /// "APUSLOG1".
    static let magic: UInt64 = 0x3147_4F4C_5355_5041

    package var number: UInt64
    package var createdAt: Timestamp
    /// Of all checksums of this log: random, drawn when the log was made, the same in all its segments.
    package var seed: UInt64

    package init(number: UInt64, createdAt: Timestamp, seed: UInt64) {
        self.number = number
        self.createdAt = createdAt
        self.seed = seed
    }

    /// The bytes to write at the start of the file.
    package var encoded: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.byteCount)
        for start in [0, Self.copyBytes] {
            bytes.store(Self.magic, at: start)
            bytes.store(number, at: start + 8)
            bytes.store(createdAt.milliseconds, at: start + 16)
            bytes.store(seed, at: start + 24)
            bytes.store(Checksum.xxh64(bytes.span, start..<start + 32, seed: Self.magic), at: start + 32)
        }
        return bytes
    }

    /// The first good copy in the first bytes of a file; `nil` when there is none.
    ///
    /// - Parameter damaged: becomes true when a copy is not good.
    package init?(decoding bytes: Span<UInt8>, damaged: inout Bool) {
        var found: SegmentHeader?
        for start in [0, Self.copyBytes] {
            guard let header = Self.copy(in: bytes, at: start) else {
                damaged = true
                continue
            }
            if found == nil { found = header }
        }
        guard let found else { return nil }
        self = found
    }

    private static func copy(in bytes: Span<UInt8>, at start: Int) -> SegmentHeader? {
        let raw = bytes.bytes
        guard raw.byteCount >= start + copyBytes, raw.word(start) == magic,
            raw.word(start + 32) == Checksum.xxh64(bytes, start..<start + 32, seed: magic)
        else { return nil }
        return SegmentHeader(
            number: raw.word(start + 8),
            createdAt: Timestamp(milliseconds: Int64(bitPattern: raw.word(start + 16))),
            seed: raw.word(start + 24),
        )
    }

    /// Whether the bytes behind the contents, which must be zero, are.
    static func hasCleanPadding(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count >= byteCount else { return false }
        for start in [0, copyBytes] {
            for at in start + 40..<start + copyBytes where bytes[at] != 0 { return false }
        }
        return true
    }
}
