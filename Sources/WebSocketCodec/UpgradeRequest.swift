/// A client's request to speak WebSocket, checked against RFC 6455, section 4.2.1, and MQTT section 6.
public struct UpgradeRequest: Sendable, Hashable {
    /// The path and query of the request target, such as `/mqtt`.
    public let path: String
    /// The `Host` field as it came, with its port if it names one.
    public let host: String
    /// The value that the answer must be computed from, 24 bytes of Base64; see ``Handshake``.
    public let key: [UInt8]
    /// Where the page with the client's program came from; browsers always send it.
    public let origin: String?
    /// What the client offered, in its order.
    public let offeredSubprotocols: [String]
    /// What both sides speak from here on.
    public let subprotocol: Subprotocol
    /// How many bytes the request has; what stands behind them belongs to WebSocket.
    public let consumed: Int
}

/// Reads one upgrade request that arrives in pieces.
///
/// Bounded by 8 KiB and 100 fields. Each byte is looked at once while the head is incomplete, so a peer that sends
/// byte by byte costs no more than another.
public struct UpgradeRequestParser: Sendable {
    private var scanner = HTTPHeadScanner()

    /// A parser before the first byte.
    public init() {}

    /// The request once its head is complete; nil while more bytes are needed.
    ///
    /// - Parameter bytes: everything received so far, always from the first byte.
    /// - Throws: the answer to give before closing; the parser is of no use afterwards.
    public mutating func parse(_ bytes: Span<UInt8>) throws(UpgradeRefusal) -> UpgradeRequest? {
        do {
            guard let end = try scanner.end(in: bytes) else { return nil }
            return try UpgradeRequest(HTTPHead(bytes.extracting(..<end)), consumed: end)
        } catch let error as HTTPHeadError {
            switch error {
            case .tooLarge(let words): throw UpgradeRefusal(.headTooLarge, words)
            case .malformed(let words): throw UpgradeRefusal(.badRequest, words)
            }
        } catch let refusal as UpgradeRefusal {
            throw refusal
        } catch {
            throw UpgradeRefusal(.badRequest, "the request cannot be read")
        }
    }
}

extension UpgradeRequest {
    init(_ head: HTTPHead, consumed: Int) throws {
        path = try Self.path(head.startLine)
        guard let host = try head.single("host"), !host.isEmpty, !host.utf8.contains(where: ASCII.isBlank) else {
            throw UpgradeRefusal(.badRequest, "the request names no host")
        }
        guard head.list("upgrade", contains: "websocket") else {
            throw UpgradeRefusal(.upgradeRequired, "this port speaks MQTT over WebSocket")
        }
        guard head.list("connection", contains: "upgrade") else {
            throw UpgradeRefusal(.badRequest, "the field connection does not list upgrade")
        }
        guard let version = try head.single("sec-websocket-version") else {
            throw UpgradeRefusal(.badRequest, "the field sec-websocket-version is missing")
        }
        guard version == "13" else {
            throw UpgradeRefusal(.upgradeRequired, "the only WebSocket version here is 13")
        }
        guard let key = try head.single("sec-websocket-key"), Base64.isSixteenBytes(Array(key.utf8)) else {
            throw UpgradeRefusal(.badRequest, "the field sec-websocket-key is not 16 bytes of Base64")
        }
        try Self.checkNoBody(head)
        offeredSubprotocols = head.list("sec-websocket-protocol")
        guard let subprotocol = Subprotocol.chosen(from: offeredSubprotocols) else {
            throw UpgradeRefusal(.badRequest, "the client does not offer the WebSocket subprotocol mqtt [MQTT-6.0.0-3]")
        }
        self.host = host
        self.key = Array(key.utf8)
        self.subprotocol = subprotocol
        self.consumed = consumed
        origin = try head.single("origin")
    }

    /// The path in `GET path HTTP/1.1`; an absolute target, as proxies see it, loses its scheme and authority.
    private static func path(_ requestLine: String) throws -> String {
        let parts = requestLine.utf8.split(separator: ASCII.space, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, parts[0].allSatisfy(ASCII.isToken) else {
            throw UpgradeRefusal(.badRequest, "the request line is malformed")
        }
        guard Array(parts[2]) == Array("HTTP/1.1".utf8) else {
            throw UpgradeRefusal(.badRequest, "the request is not HTTP/1.1")
        }
        guard Array(parts[0]) == Array("GET".utf8) else {
            throw UpgradeRefusal(.methodNotAllowed, "only GET can become a WebSocket connection")
        }
        guard parts[1].allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") }) else {
            throw UpgradeRefusal(.badRequest, "the request target is malformed")
        }
        let target = String(Substring(parts[1]))
        if target.hasPrefix("/") { return target }
        for scheme in ["http://", "https://"] where target.lowercased().hasPrefix(scheme) {
            let rest = target.dropFirst(scheme.count)
            guard rest.first != "/", !rest.isEmpty else { break }
            return rest.firstIndex(of: "/").map { String(rest[$0...]) } ?? "/"
        }
        throw UpgradeRefusal(.badRequest, "the request target is malformed")
    }

    /// A body would be read as WebSocket frames.
    private static func checkNoBody(_ head: HTTPHead) throws {
        let length = try head.single("content-length")
        guard length == nil || length == "0", try head.single("transfer-encoding") == nil else {
            throw UpgradeRefusal(.badRequest, "an upgrade request has no body")
        }
    }
}
