import Testing
import WebSocketCodec

@Suite("Answers to upgrade requests")
struct UpgradeResponseTests {
    @Test func `the values are those of RFC 6455`() {
        let key = Array("dGhlIHNhbXBsZSBub25jZQ==".utf8)
        #expect(Handshake.key(nonce: Array("the sample nonce".utf8)) == key)
        #expect(
            Handshake.acceptInput(key: key)
                == Array("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)
        )
        // The SHA-1 of the line above, as section 1.3 of the RFC prints it.
        let digest: [UInt8] = [
            0xB3, 0x7A, 0x4F, 0x2C, 0xC0, 0x62, 0x4F, 0x16, 0x90, 0xF6, 0x46, 0x06, 0xCF, 0x38, 0x59, 0x45, 0xB2, 0xBE,
            0xC4, 0xEA,
        ]
        #expect(Handshake.acceptValue(digest: digest) == Array("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".utf8))
    }

    @Test func `an acceptance has all that a client checks`() {
        let bytes = UpgradeResponse.accepting(accept: Array("abc=".utf8), subprotocol: .mqttv3_1)
        #expect(
            String(decoding: bytes, as: UTF8.self) == """
                HTTP/1.1 101 Switching Protocols\r
                Upgrade: websocket\r
                Connection: Upgrade\r
                Sec-WebSocket-Accept: abc=\r
                Sec-WebSocket-Protocol: mqttv3.1\r
                \r\n
                """
        )
    }

    @Test func `a refusal names the version and closes`() {
        let bytes = UpgradeResponse.refusing(UpgradeRefusal(.upgradeRequired, "no"))
        #expect(
            String(decoding: bytes, as: UTF8.self) == """
                HTTP/1.1 426 Upgrade Required\r
                Upgrade: websocket\r
                Sec-WebSocket-Version: 13\r
                Connection: Upgrade, close\r
                Content-Type: text/plain; charset=utf-8\r
                Content-Length: 3\r
                \r
                no

                """
        )
    }

    @Test(
        arguments: [.badRequest, .forbidden, .notFound, .methodNotAllowed, .headTooLarge, .serviceUnavailable]
            as [UpgradeRefusal.Status]
    )
    func `every refusal closes the connection`(status: UpgradeRefusal.Status) {
        let text = String(decoding: UpgradeResponse.refusing(UpgradeRefusal(status, "grüß")), as: UTF8.self)
        #expect(text.hasPrefix("HTTP/1.1 \(status.rawValue) \(status.phrase)\r\n"))
        #expect(text.contains("\r\nConnection: close\r\n"))
        #expect(text.contains("\r\nContent-Length: 7\r\n"))
        #expect(text.hasSuffix("\r\n\r\ngrüß\n"))
    }
}

@Suite("The client's handshake")
struct ClientHandshakeTests {
    static let nonce = Array("the sample nonce".utf8)
    static let accept = Array("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".utf8)
    static let answer = [
        "HTTP/1.1 101 Switching Protocols", "upgrade: WebSocket", "connection: keep-alive, upgrade",
        "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "sec-websocket-protocol: mqtt",
    ]

    private func received(_ lines: [String], extra: [UInt8] = []) throws(UpgradeFailure) -> Int? {
        var handshake = try ClientHandshake(host: "h", path: "/mqtt", nonce: Self.nonce)
        let bytes = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + extra
        return try handshake.received(bytes.span, accept: Self.accept)
    }

    private func failure(_ lines: [String]) -> UpgradeFailure? {
        do throws(UpgradeFailure) {
            _ = try received(lines)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [.mqtt, .mqttv3_1] as [Subprotocol])
    func `our server understands our client`(subprotocol: Subprotocol) throws {
        var client = try ClientHandshake(host: "[::1]:8083", path: "/a?b", nonce: Self.nonce, subprotocol: subprotocol)
        var parser = UpgradeRequestParser()
        let request = try #require(try parser.parse(client.request.span))
        #expect(request.path == "/a?b")
        #expect(request.host == "[::1]:8083")
        #expect(request.key == client.key)
        #expect(request.consumed == client.request.count)
        let answer = UpgradeResponse.accepting(accept: Self.accept, subprotocol: request.subprotocol)
        #expect(try client.received(answer.span, accept: Self.accept) == answer.count)
    }

    @Test func `bytes behind the answer are WebSocket`() throws {
        let alone = try #require(try received(Self.answer))
        #expect(try received(Self.answer, extra: [0x82, 0x00]) == alone)
    }

    @Test func `an answer is complete at its last byte and not before`() throws {
        let answer = UpgradeResponse.accepting(accept: Self.accept, subprotocol: .mqtt)
        for cut in 0..<answer.count {
            var client = try ClientHandshake(host: "h", path: "/", nonce: Self.nonce)
            #expect(try client.received(answer.span.extracting(..<cut), accept: Self.accept) == nil)
            #expect(try client.received(answer.span, accept: Self.accept) == answer.count)
        }
    }

    @Test(
        arguments: [
            (0, "HTTP/1.1 403 Forbidden", .refused(status: 403)), (0, "HTTP/1.1 200", .refused(status: 200)),
            (0, "HTTP/1.0 101 Switching", .malformed("the answer is not HTTP/1.1")),
            (0, "SSH-2.0", .malformed("the answer is not HTTP/1.1")),
            (0, "HTTP/1.1 +01 x", .malformed("the answer is not HTTP/1.1")),
            (1, "upgrade: h2c", .malformed("the server did not upgrade to WebSocket")),
            (2, "connection: close", .malformed("the server did not upgrade to WebSocket")),
            (3, "sec-websocket-accept: AAAA", .wrongAccept), (3, "x: y", .wrongAccept),
            (4, "sec-websocket-protocol: mqttv3.1", .wrongSubprotocol), (4, "x: y", .wrongSubprotocol),
        ] as [(Int, String, UpgradeFailure)]
    )
    func `a wrong answer is refused`(index: Int, line: String, failure expected: UpgradeFailure) {
        var lines = Self.answer
        lines[index] = line
        #expect(failure(lines) == expected)
    }

    @Test func `an extension that nobody asked for is refused`() {
        #expect(failure(Self.answer + ["sec-websocket-extensions: permessage-deflate"]) != nil)
    }

    @Test(arguments: [("", "/"), ("h\r\nx: y", "/"), ("h", ""), ("h", "x"), ("h", "/a b"), ("h", "/\r\n"), ("ü", "/")])
    func `a host or path that would break the request is refused`(host: String, path: String) {
        #expect(throws: UpgradeFailure.self) { try ClientHandshake(host: host, path: path, nonce: Self.nonce) }
    }
}
