internal import ApusLoop

/// What a damaged place of a log has cost, as far as that can be told from what is left there.
package struct DamageEffect: Sendable, Equatable {
    /// Messages that some session, or the retained store, does not get any more; at least so many.
    package var messages: Int
    /// Whether anything at all is lost.
    package var isLoss: Bool
    /// One sentence without a full stop.
    package var words: String

    /// Looks at a damaged record once more at most so far.
    private static let maximumBytes = 16 << 20

    /// - Parameter sources: the segments in which the damage was found.
    package init(of damage: LogDamage, in sources: [LogSource]) {
        switch damage.kind {
        case .batchHeader, .batchTrailer:
            self.init("nothing is lost: the same stands at the batch's other end")
        case .padding: self.init("nothing is lost")
        case .segmentHeader where damage.bytes <= SegmentHeader.byteCount:
            self.init("nothing is lost: its copy was used, or the file's name")
        case .segmentHeader: self.init("nothing in the segment can be told from accident", isLoss: true)
        case .tornTail:
            self.init(
                "what a crash cuts short was never acknowledged; bytes that were lost later may have been",
                isLoss: true,
            )
        case .record: self.init(ofRecords: damage, in: sources)
        case .noBatch: self.init("all records in these bytes are lost; how many is not known", isLoss: true)
        case .missingSegment: self.init(ofMissing: damage, in: sources)
        case .unreadable: self.init("what stands there is not known; a broker does not start with it", isLoss: true)
        }
    }

    private init(_ words: String, messages: Int = 0, isLoss: Bool = false) {
        self.words = words
        self.messages = messages
        self.isLoss = isLoss
    }

    private init(ofRecords damage: LogDamage, in sources: [LogSource]) {
        let (records, messages) = Self.count(damage, sources)
        let others = records - messages
        var parts: [String] = []
        if messages > 0 {
            let lost = messages == 1 ? "1 message is lost" : "\(messages) messages are lost"
            parts.append("\(lost) for all who waited for \(messages == 1 ? "it" : "them")")
        }
        if others > 0 || parts.isEmpty {
            let lost = others == 1 ? "1 record is lost" : "\(others) records are lost"
            parts.append(
                "\(lost) that no message stood in: what was acknowledged is sent again, or a session lacks a change"
            )
        }
        self.init(parts.joined(separator: "; "), messages: messages, isLoss: true)
    }

    private init(ofMissing damage: LogDamage, in sources: [LogSource]) {
        let number = sources.first { $0.name == damage.file }?.number ?? 0
        let before = sources.last { $0.number < number }?.number ?? number
        let first = LogSource.name(ofSegment: before + 1)
        let last = LogSource.name(ofSegment: max(number, 1) - 1)
        let files = before + 2 < number ? "\(first) to \(last)" : first
        self.init("all that stood only in \(files) is lost; how much is not known", isLoss: true)
    }

    /// Goes through the records of a damaged range by what is left of their lengths and types.
    private static func count(_ damage: LogDamage, _ sources: [LogSource]) -> (records: Int, messages: Int) {
        let atLeast = (records: 1, messages: 0)
        guard let source = sources.first(where: { $0.name == damage.file }) else { return atLeast }
        var bytes = [UInt8](repeating: 0, count: min(damage.bytes, maximumBytes))
        do throws(SystemError) {
            guard try source.read(&bytes, 0..<bytes.count, damage.offset) == bytes.count else { return atLeast }
        } catch {
            return atLeast
        }
        var (records, messages) = (0, 0)
        var at = 0
        while at + RecordLayout.headerBytes < bytes.count {
            let length = LogRecordReader.recordByteCount(bytes.span, at: at)
            let isWithin = length.map { at + $0 <= bytes.count } ?? false
            // Behind a wrong length nothing is known.
            guard isWithin || at == 0 else { break }
            records += 1
            if bytes[at + RecordLayout.headerBytes] == RecordType.message.rawValue { messages += 1 }
            guard isWithin, let length else { break }
            at += length
        }
        return records == 0 ? atLeast : (records, messages)
    }
}
