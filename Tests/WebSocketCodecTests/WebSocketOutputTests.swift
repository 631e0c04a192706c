import Testing
import WebSocketCodec

@Suite("Frames to send")
struct WebSocketOutputTests {
    static let headers: [(count: Int, bytes: [UInt8])] = [
        (0, [0x82, 0x00]),
        (125, [0x82, 0x7D]),
        (126, [0x82, 0x7E, 0x00, 0x7E]),
        (65535, [0x82, 0x7E, 0xFF, 0xFF]),
        (65536, [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0]),
        (Int.max, [0x82, 0x7F, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
    ]

    @Test(arguments: headers)
    func `a header has the shortest length`(count: Int, bytes: [UInt8]) {
        let header = FrameHeader(.binary, payloadCount: count)
        #expect(header.count == bytes.count)
        #expect(array(header) == bytes)
    }

    @Test(arguments: headers)
    func `a client's header ends with the key`(count: Int, bytes: [UInt8]) {
        var expected = bytes + [0x37, 0xFA, 0x21, 0x3D]
        expected[1] |= 0x80
        #expect(array(FrameHeader(.binary, payloadCount: count, mask: 0x3D21_FA37)) == expected)
    }

    @Test func `the examples of RFC 6455 encode`() {
        let hello = Array("Hello".utf8)
        #expect(
            WebSocketOutput.pong(hello, mask: 0x3D21_FA37)
                == [0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]
        )
        #expect(WebSocketOutput.ping(hello) == [0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F])
        let long = [UInt8](repeating: 1, count: 256)
        #expect(WebSocketOutput.binary(long) == [0x82, 0x7E, 0x01, 0x00] + long)
    }

    @Test func `a close frame carries code and reason`() {
        #expect(WebSocketOutput.close(.protocolError, reason: "no") == [0x88, 0x04, 0x03, 0xEA, 0x6E, 0x6F])
        #expect(WebSocketOutput.close(answering: .normal) == [0x88, 0x02, 0x03, 0xE8])
        #expect(WebSocketOutput.close(answering: nil) == [0x88, 0x00])
    }

    @Test func `a long reason is cut between characters`() {
        let bytes = WebSocketOutput.close(.normal, reason: String(repeating: "ü", count: 100))
        #expect(bytes[1] == 124)
        let decoded = decode([bytes], from: .server)
        #expect(decoded.events == [.close(.normal, reason: String(repeating: "ü", count: 61))])
    }

    private func array(_ header: FrameHeader) -> [UInt8] {
        let span = header.span
        return span.indices.map { span[$0] }
    }
}
