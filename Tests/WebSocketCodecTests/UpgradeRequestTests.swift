import Testing
import WebSocketCodec

/// An upgrade request as browsers send it, to be changed line by line.
struct RequestText {
    var line = "GET /mqtt HTTP/1.1"
    var fields = [
        "Host: broker.example:8083", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: mqtt",
    ]

    func with(_ name: String, _ value: String?) -> RequestText {
        var copy = self
        copy.fields.removeAll { $0.hasPrefix(name + ":") }
        if let value { copy.fields.append("\(name): \(value)") }
        return copy
    }

    func adding(_ field: String) -> RequestText {
        var copy = self
        copy.fields.append(field)
        return copy
    }

    var bytes: [UInt8] { Array((([line] + fields).joined(separator: "\r\n") + "\r\n\r\n").utf8) }

    func parsed() throws(UpgradeRefusal) -> UpgradeRequest? {
        var parser = UpgradeRequestParser()
        return try parser.parse(bytes.span)
    }

    /// The status of the refusal; nil when there is none.
    func refusal() -> UpgradeRefusal? {
        do throws(UpgradeRefusal) {
            _ = try parsed()
            return nil
        } catch {
            return error
        }
    }
}

@Suite("Upgrade requests")
struct UpgradeRequestTests {
    @Test func `a browser's request is understood`() throws {
        let text = RequestText().adding("Origin: https://app.example").adding("Cookie: a=b")
        let request = try #require(try text.parsed())
        #expect(request.path == "/mqtt")
        #expect(request.host == "broker.example:8083")
        #expect(request.key == Array("dGhlIHNhbXBsZSBub25jZQ==".utf8))
        #expect(request.origin == "https://app.example")
        #expect(request.subprotocol == .mqtt)
        #expect(request.offeredSubprotocols == ["mqtt"])
        #expect(request.consumed == text.bytes.count)
    }

    @Test func `bytes behind the head are not the request's`() throws {
        let text = RequestText()
        var parser = UpgradeRequestParser()
        let bytes = text.bytes + [0x82, 0x80, 0x0D, 0x0A, 0x00]
        #expect(try #require(try parser.parse(bytes.span)).consumed == text.bytes.count)
    }

    @Test func `a request is complete at its last byte and not before`() throws {
        let bytes = RequestText().bytes
        let whole = try RequestText().parsed()
        for cut in 0..<bytes.count {
            var parser = UpgradeRequestParser()
            #expect(try parser.parse(bytes.span.extracting(..<cut)) == nil)
            #expect(try parser.parse(bytes.span) == whole)
        }
        var parser = UpgradeRequestParser()
        for end in 0..<bytes.count { #expect(try parser.parse(bytes.span.extracting(..<end)) == nil) }
        #expect(try parser.parse(bytes.span) == whole)
    }

    @Test(arguments: [
        ("Connection", "keep-alive, Upgrade"), ("Connection", "UPGRADE"), ("Upgrade", "WebSocket"),
        ("Upgrade", "h2c,\twebsocket"), ("Sec-WebSocket-Version", " \t13\t "), ("Sec-WebSocket-Protocol", ", ,mqtt,"),
        ("Content-Length", "0"), ("X-Name", "Grüße"), ("X-Empty", ""),
    ])
    func `what HTTP allows is accepted`(name: String, value: String) throws {
        #expect(try RequestText().with(name, value).parsed()?.subprotocol == .mqtt)
    }

    @Test func `field names have no case`() throws {
        var text = RequestText()
        text.fields = text.fields.map { field in
            let parts = field.split(separator: ":", maxSplits: 1)
            return parts[0].uppercased() + ":" + parts[1]
        }
        #expect(try text.parsed()?.host == "broker.example:8083")
    }

    @Test(arguments: [
        ("/", "/"), ("/a/b?c=d", "/a/b?c=d"), ("http://broker.example/x", "/x"), ("https://broker.example", "/"),
    ])
    func `any path is told`(target: String, path: String) throws {
        var text = RequestText()
        text.line = "GET \(target) HTTP/1.1"
        #expect(try text.parsed()?.path == path)
    }

    @Test(
        .spec("MQTT-6.0.0-3", "MQTT-6.0.0-4"),
        arguments: [
            ("mqtt", .mqtt), ("mqttv3.1", .mqttv3_1), ("mqttv3.1, mqtt", .mqtt), ("chat, mqttv3.1", .mqttv3_1),
            ("mqttv5, chat,mqtt", .mqtt),
        ] as [(String, Subprotocol)]
    )
    func `the server chooses mqtt wherever it is offered`(offer: String, chosen: Subprotocol) throws {
        #expect(try RequestText().with("Sec-WebSocket-Protocol", offer).parsed()?.subprotocol == chosen)
    }

    @Test func `subprotocols may stand in several fields`() throws {
        let text = RequestText().with("Sec-WebSocket-Protocol", "chat").adding("sec-websocket-protocol: a, mqtt")
        #expect(try text.parsed()?.offeredSubprotocols == ["chat", "a", "mqtt"])
    }

    @Test(.spec("MQTT-6.0.0-3"), arguments: [nil, "", "chat", "MQTT", "mqttv5", "mqtt2", "mqtt;q=1"])
    func `a client that does not offer mqtt is refused`(offer: String?) throws {
        let refusal = try #require(RequestText().with("Sec-WebSocket-Protocol", offer).refusal())
        #expect(refusal.status == .badRequest)
        #expect(refusal.words.contains("[MQTT-6.0.0-3]"))
    }

    @Test(
        arguments: [
            ("POST /mqtt HTTP/1.1", .methodNotAllowed), ("get /mqtt HTTP/1.1", .methodNotAllowed),
            ("GET /mqtt HTTP/1.0", .badRequest), ("GET /mqtt HTTP/2.0", .badRequest), ("GET /mqtt", .badRequest),
            ("GET  /mqtt HTTP/1.1", .badRequest), ("GET /mqtt HTTP/1.1 ", .badRequest),
            (" GET /mqtt HTTP/1.1", .badRequest),
            ("GET mqtt HTTP/1.1", .badRequest), ("GET * HTTP/1.1", .badRequest), ("GET /a#b HTTP/1.1", .badRequest),
            ("GET http:///x HTTP/1.1", .badRequest), ("GET ftp://h/x HTTP/1.1", .badRequest),
            ("G\u{E9}T / HTTP/1.1", .badRequest),
            ("GET /ü HTTP/1.1", .badRequest), ("", .badRequest),
        ] as [(String, UpgradeRefusal.Status)]
    )
    func `a wrong request line is refused`(line: String, status: UpgradeRefusal.Status) {
        var text = RequestText()
        text.line = line
        #expect(text.refusal()?.status == status)
    }

    @Test(
        arguments: [
            ("Host", nil, .badRequest), ("Host", "", .badRequest), ("Host", "a b", .badRequest),
            ("Upgrade", nil, .upgradeRequired), ("Upgrade", "h2c", .upgradeRequired),
            ("Upgrade", "websockets", .upgradeRequired),
            ("Connection", nil, .badRequest), ("Connection", "keep-alive", .badRequest),
            ("Sec-WebSocket-Version", nil, .badRequest), ("Sec-WebSocket-Version", "8", .upgradeRequired),
            ("Sec-WebSocket-Version", "13, 8", .upgradeRequired), ("Sec-WebSocket-Version", "013", .upgradeRequired),
            ("Sec-WebSocket-Key", nil, .badRequest), ("Sec-WebSocket-Key", "", .badRequest),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=", .badRequest),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZR==", .badRequest),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQAA", .badRequest),
            ("Sec-WebSocket-Key", "dGhl-HNhbXBsZSBub25jZQ==", .badRequest),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZWRhdGE=", .badRequest),
            ("Content-Length", "1", .badRequest), ("Content-Length", "-0", .badRequest),
            ("Transfer-Encoding", "chunked", .badRequest),
        ] as [(String, String?, UpgradeRefusal.Status)]
    )
    func `a missing or wrong field is refused`(name: String, value: String?, status: UpgradeRefusal.Status) {
        #expect(RequestText().with(name, value).refusal()?.status == status)
    }

