package import ApusLoop

/// The segments of a log as they stand at one moment, while another process may write to it.
///
/// Segments are only appended to and deleted oldest first, after what lived in the oldest was written again behind all
/// others. So a set of open files is whole when its oldest was still the log's oldest after the last had been opened; what
/// is deleted later stays readable. The last segment is taken up to its last whole write: what stands before that was
/// finished before it began, and does not change any more.
package struct LogSnapshot: Sendable {
    package let sources: [LogSource]
    /// Of all checksums; `nil` when no segment has a good header.
    package let seed: UInt64?
    /// Behind the last whole write: being written, cut short by a crash, or left when bytes behind it were lost.
    package let unfinished: (file: String, offset: Int, bytes: Int)?

    /// How often a log may have lost its oldest segment meanwhile.
    private static let attempts = 100
    /// `EAGAIN`.
    private static let again: Int32 = 11

    package init(of disk: any Disk) throws(SystemError) {
        var found: [LogSource]?
        for _ in 0..<Self.attempts {
            let before = try Self.oldest(disk)
            let sources = try LogSource.all(in: disk)
            if before == sources.first?.number, try Self.oldest(disk) == before {
                found = sources
                break
            }
        }
        guard var sources = found else {
            throw SystemError(code: Self.again, call: "list \(disk.path)")
        }
        seed = SegmentHeaders.seed(of: sources)
        unfinished = try Self.bound(&sources, seed)
        self.sources = sources
    }

    package var byteCount: Int { sources.reduce(0) { $0 + $1.byteCount } }

    /// Whether the log ends with the batch without records that a broker writes when it ends in peace; `nil` when there
    /// is no batch at all.
    ///
    /// If not, a broker writes to it, or was killed, or what stood at the end is lost.
    package func endsInPeace() throws(SystemError) -> Bool? {
        guard let seed else { return nil }
        for source in sources.reversed() {
            var scanner = SegmentScanner(source, seed: seed)
            var last: SegmentScanner.Batch?
            scanning: while true {
                switch try scanner.next() {
                case .batch(let batch): last = batch
                case .gap: last = nil
                case .end: break scanning
                }
            }
            if let last { return last.header.records == 0 }
        }
        return nil
    }

    private static func oldest(_ disk: any Disk) throws(SystemError) -> UInt64? {
        try disk.list().compactMap { LogSource.number(ofFile: $0) }.min()
    }

    /// Takes from the last segment what is no whole write.
    private static func bound(
        _ sources: inout [LogSource],
        _ seed: UInt64?,
    ) throws(SystemError) -> (file: String, offset: Int, bytes: Int)? {
        guard let seed, let last = sources.last else { return nil }
        var end = min(SegmentHeader.byteCount, last.byteCount)
        if let write = SegmentHeaders.lastWrite([last], from: 0, seed: seed) { end = max(end, write.offset) }
        // Read again: what the search has seen before may have been half written then.
        var scanner = SegmentScanner(last, seed: seed, from: end)
        var rest: (file: String, offset: Int, bytes: Int)?
        scanning: while true {
            switch try scanner.next() {
            case .batch(let batch):
                let body = scanner.index(of: batch.offset + BatchHeader.byteCount)..<scanner.index(of: batch.bodyEnd)
                let inspection = BatchInspection(scanner.bytes, body, seed: seed)
                guard inspection.isWhole(batch.header), !batch.isCutShort else {
                    rest = (last.name, batch.offset, batch.end - batch.offset)
                    break scanning
                }
                end = batch.end
            case .gap(let offset, let bytes):
                rest = (last.name, offset, bytes)
                break scanning
            case .end:
                break scanning
            }
        }
        sources[sources.count - 1] = last.bounded(to: end)
        return rest
    }
}

extension LogSource {
    func bounded(to bytes: Int) -> LogSource {
        LogSource(name: name, number: number, byteCount: min(byteCount, bytes), file: file)
    }
}
