import ApusBroker
import ApusLoop
import Testing
import WebSocketCodec

@testable import ApusTransport

@Suite("WebSocket on a listener")
struct WebSocketTests {
    private let server: TestServer

    init() throws { server = try TestServer([.local(.webSocket)]) }

    @Test
    func `the answer is the one that RFC 6455 computes`() throws {
        let client = try server.client()
        try client.send(WebSocketBytes.request)
        let head = try client.receiveHead()
        #expect(head.hasPrefix("HTTP/1.1 101"))
        #expect(head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
        #expect(head.contains("Sec-WebSocket-Protocol: mqtt\r\n"))
    }

    @Test
    func `an upgrade in any two pieces, the first frame behind it, is one upgrade`() throws {
        let bytes = WebSocketBytes.request + WebSocketBytes.frame(MQTT.connect("cut"))
        for cut in 1..<bytes.count {
            let client = try server.client()
            try client.send(Array(bytes[..<cut]))
            try client.send(Array(bytes[cut...]))
            #expect(try client.receiveHead().hasPrefix("HTTP/1.1 101"), "cut at \(cut)")
            #expect(try client.receive(6) == [0x82, 4] + MQTT.connectionAccepted, "cut at \(cut)")
        }
    }

    @Test
    func `byte by byte works too`() throws {
        let client = try server.client()
        for byte in WebSocketBytes.request + WebSocketBytes.frame(MQTT.connect("slow")) { try client.send([byte]) }
        #expect(try client.receiveHead().hasPrefix("HTTP/1.1 101"))
        #expect(try client.receive(6) == [0x82, 4] + MQTT.connectionAccepted)
        #expect(server.authenticator.peers.map(\.serverName) == ["broker.example"])
    }

    @Test
    func `packets may be split over frames and share frames`() throws {
        let client = try server.client()
        #expect(try client.connectWebSocket("frames"))
        for byte in MQTT.subscribe("t") { try client.send(WebSocketBytes.frame([byte])) }
        #expect(try client.receive(7) == [0x82, 5, 0x90, 3, 0, 1, 0])
        let message = MQTT.publish("t", [1, 2, 3])
        try client.send(WebSocketBytes.frame(message + MQTT.pingRequest))
        // What waits at the time of the flush is one frame.
        #expect(try client.receive(12) == [0x82, 10] + message + MQTT.pingResponse)
    }

    @Test
    func `a ping is answered, a pong is not`() throws {
        let client = try server.client()
        #expect(try client.connectWebSocket("pings"))
        let mask = WebSocketBytes.mask
        try client.send(WebSocketOutput.pong([9], mask: mask) + WebSocketOutput.ping([1, 2], mask: mask))
        #expect(try client.receive(4) == [0x8A, 2, 1, 2])
    }

    @Test
    func `a close is answered with its code, after the packets before it`() throws {
        let client = try server.client()
        #expect(try client.connectWebSocket("close"))
        let close = WebSocketOutput.close(.goingAway, mask: WebSocketBytes.mask)
        try client.send(WebSocketBytes.frame(MQTT.pingRequest) + close)
        #expect(try client.receiveUntilClosed() == [0x82, 2] + MQTT.pingResponse + [0x88, 2, 0x03, 0xE9])
        #expect(!client.wasReset)
    }

    @Test(
        arguments: [
            ("a text frame", [0x81, 0x81, 0, 0, 0, 0, 0x41], 1003),
            ("no mask", [0x82, 0x02, 0xC0, 0x00], 1002),
            ("a reserved bit", [0xC2, 0x80, 0, 0, 0, 0], 1002),
        ] as [(String, [UInt8], Int)]
    )
    func `a broken rule is answered with its close code`(name: String, bytes: [UInt8], code: Int) throws {
        let client = try server.client()
        #expect(try client.connectWebSocket("broken"))
        try client.send(bytes)
        let answer = try client.receiveUntilClosed()
        #expect(answer.first == 0x88)
        #expect(answer.dropFirst(2).prefix(2) == [UInt8(code >> 8), UInt8(code & 0xFF)])
        #expect(!client.wasReset)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 426"),
        ("POST / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405"),
        ("\u{10}\u{01}MQTT", "HTTP/1.1 400"),
    ])
    func `what is no upgrade gets an HTTP answer`(request: String, status: String) throws {
        let client = try server.client()
        try client.send(Array(request.utf8))
        let answer = try client.receiveUntilClosed()
        #expect(String(decoding: answer, as: UTF8.self).hasPrefix(status))
        #expect(!client.wasReset)
        server.stop()
        #expect(server.log.named("connection.rejected").count == 1)
    }

    @Test
    func `a request without end is refused at its bound`() throws {
        let client = try server.client()
        try client.send(Array("GET /mqtt HTTP/1.1\r\nX: ".utf8))
        try client.send([UInt8](repeating: 0x61, count: 100_000))
        let answer = try client.receiveUntilClosed()
        #expect(String(decoding: answer, as: UTF8.self).hasPrefix("HTTP/1.1 431"))
    }

    @Test
    func `DISCONNECT of the client is followed by our close frame`() throws {
        let client = try server.client()
        #expect(try client.connectWebSocket("bye"))
        try client.send(WebSocketBytes.frame(MQTT.disconnect))
        #expect(try client.receiveUntilClosed() == [0x88, 2, 0x03, 0xE8])
    }

    @Test
    func `a peer that pings without reading is owed one pong, not all`() throws {
        let server = try TestServer([.local(.webSocket)], shards: 1) { $0.sendBufferBytes = 1024 }
        let client = try server.client()
        #expect(try client.connectWebSocket("flood"))
        try client.send(WebSocketBytes.frame(MQTT.subscribe("t")))
        // Fill the way back first, so that pongs cannot leave.
        let message = MQTT.publish("t", MQTT.pattern(200_000))
        for _ in 0..<10 { _ = try client.sendSome(WebSocketBytes.frame(message)) }
        let ping = WebSocketOutput.ping(MQTT.pattern(120), mask: WebSocketBytes.mask)
        var sent = 0
        while sent < 20_000, try client.sendSome(ping) { sent += 1 }
        try client.send(WebSocketBytes.frame(MQTT.disconnect))
        let answer = try client.receiveUntilClosed()
        let pongs = Self.opcodes(answer).count { $0 == 0x8A }
        #expect(pongs < sent / 2)
        #expect(Self.opcodes(answer).last == 0x88)
    }

    /// The first byte of each frame from the server.
    private static func opcodes(_ bytes: [UInt8]) -> [UInt8] {
        var opcodes: [UInt8] = []
        var index = 0
        while index + 1 < bytes.count {
            opcodes.append(bytes[index])
            var length = Int(bytes[index + 1])
            var head = 2
            if length == 126 {
                length = Int(bytes[index + 2]) << 8 | Int(bytes[index + 3])
                head = 4
            } else if length == 127 {
                length = (2..<10).reduce(0) { $0 << 8 | Int(bytes[index + $1]) }
                head = 10
            }
            index += head + length
        }
        return index == bytes.count ? opcodes : opcodes + [0]
    }
}
