import ApusMessage
import ApusSession
import ApusTopics
import MQTTCodec

// Actions as short texts, so that a transcript reads line by line.

extension Delivery {
    static func named(_ name: String, qos: QoS = .atLeastOnce, group: SharedGroup? = nil) -> Delivery {
        Delivery(
            message: Message(topic: name, payload: [], qos: qos),
            qos: qos,
            retain: false,
            extra: group.map { Extra(furtherSubscriptionIdentifiers: [], group: $0) },
        )
    }

    var name: String { message.topic }
}

extension OutboundPublishes.Acknowledgement {
    var text: String {
        switch self {
        case .finished(let delivery): "finished \(delivery?.name ?? "-")"
        case .release(let delivery): "release \(delivery?.message.topic ?? "-")"
        case .noted(let delivery): "noted \(delivery?.message.topic ?? "-")"
        case .unknown: "unknown"
        case .wrongPacket: "wrongPacket"
        }
    }
}

extension OutboundPublishes.Repetition {
    var text: String {
        switch self {
        case .publish(let id, let delivery): "publish \(id) \(delivery.name)"
        case .release(let id): "release \(id)"
        }
    }
}

extension SharedGroup {
    /// A group as the index makes it.
    static func sample() throws -> SharedGroup {
        let index = SubscriptionIndex()
        index.subscribe(try TopicFilter("$share/g/t"), Subscriber(target: 1, qos: 1))
        let topic = Array("t".utf8)
        guard let group = index.match(topic.span).groups.first?.group else { throw NoGroup() }
        return group
    }

    private struct NoGroup: Error {}
}

/// A send window whose answers are texts; a class, so that a call may stand inside an expectation.
final class WindowTranscript {
    private var machine: OutboundPublishes

    init(window: UInt16) { machine = OutboundPublishes(window: window) }

    var hasRoom: Bool { machine.hasRoom }
    var mustRepeat: Bool { machine.mustRepeat }
    var isEmpty: Bool { machine.isEmpty }
    var outstandingCount: Int { machine.outstandingCount }
    var underWayCount: Int { machine.underWayCount }
    var underWay: [OutboundPublishes.UnderWay] { machine.underWay }
    var unfinished: [String] { machine.unfinished.map(\.name) }

    func sent(_ qos: QoS, keeping delivery: Delivery?) -> PacketIdentifier { machine.sent(qos, keeping: delivery) }
    func connectionStarted(window: UInt16) { machine.connectionStarted(window: window) }
    func nextRepetition() -> String? { machine.nextRepetition()?.text }
    func receivedPubAck(_ id: PacketIdentifier) -> String { machine.receivedPubAck(id).text }
    func receivedPubComp(_ id: PacketIdentifier) -> String { machine.receivedPubComp(id).text }
    func takeShared() -> [String] { machine.takeShared { _ in true }.map(\.name) }

    func receivedPubRec(_ id: PacketIdentifier, refused: Bool) -> String {
        machine.receivedPubRec(id, refused: refused).text
    }
}
