internal import ApusLoop
internal import ApusMessage

/// The segment that is written to.
struct SegmentFile {
    /// How far zeros are written ahead of the batches.
    static let aheadBytes = 256 << 10
    /// A larger commit gains nothing by it: most of its syncs would come to bytes that are written for the first time.
    static let aheadCommitBytes = aheadBytes / 2
    private static let zeros = [UInt8](repeating: 0, count: aheadBytes)

    let number: UInt64
    let file: any DiskFile
    let capacity: Int
    /// Behind the last batch that is committed; what is written begins here.
    var end: Int
    let name: String
    /// Up to here each byte was written once, if only as zero.
    private(set) var writtenEnd = 0

    init(number: UInt64, file: any DiskFile, capacity: Int, end: Int, name: String) {
        self.number = number
        self.file = file
        self.capacity = capacity
        self.end = end
        self.name = name
    }

    var room: Int { capacity - end }

    /// Call between a write of so many bytes at `end` and its sync.
    ///
    /// Bytes that are allocated and were never written make a sync wait for the file's metadata too, and on a file system with
    /// a journal for that (docs/decisions/0013-write-ahead-of-the-log.md). So the sync that must wait for them anyway takes
    /// zeros for the next commits along.
    mutating func writeAhead(of bytes: Int) {
        let start = end + bytes
        guard start > writtenEnd, bytes <= Self.aheadCommitBytes else { return }
        let count = min(Self.aheadBytes, capacity - start)
        // Nothing depends on it; where there is no room for zeros, the next commit finds out whether there is for it.
        let isWritten = (try? file.writeAll(Self.zeros.span.extracting(0..<count), at: start)) != nil
        writtenEnd = isWritten ? start + count : start
    }
}

/// A segment that has its room on the disk and no number yet.
struct SpareSegment {
    /// One goes into use next; the other keeps room for what must be written to give space back.
    static let names = ["spare", "spare2"]

    let name: String
    let file: any DiskFile
    let capacity: Int

    /// Takes room for a further segment, in place of a spare of this name that another process left behind.
    static func make(_ disk: any Disk, _ name: String, bytes: Int) throws(SystemError) -> SpareSegment {
        if try disk.list().contains(name) { try disk.delete(name) }
        let file = try disk.open(name, .creating)
        do {
            try file.allocate(bytes)
        } catch {
            try? disk.delete(name)
            throw error
        }
        return SpareSegment(name: name, file: file, capacity: bytes)
    }

    static func discard(_ disk: any Disk) throws(SystemError) {
        let found = try disk.list()
        for name in names where found.contains(name) { try disk.delete(name) }
    }

    /// Makes the spare the segment with this number, whose first batch goes behind its header.
    func named(
        _ number: UInt64,
        _ disk: any Disk,
        seed: UInt64,
        at time: Timestamp,
        isSynchronized: Bool,
    ) throws(SystemError) -> SegmentFile {
        let name = LogSource.name(ofSegment: number)
        try file.writeAll(SegmentHeader(number: number, createdAt: time, seed: seed).encoded.span, at: 0)
        try disk.rename(self.name, to: name)
        if isSynchronized { try disk.synchronize() }
        return SegmentFile(
            number: number,
            file: file,
            capacity: capacity,
            end: SegmentHeader.byteCount,
            name: name,
        )
    }
}

extension DiskFile {
    /// Writes all bytes, in as many steps as the system wants.
    func writeAll(_ bytes: Span<UInt8>, at offset: Int) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            let count = try write(bytes.extracting(done..<bytes.count), at: offset + done)
            // Would go on for ever.
            guard count > 0 else { throw SystemError(code: SystemError.noSpace, call: "write") }
            done += count
        }
    }
}
