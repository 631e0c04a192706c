import MQTTCodec

/// Decodes a stream in the version and from the side that the first byte names; what decodes has to survive a second
/// round trip.
///
/// The first byte's value modulo 3 is the version (3.1, 3.1.1, 5.0), its upper half modulo 2 the side (client, server).
package func checkPackets(_ input: [UInt8]) throws(Finding) {
    guard let choice = input.first else { return }
    let version = ProtocolVersion.allCases[Int(choice) % ProtocolVersion.allCases.count]
    let sender = Sender.allCases[Int(choice >> 4) % Sender.allCases.count]
    var offset = 1
    while let (frame, packet) = nextPacket(input.span, at: offset, version, sender) {
        offset = frame.end
        try checkRoundTrip(packet, version, sender)
    }
}

private func nextPacket(
    _ stream: Span<UInt8>,
    at offset: Int,
    _ version: ProtocolVersion,
    _ sender: Sender,
) -> (Frame, Packet)? {
    do {
        guard let frame = try FrameDecoder.next(stream, at: offset, maximumPacketSize: 1 << 16) else { return nil }
        return (frame, try Packet.decode(stream, frame: frame, version: version, sender: sender))
    } catch {
        _ = error.reasonCode
        return nil
    }
}

private func checkRoundTrip(_ packet: Packet, _ version: ProtocolVersion, _ sender: Sender) throws(Finding) {
    var spoken = version
    if case .connect(let connect) = packet { spoken = connect.version }
    var encoded: [UInt8] = []
    try Finding.check(packet.encode(into: &encoded, version: spoken), "a decoded packet cannot be encoded")
    guard let (frame, second) = nextPacket(encoded.span, at: 0, spoken, sender) else {
        throw Finding("an encoded packet is incomplete or refused")
    }
    try Finding.check(frame.end == encoded.count && second == packet, "a packet changed on its way")
}
