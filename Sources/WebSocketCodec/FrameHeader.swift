/// The bytes in front of a frame's payload, 2 to 14, held inline.
public struct FrameHeader: Sendable {
    private var storage = InlineArray<14, UInt8>(repeating: 0)
    /// How many of the bytes count.
    public private(set) var count = 0

    /// The header of one whole message, or of a control frame.
    ///
    /// - Parameter mask: the key of a client's frame, its first byte on the wire lowest; nil for a server.
    public init(_ opcode: Opcode, payloadCount: Int, mask: UInt32? = nil) {
        precondition(payloadCount >= 0)
        append(0x80 | opcode.rawValue)
        let maskBit: UInt8 = mask == nil ? 0 : 0x80
        switch payloadCount {
        case ...125:
            append(maskBit | UInt8(truncatingIfNeeded: payloadCount))
        case ...0xFFFF:
            append(maskBit | 126)
            appendLength(payloadCount, bytes: 2)
        default:
            append(maskBit | 127)
            appendLength(payloadCount, bytes: 8)
        }
        if let mask {
            for index in 0..<4 as Range<UInt32> { append(UInt8(truncatingIfNeeded: mask >> (8 * index))) }
        }
    }

    /// The bytes to send.
    public var span: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get { storage.span.extracting(first: count) }
    }

    private mutating func append(_ byte: UInt8) {
        storage[count] = byte
        count &+= 1
    }

    private mutating func appendLength(_ length: Int, bytes: Int) {
        for index in stride(from: bytes - 1, through: 0, by: -1) {
            append(UInt8(truncatingIfNeeded: length >> (8 * index)))
        }
    }
}
