internal import ApusMemory
internal import MQTTCodec

/// The encoded forms of the message that is being delivered: one for each protocol family, QoS and RETAIN flag.
///
/// A message for a thousand subscribers is encoded once and copied a thousand times, with only the packet identifier
/// patched. The arrays keep their capacity from message to message.
struct PublishShapes {
    private var frames = [[UInt8]](repeating: [], count: 12)
    private var identifierOffsets = [Int](repeating: -1, count: 12)
    /// Bit n: `frames[n]` belongs to the current message.
    private var made: UInt16 = 0

    /// Whether a shape may serve more than one receiver; if not, it is not worth making.
    private(set) var areUseful = false

    /// The next message begins; forget the last one's shapes.
    mutating func begin(receivers: Int) {
        made = 0
        areUseful = receivers > 1
    }

    static func key(version: ProtocolVersion, qos: QoS, retain: Bool) -> Int {
        (version == .v5 ? 6 : 0) + Int(qos.rawValue) * 2 + (retain ? 1 : 0)
    }

    func isMade(_ key: Int) -> Bool { made & (1 << UInt16(truncatingIfNeeded: key)) != 0 }

    mutating func make(_ key: Int, _ encode: (inout [UInt8]) -> Int) {
        frames[key].removeAll(keepingCapacity: true)
        identifierOffsets[key] = encode(&frames[key])
        made |= 1 << UInt16(truncatingIfNeeded: key)
    }

    /// Puts the packet identifier into the frame.
    mutating func patch(_ key: Int, identifier: PacketIdentifier) {
        let offset = identifierOffsets[key]
        guard offset >= 0 else { return }
        frames[key][offset] = UInt8(truncatingIfNeeded: identifier >> 8)
        frames[key][offset + 1] = UInt8(truncatingIfNeeded: identifier)
    }

    /// Writes the frame into a connection's output.
    func append(_ key: Int, to output: inout OutputQueue, pool: inout ChunkPool) {
        let frame = frames[key]
        output.append(frame.span, pool: &pool)
    }

    func count(_ key: Int) -> Int { frames[key].count }
}
