/// MQTT packets as bytes.
enum MQTT {
    static let connectionAccepted: [UInt8] = [0x20, 0x02, 0x00, 0x00]
    static let pingRequest: [UInt8] = [0xC0, 0x00]
    static let pingResponse: [UInt8] = [0xD0, 0x00]
    static let disconnect: [UInt8] = [0xE0, 0x00]

    /// CONNECT of 3.1.1 or 5.0 with a clean session.
    static func connect(_ clientID: String, version: UInt8 = 4) -> [UInt8] {
        var body: [UInt8] = [0x00, 0x04] + Array("MQTT".utf8) + [version, 0x02, 0x00, 0x3C]
        if version == 5 { body.append(0) }
        return packet(0x10, body + text(clientID))
    }

    /// SUBSCRIBE of 3.1.1, QoS 0; the SUBACK has five bytes.
    static func subscribe(_ filter: String) -> [UInt8] { packet(0x82, [0x00, 0x01] + text(filter) + [0x00]) }

    /// PUBLISH of 3.1.1, QoS 0.
    static func publish(_ topic: String, _ payload: [UInt8]) -> [UInt8] { packet(0x30, text(topic) + payload) }

    static func text(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        return [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes
    }

    static func packet(_ first: UInt8, _ body: [UInt8]) -> [UInt8] {
        var length: [UInt8] = []
        var rest = body.count
        repeat {
            length.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        return [first] + length + body
    }

    /// Bytes that show a loss, a repetition or a swap.
    static func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: ($0 &+ seed) &* 31 ^ ($0 >> 8)) }
    }
}

extension RawClient {
    /// CONNECT and CONNACK.
    func connect(_ clientID: String) throws -> Bool {
        try send(MQTT.connect(clientID))
        return try receive(4) == MQTT.connectionAccepted
    }

    func ping() throws -> Bool {
        try send(MQTT.pingRequest)
        return try receive(2) == MQTT.pingResponse
    }
}
