/// The bytes that answer an upgrade request.
public enum UpgradeResponse {
    /// The answer that opens the connection.
    ///
    /// - Parameter accept: see ``Handshake/acceptValue(digest:)``.
    public static func accepting(accept: [UInt8], subprotocol: Subprotocol) -> [UInt8] {
        var bytes = Array("HTTP/1.1 101 Switching Protocols\r\n".utf8)
        bytes += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ".utf8
        bytes += accept
        bytes += "\r\nSec-WebSocket-Protocol: \(subprotocol.rawValue)\r\n\r\n".utf8
        return bytes
    }

    /// The answer after which the server closes.
    public static func refusing(_ refusal: UpgradeRefusal) -> [UInt8] {
        let body = refusal.words + "\n"
        var head = "HTTP/1.1 \(refusal.status.rawValue) \(refusal.status.phrase)\r\n"
        switch refusal.status {
        case .upgradeRequired:
            head += "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: Upgrade, close\r\n"
        case .methodNotAllowed: head += "Allow: GET\r\nConnection: close\r\n"
        default: head += "Connection: close\r\n"
        }
        head += "Content-Type: text/plain; charset=utf-8\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
        return Array((head + body).utf8)
    }
}
