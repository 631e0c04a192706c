/// Short byte strings by identifier in one flat buffer: topics, or interned levels.
///
/// An entry of up to 15 bytes lives in its reference, a longer one in the buffer. Removed entries leave garbage behind,
/// which is squeezed out when it is more than half, so that churn does not grow the buffer. Identifiers are reused.
struct TextStore: Sendable {
    private var references: [Reference] = []
    private var freeIdentifiers: [UInt32] = []
    private var buffer: [UInt8] = []
    private var garbage = 0

    /// Where a text is, and the text itself if it is short.
    struct Reference: Sendable, Equatable {
        /// The first eight bytes, or the offset in the buffer.
        fileprivate var low: UInt64
        /// The other bytes with `0x80 | length` on top, or the length alone.
        fileprivate var high: UInt64

        fileprivate static let mark: UInt64 = 1 << 63
        fileprivate static let free = Reference(low: .max, high: .max)
        fileprivate var isInBuffer: Bool { high & Self.mark == 0 }
        fileprivate var range: Range<Int> { Int(low)..<Int(low &+ high) }
    }

    /// Stores a text of at most 65,535 bytes and returns its identifier, an unused one or the next.
    mutating func insert(_ text: Span<UInt8>) -> UInt32 {
        let reference = Self.inlined(text) ?? append(text)
        if let identifier = freeIdentifiers.popLast() {
            references[Int(identifier)] = reference
            return identifier
        }
        references.append(reference)
        return UInt32(references.count - 1)
    }

    mutating func remove(_ identifier: UInt32) {
        let reference = references[Int(identifier)]
        references[Int(identifier)] = .free
        freeIdentifiers.append(identifier)
        guard reference.isInBuffer else { return }
        garbage += reference.range.count
        if garbage > 4096, garbage * 2 > buffer.count { squeeze() }
    }

    /// A short text prepared for comparisons, or `nil` for a long one.
    @inline(__always)
    static func inlined(_ text: Span<UInt8>) -> Reference? {
        let count = text.count
        guard count < 16 else { return nil }
        let bytes = text.bytes
        var low: UInt64 = 0
        var high = Reference.mark | UInt64(count) << 56
        if count >= 8 {
            low = bytes.word(0)
            // The last eight bytes without those that are in `low` already.
            high |= bytes.word(count &- 8) >> UInt64(8 &* (16 &- count))
        } else if count >= 4 {
            low = bytes.halfWord(0) | bytes.halfWord(count &- 4) << UInt64(8 &* (count &- 4))
        } else {
            for at in 0..<count { low |= UInt64(bytes.byte(at)) << UInt64(8 &* at) }
        }
        return Reference(low: low, high: high)
    }

    /// Whether the entry holds this text; `inlined` is what ``inlined(_:)`` gave for it.
    @inline(__always)
    func holds(_ text: Span<UInt8>, inlined: Reference?, at identifier: UInt32) -> Bool {
        let reference = references[Int(identifier)]
        if let inlined { return reference == inlined }
        guard reference.high == UInt64(text.count) else { return false }
        return buffer.span.extracting(reference.range).bytes.holdsSameBytes(as: text.bytes)
    }

    /// The hash of an entry.
    func hash(at identifier: UInt32, with hasher: TopicHasher) -> UInt64 {
        let bytes = bytes(at: identifier)
        return hasher.hash(bytes.span)
    }

    func bytes(at identifier: UInt32) -> [UInt8] {
        let reference = references[Int(identifier)]
        if reference.isInBuffer { return Array(buffer[reference.range]) }
        let count = Int(reference.high >> 56 & 0x7F)
        return (0..<count).map { at in
            UInt8(truncatingIfNeeded: (at < 8 ? reference.low : reference.high) >> UInt64(at % 8 * 8))
        }
    }

    /// The first byte of an entry, or 0 if it is empty.
    func firstByte(at identifier: UInt32) -> UInt8 {
        let reference = references[Int(identifier)]
        return reference.isInBuffer ? buffer[Int(reference.low)] : UInt8(truncatingIfNeeded: reference.low)
    }

    /// Bytes held by the buffer, garbage included; tests watch it under churn.
    var bufferCount: Int { buffer.count }
    /// Identifiers ever given out; tests watch it under churn.
    var identifierCount: Int { references.count }

    private mutating func append(_ text: Span<UInt8>) -> Reference {
        let reference = Reference(low: UInt64(buffer.count), high: UInt64(text.count))
        for at in 0..<text.count { buffer.append(text[at]) }
        return reference
    }

    private mutating func squeeze() {
        var squeezed: [UInt8] = []
        squeezed.reserveCapacity(buffer.count - garbage)
        for index in references.indices where references[index].isInBuffer {
            let range = references[index].range
            references[index].low = UInt64(squeezed.count)
            squeezed.append(contentsOf: buffer[range])
        }
        buffer = squeezed
        garbage = 0
    }
}
