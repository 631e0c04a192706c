import MQTTCodec
import Testing

/// A packet as a value and as bytes; every table entry is checked in both directions.
struct Sample: CustomTestStringConvertible, Sendable {
    let name: String
    let version: ProtocolVersion
    let sender: Sender
    let bytes: [UInt8]
    let packet: Packet
    /// Lengths at which the body, cut short, is still a packet (short forms, payloads, lists).
    let validBodyLengths: Set<Int>

    init(
        _ name: String,
        _ version: ProtocolVersion,
        from sender: Sender,
        _ listing: String,
        _ packet: Packet,
        validBodyLengths: Set<Int> = [],
    ) {
        self.name = name
        self.version = version
        self.sender = sender
        bytes = wire(listing)
        self.packet = packet
        self.validBodyLengths = validBodyLengths
    }

    var testDescription: String { "\(name) (\(version))" }

    static let all: [Sample] = connects + connAcks + publishes + acknowledgements + subscriptions + others
}

/// A modified copy, for values whose initialiser does not take everything.
func with<Value>(_ value: Value, _ change: (inout Value) -> Void) -> Value {
    var copy = value
    change(&copy)
    return copy
}
