internal import ApusLoop
internal import ApusMessage

/// Reads a backup, front to back; believes nothing that has no right checksum.
struct ArchiveReader {
    /// A segment or an attachment.
    struct Part {
        let number: UInt64
        let byteCount: Int
        let isAttachment: Bool
    }

    private let file: any DiskFile
    private(set) var offset = 0
    private(set) var summary: LogBackup.Summary
    private var segmentsLeft: Int
    private var attachmentsLeft: Int
    private let size: Int

    init(_ file: any DiskFile) throws(LogBackupError) {
        self.file = file
        size = try systemCall { () throws(SystemError) in try file.size() }
        summary = LogBackup.Summary(segments: 0, bytes: 0, createdAt: Timestamp(milliseconds: 0))
        segmentsLeft = 0
        attachmentsLeft = 0
        let header = try take(LogBackup.headerBytes, whenShort: .notAnArchive)
        let raw = header.span.bytes
        guard raw.word(0) == LogBackup.magic else { throw .notAnArchive }
        guard Self.isGood(header) else { throw .damaged(offset: 0) }
        guard raw.uint32(8) <= LogBackup.version else { throw .newerArchive(version: raw.uint32(8)) }
        guard raw.uint32(12) <= UInt32(LogFormat.version) else { throw .newerFormat(version: raw.uint32(12)) }
        segmentsLeft = Int(raw.uint32(24))
        if raw.uint32(8) > 1 { attachmentsLeft = Int(raw.uint32(28)) }
        summary.createdAt = Timestamp(milliseconds: Int64(bitPattern: raw.word(16)))
        summary.segments = segmentsLeft
    }

    /// The next segment or, behind them, attachment; after the last, and a look at the archive's end, `nil`.
    mutating func nextPart() throws(LogBackupError) -> Part? {
        let start = offset
        guard segmentsLeft > 0 || attachmentsLeft > 0 else {
            let end = try take(LogBackup.endBytes, whenShort: .incomplete)
            let raw = end.span.bytes
            guard Self.isGood(end), raw.word(0) == LogBackup.endMagic, raw.word(8) == UInt64(summary.bytes),
                offset == size
            else { throw .damaged(offset: start) }
            return nil
        }
        let isAttachment = segmentsLeft == 0
        if isAttachment { attachmentsLeft -= 1 } else { segmentsLeft -= 1 }
        let header = try take(LogBackup.segmentBytes, whenShort: .incomplete)
        let raw = header.span.bytes
        guard Self.isGood(header), let byteCount = Int(exactly: raw.word(8)) else { throw .damaged(offset: start) }
        // The blocks are in the archive, or it is not whole.
        guard byteCount <= size else { throw .incomplete }
        return Part(number: raw.word(0), byteCount: byteCount, isAttachment: isAttachment)
    }

    /// Writes the bytes of the part to a file.
    mutating func copy(
        _ part: Part,
        to target: any DiskFile,
        _ progress: (Int, Int) -> Void,
    ) throws(LogBackupError) {
        var at = 0
        while at < part.byteCount {
            let start = offset
            let header = try take(LogBackup.blockHeaderBytes, whenShort: .incomplete)
            let count = header.span.bytes.word(0)
            guard count > 0, count <= UInt64(LogBackup.blockBytes), at + Int(count) <= part.byteCount else {
                throw .damaged(offset: start)
            }
            let block = try take(Int(count), whenShort: .incomplete)
            guard Checksum.xxh64(block.span, 0..<block.count, seed: 0) == header.span.bytes.word(8) else {
                throw .damaged(offset: start)
            }
            at = try systemCall { () throws(SystemError) in try target.writeFully(block.span, at: at) }
            summary.bytes += block.count
            progress(offset, size)
        }
    }

    private mutating func take(_ count: Int, whenShort error: LogBackupError) throws(LogBackupError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let place = offset
        let read = try systemCall { () throws(SystemError) in try file.read(into: &bytes, 0..<count, at: place) }
        guard read == count else { throw error }
        offset += count
        return bytes
    }

    /// Whether the last eight bytes are the checksum of those before.
    private static func isGood(_ bytes: [UInt8]) -> Bool {
        let end = bytes.count - 8
        return bytes.span.bytes.word(end) == Checksum.xxh64(bytes.span, 0..<end, seed: 0)
    }
}
