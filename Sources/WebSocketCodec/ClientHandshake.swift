/// What a client cannot accept as the answer to its upgrade request.
public enum UpgradeFailure: Error, Sendable, Hashable {
    /// The host or the path cannot stand in a request.
    case cannotAsk(String)
    /// The answer is not HTTP/1.1, or not an upgrade to WebSocket.
    case malformed(String)
    /// The server refused, with this HTTP status.
    case refused(status: Int)
    /// The answer was not computed from our key: it comes from a cache or from another program.
    case wrongAccept
    /// The server chose a subprotocol that was not asked for, or none [MQTT-6.0.0-4].
    case wrongSubprotocol
}

/// The client's side of the handshake: its request, and the check of the answer.
public struct ClientHandshake: Sendable {
    private let subprotocol: Subprotocol
    private var scanner = HTTPHeadScanner()
    /// The request to send.
    public let request: [UInt8]
    /// The `Sec-WebSocket-Key` in it, for ``Handshake/acceptInput(key:)``.
    public let key: [UInt8]

    /// - Parameters:
    ///   - host: goes into `Host`; with the port where it is not the scheme's default.
    ///   - path: starts with a slash.
    ///   - nonce: 16 random bytes.
    /// - Throws: ``UpgradeFailure/cannotAsk(_:)`` when host or path hold what would break the request.
    public init(
        host: String,
        path: String,
        nonce: [UInt8],
        subprotocol: Subprotocol = .mqtt,
    ) throws(UpgradeFailure) {
        guard !host.isEmpty, host.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .cannotAsk("the host is empty or holds a blank or a character beyond ASCII")
        }
        guard path.utf8.first == UInt8(ascii: "/"), path.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .cannotAsk("the path does not start with / or holds a blank or a character beyond ASCII")
        }
        self.subprotocol = subprotocol
        key = Handshake.key(nonce: nonce)
        var bytes = Array("GET \(path) HTTP/1.1\r\nHost: \(host)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n".utf8)
        bytes += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ".utf8
        bytes += key
        bytes += "\r\nSec-WebSocket-Protocol: \(subprotocol.rawValue)\r\n\r\n".utf8
        request = bytes
    }

    /// The length of the server's answer once it is complete and right; nil while more bytes are needed.
    ///
    /// - Parameters:
    ///   - bytes: everything received so far, always from the first byte. What follows the answer is WebSocket.
    ///   - accept: ``Handshake/acceptValue(digest:)`` for our own key.
    public mutating func received(_ bytes: Span<UInt8>, accept: [UInt8]) throws(UpgradeFailure) -> Int? {
        do {
            guard let end = try scanner.end(in: bytes) else { return nil }
            try check(HTTPHead(bytes.extracting(..<end)), accept: accept)
            return end
        } catch let error as HTTPHeadError {
            switch error {
            case .tooLarge(let words), .malformed(let words): throw .malformed(words)
            }
        } catch let failure as UpgradeFailure {
            throw failure
        } catch {
            throw .malformed("the answer cannot be read")
        }
    }

    private func check(_ head: HTTPHead, accept: [UInt8]) throws {
        let line = head.startLine.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard line.count >= 2, line[0] == "HTTP/1.1", line[1].utf8.count == 3, let status = Int(line[1]), status >= 100
        else {
            throw UpgradeFailure.malformed("the answer is not HTTP/1.1")
        }
        guard status == 101 else { throw UpgradeFailure.refused(status: status) }
        guard head.list("upgrade", contains: "websocket"), head.list("connection", contains: "upgrade") else {
            throw UpgradeFailure.malformed("the server did not upgrade to WebSocket")
        }
        guard try head.single("sec-websocket-accept").map({ Array($0.utf8) }) == accept else {
            throw UpgradeFailure.wrongAccept
        }
        guard try head.single("sec-websocket-protocol") == subprotocol.rawValue else {
            throw UpgradeFailure.wrongSubprotocol
        }
        guard head.list("sec-websocket-extensions").isEmpty else {
            throw UpgradeFailure.malformed("the server uses an extension that was not asked for")
        }
    }
}
