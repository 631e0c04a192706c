import Testing
import WebSocketCodec

@Suite("Frames split over reads")
struct FrameSplitTests {
    static let conversation: [Wire] = [
        .data([1, 2, 3]), .data([], isFinal: false), Wire(first: 0x89, payload: [7, 8, 9]),
        .data((0..<130).map { UInt8($0) }, .continuation, mask: 0xFFEE_0102), Wire(first: 0x8A), .data([4]),
        Wire(first: 0x88, payload: [0x03, 0xE9, 0x61, 0x62]),
    ]
    static let expected = Decoded(
        stream: [1, 2, 3] + (0..<130).map { UInt8($0) } + [4],
        events: [.ping([7, 8, 9]), .pong([]), .close(.goingAway, reason: "ab")],
        positions: [3, 133, 134]
    )

    @Test func `a conversation decodes alike at every cut`() {
        let bytes = Self.conversation.flatMap(\.bytes)
        for cut in 0...bytes.count {
            #expect(decode([Array(bytes[..<cut]), Array(bytes[cut...])], offset: cut % 5) == Self.expected)
        }
    }

    @Test func `a conversation decodes alike byte by byte`() {
        #expect(decode(Self.conversation.flatMap(\.bytes).map { [$0] }) == Self.expected)
    }

    @Test func `a conversation that stops anywhere is no mistake`() {
        let bytes = Self.conversation.flatMap(\.bytes)
        for end in 0..<bytes.count {
            let decoded = decode([Array(bytes[..<end])])
            #expect(decoded.error == nil)
            #expect(Self.expected.stream.starts(with: decoded.stream))
            #expect(Self.expected.events.starts(with: decoded.events))
        }
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func `random frames with random cuts come out as they went in`(seed: UInt64) {
        var random = Seeded(seed)
        let peer: WebSocketInput.Peer = Bool.random(using: &random) ? .client : .server
        var expected = Decoded()
        var bytes: [UInt8] = []
        var isFragmented = false
        for _ in 0..<Int.random(in: 1...40, using: &random) {
            let mask: UInt32? = peer == .client ? UInt32.random(in: 0...UInt32.max, using: &random) : nil
            if Int.random(in: 0..<4, using: &random) == 0 {
                let payload = random.bytes(Int.random(in: 0...125, using: &random))
                let isPing = Bool.random(using: &random)
                bytes += isPing ? WebSocketOutput.ping(payload, mask: mask) : WebSocketOutput.pong(payload, mask: mask)
                expected.events.append(isPing ? .ping(payload) : .pong(payload))
                expected.positions.append(expected.stream.count)
            } else {
                let largest = Int.random(in: 0..<8, using: &random) == 0 ? 70000 : 300
                let payload = random.bytes(Int.random(in: 0...largest, using: &random))
                let isFinal = Bool.random(using: &random)
                bytes += Wire.data(payload, isFragmented ? .continuation : .binary, isFinal: isFinal, mask: mask).bytes
                isFragmented = !isFinal
                expected.stream += payload
            }
        }
        let offset = Int.random(in: 0..<9, using: &random)
        #expect(decode(random.pieces(bytes), from: peer, offset: offset) == expected, "seed \(seed)")
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `random bytes end in a mistake or in silence`(seed: UInt64) {
        var random = Seeded(seed)
        var bytes = Self.conversation.flatMap(\.bytes)
        if seed % 2 == 0 {
            bytes = random.bytes(300)
        } else {
            for _ in 0..<4 {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8(truncatingIfNeeded: random.next())
            }
        }
        #expect(decode(random.pieces(bytes)).stream.count <= bytes.count)
        #expect(decode([bytes]) == decode(bytes.map { [$0] }), "seed \(seed)")
    }
}
