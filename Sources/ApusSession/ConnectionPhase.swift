package import MQTTCodec

/// How far a connection has come, and which packets it may send there.
///
/// ```
///  awaitingConnect ──CONNECT──▶ authenticating ──accepted──▶ connected ──▶ closing
///        └──────────── anything else, time-out, refusal ─────────────────────▲
/// ```
///
/// Public only for speed, see `RingBuffer`.
public enum ConnectionPhase: Sendable {
    case awaitingConnect
    /// CONNECT was taken; an authenticator works, or an AUTH packet is awaited.
    case authenticating
    case connected
    case closing

    /// What to do with a packet.
    package enum Verdict: Sendable, Equatable {
        case process
        /// The client broke the protocol; `rule` names the statement.
        case violation(rule: String, explanation: String)
        /// The connection is ending: read no more.
        case ignore
    }

    package func verdict(on packet: PacketType, version: ProtocolVersion) -> Verdict {
        switch (self, packet) {
        case (.closing, _):
            .ignore
        case (.awaitingConnect, .connect):
            .process
        case (.awaitingConnect, _):
            .violation(rule: "MQTT-3.1.0-1", explanation: "the first packet must be CONNECT")
        case (.authenticating, .auth) where version == .v5, (.authenticating, .disconnect):
            .process
        case (.authenticating, _):
            .violation(rule: "MQTT-3.1.2-30", explanation: "only AUTH or DISCONNECT may come before CONNACK")
        case (.connected, .connect):
            .violation(rule: "MQTT-3.1.0-2", explanation: "a second CONNECT on the same connection")
        case (.connected, _):
            .process
        }
    }
}
