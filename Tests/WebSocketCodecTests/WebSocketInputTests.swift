import Testing
import WebSocketCodec

@Suite("Received frames")
struct WebSocketInputTests {
    @Test func `the masked example of RFC 6455 decodes`() {
        // Section 5.7: "Hello" masked with 37 fa 21 3d; here as a binary frame, because MQTT knows no text.
        let bytes: [UInt8] = [0x82, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]
        #expect(decode([bytes]) == Decoded(stream: Array("Hello".utf8)))
    }

    @Test func `the fragmented example of RFC 6455 decodes`() {
        let bytes: [UInt8] = [0x02, 0x03, 0x48, 0x65, 0x6C, 0x80, 0x02, 0x6C, 0x6F]
        #expect(decode([bytes], from: .server) == Decoded(stream: Array("Hello".utf8)))
    }

    @Test func `the ping and pong examples of RFC 6455 decode`() {
        let ping: [UInt8] = [0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F]
        #expect(decode([ping], from: .server).events == [.ping(Array("Hello".utf8))])
        let pong: [UInt8] = [0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]
        #expect(decode([pong]).events == [.pong(Array("Hello".utf8))])
    }

    @Test(arguments: [0, 1, 125, 126, 127, 255, 256, 65535, 65536, 70000])
    func `a frame of any length class decodes`(count: Int) {
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        #expect(decode([Wire.data(payload).bytes]) == Decoded(stream: payload))
        #expect(decode([Wire.data(payload, mask: nil).bytes], from: .server) == Decoded(stream: payload))
    }

    @Test(arguments: 0..<24, [0, 1, 3, 6])
    func `the mask goes on where it stopped when a payload comes in pieces`(cut: Int, offset: Int) {
        let payload = (0..<40).map { UInt8($0) }
        let bytes = Wire.data(payload, mask: 0x0403_0201).bytes
        let cut = 6 + cut
        let reads = [Array(bytes[..<cut]), Array(bytes[cut..<(cut + 5)]), Array(bytes[(cut + 5)...])]
        #expect(decode(reads, offset: offset) == Decoded(stream: payload))
    }

    @Test func `a mask of zero is a mask`() {
        let payload = (0..<50).map { UInt8($0) }
        #expect(decode([Wire.data(payload, mask: 0).bytes + Wire.data(payload).bytes]).stream == payload + payload)
    }

    @Test(.spec("MQTT-6.0.0-2"))
    func `the payloads of several frames stand together in the buffer`() {
        let bytes = Wire.data([1, 2, 3]).bytes + Wire.data([]).bytes + Wire.data([4]).bytes + Wire.data([5, 6]).bytes
        #expect(decode([bytes], offset: 3).stream == [1, 2, 3, 4, 5, 6])
    }

    @Test func `control frames stand between fragments and in their place`() {
        let bytes = [
            Wire.data([1, 2], isFinal: false), Wire(first: 0x89, payload: [9]),
            Wire.data([3], .continuation, isFinal: false), Wire(first: 0x8A),
            Wire.data([], .continuation, isFinal: false),
            Wire.data([4, 5], .continuation), Wire(first: 0x89), Wire.data([6]),
        ].flatMap(\.bytes)
        let decoded = decode([bytes])
        #expect(decoded.stream == [1, 2, 3, 4, 5, 6])
        #expect(decoded.events == [.ping([9]), .pong([]), .ping([])])
        #expect(decoded.positions == [2, 3, 5])
    }

    @Test func `what follows a close frame is dropped`() {
        let close = Wire(first: 0x88, payload: [0x03, 0xE8] + Array("tschüß".utf8))
        let bytes = Wire.data([1]).bytes + close.bytes + Wire.data([2]).bytes + [0xFF]
        let decoded = decode([bytes, [0xFF, 0xFF]])
        #expect(decoded == Decoded(stream: [1], events: [.close(.normal, reason: "tschüß")], positions: [1]))
    }

    @Test func `a close frame may be empty`() {
        #expect(decode([Wire(first: 0x88).bytes]).events == [.close(nil, reason: "")])
    }

    @Test(arguments: [1000, 1001, 1002, 1003, 1007, 1008, 1011, 1014, 3000, 4999] as [UInt16])
    func `a close code that may be sent is told`(code: UInt16) {
        let payload = [UInt8(code >> 8), UInt8(truncatingIfNeeded: code)]
        #expect(
            decode([Wire(first: 0x88, payload: payload).bytes]).events == [
                .close(CloseCode(rawValue: code), reason: "")
            ]
        )
    }

    @Test(arguments: [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2999, 5000, 65535] as [UInt16])
    func `a close code that may not be sent is refused`(code: UInt16) {
        let payload = [UInt8(code >> 8), UInt8(truncatingIfNeeded: code)]
        #expect(decode([Wire(first: 0x88, payload: payload).bytes]).error == .closeCode)
    }

    @Test func `a control frame may have 125 bytes`() {
        let payload = (0..<125).map { UInt8($0) }
        #expect(decode([Wire(first: 0x89, payload: payload).bytes]).events == [.ping(payload)])
    }

    @Test func `a head that was complete leaves nothing behind for the next`() {
        let bytes = Wire.data(Array(repeating: 1, count: 300)).bytes + Wire.data([2], mask: 1).bytes
        #expect(decode(bytes.map { [$0] }).stream == Array(repeating: 1, count: 300) + [2])
    }

    @Test func `a frame of the greatest length passes piece by piece`() {
        let head: [UInt8] = [0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]
        #expect(decode([head, [1, 2], [3]]) == Decoded(stream: [1, 2, 3]))
    }

    @Test func `the state between reads is small`() {
        #expect(MemoryLayout<WebSocketInput>.size <= 64)
    }
}
