internal import ApusLoop
internal import ApusMemory
internal import ApusMessage
internal import ApusStore
internal import ApusTopics
internal import MQTTCodec

/// Reads a whole log, oldest segment first, and makes of it what is alive.
package struct LogRecovery {
    /// How far it has come.
    package struct Progress: Sendable, Equatable {
        package var bytesRead: Int
        package var bytesTotal: Int
        package var records: Int
    }

    var log = RecoveredLog()
    var table = SessionTable()
    let sources: [LogSource]
    let seed: UInt64
    private var progress: Progress
    /// Batches of which a part was damaged: one with the same number may be whole.
    private var brokenBatches: Set<UInt64> = []
    var highestBatch: UInt64 = 0
    /// Retained messages that were let go before their batch was met: shards replace each other's in memory, before
    /// either has handed over.
    var retainedGone: Set<StorePosition> = []
    var unsortedRelocations: [(relocation: Relocation, order: Int)] = []
    /// Where the last write begins; looked for when the first damage is met.
    private var lastWrite: (source: Int, offset: Int)?
    private var lastWriteIsKnown = false
    var identifiers: [UInt32] = []
    /// Members of a group get one message after the other.
    var lastGroup: (text: [UInt8], filter: TopicFilter)?

    /// Reads the log.
    ///
    /// - Parameters:
    ///   - sources: the segments; they are put in order.
    ///   - report: called now and then, at least once for each segment.
    /// - Returns: what was found. A file that cannot be read is among the damage.
    package static func recover(
        _ sources: [LogSource],
        report: (Progress) -> Void = { _ in },
    ) -> RecoveredLog {
        var recovery = LogRecovery(sources.sorted { $0.number < $1.number })
        recovery.run(report)
        return recovery.log
    }

    private init(_ sources: [LogSource]) {
        self.sources = sources
        progress = Progress(bytesRead: 0, bytesTotal: sources.reduce(0) { $0 + $1.byteCount }, records: 0)
        let seed = SegmentHeaders.seed(of: sources)
        log.seed = seed
        self.seed = seed ?? 0
    }

    private mutating func run(_ report: (Progress) -> Void) {
        if log.seed != nil {
            for index in sources.indices where log.cut == nil {
                if index > 0, sources[index - 1].number + 1 != sources[index].number {
                    note(.missingSegment, index, at: 0, bytes: 0)
                }
                read(index, report)
            }
        } else {
            SegmentHeaders.reportWithout(seed: sources, to: &log.damage)
        }
        finish()
        progress.bytesRead = progress.bytesTotal
        report(progress)
    }

    mutating func note(_ kind: LogDamage.Kind, _ source: Int, at offset: Int, bytes: Int) {
        log.damage.append(LogDamage(kind: kind, file: sources[source].name, offset: offset, bytes: bytes))
    }

    // MARK: Segments

    private mutating func read(_ index: Int, _ report: (Progress) -> Void) {
        let source = sources[index]
        let before = progress.bytesRead
        var segment = RecoveredSegment(
            number: source.number,
            createdAt: SegmentHeaders.check(source, seed: seed, &log.damage),
            end: min(source.byteCount, SegmentHeader.byteCount),
        )
        var scanner = SegmentScanner(source, seed: seed)
        var reported = 0
        do throws(SystemError) {
            reading: while true {
                switch try scanner.next() {
                case .batch(let batch):
                    guard take(batch, scanner, index) else { break reading }
                    segment.end = batch.end
                    log.endsInPeace = batch.header.records == 0
                case .gap(let offset, let bytes):
                    if isLastWrite(index, offset) {
                        cut(index, at: offset)
                        break reading
                    }
                    note(.noBatch, index, at: offset, bytes: bytes)
                    log.endsInPeace = false
                    segment.end = offset + bytes
                case .end:
                    break reading
                }
                if scanner.offset - reported > 16 << 20 {
                    reported = scanner.offset
                    progress.bytesRead = before + reported
                    report(progress)
                }
            }
        } catch {
            note(.unreadable(error.description), index, at: scanner.offset, bytes: source.byteCount - scanner.offset)
        }
        noteBlank(index, segment)
        log.segments.append(segment)
        progress.bytesRead = before + source.byteCount
        report(progress)
    }

    /// A segment without a header is no damage at the end of the log, where a crash leaves it; between others it is.
    private mutating func noteBlank(_ index: Int, _ segment: RecoveredSegment) {
        guard index < sources.count - 1, SegmentHeaders.isBlank(sources[index]) else { return }
        if segment.end > SegmentHeader.byteCount {
            note(.segmentHeader, index, at: 0, bytes: SegmentHeader.byteCount)
        } else if sources[(index + 1)...].contains(where: { !SegmentHeaders.isBlank($0) }) {
            note(.noBatch, index, at: 0, bytes: sources[index].byteCount)
        }
    }

    /// Whether damage here is within the last write, which was not completed and that nobody relies on.
    private mutating func isLastWrite(_ source: Int, _ offset: Int) -> Bool {
        if !lastWriteIsKnown {
            lastWriteIsKnown = true
            lastWrite = SegmentHeaders.lastWrite(sources, from: source, seed: seed)
        }
        guard let lastWrite else { return true }
        return (source, offset) >= lastWrite
    }

    private mutating func cut(_ source: Int, at offset: Int) {
        log.cut = (sources[source].number, offset)
        var bytes = sources[source].byteCount - offset
        for later in sources[(source + 1)...] { bytes += later.byteCount }
        note(.tornTail, source, at: offset, bytes: bytes)
    }

    // MARK: Batches

    /// - Returns: false when the log ends before the batch.
    private mutating func take(_ batch: SegmentScanner.Batch, _ scanner: SegmentScanner, _ index: Int) -> Bool {
        let header = batch.header
        highestBatch = max(highestBatch, header.number)
        let body = scanner.index(of: batch.offset + BatchHeader.byteCount)..<scanner.index(of: batch.bodyEnd)
        let inspection = BatchInspection(scanner.bytes, body, seed: seed)
        let isWhole = inspection.isWhole(header)
        if !isWhole || batch.isCutShort, isLastWrite(index, batch.offset) {
            cut(index, at: batch.offset)
            return false
        }
        // Written again after an error; the first one is good.
        if log.place(of: header.number) != nil, !brokenBatches.contains(header.number) { return true }
        let start = batch.offset - scanner.index(of: batch.offset)
        noteDamage(of: batch, inspection, index, fileOffset: start)
        guard makeRoom(for: header.number) else {
            note(.record(.malformed), index, at: batch.offset, bytes: batch.end - batch.offset)
            return true
        }
        if isWhole { brokenBatches.remove(header.number) } else { brokenBatches.insert(header.number) }
        apply(scanner.bytes, body, inspection, batch, index)
        progress.records = log.records
        return true
    }

    private mutating func noteDamage(
        of batch: SegmentScanner.Batch,
        _ inspection: BatchInspection,
        _ index: Int,
        fileOffset: Int,
    ) {
        if !batch.hasGoodHeader { note(.batchHeader, index, at: batch.offset, bytes: BatchHeader.byteCount) }
        if !batch.hasGoodTrailer { note(.batchTrailer, index, at: batch.bodyEnd, bytes: batch.end - batch.bodyEnd) }
        for damage in inspection.damage {
            note(.record(damage.reason), index, at: fileOffset + damage.range.lowerBound, bytes: damage.range.count)
        }
        for place in inspection.dirtyPadding { note(.padding, index, at: fileOffset + place, bytes: 1) }
    }

    /// Makes the table of batches reach this number; false for one that is absurd.
    private mutating func makeRoom(for number: UInt64) -> Bool {
        let bound: UInt64 = 1 << 28
        if log.batches.isEmpty { log.firstBatchNumber = number }
        let first = log.firstBatchNumber
        if number < first {
            guard first - number < bound else { return false }
            log.batches.insert(contentsOf: repeatElement(.missing, count: Int(first - number)), at: 0)
            log.firstBatchNumber = number
        } else if number - first >= UInt64(log.batches.count) {
            guard number - first < UInt64(log.batches.count) + bound else { return false }
            let count = Int(number - first) + 1 - log.batches.count
            log.batches.append(contentsOf: repeatElement(.missing, count: count))
        }
        return true
    }

    private mutating func apply(
        _ bytes: Span<UInt8>,
        _ body: Range<Int>,
        _ inspection: BatchInspection,
        _ batch: SegmentScanner.Batch,
        _ index: Int,
    ) {
        let raw = bytes.bytes
        var place = BatchPlace(
            segment: UInt32(truncatingIfNeeded: sources[index].number),
            offset: batch.offset,
            messageBytes: 0,
            references: 0,
            liveReferences: 0,
        )
        let batchStart = body.lowerBound - BatchHeader.byteCount
        var at = body.lowerBound
        var damage = inspection.damage[...]
        while at < body.upperBound {
            if let next = damage.first, next.range.lowerBound == at {
                at = next.range.upperBound
                damage = damage.dropFirst()
                continue
            }
            let start = at &+ RecordLayout.headerBytes
            let length = Int(raw.uint32(at &+ 4))
            let record = start..<start &+ length
            let size = LogFormat.padded(RecordLayout.headerBytes &+ length)
            do throws(RecordDamage) {
                let position = LogFormat.position(batch: batch.header.number, offset: at &- batchStart)
                try apply(bytes, record, position, size, index, &place)
            } catch {
                note(.record(error), index, at: batch.offset + at - batchStart, bytes: size)
            }
            log.records &+= 1
            at &+= size
        }
        log.batches[Int(batch.header.number - log.firstBatchNumber)] = place
    }
}
