import MQTTCodec
import Testing

@Suite("Packets as bytes and as values")
struct SampleTests {
    @Test(arguments: Sample.all)
    func `bytes decode to the value`(sample: Sample) throws {
        #expect(try decode(sample.bytes, sample.version, from: sample.sender) == sample.packet)
    }

    @Test(arguments: Sample.all)
    func `the value encodes to the bytes`(sample: Sample) {
        #expect(encode(sample.packet, sample.version) == sample.bytes)
    }

    @Test(arguments: Sample.all)
    func `a packet is no frame before its last byte`(sample: Sample) throws {
        for count in 0..<sample.bytes.count {
            let cut = sample.bytes[..<count]
            let found = try FrameDecoder.next(Array(cut).span, at: 0, maximumPacketSize: .max)
            #expect(found == nil, "cut after \(count) bytes")
            let required = FrameDecoder.requiredBytes(Array(cut).span, at: 0)
            #expect(required == nil || required == sample.bytes.count, "cut after \(count) bytes")
        }
    }

    @Test(arguments: Sample.all)
    func `a body cut short is malformed`(sample: Sample) throws {
        let body = Array(sample.bytes[try frame(sample.bytes).body])
        for count in 0..<body.count {
            let cut = packet(sample.bytes[0], Array(body[..<count]))
            if sample.validBodyLengths.contains(count) {
                #expect(throws: Never.self, "body of \(count) bytes") {
                    try decode(cut, sample.version, from: sample.sender)
                }
            } else {
                #expect(throws: DecodeError.self, "body of \(count) bytes") {
                    try decode(cut, sample.version, from: sample.sender)
                }
            }
        }
    }

    @Test(arguments: Sample.all)
    func `a byte after the last field is refused where nothing may follow`(sample: Sample) throws {
        let body = Array(sample.bytes[try frame(sample.bytes).body])
        let longer = packet(sample.bytes[0], body + [0])
        // A payload grows by it, a list of reason codes by a success, a short form by a code or an empty property
        // section.
        let mayGrow: Set<PacketType> =
            sample.version == .v5
            ? [.publish, .subAck, .unsubAck, .pubAck, .pubRec, .pubRel, .pubComp, .disconnect]
            : [.publish, .subAck]
        if mayGrow.contains(sample.packet.type) {
            _ = try? decode(longer, sample.version, from: sample.sender)
        } else {
            #expect(throws: DecodeError.self) { try decode(longer, sample.version, from: sample.sender) }
        }
    }

    @Test(arguments: Sample.all)
    func `an offset into a longer buffer makes no difference`(sample: Sample) throws {
        let bytes = [0xFF, 0xFF, 0xFF] + sample.bytes + [0xFF]
        let found = try FrameDecoder.next(bytes.span, at: 3, maximumPacketSize: .max)
        let frame = try #require(found)
        #expect(frame.end == bytes.count - 1)
        let decoded = try Packet.decode(bytes.span, frame: frame, version: sample.version, sender: sample.sender)
        #expect(decoded == sample.packet)
    }

    @Test
    func `the table has every packet type in every version that has it`() {
        for type in PacketType.allCases {
            #expect(Sample.all.contains { $0.packet.type == type && $0.version == .v5 }, "\(type)")
            if type != .auth {
                let isOld = [PacketType.pubRec, .pubComp, .pingResp].contains(type)
                #expect(isOld || Sample.all.contains { $0.packet.type == type && $0.version < .v5 }, "\(type)")
            }
        }
    }
}
