import WebSocketCodec

/// A frame as a test wants it, right or wrong.
struct Wire {
    var first: UInt8
    var payload: [UInt8] = []
    var mask: UInt32? = 0x3D21_FA37
    /// How many bytes the length takes; nil for the shortest form.
    var lengthBytes: Int?

    static func data(_ payload: [UInt8], _ opcode: Opcode = .binary, isFinal: Bool = true, mask: UInt32? = 0x3D21_FA37)
        -> Wire
    {
        Wire(first: (isFinal ? 0x80 : 0) | opcode.rawValue, payload: payload, mask: mask)
    }

    /// Built without the code under test.
    var bytes: [UInt8] {
        var bytes = [first]
        let maskBit: UInt8 = mask == nil ? 0 : 0x80
        let width = lengthBytes ?? (payload.count < 126 ? 0 : payload.count < 65536 ? 2 : 8)
        switch width {
        case 0: bytes.append(maskBit | UInt8(payload.count))
        default:
            bytes.append(maskBit | (width == 2 ? 126 : 127))
            for index in (0..<width).reversed() {
                bytes.append(UInt8(truncatingIfNeeded: payload.count >> (8 * index)))
            }
        }
        guard let mask else { return bytes + payload }
        let key = (0..<4).map { UInt8(truncatingIfNeeded: mask >> (8 * $0)) }
        bytes += key
        for (index, byte) in payload.enumerated() { bytes.append(byte ^ key[index % 4]) }
        return bytes
    }
}

/// What a decoder made of some reads.
struct Decoded: Equatable {
    var stream: [UInt8] = []
    var events: [WebSocketInput.Event] = []
    var error: WebSocketError?
    /// What a control frame saw of the stream when it came.
    var positions: [Int] = []
}

/// Decodes reads that begin at `offset` of a buffer, as behind the rest of an MQTT packet.
func decode(_ reads: [[UInt8]], from peer: WebSocketInput.Peer = .client, offset: Int = 0) -> Decoded {
    var input = WebSocketInput(from: peer)
    var decoded = Decoded()
    for bytes in reads {
        var buffer = [UInt8](repeating: 0xEE, count: offset) + bytes
        var span = buffer.mutableSpan
        var read = offset
        var write = offset
        do throws(WebSocketError) {
            while let event = try input.next(&span, read: &read, write: &write) {
                decoded.events.append(event)
                decoded.positions.append(decoded.stream.count + write - offset)
            }
            precondition(read == buffer.count)
        } catch {
            decoded.error = error
        }
        precondition(buffer[..<offset].allSatisfy { $0 == 0xEE }, "the decoder wrote in front of its start")
        decoded.stream += buffer[offset..<write]
        if decoded.error != nil { break }
    }
    return decoded
}

/// A seeded generator (SplitMix64), so that a failure can be repeated.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }

    mutating func pieces(_ bytes: [UInt8]) -> [[UInt8]] {
        var rest = bytes[...]
        var pieces: [[UInt8]] = []
        while !rest.isEmpty {
            let count = Int.random(in: 1...min(rest.count, Bool.random(using: &self) ? 7 : 4096), using: &self)
            pieces.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        return pieces
    }
}
