import MQTTCodec
import Testing

@testable import ApusBroker

/// A client that does what a test tells it to, and nothing by itself.
final class ScriptedClient {
    private unowned let harness: ShardHarness
    let version: ProtocolVersion
    var shard = 0
    var slot = 0
    var isClosed = false
    /// Whether output is taken as it comes.
    var reads = true
    /// Pieces sent and not yet read by the shard.
    var unread: [[UInt8]] = []
    /// Packets that came and no `take…` has fetched.
    var received: [Packet] = []
    /// Raw PUBLISH packets keep their empty topic; here is what the aliases stand for.
    private(set) var aliases: [UInt16: String] = [:]
    var connAck: ConnAck?
    private var partial: [UInt8] = []

    init(_ harness: ShardHarness, version: ProtocolVersion) {
        self.harness = harness
        self.version = version
    }

    // MARK: - Sending

    func send(_ packets: Packet...) {
        var bytes: [UInt8] = []
        for packet in packets { packet.encode(into: &bytes, version: version) }
        harness.feed(self, bytes)
    }

    func send(bytes: [UInt8]) { harness.feed(self, bytes) }

    func publish(
        _ topic: String,
        _ payload: String = "x",
        qos: QoS = .atMostOnce,
        id: PacketIdentifier = 0,
        retain: Bool = false,
        dup: Bool = false,
        change: (inout Publish) -> Void = { _ in },
    ) {
        var packet = Publish(
            topic: topic,
            payload: Array(payload.utf8),
            qos: qos,
            packetIdentifier: id,
            dup: dup,
            retain: retain,
        )
        change(&packet)
        send(.publish(packet))
    }

    /// Subscribes and fetches the SUBACK; retained messages stay in `received`.
    @discardableResult
    func subscribe(
        _ filter: String,
        qos: QoS = .atMostOnce,
        noLocal: Bool = false,
        retainAsPublished: Bool = false,
        retainHandling: RetainHandling = .sendAtSubscribe,
        identifier: UInt32 = 0,
    ) -> ReasonCode? {
        let options = SubscriptionOptions(
            qos: qos,
            noLocal: noLocal,
            retainAsPublished: retainAsPublished,
            retainHandling: retainHandling,
        )
        send(
            .subscribe(
                Subscribe(
                    packetIdentifier: 100,
                    requests: [Subscribe.Request(filter, options)],
                    subscriptionIdentifier: identifier,
                ),
            ),
        )
        guard case .subAck(let answer)? = take(where: { $0.type == .subAck }) else { return nil }
        return answer.reasonCodes.first
    }

    func acknowledge(_ type: PacketType, _ id: PacketIdentifier, _ reasonCode: ReasonCode = .success) {
        send(.acknowledgement(Acknowledgement(type: type, packetIdentifier: id, reasonCode: reasonCode)))
    }

    func disconnect(_ reasonCode: ReasonCode = .success, expiry: UInt32? = nil) {
        send(.disconnect(Disconnect(reasonCode: reasonCode, sessionExpiryInterval: expiry)))
    }

    func lose() { harness.lose(self) }

    // MARK: - Receiving

    func take(_ bytes: [UInt8]) {
        partial += bytes
        var offset = 0
        do {
            while let frame = try FrameDecoder.next(partial.span, at: offset, maximumPacketSize: .max) {
                var packet = try Packet.decode(partial.span, frame: frame, version: version, sender: .server)
                if case .publish(var publish) = packet, publish.topicAlias != 0 {
                    if publish.topic.isEmpty {
                        publish.topic = aliases[publish.topicAlias] ?? "unknown alias"
                    } else {
                        aliases[publish.topicAlias] = publish.topic
                    }
                    packet = .publish(publish)
                }
                received.append(packet)
                offset = frame.end
            }
        } catch {
            Issue.record("the broker sent a malformed packet: \(error)")
        }
        partial.removeFirst(offset)
    }

    func take(where condition: (Packet) -> Bool) -> Packet? {
        guard let index = received.firstIndex(where: condition) else { return nil }
        return received.remove(at: index)
    }

    /// Everything that came since the last look.
    func takeAll() -> [Packet] {
        defer { received = [] }
        return received
    }

    func takeConnAck() -> ConnAck? {
        guard case .connAck(let packet)? = take(where: { $0.type == .connAck }) else { return nil }
        return packet
    }

    func takeDisconnect() -> Disconnect? {
        guard case .disconnect(let packet)? = take(where: { $0.type == .disconnect }) else { return nil }
        return packet
    }

    /// All PUBLISH packets that came; other packets stay.
    func takePublishes() -> [Publish] {
        let publishes = received.compactMap { packet -> Publish? in
            if case .publish(let publish) = packet { publish } else { nil }
        }
        received.removeAll { $0.type == .publish }
        return publishes
    }

    func takePayloads() -> [String] { takePublishes().map(\.text) }

    /// All acknowledgements that came; other packets stay.
    func takeAcknowledgements() -> [Acknowledgement] {
        let acknowledgements = received.compactMap { packet -> Acknowledgement? in
            if case .acknowledgement(let acknowledgement) = packet { acknowledgement } else { nil }
        }
        received.removeAll { packet in
            if case .acknowledgement = packet { true } else { false }
        }
        return acknowledgements
    }
}

extension Publish {
    var text: String { String(decoding: payload, as: UTF8.self) }
}
