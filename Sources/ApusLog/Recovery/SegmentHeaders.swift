internal import ApusLoop
internal import ApusMessage

/// What is read of segments before their batches.
enum SegmentHeaders {
    /// The seed of the log: of the oldest segment whose header is good.
    static func seed(of sources: [LogSource]) -> UInt64? {
        for source in sources {
            var damaged = false
            if let header = read(source, &damaged) { return header.seed }
        }
        return nil
    }

    /// - Returns: when the segment was made, as far as that can be told.
    static func check(_ source: LogSource, seed: UInt64, _ damage: inout [LogDamage]) -> Timestamp {
        var isDamaged = false
        let header = read(source, &isDamaged)
        if header?.number != source.number || header?.seed != seed { isDamaged = true }
        if isDamaged, !isBlank(source) {
            let bytes = min(source.byteCount, SegmentHeader.byteCount)
            damage.append(LogDamage(kind: .segmentHeader, file: source.name, offset: 0, bytes: bytes))
        }
        return header?.createdAt ?? Timestamp(milliseconds: 0)
    }

    /// No segment has a good header: without a seed nothing can be told from accident.
    static func reportWithout(seed sources: [LogSource], to damage: inout [LogDamage]) {
        for source in sources where !isBlank(source) {
            damage.append(LogDamage(kind: .segmentHeader, file: source.name, offset: 0, bytes: source.byteCount))
        }
    }

    /// Where the last write to the log begins: source and offset of its last batch that starts a write.
    ///
    /// Headers count even if records behind them are damaged.
    static func lastWrite(_ sources: [LogSource], from first: Int, seed: UInt64) -> (source: Int, offset: Int)? {
        for index in sources.indices.reversed() where index >= first {
            var found: Int?
            var scanner = SegmentScanner(sources[index], seed: seed)
            do throws(SystemError) {
                reading: while true {
                    switch try scanner.next() {
                    case .batch(let batch):
                        if !batch.header.flags.contains(.joined) { found = batch.offset }
                    case .gap: continue
                    case .end: break reading
                    }
                }
            } catch {
                // What can be read decides.
            }
            if let found { return (index, found) }
        }
        return nil
    }

    private static func read(_ source: LogSource, _ isDamaged: inout Bool) -> SegmentHeader? {
        guard let bytes = firstBytes(of: source) else {
            isDamaged = true
            return nil
        }
        if !SegmentHeader.hasCleanPadding(bytes.span) { isDamaged = true }
        return SegmentHeader(decoding: bytes.span, damaged: &isDamaged)
    }

    /// A segment made in advance, to which nothing was written yet.
    static func isBlank(_ source: LogSource) -> Bool {
        guard let bytes = firstBytes(of: source) else { return false }
        return bytes.allSatisfy { $0 == 0 }
    }

    private static func firstBytes(of source: LogSource) -> [UInt8]? {
        let count = min(source.byteCount, SegmentHeader.byteCount)
        var bytes = [UInt8](repeating: 0, count: count)
        do throws(SystemError) {
            let read = count == 0 ? 0 : try source.read(&bytes, 0..<count, 0)
            bytes.removeLast(count - read)
            return bytes
        } catch {
            return nil
        }
    }
}

/// Looks at the beginnings of single messages, without their checksums.
struct StoredRecordReader {
    private let sources: [UInt64: LogSource]

    init(_ sources: [LogSource]) {
        self.sources = Dictionary(sources.map { ($0.number, $0) }) { first, _ in first }
    }

    /// What the message counts against limits, and its time; `nil` when no message is there.
    func head(of position: StorePosition, _ log: RecoveredLog) -> (footprint: UInt32, storedAt: Timestamp)? {
        let physical = log.copy(of: position)
        guard let place = log.place(of: physical.batchNumber), let source = sources[UInt64(place.segment)] else {
            return nil
        }
        let needed = RecordLayout.headerBytes + MessageLayout.fixedBytes
        var bytes = [UInt8](repeating: 0, count: needed)
        do throws(SystemError) {
            guard try source.read(&bytes, 0..<needed, place.offset + physical.offsetInBatch) == needed else {
                return nil
            }
        } catch {
            return nil
        }
        let raw = bytes.span.bytes
        let start = RecordLayout.headerBytes
        guard raw.byte(start) == RecordType.message.rawValue else { return nil }
        let size = Int(raw.uint16(start + 2)) + Int(raw.uint32(start + 4)) + Int(raw.uint32(start + 8))
        guard size <= Int(raw.uint32(4)) else { return nil }
        let storedAt = Timestamp(milliseconds: Int64(bitPattern: raw.word(start + 16)))
        return (UInt32(clamping: size + 96), storedAt)
    }
}