    @Test(arguments: ["Host: b", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"])
    func `a field that may stand once is refused when it stands twice`(field: String) {
        #expect(RequestText().adding(field).refusal()?.status == .badRequest)
    }

    @Test(arguments: [
        "folded\r\n line: x", ": x", "name : x", "na me: x", "noColon", "n\u{0}: x", "n: \u{1}", "n: \u{7F}", "n: a\rb",
        "n: a\nb",
    ])
    func `a malformed field is refused`(field: String) {
        #expect(RequestText().adding(field).refusal()?.status == .badRequest)
    }
}

@Suite("Bounds of upgrade requests")
struct UpgradeRequestBoundsTests {
    @Test func `a head of 8 KiB is accepted and one byte more is not`() throws {
        let base = RequestText().adding("X: ").bytes.count
        let fits = RequestText().adding("X: " + String(repeating: "a", count: 8192 - base))
        #expect(fits.bytes.count == 8192)
        #expect(try fits.parsed()?.consumed == 8192)
        let tooLarge = RequestText().adding("X: " + String(repeating: "a", count: 8193 - base))
        #expect(tooLarge.refusal()?.status == .headTooLarge)
    }

    @Test func `an endless head is refused at 8 KiB`() throws {
        var parser = UpgradeRequestParser()
        let bytes = [UInt8](repeating: UInt8(ascii: "a"), count: 8192)
        #expect(try parser.parse(bytes.span.extracting(..<8191)) == nil)
        #expect(throws: UpgradeRefusal.self) { try parser.parse(bytes.span) }
    }

    @Test func `100 fields are accepted and 101 are not`() throws {
        var text = RequestText()
        while text.fields.count < 100 { text.fields.append("X: y") }
        #expect(try text.parsed() != nil)
        #expect(text.adding("X: y").refusal()?.status == .headTooLarge)
    }

    @Test(arguments: [0x10, 0x16, 0x00, 0x0A] as [UInt8])
    func `a peer that speaks something else is refused at its first byte`(byte: UInt8) {
        #expect(throws: UpgradeRefusal.self) {
            var parser = UpgradeRequestParser()
            _ = try parser.parse([byte].span)
        }
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `a damaged request is refused or understood`(seed: UInt64) {
        var random = Seeded(seed)
        var bytes = RequestText().bytes
        for _ in 0..<3 {
            bytes[Int.random(in: bytes.indices, using: &random)] = UInt8(truncatingIfNeeded: random.next())
        }
        var parser = UpgradeRequestParser()
        do throws(UpgradeRefusal) {
            _ = try parser.parse(bytes.span)
        } catch {
            #expect(!error.words.isEmpty)
        }
    }
}
