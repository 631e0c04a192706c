import MQTTCodec

/// Decodes whatever libFuzzer thinks of, in every version and from both sides.
///
/// The first byte chooses version and side, the rest is a stream. What decodes has to survive a second round trip.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    guard let choice = input.first else { return 0 }
    let version = ProtocolVersion.allCases[Int(choice) % ProtocolVersion.allCases.count]
    let sender = Sender.allCases[Int(choice >> 4) % Sender.allCases.count]
    let stream = input.span
    var offset = 1
    do {
        while let frame = try FrameDecoder.next(stream, at: offset, maximumPacketSize: 1 << 16) {
            offset = frame.end
            try check(stream, frame, version, sender)
        }
    } catch {
        _ = error.reasonCode
    }
    return 0
}

private func check(
    _ stream: Span<UInt8>,
    _ frame: Frame,
    _ version: ProtocolVersion,
    _ sender: Sender,
) throws(DecodeError) {
    let packet = try Packet.decode(stream, frame: frame, version: version, sender: sender)
    var spoken = version
    if case .connect(let connect) = packet { spoken = connect.version }
    var encoded: [UInt8] = []
    precondition(packet.encode(into: &encoded, version: spoken), "a decoded packet cannot be encoded")
    let bytes = encoded.span
    guard let again = try FrameDecoder.next(bytes, at: 0, maximumPacketSize: .max) else {
        preconditionFailure("an encoded packet is incomplete")
    }
    let second: Packet
    do {
        second = try Packet.decode(bytes, frame: again, version: spoken, sender: sender)
    } catch {
        preconditionFailure("an encoded packet is refused: \(error)")
    }
    precondition(second == packet, "a packet changed on its way")
}
