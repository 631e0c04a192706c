/// Turns received WebSocket frames into the byte stream inside them, in place.
///
/// MQTT takes no notice of frame borders [MQTT-6.0.0-2], so the application bytes of all frames are unmasked and moved
/// together in the buffer that they were read into; what lies between, heads and control frames, disappears. Nothing is
/// kept back: a frame of 2^63 bytes passes through piece by piece, and what must be remembered between reads are some
/// forty bytes and at most 125 of a split control frame. Data allocate nothing.
///
/// ```
/// var read = start, write = start
/// while let event = try input.next(&buffer, read: &read, write: &write) { answer(event) }
/// mqtt(buffer[start..<write])
/// ```
public struct WebSocketInput: Sendable {
    /// Whose frames they are: a client must mask them, a server must not.
    public enum Peer: Sendable {
        case client
        case server
    }

    /// A control frame; application bytes are no event, they stand in the buffer.
    public enum Event: Sendable, Hashable {
        /// To be answered by ``WebSocketOutput/pong(_:mask:)`` with the same bytes, at most 125.
        case ping([UInt8])
        /// An answer to a ping, or a heartbeat of its own; nothing to do.
        case pong([UInt8])
        /// The last frame of this peer, to be answered once; a frame without a code gives nil. Bytes behind it are
        /// dropped.
        case close(CloseCode?, reason: String)
    }

    private let peer: Peer
    private var head = FrameHead()
    /// The opcode of the frame whose payload is arriving; nil while a head is.
    private var current: Opcode?
    private var remaining: UInt64 = 0
    private var mask = MaskingKey.none
    /// The payload of a control frame so far.
    private var control: [UInt8] = []
    /// Whether a fragmented message waits for its next frame.
    private var isFragmented = false
    /// Whether the peer has sent its close frame.
    public private(set) var isClosed = false

    /// The state right behind the handshake.
    public init(from peer: Peer) { self.peer = peer }

    /// Works on until the next control frame or the end of the buffer.
    ///
    /// - Parameters:
    ///   - bytes: what was received ends where the span ends.
    ///   - read: the first byte that was not looked at yet; afterwards the next one.
    ///   - write: where the next application byte goes, not behind `read`; afterwards the end of these bytes.
    /// - Returns: nil when all of `bytes` is used up.
    /// - Throws: the rule that the peer broke. The application bytes before `write` came before that and are good.
    public mutating func next(
        _ bytes: inout MutableSpan<UInt8>,
        read: inout Int,
        write: inout Int,
    ) throws(WebSocketError) -> Event? {
        precondition(0 <= write && write <= read && read <= bytes.count)
        while read < bytes.count, !isClosed {
            guard let opcode = current else {
                if beginShort(bytes, &read) { continue }
                let isComplete = try head.take(bytes[read], from: peer)
                read &+= 1
                if isComplete, let event = try begin() { return event }
                continue
            }
            let count = Int(truncatingIfNeeded: min(remaining, UInt64(bytes.count &- read)))
            if opcode.isControl {
                for index in read..<(read &+ count) { control.append(bytes[index] ^ mask.next()) }
            } else {
                mask.apply(to: &bytes, from: read, to: write, count: count)
                write &+= count
            }
            read &+= count
            remaining &-= UInt64(count)
            if remaining == 0, let event = try finish(opcode) { return event }
        }
        if isClosed { read = bytes.count }
        return nil
    }

    /// Takes the commonest head at once: a whole binary message of 1 to 125 bytes from a client.
    ///
    /// 12 ns a frame of 20 bytes instead of 32; every other head, and one that is not all there, goes byte by byte.
    @inline(__always)
    private mutating func beginShort(_ bytes: borrowing MutableSpan<UInt8>, _ read: inout Int) -> Bool {
        guard bytes.count &- read >= 6, bytes[read] == 0x80 | Opcode.binary.rawValue, peer == .client, !isFragmented,
            (0x81...0xFD).contains(bytes[read &+ 1]), head.isEmpty
        else { return false }
        remaining = UInt64(bytes[read &+ 1] & 0x7F)
        let low = UInt32(bytes[read &+ 2]) | UInt32(bytes[read &+ 3]) << 8
        mask = MaskingKey(bits: low | UInt32(bytes[read &+ 4]) << 16 | UInt32(bytes[read &+ 5]) << 24)
        current = .binary
        read &+= 6
        return true
    }

    /// The head is complete: checks it against the frames before.
    private mutating func begin() throws(WebSocketError) -> Event? {
        guard let opcode = head.opcode else { throw .unknownOpcode }
        switch opcode {
        case .continuation:
            guard isFragmented else { throw .nothingToContinue }
            isFragmented = !head.isFinal
        case .binary, .text:
            guard !isFragmented else { throw .messageNotFinished }
            isFragmented = !head.isFinal
        case .close, .ping, .pong:
            break
        }
        mask = head.mask
        remaining = head.length
        current = opcode
        head = FrameHead()
        return remaining == 0 ? try finish(opcode) : nil
    }

    /// The payload is complete.
    private mutating func finish(_ opcode: Opcode) throws(WebSocketError) -> Event? {
        current = nil
        guard opcode.isControl else { return nil }
        let payload = control
        control = []
        switch opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        default:
            let event = try Self.close(payload)
            isClosed = true
            return event
        }
    }

    private static func close(_ payload: [UInt8]) throws(WebSocketError) -> Event {
        guard !payload.isEmpty else { return .close(nil, reason: "") }
        guard payload.count >= 2 else { throw .closeCode }
        let code = CloseCode(rawValue: UInt16(payload[0]) << 8 | UInt16(payload[1]))
        guard code.isAllowedOnWire else { throw .closeCode }
        guard let reason = String(validating: payload[2...], as: UTF8.self) else { throw .closeReason }
        return .close(code, reason: reason)
    }
}
