import ApusMemory
import ApusMessage
import ApusStore
import ApusTopics
import MQTTCodec

/// Writes down what the shard tells its store, each step as a short text; commits at once.
final class RecordingStore: ForwardingStore, @unchecked Sendable {
    // Used by one test's thread only.
    private var lines: [String] = []
    private var message = ""
    /// What was finished.
    var finishedPositions: Set<StorePosition> = []
    /// What `load` finds.
    var stored: [StorePosition: Message] = [:]
    /// What waits for a session at start.
    var queues: [SessionNumber: [Delivery]] = [:]
    /// Whether the shard is asked to name what it needs, and what must be recorded anew.
    var vacates = false
    var mustMove: Set<SessionNumber> = []

    func takeLines() -> [String] {
        defer { lines = [] }
        return lines
    }

    override func beginMessage(
        _ header: MessageHeader,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
    ) -> Bool {
        message = "message \(text(topic)) \(text(payload)) qos \(header.qos.rawValue)"
        if header.isKeptAsRetained { message += " kept" }
        if header.publisher.isStored { message += " of \(header.publisher.rawValue)/\(header.packetIdentifier)" }
        message += " for"
        return super.beginMessage(header, topic: topic, properties: properties, payload: payload)
    }

    override func addRecipient(_ recipient: Recipient) { message += " " + text(recipient) }

    override func endMessage() -> StorePosition {
        let position = super.endMessage()
        lines.append(message)
        return position
    }

    override func assigned(_ position: StorePosition, to recipient: Recipient) -> StorePosition {
        lines.append("assigned to \(text(recipient))")
        return super.assigned(position, to: recipient)
    }

    override func finished(_ position: StorePosition, by session: SessionNumber) -> StorePosition {
        finishedPositions.insert(position)
        lines.append("finished by \(session == .retained ? "retained" : "\(session.rawValue)")")
        return super.finished(position, by: session)
    }

    override func record(_ change: SessionChange, of session: SessionNumber) -> StorePosition {
        lines.append("\(session.rawValue) \(text(change))")
        return super.record(change, of: session)
    }

    override func restoreQueue(
        of session: SessionNumber,
        to handle: SessionHandle,
        group: (TopicFilter) -> SharedGroup?,
    ) -> Int {
        let limits = QueueLimits(messages: .max, bytes: .max)
        for delivery in queues[session] ?? [] { _ = enqueue(delivery, for: handle, session, limits: limits) }
        return queues[session]?.count ?? 0
    }

    override func load(_ position: StorePosition, for recipient: Recipient) -> Delivery? {
        stored[position].map { Delivery(message: $0, qos: recipient.qos, retain: recipient.retain) }
    }

    override var isVacating: Bool { vacates }
    override func mustRecordAgain(_ session: SessionNumber) -> Bool { mustMove.contains(session) }
    override func keepQueue(of session: SessionHandle, from place: UInt64, limit: Int) -> UInt64? {
        lines.append("keep queue")
        return nil
    }

    override func keep(_ position: StorePosition, for recipient: Recipient) {
        lines.append("keep for \(recipient.session == .retained ? "retained" : text(recipient))")
    }

    override func vacated() {
        vacates = false
        lines.append("vacated")
    }

    // MARK: - Texts

    private func text(_ bytes: Span<UInt8>) -> String { String(decoding: [UInt8](copying: bytes), as: UTF8.self) }

    private func text(_ recipient: Recipient) -> String {
        var text = "\(recipient.session.rawValue)/\(recipient.qos.rawValue)"
        if recipient.retain { text += "r" }
        if recipient.subscriptionIdentifier > 0 { text += "#\(recipient.subscriptionIdentifier)" }
        if let group = recipient.group { text += "@\(group.fullText)" }
        return text
    }

    private func text(_ record: SessionRecord) -> String {
        var text = "\(record.clientID) \(record.expirySeconds == .max ? "for ever" : "\(record.expirySeconds)")"
        if record.disconnectedAt != nil { text += " away" }
        if record.will != nil { text += " will" }
        if record.willDueAt != .distantFuture { text += " due" }
        return text
    }

    private func text(_ change: SessionChange) -> String {
        switch change {
        case .state(let record): "state \(text(record))"
        case .record(let record): "record \(text(record))"
        case .subscribed(let subscription): "subscribed \(subscription.filter.fullText)"
        case .unsubscribed(let filter): "unsubscribed \(filter.fullText)"
        case .inbound(let identifier): "inbound \(identifier)"
        case .released(let identifier): "released \(identifier)"
        case .sent(let identifier, _, let recipient): "sent \(identifier) \(text(recipient))"
        case .received(let identifier, _): "received \(identifier)"
        case .completed(let identifier): "completed \(identifier)"
        case .ended: "ended"
        }
    }
}
