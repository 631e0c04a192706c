internal import ApusLoop
internal import ApusMessage

/// Writes a backup, front to back.
struct ArchiveWriter {
    private let file: any DiskFile
    private let total: Int
    private var offset = 0
    private var done = 0

    init(_ file: any DiskFile, total: Int) {
        self.file = file
        self.total = total
    }

    mutating func begin(segments: Int, attachments: Int, at time: Timestamp) throws(SystemError) {
        var header = [UInt8](repeating: 0, count: LogBackup.headerBytes)
        header.store(LogBackup.magic, at: 0)
        // Older versions read what has nothing in it that they do not know.
        header.store(attachments == 0 ? 1 : LogBackup.version, at: 8)
        header.store(UInt32(truncatingIfNeeded: LogFormat.version), at: 12)
        header.store(time.milliseconds, at: 16)
        header.store(UInt32(truncatingIfNeeded: segments), at: 24)
        header.store(UInt32(truncatingIfNeeded: attachments), at: 28)
        try append(checksummed: &header)
    }

    mutating func append(_ source: LogSource, _ progress: (Int, Int) -> Void) throws(SystemError) {
        var header = [UInt8](repeating: 0, count: LogBackup.segmentBytes)
        header.store(source.number, at: 0)
        header.store(UInt64(source.byteCount), at: 8)
        try append(checksummed: &header)
        var at = 0
        var block = [UInt8](
            repeating: 0,
            count: min(LogBackup.blockBytes, source.byteCount) + LogBackup.blockHeaderBytes
        )
        while at < source.byteCount {
            let start = LogBackup.blockHeaderBytes
            let count = try source.read(&block, start..<min(block.count, start + source.byteCount - at), at)
            // The file has become shorter: only zeroes were behind.
            let taken = count > 0 ? count : min(LogBackup.blockBytes, source.byteCount - at)
            if count == 0 { for index in start..<start + taken { block[index] = 0 } }
            block.store(UInt64(taken), at: 0)
            block.store(Checksum.xxh64(block.span, start..<start + taken, seed: 0), at: 8)
            offset = try file.writeFully(block.span.extracting(0..<start + taken), at: offset)
            at += taken
            done += taken
            progress(done, total)
        }
    }

    mutating func end() throws(SystemError) {
        var bytes = [UInt8](repeating: 0, count: LogBackup.endBytes)
        bytes.store(LogBackup.endMagic, at: 0)
        bytes.store(UInt64(total), at: 8)
        try append(checksummed: &bytes)
    }

    /// The last eight bytes get the checksum of those before.
    private mutating func append(checksummed bytes: inout [UInt8]) throws(SystemError) {
        let end = bytes.count - 8
        bytes.store(Checksum.xxh64(bytes.span, 0..<end, seed: 0), at: end)
        offset = try file.writeFully(bytes.span, at: offset)
    }
}
