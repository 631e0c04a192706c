/// Frames to send.
///
/// Data frames are a ``FrameHeader`` in front of bytes that stay where they are; only a client masks, and with that
/// changes its bytes. Control frames are built whole.
public enum WebSocketOutput {
    /// The longest payload of a control frame.
    public static let maximumControlPayload = 125

    /// The answer to a ping, which repeats its payload.
    public static func pong(_ payload: [UInt8], mask: UInt32? = nil) -> [UInt8] {
        control(.pong, payload, mask)
    }

    /// A question whether the peer is alive.
    public static func ping(_ payload: [UInt8] = [], mask: UInt32? = nil) -> [UInt8] {
        control(.ping, payload, mask)
    }

    /// The last frame of a connection.
    ///
    /// - Parameter reason: is cut to 123 bytes, between characters.
    public static func close(_ code: CloseCode, reason: String = "", mask: UInt32? = nil) -> [UInt8] {
        precondition(code.isAllowedOnWire, "\(code.rawValue) stands for closes that nobody sent")
        var payload = [UInt8(code.rawValue >> 8), UInt8(truncatingIfNeeded: code.rawValue)]
        for character in reason {
            guard payload.count + character.utf8.count <= maximumControlPayload else { break }
            payload += character.utf8
        }
        return control(.close, payload, mask)
    }

    /// The answer to a peer's close: its own code again, or none where it gave none.
    public static func close(answering code: CloseCode?, mask: UInt32? = nil) -> [UInt8] {
        code.map { close($0, mask: mask) } ?? control(.close, [], mask)
    }

    /// One binary frame with a copy of the payload, masked where a key is given.
    public static func binary(_ payload: [UInt8], mask: UInt32? = nil) -> [UInt8] {
        frame(.binary, payload, mask)
    }

    /// Masks the payload of a client's frame in place, or takes the mask off again.
    ///
    /// - Parameter mask: as in its header, the first byte on the wire lowest.
    public static func mask(_ payload: inout [UInt8], with mask: UInt32) {
        var key = MaskingKey(bits: mask)
        let count = payload.count
        var span = payload.mutableSpan
        key.apply(to: &span, from: 0, to: 0, count: count)
    }

    private static func control(_ opcode: Opcode, _ payload: [UInt8], _ mask: UInt32?) -> [UInt8] {
        precondition(payload.count <= maximumControlPayload)
        return frame(opcode, payload, mask)
    }

    private static func frame(_ opcode: Opcode, _ payload: [UInt8], _ mask: UInt32?) -> [UInt8] {
        let header = FrameHeader(opcode, payloadCount: payload.count, mask: mask)
        var bytes = header.span.array()
        bytes.reserveCapacity(header.count + payload.count)
        bytes += payload
        if let mask {
            var key = MaskingKey(bits: mask)
            var span = bytes.mutableSpan
            key.apply(to: &span, from: header.count, to: header.count, count: payload.count)
        }
        return bytes
    }
}
