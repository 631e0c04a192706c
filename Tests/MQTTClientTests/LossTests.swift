import MQTTClient
import MQTTCodec
import Testing

/// A seeded generator (SplitMix64), so that a failure can be repeated.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }
}

/// A server that keeps one session and loses connections at any moment.
///
/// It counts every message of QoS 2 once for each packet identifier between PUBLISH and PUBREL.
struct LossyServer {
    var held: Set<PacketIdentifier> = []
    var received: [UInt8] = []

    mutating func answer(_ packet: Packet) -> Packet? {
        switch packet {
        case .publish(let message):
            guard message.qos == .exactlyOnce else {
                received += message.payload
                return .ack(.pubAck, message.packetIdentifier)
            }
            if held.insert(message.packetIdentifier).inserted { received += message.payload }
            return .ack(.pubRec, message.packetIdentifier)
        case .acknowledgement(let packet) where packet.type == .pubRel:
            let isKnown = held.remove(packet.packetIdentifier) != nil
            return .ack(.pubComp, packet.packetIdentifier, isKnown ? .success : .packetIdentifierNotFound)
        default:
            return nil
        }
    }
}

@Suite("Losses")
struct LossTests {
    @Test(arguments: 0..<100 as Range<UInt64>)
    func `whatever is lost, QoS 1 arrives at least once and QoS 2 exactly once, in order`(seed: UInt64) throws {
        var random = Seeded(state: seed)
        var conversation = Conversation(cleanStart: false) { $0.maximumInFlight = Int(1 + seed % 5) }
        var server = LossyServer()
        let qos: QoS = seed % 2 == 0 ? .atLeastOnce : .exactlyOnce
        var tokens: [ClientToken] = []
        var done: [ClientToken] = []
        try conversation.connect()
        var isUnbroken = true
        while done.count < 40 {
            if tokens.count < 40, Bool.random(using: &random) {
                tokens.append(try conversation.publish("a", qos: qos, payload: [UInt8(tokens.count)]))
            }
            // A connection can break before, between and after the packets of either side.
            let packets = conversation.sent()
            let reached = packets.prefix(Int.random(in: 0...packets.count, using: &random))
            var isLost = reached.count < packets.count
            for packet in reached {
                guard let answer = server.answer(packet) else { continue }
                isLost = isLost || Int.random(in: 0..<8, using: &random) == 0
                if !isLost { conversation.server(answer) }
            }
            for case .published(let token, let code, _) in conversation.events() {
                #expect(code == .success || code == .packetIdentifierNotFound)
                done.append(token)
            }
            if isLost {
                isUnbroken = false
                try conversation.resume()
            }
        }
        #expect(done == tokens, "seed \(seed)")
        let firsts = server.received.enumerated().filter { !server.received[..<$0.offset].contains($0.element) }
        #expect(firsts.map(\.element) == (0..<40).map { UInt8($0) }, "seed \(seed)")
        if qos == .exactlyOnce || isUnbroken { #expect(server.received.count == 40, "seed \(seed)") }
        #expect(conversation.machine.pendingCount == 0)
    }
}

@Suite("Noise")
struct NoiseTests {
    @Test(arguments: 0..<200 as Range<UInt64>)
    func `damaged packets end the connection at most once and never the process`(seed: UInt64) throws {
        var random = Seeded(state: seed)
        let version: ProtocolVersion = seed % 2 == 0 ? .v5 : .v3_1_1
        var conversation = Conversation(version) { $0.connect.topicAliasMaximum = 2 }
        try conversation.connect()
        try conversation.publish("a", qos: .exactlyOnce)
        var bytes: [UInt8] = []
        for packet in [
            .publish("topic", .exactlyOnce, 8), .pingResp, .ack(.pubRec, 1), .ack(.pubRel, 8), .ack(.pubComp, 1),
            .publish(Publish(topic: "long", payload: [7], topicAlias: 1)), .publish("b", .atLeastOnce, 3),
        ] as [Packet] {
            packet.encode(into: &bytes, version: version)
        }
        for _ in 0..<3 {
            bytes[Int.random(in: bytes.indices, using: &random)] = UInt8(truncatingIfNeeded: random.next())
        }
        for byte in bytes { conversation.server(bytes: [byte]) }
        let events = conversation.events()
        let ends = events.filter { event in
            switch event {
            case .protocolViolation, .disconnected: true
            default: false
            }
        }
        #expect(ends.count <= 1)
        #expect(ends.isEmpty == (conversation.machine.phase == .connected))
        // Whatever the client sent in return can be read.
        _ = conversation.sent()
    }
}
