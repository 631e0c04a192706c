import MQTTCodec

/// The other end of one connection: what the broker sends has to be MQTT of its version.
struct ScriptedPeer {
    /// Where the connection is; `nil` while there is none.
    var place: Place?
    var isReading = true
    var sendsByteByByte = false
    /// Sent, and not yet read by the broker.
    var unread: [[UInt8]] = []
    var last: [UInt8] = []
    private var partial: [UInt8] = []
    private var aliases: Set<UInt16> = []

    struct Place: Hashable {
        let shard: Int
        let slot: Int
    }

    mutating func send(_ bytes: [UInt8]) {
        last = bytes
        if sendsByteByByte { unread += bytes.map { [$0] } } else { unread.append(bytes) }
    }

    /// A new connection begins, or the old one has ended.
    mutating func reset(_ newPlace: Place?) {
        place = newPlace
        isReading = true
        unread = []
        partial = []
        aliases = []
    }

    /// Checks what the broker has sent.
    ///
    /// - Returns: the packets' types.
    mutating func take(_ bytes: [UInt8], _ version: ProtocolVersion, maximum: Int) throws(Finding) -> Set<PacketType> {
        partial += bytes
        var types: Set<PacketType> = []
        var offset = 0
        do {
            while let frame = try FrameDecoder.next(partial.span, at: offset, maximumPacketSize: .max) {
                offset = frame.end
                let packet = try Packet.decode(partial.span, frame: frame, version: version, sender: .server)
                types.insert(frame.type)
                guard frame.size <= maximum else { throw Finding("a packet is larger than its receiver takes") }
                guard case .publish(let publish) = packet else { continue }
                if !publish.topic.isEmpty, publish.topicAlias != 0 { aliases.insert(publish.topicAlias) }
                guard !publish.topic.isEmpty || aliases.contains(publish.topicAlias) else {
                    throw Finding("a topic alias that was not told")
                }
            }
        } catch let finding as Finding {
            throw finding
        } catch {
            throw Finding("the broker sent a malformed packet: \(error)")
        }
        partial.removeFirst(offset)
        return types
    }
}
