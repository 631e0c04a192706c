internal import ApusLoop
internal import ApusMessage

/// Goes through the batches of one segment file in order, over whatever damage.
///
/// It finds a batch by its header, and when that is damaged by its trailer or by searching; it does not look into records.
struct SegmentScanner {
    enum Step: Equatable {
        case batch(Batch)
        /// Bytes that belong to no batch.
        case gap(offset: Int, bytes: Int)
        /// Only zeroes follow; the offset is where the last batch, or damage, ended.
        case end(offset: Int)
    }

    struct Batch: Equatable {
        var header: BatchHeader
        var offset: Int
        var hasGoodHeader = true
        var hasGoodTrailer = true
        /// The end of the trailer was never written.
        var isCutShort = false
        /// Where the records end in the file; before the end of the batch when the file ends there.
        var bodyEnd: Int
        /// Where the batch ends in the file.
        var end: Int
    }

    let source: LogSource
    private let seed: UInt64
    private var window: FileWindow
    private(set) var offset: Int

    init(_ source: LogSource, seed: UInt64, from offset: Int = SegmentHeader.byteCount) {
        self.source = source
        self.seed = seed
        self.offset = offset
        window = FileWindow(source)
    }

    /// What holds the last batch returned.
    var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { window.bytes }
    }

    /// Where a place of the file stands in `bytes`.
    func index(of offset: Int) -> Int { window.index(of: offset) }

    /// The next batch, gap or the end; after the end always the end.
    mutating func next() throws(SystemError) -> Step {
        guard offset < source.byteCount else { return .end(offset: offset) }
        if let batch = try batch(at: offset) {
            offset = batch.end
            return .batch(batch)
        }
        guard let nonZero = try firstNonZero(from: offset) else {
            let end = offset
            offset = source.byteCount
            return .end(offset: end)
        }
        let start = offset
        if let batch = try search(from: nonZero, notBefore: start) {
            if batch.offset == start {
                offset = batch.end
                return .batch(batch)
            }
            offset = batch.offset
            return .gap(offset: start, bytes: batch.offset - start)
        }
        offset = source.byteCount
        return .gap(offset: start, bytes: source.byteCount - start)
    }

    // MARK: Finding

    /// The batch whose good header, or good trailer found by its header's length, says that it begins here.
    private mutating func batch(at offset: Int) throws(SystemError) -> Batch? {
        guard try window.load(offset, BatchHeader.byteCount),
            let header = BatchHeader(window.bytes, at: window.index(of: offset), seed: seed)
        else { return try batchByTrailer(at: offset) }
        let bodyStart = offset + BatchHeader.byteCount
        guard bodyStart + header.bodyLength + BatchHeader.byteCount <= source.byteCount,
            try window.load(offset, header.batchByteCount)
        else {
            _ = try window.load(offset, source.byteCount - offset)
            let bodyEnd = min(bodyStart + header.bodyLength, source.byteCount)
            var cut = Batch(header: header, offset: offset, bodyEnd: bodyEnd, end: source.byteCount)
            cut.hasGoodTrailer = false
            cut.isCutShort = true
            return cut
        }
        let bodyEnd = bodyStart + header.bodyLength
        var batch = Batch(header: header, offset: offset, bodyEnd: bodyEnd, end: bodyEnd + BatchHeader.byteCount)
        let trailer = BatchHeader(
            window.bytes,
            at: window.index(of: bodyEnd),
            seed: seed,
            magic: BatchHeader.trailerMagic,
        )
        batch.hasGoodTrailer = trailer == header
        batch.isCutShort = trailer == nil && window.bytes.bytes.word(window.index(of: batch.end - 8)) == 0
        return batch
    }

    /// A batch whose header is damaged, but not so that its magic number or its length is: the usual single flipped bit.
    private mutating func batchByTrailer(at offset: Int) throws(SystemError) -> Batch? {
        guard try window.load(offset, BatchHeader.byteCount) else { return nil }
        let length = Int(window.bytes.bytes.uint32(window.index(of: offset) + 4))
        let end = offset + length + 2 * BatchHeader.byteCount
        guard length % LogFormat.alignment == 0, length > 0, end <= source.byteCount,
            length <= LogFormat.maximumBody, try window.load(offset, end - offset)
        else { return nil }
        return trailer(at: end - BatchHeader.byteCount, notBefore: offset, atMost: offset)
    }

    /// The batch that the trailer at this place belongs to, if it begins within the bounds.
    private func trailer(at place: Int, notBefore: Int, atMost: Int) -> Batch? {
        guard
            let trailer = BatchHeader(
                window.bytes,
                at: window.index(of: place),
                seed: seed,
                magic: BatchHeader.trailerMagic,
            )
        else { return nil }
        let start = place - trailer.bodyLength - BatchHeader.byteCount
        guard start >= notBefore, start <= atMost else { return nil }
        return Batch(
            header: trailer,
            offset: start,
            hasGoodHeader: false,
            bodyEnd: place,
            end: place + BatchHeader.byteCount,
        )
    }

    /// The next batch of which a header or a trailer is good.
    private mutating func search(from place: Int, notBefore: Int) throws(SystemError) -> Batch? {
        var at = place & ~(LogFormat.alignment - 1)
        while at + BatchHeader.byteCount <= source.byteCount {
            guard try window.load(at, BatchHeader.byteCount) else { return nil }
            let magic = window.bytes.bytes.uint32(window.index(of: at))
            if magic == BatchHeader.magic, BatchHeader(window.bytes, at: window.index(of: at), seed: seed) != nil {
                return try batch(at: at)
            }
            if magic == BatchHeader.trailerMagic, let found = trailer(at: at, notBefore: notBefore, atMost: at) {
                _ = try window.load(found.offset, found.end - found.offset)
                return found
            }
            at += LogFormat.alignment
        }
        return nil
    }

    /// The place of the first byte, rounded down to eight, that is not zero.
    private mutating func firstNonZero(from place: Int) throws(SystemError) -> Int? {
        var at = place
        while at < source.byteCount {
            let count = min(1 << 20, source.byteCount - at)
            guard try window.load(at, count) else { return nil }
            let raw = window.bytes.bytes
            let first = window.index(of: at)
            var index = first
            while index &+ 8 <= first + count, raw.word(index) == 0 { index &+= 8 }
            if index &+ 8 <= first + count { return at + index - first }
            while index < first + count {
                if raw.byte(index) != 0 { return at + (index - first) & ~7 }
                index += 1
            }
            at += count
        }
        return nil
    }
}
