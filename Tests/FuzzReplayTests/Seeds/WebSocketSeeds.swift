import WebSocketCodec

/// Inputs of `checkWebSocket` from which the fuzzer starts, by the name of their file.
let webSocketSeeds: [(name: String, bytes: [UInt8])] = [
    ("upgrade", [0x60] + upgradeRequest("/mqtt")),
    ("upgrade-and-frame", [0x30] + upgradeRequest("/") + WebSocketOutput.binary([0xC0, 0], mask: mask)),
    ("upgrade-of-a-browser", [0xF0] + browserRequest),
    ("upgrade-refused-version", [0x10] + Array("GET / HTTP/1.0\r\nHost: h\r\n\r\n".utf8)),
    ("client-frames", [0x21] + clientFrames(mask)),
    ("client-fragments", [0x51] + fragments),
    (
        "client-lengths",
        [0xF1] + [126, 200].flatMap { WebSocketOutput.binary(Array(repeating: 5, count: $0), mask: mask) }
    ),
    ("client-64-bit-length", [0x01, 0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4, 9, 9]),
    ("server-frames", [0x42] + clientFrames(nil)),
    ("proxy-v1-tcp4", [0x33] + Array("PROXY TCP4 192.0.2.1 198.51.100.1 56324 1883\r\n\u{10}".utf8)),
    ("proxy-v1-tcp6", [0x33] + Array("PROXY TCP6 2001:db8::1 ::ffff:198.51.100.1 56324 1883\r\n".utf8)),
    ("proxy-v1-unknown", [0x03] + Array("PROXY UNKNOWN whatever\r\n".utf8)),
    ("proxy-v2-local", [0x13] + proxyBlock(0x20, 0x00, [])),
    ("proxy-v2-tcp4", [0x43] + proxyBlock(0x21, 0x11, [192, 0, 2, 1, 198, 51, 100, 1, 0xDC, 4, 7, 0x5B])),
    ("proxy-v2-tcp6-authority", [0x73] + proxyBlock(0x21, 0x21, tcp6 + [0x02, 0, 1, 0x68] + certificate)),
    ("proxy-v2-unix", [0xF3] + proxyBlock(0x21, 0x31, Array("/run/a".utf8) + [UInt8](repeating: 0, count: 210))),
]

private let mask: UInt32 = 0xA1B2_C3D4

private func upgradeRequest(_ path: String) -> [UInt8] {
    let handshake = try! ClientHandshake(host: "broker:8080", path: path, nonce: Array(1...16))
    return handshake.request
}

private let browserRequest = Array(
    """
    GET http://broker/mqtt?x=1 HTTP/1.1\r
    Host: broker\r
    User-Agent: any\r
    Connection: keep-alive, Upgrade\r
    Upgrade: websocket\r
    Origin: https://page\r
    Sec-WebSocket-Version: 13\r
    Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r
    Sec-WebSocket-Protocol: other, mqttv3.1, mqtt\r
    Sec-WebSocket-Extensions: permessage-deflate\r
    \r

    """.utf8,
)

private func clientFrames(_ mask: UInt32?) -> [UInt8] {
    WebSocketOutput.binary([0x10, 0x0C, 0, 4], mask: mask) + WebSocketOutput.binary([], mask: mask)
        + WebSocketOutput.ping([1, 2, 3], mask: mask) + WebSocketOutput.pong([], mask: mask)
        + WebSocketOutput.close(.goingAway, reason: "bye", mask: mask)
}

/// A message in three frames, with a ping between two of them; the masks are 0.
private let fragments: [UInt8] =
    [0x02, 0x82, 0, 0, 0, 0, 0xC0, 0] + [0x00, 0x81, 0, 0, 0, 0, 0xC0] + WebSocketOutput.ping([7], mask: mask)
    + [0x80, 0x81, 0, 0, 0, 0, 0]

private func proxyBlock(_ command: UInt8, _ family: UInt8, _ body: [UInt8]) -> [UInt8] {
    [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, command, family]
        + [UInt8(body.count >> 8), UInt8(body.count & 0xFF)] + body
}

private let tcp6: [UInt8] =
    [UInt8](repeating: 0, count: 15) + [1] + [UInt8](repeating: 0, count: 15) + [1, 0, 9, 7, 0x5B]

/// PP2_TYPE_SSL: a verified client certificate with the common name `c`.
private let certificate: [UInt8] = [0x20, 0, 9, 0x07, 0, 0, 0, 0, 0x22, 0, 1, 0x63]
