import MQTTCodec
import Testing

@Suite("Random packets and random bytes")
struct RandomTests {
    @Test(arguments: ProtocolVersion.allCases, Sender.allCases)
    func `decoding an encoded packet gives the packet`(version: ProtocolVersion, sender: Sender) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = RandomPacket(random: SeededRandom(seed: seed), version: version)
        for round in 0..<300 {
            for type in PacketType.allCases where Self.exists(type, version, sender) {
                let original = generator.packet(type, from: sender)
                let bytes = encode(original, version)
                let decoded = try decode(bytes, version, from: sender)
                try #require(decoded == original, "seed \(seed), round \(round), \(type)")
            }
        }
    }

    /// Flips, cuts, doubles and inserts bytes of good packets: most of the result is nearly right, which is what
    /// finds holes.
    @Test(arguments: 0..<4 as Range<UInt64>)
    func `mutated packets never trap and whatever decodes can be encoded`(part: UInt64) throws {
        let seed = UInt64.random(in: 0...UInt64.max) &+ part
        var random = SeededRandom(seed: seed)
        var accepted = 0
        for round in 0..<40_000 {
            let sample = random.pick(Sample.all)
            let bytes = Self.mutated(sample.bytes, &random)
            for version in [sample.version, random.pick(ProtocolVersion.allCases)] {
                guard let packet = Self.decoded(bytes, version, sample.sender) else { continue }
                accepted += 1
                let again = encode(packet, version)
                try #require(!again.isEmpty, "seed \(seed), round \(round)")
                try #require(
                    Self.decoded(again, version, sample.sender) == packet,
                    "seed \(seed), round \(round), \(bytes)"
                )
            }
        }
        #expect(accepted > 1000, "mutations that nothing survives test little")
    }

    @Test
    func `random bytes never trap`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("random bytes, seed \(seed)")
        var random = SeededRandom(seed: seed)
        for _ in 0..<50_000 {
            let body = random.array(0...24) { UInt8.random(in: 0...255, using: &$0) }
            let bytes = [UInt8.random(in: 0...255, using: &random), UInt8(body.count)] + body
            _ = Self.decoded(bytes, random.pick(ProtocolVersion.allCases), random.pick(Sender.allCases))
        }
    }

    // MARK: - Details

    private static func exists(_ type: PacketType, _ version: ProtocolVersion, _ sender: Sender) -> Bool {
        switch type {
        case .connect, .subscribe, .unsubscribe, .pingReq: sender == .client
        case .connAck, .subAck, .unsubAck, .pingResp: sender == .server
        case .disconnect: version == .v5 || sender == .client
        case .auth: version == .v5
        default: true
        }
    }

    /// The first packet in `bytes`, by the owned decoder; the views have to agree with it.
    private static func decoded(_ bytes: [UInt8], _ version: ProtocolVersion, _ sender: Sender) -> Packet? {
        let found = try? FrameDecoder.next(bytes.span, at: 0, maximumPacketSize: 1 << 20)
        guard let frame = found else { return nil }
        let packet = try? Packet.decode(bytes.span, frame: frame, version: version, sender: sender)
        switch frame.type {
        case .publish:
            let view = try? PublishView.decode(bytes.span, frame: frame, version: version, sender: sender)
            #expect((view == nil) == (packet == nil))
        case .pubAck, .pubRec, .pubRel, .pubComp:
            let view = try? AcknowledgementView.decode(bytes.span, frame: frame, version: version)
            #expect((view == nil) == (packet == nil))
        case .connect:
            let announced = Connect.announcedVersion(in: bytes.span, frame: frame)
            #expect(announced != nil || packet == nil)
            // A CONNECT names its own version; only then it is comparable with what the caller encodes.
            if announced != version { return nil }
        default: break
        }
        return packet
    }

    private static func mutated(_ bytes: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var body = Array(bytes.dropFirst(bytes.count > 129 ? 3 : 2))
        var first = bytes[0]
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let place = body.isEmpty ? 0 : Int.random(in: 0..<body.count, using: &random)
            switch Int.random(in: 0..<7, using: &random) {
            case 0 where !body.isEmpty: body[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1 where !body.isEmpty: body[place] = random.number(0...UInt8.max)
            case 2 where !body.isEmpty: body.removeSubrange(place...)
            case 3 where !body.isEmpty: body.remove(at: place)
            case 4: body.insert(random.number(0...UInt8.max), at: place)
            case 5 where !body.isEmpty: body.insert(contentsOf: body[place...].prefix(8), at: place)
            default: first ^= 1 << UInt8.random(in: 0..<4, using: &random)
            }
        }
        return packet(first, body)
    }
}
