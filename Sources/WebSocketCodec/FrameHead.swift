/// The head of one frame while its bytes arrive, 2 to 14 of them.
///
/// Each byte is checked as it comes, so that a peer is answered at its first mistake and a head that is split over
/// reads needs no buffer.
struct FrameHead: Sendable {
    private var received: UInt8 = 0
    private var first: UInt8 = 0
    private var lengthBytes: UInt8 = 0
    private var isMasked = false
    private(set) var length: UInt64 = 0
    private var maskBits: UInt32 = 0

    /// Whether no byte has come yet.
    var isEmpty: Bool { received == 0 }
    var opcode: Opcode? { Opcode(rawValue: first & 0x0F) }
    var isFinal: Bool { first & 0x80 != 0 }
    var mask: MaskingKey { MaskingKey(bits: maskBits) }

    /// Takes one byte.
    ///
    /// - Returns: whether the head is complete.
    mutating func take(_ byte: UInt8, from role: WebSocketInput.Peer) throws(WebSocketError) -> Bool {
        let index = received
        received &+= 1
        switch index {
        case 0:
            try takeFirst(byte)
        case 1:
            try takeSecond(byte, from: role)
        case 2..<(2 &+ lengthBytes):
            length = length << 8 | UInt64(byte)
            if index == 1 &+ lengthBytes { try checkLength() }
        default:
            maskBits |= UInt32(byte) << (8 * UInt32(index &- 2 &- lengthBytes))
        }
        return received == 2 &+ lengthBytes &+ (isMasked ? 4 : 0) && received >= 2
    }

    private mutating func takeFirst(_ byte: UInt8) throws(WebSocketError) {
        guard byte & 0x70 == 0 else { throw .reservedBits }
        guard let opcode = Opcode(rawValue: byte & 0x0F) else { throw .unknownOpcode }
        guard opcode != .text else { throw .textFrame }
        guard !opcode.isControl || byte & 0x80 != 0 else { throw .fragmentedControl }
        first = byte
    }

    private mutating func takeSecond(_ byte: UInt8, from peer: WebSocketInput.Peer) throws(WebSocketError) {
        isMasked = byte & 0x80 != 0
        switch peer {
        case .client: guard isMasked else { throw .notMasked }
        case .server: guard !isMasked else { throw .masked }
        }
        let short = byte & 0x7F
        guard short <= 125 || first & 0x08 == 0 else { throw .controlTooLong }
        switch short {
        case 126: lengthBytes = 2
        case 127: lengthBytes = 8
        default: length = UInt64(short)
        }
    }

    private func checkLength() throws(WebSocketError) {
        guard length < 1 << 63 else { throw .lengthTooLarge }
        guard length > (lengthBytes == 2 ? 125 : 0xFFFF) else { throw .lengthNotMinimal }
    }
}
