import MQTTCodec
import Testing

@Suite("Cutting the stream into packets")
struct FrameDecoderTests {
    private func next(_ bytes: [UInt8], at offset: Int = 0, limit: Int = .max) throws -> Frame? {
        try FrameDecoder.next(bytes.span, at: offset, maximumPacketSize: limit)
    }

    private func required(_ bytes: [UInt8]) -> Int? { FrameDecoder.requiredBytes(bytes.span, at: 0) }

    @Test
    func `nothing is not enough`() throws {
        #expect(try next([]) == nil)
        #expect(try next([0xC0]) == nil)
        #expect(try next([0xC0, 0x00], at: 2) == nil)
    }

    @Test(.spec("MQTT-2.1.3-1"), arguments: 0...UInt8(0x0F))
    func `packet type 0 is refused at its first byte`(byte: UInt8) {
        #expect(throws: DecodeError.reservedPacketType) { try next([byte]) }
    }

    @Test(arguments: [
        (0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (2_097_151, 3), (2_097_152, 4), (268_435_455, 4),
    ])
    func `lengths take as many bytes as the table says`(length: Int, count: Int) throws {
        var bytes: [UInt8] = [0x30]
        VariableByteInteger.append(length, to: &bytes)
        #expect(bytes.count == 1 + count)
        #expect(VariableByteInteger.size(of: length) == count)
        #expect(required(bytes) == 1 + count + length)
        #expect(throws: DecodeError.packetTooLarge) { try next(bytes, limit: count + length) }
        #expect(try next(bytes, limit: 1 + count + length)?.size == (length == 0 ? 2 : nil))
    }

    @Test
    func `a fifth length byte is refused without waiting for it`() throws {
        #expect(try next([0x30, 0xFF, 0xFF, 0xFF]) == nil)
        #expect(throws: DecodeError.remainingLengthTooLong) { try next([0x30, 0xFF, 0xFF, 0xFF, 0xFF]) }
        #expect(throws: DecodeError.remainingLengthTooLong) { try next([0x30, 0x80, 0x80, 0x80, 0x80, 0x01]) }
        #expect(required([0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]) == nil)
    }

    @Test(.spec("MQTT-3.2.2-15"))
    func `a packet beyond the limit is refused before its body arrives`() throws {
        #expect(throws: DecodeError.packetTooLarge) { try next([0x30, 0x0A], limit: 11) }
        #expect(try next([0x30, 0x0A], limit: 12) == nil)
        #expect(DecodeError.packetTooLarge.reasonCode == .packetTooLarge)
    }

    @Test
    func `a stream of packets is the same at every cut`() throws {
        let samples = Sample.all.filter { $0.version == .v5 && $0.sender == .client }
        let stream = samples.flatMap(\.bytes)
        for cut in 0...stream.count {
            var decoded: [Packet] = []
            var buffer: [UInt8] = []
            for part in [stream[..<cut], stream[cut...]] {
                buffer += part
                var offset = 0
                while let frame = try next(buffer, at: offset) {
                    decoded.append(
                        try Packet.decode(buffer.span, frame: frame, version: .v5, sender: .client)
                    )
                    offset = frame.end
                }
                buffer.removeFirst(offset)
            }
            #expect(buffer.isEmpty)
            #expect(decoded == samples.map(\.packet), "cut at \(cut)")
        }
    }
}

@Suite("Errors")
struct DecodeErrorTests {
    @Test(arguments: DecodeError.allCases)
    func `every error names a failure, a rule and a reason`(error: DecodeError) {
        #expect(error.reasonCode.isError)
        #expect(error.rule.contains("MQTT"))
        #expect(!error.explanation.isEmpty)
        #expect(error.description.hasSuffix("[\(error.rule)]"))
    }

    @Test(arguments: [
        (DecodeError.topicAliasZero, ReasonCode.topicAliasInvalid),
        (.topicContainsWildcard, .topicNameInvalid),
        (.topicEmpty, .topicNameInvalid),
        (.topicEmptyWithoutAlias, .protocolError),
        (.packetTooLarge, .packetTooLarge),
        (.stringNotUTF8, .malformedPacket),
        (.noLocalOnSharedSubscription, .protocolError),
        (.subscribeWithoutFilter, .protocolError),
        (.subscriptionOptionsReserved, .malformedPacket),
        (.propertyDuplicated, .protocolError),
        (.propertyNotAllowed, .malformedPacket),
        (.receiveMaximumZero, .protocolError),
    ])
    func `errors that the specification gives a code have that code`(error: DecodeError, code: ReasonCode) {
        #expect(error.reasonCode == code)
    }
}
