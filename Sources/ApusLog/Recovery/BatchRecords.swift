/// What a look at all checksums of a batch's records found.
struct BatchInspection {
    struct Damage: Equatable {
        /// Indices into the bytes.
        var range: Range<Int>
        var reason: RecordDamage
    }

    /// In order; records between them are good.
    var damage: [Damage] = []
    /// Bits are set where only zeroes belong: indices into the bytes.
    var dirtyPadding: [Int] = []
    var goodRecords = 0

    /// Whether every record is there and good.
    func isWhole(_ header: BatchHeader) -> Bool { damage.isEmpty && goodRecords == header.records }
}

extension BatchInspection {
    /// Checks the records in `range`, finding the next good one behind each that is not.
    init(_ bytes: Span<UInt8>, _ range: Range<Int>, seed: UInt64) {
        var at = range.lowerBound
        // Searching hashes at each place that looks like a record; a payload may consist of such places.
        var budget = 64 * (range.count + 1024)
        while at < range.upperBound {
            do {
                let body = try Self.body(bytes, at: at, range, seed: seed)
                goodRecords &+= 1
                at = LogFormat.padded(body.upperBound - range.lowerBound) + range.lowerBound
                for place in body.upperBound..<min(at, range.upperBound) where bytes[place] != 0 {
                    dirtyPadding.append(place)
                }
            } catch {
                let next = Self.nextRecord(bytes, behind: at, range, seed: seed, &budget)
                damage.append(Damage(range: at..<next, reason: error))
                at = next
            }
        }
    }

    @inline(__always)
    private static func body(
        _ bytes: Span<UInt8>,
        at place: Int,
        _ range: Range<Int>,
        seed: UInt64,
    ) throws(RecordDamage) -> Range<Int> {
        let body = try LogRecordReader.body(bytes, at: place, within: range.upperBound, seed: seed)
        guard RecordType(rawValue: bytes[body.lowerBound]) != nil else { throw .malformed }
        return body
    }

    /// The place of the next good record; the end when there is none.
    private static func nextRecord(
        _ bytes: Span<UInt8>,
        behind place: Int,
        _ range: Range<Int>,
        seed: UInt64,
        _ budget: inout Int,
    ) -> Int {
        // Where the length says, if it can be believed.
        var likely: Int?
        if let count = LogRecordReader.recordByteCount(bytes, at: place), place + count <= range.upperBound {
            let next = place + count
            if next == range.upperBound || isRecord(bytes, at: next, range, seed: seed, &budget) { likely = next }
        }
        // A wrong length can point to the end of a later record, so what lies before is looked at too.
        let end = likely ?? range.upperBound
        var at = place + LogFormat.alignment
        while at < end, budget > 0 {
            if isRecord(bytes, at: at, range, seed: seed, &budget) { return at }
            at += LogFormat.alignment
        }
        return end
    }

    private static func isRecord(
        _ bytes: Span<UInt8>,
        at place: Int,
        _ range: Range<Int>,
        seed: UInt64,
        _ budget: inout Int,
    ) -> Bool {
        guard place + RecordLayout.headerBytes < range.upperBound,
            RecordType(rawValue: bytes[place + RecordLayout.headerBytes]) != nil
        else { return false }
        do {
            budget -= 32
            guard let count = LogRecordReader.recordByteCount(bytes, at: place), place + count <= range.upperBound
            else {
                return false
            }
            budget -= count
            let body = try LogRecordReader.body(bytes, at: place, within: range.upperBound, seed: seed)
            _ = try LogRecordReader.record(in: bytes, body: body)
            return true
        } catch {
            return false
        }
    }
}
