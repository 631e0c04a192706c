/// Short byte strings by identifier in one flat buffer: topics, or interned levels.
///
/// An entry of up to seven bytes lives in its reference, a longer one in the buffer. Removed entries leave garbage
/// behind, which is squeezed out when it is more than half, so that churn does not grow the buffer. Identifiers are reused.
struct TextStore: Sendable {
    /// Where a text is: in the word itself (top byte `0x80 | length`), or `offset << 16 | length`.
    private var references: [UInt64] = []
    private var freeIdentifiers: [UInt32] = []
    private var buffer: [UInt8] = []
    private var garbage = 0

    private static let inlineMark: UInt64 = 1 << 63
    private static let freeMark: UInt64 = .max

    /// Stores a text of at most 65,535 bytes and returns its identifier, the lowest unused or the next.
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
        references[Int(identifier)] = Self.freeMark
        freeIdentifiers.append(identifier)
        guard reference & Self.inlineMark == 0 else { return }
        garbage += Int(reference & 0xFFFF)
        if garbage > 4096, garbage * 2 > buffer.count { squeeze() }
    }

    /// A text prepared for several comparisons.
    @inline(__always)
    static func inlined(_ text: Span<UInt8>) -> UInt64? {
        let count = text.count
        guard count < 8 else { return nil }
        var word = inlineMark | UInt64(count) << 56
        for at in 0..<count { word |= UInt64(text[at]) << UInt64(at &* 8) }
        return word
    }

    /// Whether the entry holds this text; `inlined` is what ``inlined(_:)`` gave for it.
    @inline(__always)
    func holds(_ text: Span<UInt8>, inlined: UInt64?, at identifier: UInt32) -> Bool {
        let reference = references[Int(identifier)]
        if let inlined { return reference == inlined }
        guard reference & Self.inlineMark == 0, Int(reference & 0xFFFF) == text.count else { return false }
        let start = Int(reference >> 16)
        return buffer.span.extracting(start..<start &+ text.count).bytes.holdsSameBytes(as: text.bytes)
    }

    /// The hash of an entry.
    func hash(at identifier: UInt32, with hasher: TopicHasher) -> UInt64 {
        let bytes = bytes(at: identifier)
        return hasher.hash(bytes.span)
    }

    func bytes(at identifier: UInt32) -> [UInt8] {
        let reference = references[Int(identifier)]
        if reference & Self.inlineMark != 0 {
            let count = Int(reference >> 56 & 0x7F)
            return (0..<count).map { UInt8(truncatingIfNeeded: reference >> UInt64($0 * 8)) }
        }
        let start = Int(reference >> 16)
        return Array(buffer[start..<start + Int(reference & 0xFFFF)])
    }

    /// The first byte of an entry, or 0 if it is empty.
    func firstByte(at identifier: UInt32) -> UInt8 {
        let reference = references[Int(identifier)]
        if reference & Self.inlineMark != 0 { return UInt8(truncatingIfNeeded: reference) }
        return buffer[Int(reference >> 16)]
    }

    /// Bytes held by the buffer, garbage included; tests watch it under churn.
    var bufferCount: Int { buffer.count }
    /// Identifiers ever given out; tests watch it under churn.
    var identifierCount: Int { references.count }

    private mutating func append(_ text: Span<UInt8>) -> UInt64 {
        let reference = UInt64(buffer.count) << 16 | UInt64(text.count)
        for at in 0..<text.count { buffer.append(text[at]) }
        return reference
    }

    private mutating func squeeze() {
        var squeezed: [UInt8] = []
        squeezed.reserveCapacity(buffer.count - garbage)
        for index in references.indices where references[index] & Self.inlineMark == 0 {
            let start = Int(references[index] >> 16)
            let count = references[index] & 0xFFFF
            references[index] = UInt64(squeezed.count) << 16 | count
            squeezed.append(contentsOf: buffer[start..<start + Int(count)])
        }
        buffer = squeezed
        garbage = 0
    }
}
