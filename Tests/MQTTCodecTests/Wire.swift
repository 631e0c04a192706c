import MQTTCodec
import Testing

/// Bytes from an annotated listing: hexadecimal pairs, 'quoted ASCII', "text" with its two byte length in front, and
/// comments from a semicolon to the end of the line.
func wire(_ listing: String) -> [UInt8] {
    var bytes: [UInt8] = []
    for line in listing.split(separator: "\n") {
        var rest = line.prefix { $0 != ";" }
        while let first = rest.first {
            if first == "'" || first == "\"" {
                let quoted = Array(rest.dropFirst().prefix { $0 != first }.utf8)
                if first == "\"" { bytes += [UInt8(quoted.count >> 8), UInt8(quoted.count & 0xFF)] }
                bytes += quoted
                rest = rest.dropFirst(quoted.count + 2)
            } else if first == " " {
                rest = rest.dropFirst()
            } else {
                guard let byte = UInt8(rest.prefix(2), radix: 16) else { preconditionFailure("bad listing: \(line)") }
                bytes.append(byte)
                rest = rest.dropFirst(2)
            }
        }
    }
    return bytes
}

/// A packet of the given first byte around a listing of its body.
func wire(_ firstByte: UInt8, _ body: String) -> [UInt8] { packet(firstByte, wire(body)) }

/// A packet of the given first byte around a body.
func packet(_ firstByte: UInt8, _ body: [UInt8]) -> [UInt8] {
    var bytes = [firstByte]
    VariableByteInteger.append(body.count, to: &bytes)
    return bytes + body
}

/// The only frame in `bytes`, which must be complete.
func frame(_ bytes: [UInt8]) throws -> Frame {
    let found = try FrameDecoder.next(bytes.span, at: 0, maximumPacketSize: .max)
    let frame = try #require(found, "the listing is no complete packet")
    #expect(frame.end == bytes.count, "the listing has a wrong remaining length")
    return frame
}

/// Decodes a whole packet.
func decode(_ bytes: [UInt8], _ version: ProtocolVersion, from sender: Sender) throws -> Packet {
    try Packet.decode(bytes.span, frame: frame(bytes), version: version, sender: sender)
}

/// Encodes a whole packet.
func encode(_ packet: Packet, _ version: ProtocolVersion, maximumPacketSize: Int = .max) -> [UInt8] {
    var bytes: [UInt8] = []
    packet.encode(into: &bytes, version: version, maximumPacketSize: maximumPacketSize)
    return bytes
}
