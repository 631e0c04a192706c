import MQTTClient
import MQTTCodec
import Testing

/// A client and the server that the test plays, with a clock that only the test moves.
struct Conversation {
    var machine: MQTTClientMachine
    var actions = ClientActions()
    var now = Duration.zero

    init(_ configuration: ClientConfiguration) { machine = MQTTClientMachine(configuration: configuration) }

    init(
        _ version: ProtocolVersion = .v5,
        cleanStart: Bool = true,
        keepAlive: UInt16 = 0,
        change: (inout ClientConfiguration) -> Void = { _ in },
    ) {
        var configuration = ClientConfiguration(
            connect: Connect(
                version: version,
                clientIdentifier: "c",
                cleanStart: cleanStart,
                keepAliveSeconds: keepAlive
            )
        )
        change(&configuration)
        self.init(configuration)
    }

    var version: ProtocolVersion { machine.configuration.connect.version }

    /// What the client sent since the last look.
    mutating func sent() -> [Packet] {
        defer { actions.bytes = [] }
        return Self.packets(actions.bytes, version)
    }

    /// What happened to the client since the last look.
    mutating func events() -> [ClientEvent] {
        defer { actions.events = [] }
        return actions.events
    }

    mutating func server(_ packets: Packet...) {
        var bytes: [UInt8] = []
        for packet in packets { packet.encode(into: &bytes, version: version) }
        server(bytes: bytes)
    }

    mutating func server(bytes: [UInt8]) { machine.received(bytes.span, now: now, into: &actions) }

    /// Connects and forgets what that brought.
    mutating func connect(_ answer: ConnAck = ConnAck(), cleanStart: Bool? = nil) throws {
        try machine.connect(cleanStart: cleanStart, now: now, into: &actions)
        server(.connAck(answer))
        try #require(machine.phase == .connected)
        actions = ClientActions()
    }

    /// Loses the connection and forgets what that brought.
    mutating func lose() {
        machine.connectionLost(into: &actions)
        actions = ClientActions()
    }

    /// Loses the connection and has the session resumed; what the client sends then is kept.
    mutating func resume(_ answer: ConnAck = ConnAck(sessionPresent: true)) throws {
        lose()
        try machine.connect(cleanStart: false, now: now, into: &actions)
        actions = ClientActions()
        server(.connAck(answer))
        try #require(machine.phase == .connected)
    }

    @discardableResult
    mutating func publish(_ topic: String, qos: QoS, payload: [UInt8] = []) throws -> ClientToken {
        try machine.publish(Publish(topic: topic, payload: payload, qos: qos), now: now, into: &actions)
    }

    mutating func tick(_ seconds: Int) {
        now += .seconds(seconds)
        machine.tick(now: now, into: &actions)
    }

    static func packets(_ bytes: [UInt8], _ version: ProtocolVersion) -> [Packet] {
        var packets: [Packet] = []
        var offset = 0
        do {
            while let frame = try FrameDecoder.next(bytes.span, at: offset, maximumPacketSize: .max) {
                packets.append(try Packet.decode(bytes.span, frame: frame, version: version, sender: .client))
                offset = frame.end
            }
        } catch {
            Issue.record("the client sent what a server cannot read: \(error)")
        }
        #expect(offset == bytes.count)
        return packets
    }
}

extension Packet {
    static func publish(_ topic: String, _ qos: QoS, _ identifier: PacketIdentifier = 0, dup: Bool = false) -> Packet {
        .publish(Publish(topic: topic, payload: [], qos: qos, packetIdentifier: identifier, dup: dup))
    }

    static func ack(_ type: PacketType, _ identifier: PacketIdentifier, _ code: ReasonCode = .success) -> Packet {
        .acknowledgement(Acknowledgement(type: type, packetIdentifier: identifier, reasonCode: code))
    }
}

extension ClientEvent {
    static func published(_ token: ClientToken, _ code: ReasonCode = .success) -> ClientEvent {
        .published(token, code, reasonString: nil)
    }

    /// The topic of a message; nil for other events.
    var topic: String? {
        if case .message(let message, _) = self { message.topic } else { nil }
    }

    var delivery: DeliveryToken? {
        if case .message(_, let delivery) = self { delivery } else { nil }
    }

    /// The code of a violation; nil for other events.
    var violation: ReasonCode? {
        if case .protocolViolation(let code, _) = self { code } else { nil }
    }
}

/// The normative statements that a test pins.
struct SpecTrait: TestTrait, SuiteTrait {
    let identifiers: [String]
    var comments: [Comment] { identifiers.map { Comment(rawValue: "[\($0)]") } }
}

extension Trait where Self == SpecTrait {
    static func spec(_ identifiers: String...) -> SpecTrait { SpecTrait(identifiers: identifiers) }
}
