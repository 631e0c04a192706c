/// The WebSocket subprotocols that carry MQTT.
public enum Subprotocol: String, Sendable, CaseIterable {
    /// The registered name, for every protocol version [MQTT-6.0.0-3].
    case mqtt
    /// What clients from before the standard ask for.
    case mqttv3_1 = "mqttv3.1"

    /// The one to speak with a client that offers `names`; `mqtt` wherever it is among them [MQTT-6.0.0-4].
    ///
    /// Names compare byte by byte, as RFC 6455 has it.
    static func chosen(from names: [String]) -> Subprotocol? {
        allCases.first { names.contains($0.rawValue) }
    }
}
