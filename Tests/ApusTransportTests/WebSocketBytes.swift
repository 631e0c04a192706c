import ApusLoop
import WebSocketCodec

/// A WebSocket client's bytes.
enum WebSocketBytes {
    static let request = Array(
        ("GET /mqtt HTTP/1.1\r\nHost: broker.example:8083\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Protocol: mqtt\r\n\r\n").utf8,
    )

    static let mask: UInt32 = 0x1234_5678

    /// One binary frame, masked.
    static func frame(_ payload: [UInt8]) -> [UInt8] { WebSocketOutput.binary(payload, mask: mask) }
}

extension RawClient {
    /// An HTTP head.
    func receiveHead() throws -> String {
        var head: [UInt8] = []
        while !head.suffix(4).elementsEqual([13, 10, 13, 10]) {
            let byte = try receive(1)
            if byte.isEmpty { break }
            head += byte
        }
        return String(decoding: head, as: UTF8.self)
    }

    /// Upgrades and connects.
    func connectWebSocket(_ clientID: String) throws -> Bool {
        try send(WebSocketBytes.request + WebSocketBytes.frame(MQTT.connect(clientID)))
        guard try receiveHead().hasPrefix("HTTP/1.1 101") else { return false }
        return try receive(6) == [0x82, 4] + MQTT.connectionAccepted
    }

    func shakeHands(_ session: TLSSession) throws {
        while true {
            switch session.handshake() {
            case .done: return
            case .failed(let reason): throw HandshakeFailed(reason: reason)
            case .wantsRead, .wantsWrite: try wait()
            }
        }
    }
}

struct HandshakeFailed: Error {
    let reason: String
}
