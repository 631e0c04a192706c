import MQTTCodec

/// Writes a script for `checkConnections`; the other side of `ScriptStep`.
struct ScriptWriter {
    private(set) var bytes: [UInt8]
    private var versions = [ProtocolVersion](repeating: .v5, count: 4)

    init(_ setUp: ScriptSetUp = []) { bytes = [setUp.rawValue] }

    private mutating func step(_ kind: UInt8, _ peer: Int = 0, more: UInt8 = 0) {
        bytes.append(kind | UInt8(peer) << 3 | more << 5)
    }

    mutating func send(_ peer: Int, bytes sent: [UInt8], piece: Int = 255) {
        for start in stride(from: 0, to: sent.count, by: piece) {
            let part = sent[start..<min(start + piece, sent.count)]
            step(0, peer)
            bytes.append(UInt8(part.count))
            bytes += part
        }
    }

    mutating func send(_ peer: Int, _ packets: Packet..., piece: Int = 255) {
        var sent: [UInt8] = []
        for packet in packets { packet.encode(into: &sent, version: versions[peer]) }
        send(peer, bytes: sent, piece: piece)
    }

    mutating func connect(
        _ peer: Int,
        _ clientID: String,
        _ version: ProtocolVersion = .v5,
        clean: Bool = true,
        expiry: UInt32 = 0,
        change: (inout Connect) -> Void = { _ in },
    ) {
        versions[peer] = version
        var packet = Connect(version: version, clientIdentifier: clientID, cleanStart: clean)
        if version == .v5 { packet.sessionExpiryInterval = expiry }
        change(&packet)
        send(peer, .connect(packet))
    }

    mutating func subscribe(_ peer: Int, _ filter: String, _ qos: QoS = .exactlyOnce, identifier: UInt32 = 0) {
        let request = Subscribe.Request(filter, SubscriptionOptions(qos: qos))
        send(
            peer,
            .subscribe(Subscribe(packetIdentifier: 9, requests: [request], subscriptionIdentifier: identifier)),
        )
    }

    mutating func publish(
        _ peer: Int,
        _ topic: String,
        _ qos: QoS = .atMostOnce,
        id: PacketIdentifier = 0,
        retain: Bool = false,
        change: (inout Publish) -> Void = { _ in },
    ) {
        var packet = Publish(topic: topic, payload: [1, 2, 3], qos: qos, packetIdentifier: id, retain: retain)
        change(&packet)
        send(peer, .publish(packet))
    }

    mutating func acknowledge(_ peer: Int, _ type: PacketType, _ identifier: PacketIdentifier) {
        send(peer, .acknowledgement(Acknowledgement(type: type, packetIdentifier: identifier)))
    }

    mutating func disconnect(_ peer: Int, _ reasonCode: ReasonCode = .success) {
        send(peer, .disconnect(Disconnect(reasonCode: reasonCode)))
    }

    mutating func close(_ peer: Int) { step(2, peer) }

    /// Waits 2^`power` × 100 ms.
    mutating func wait(power: UInt8) {
        step(3)
        bytes.append(power)
    }

    mutating func fill(_ peer: Int, _ byte: UInt8, blocks: UInt8) {
        step(1, peer, more: blocks - 1)
        bytes.append(byte)
    }

    mutating func stopReading(_ peer: Int) { step(4, peer) }
    mutating func read(_ peer: Int, blocks: UInt8) { step(5, peer, more: blocks) }
    mutating func resumeReading(_ peer: Int) { step(5, peer) }
    mutating func repeatLast(_ peer: Int, more: UInt8) { step(6, peer, more: more) }
    mutating func outside(_ event: ScriptStep.Outside, _ peer: Int = 0) { step(7, peer, more: event.rawValue) }
}
