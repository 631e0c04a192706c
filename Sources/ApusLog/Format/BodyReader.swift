internal import ApusMemory
internal import ApusTopics

/// Reads the variable fields of a record's body, in order, within its bounds.
struct BodyReader: ~Escapable {
    private let bytes: Span<UInt8>
    private(set) var position: Int
    private let end: Int

    /// Reads `range`, which must lie within `bytes`.
    @_lifetime(copy bytes)
    init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    var isAtEnd: Bool { position == end }

    mutating func uint16() throws(RecordDamage) -> UInt16 {
        guard end - position >= 2 else { throw .malformed }
        defer { position += 2 }
        return bytes.bytes.uint16(position)
    }

    mutating func uint32() throws(RecordDamage) -> UInt32 {
        guard end - position >= 4 else { throw .malformed }
        defer { position += 4 }
        return bytes.bytes.uint32(position)
    }

    mutating func take(_ count: Int) throws(RecordDamage) -> [UInt8] {
        guard count <= end - position else { throw .malformed }
        defer { position += count }
        return [UInt8](copying: bytes.extracting(position..<position + count))
    }

    mutating func text(_ count: Int) throws(RecordDamage) -> String {
        guard count <= end - position else { throw .malformed }
        defer { position += count }
        return String(copying: bytes.extracting(position..<position + count))
    }

    /// A filter with its length in front; the last one again when it is the same, which costs nothing.
    mutating func filter(orAgain last: inout (text: [UInt8], filter: TopicFilter)?) throws(RecordDamage) -> TopicFilter
    {
        let start = position
        let count = Int(try uint16())
        guard count <= end - position else { throw .malformed }
        let text = bytes.extracting(position..<position + count)
        if let last, last.text.span.isEqual(to: text) {
            position += count
            return last.filter
        }
        let copy = [UInt8](copying: text)
        position = start
        let filter = try filter()
        last = (copy, filter)
        return filter
    }

    /// A filter with its length in front.
    mutating func filter() throws(RecordDamage) -> TopicFilter {
        let text = try text(Int(uint16()))
        do {
            return try TopicFilter(text)
        } catch {
            throw .malformed
        }
    }
}
