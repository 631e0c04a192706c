import ApusMessage
import ApusStore
import ApusTopics
import MQTTCodec

/// What a durable store is, said as simply as possible: a list of steps of which a crash takes the end away.
///
/// The broker is simulated over it, crashes and all.
final class ModelLog {
    enum Step {
        case message(StorePosition, MessageHeader, Message, [Recipient])
        case assigned(StorePosition, Recipient)
        case finished(StorePosition, SessionNumber)
        case change(SessionChange, SessionNumber)
    }

    /// What one shard handed over at once: all of it is kept, or nothing.
    struct Batch {
        let shard: Int
        let last: StorePosition
        let steps: [Step]
    }

    private(set) var batches: [Batch] = []
    private var committedCount = 0
    private var nextBatch: UInt64 = 1
    private var nextSession: UInt32 = 1
    private(set) var stores: [ModelStore] = []
    /// Stored messages, whether handed over or not.
    fileprivate(set) var messages: [StorePosition: Message] = [:]
    fileprivate var queues: [SessionNumber: [ModelStore.Waiting]] = [:]

    func makeStores(_ count: Int) -> [ModelStore] {
        stores = (0..<count).map { ModelStore(self, shard: $0) }
        return stores
    }

    fileprivate func drawBatch() -> UInt64 {
        defer { nextBatch += 1 }
        return nextBatch
    }

    fileprivate func drawSession() -> SessionNumber {
        defer { nextSession += 1 }
        return SessionNumber(rawValue: nextSession)
    }

    fileprivate func append(_ batch: Batch) { batches.append(batch) }

    /// How many batches wait for the disk.
    var uncommittedCount: Int { batches.count - committedCount }

    /// The disk has taken so many more batches.
    func commit(_ count: Int) {
        for batch in batches[committedCount..<min(batches.count, committedCount + count)] {
            stores[batch.shard].safe = batch.last
        }
        committedCount = min(batches.count, committedCount + count)
    }

    /// The process ends; of what was not committed so many batches are on the disk all the same.
    ///
    /// - Returns: what the next process finds.
    func crash(keeping count: Int) -> (sessions: [RestoredSession], retained: [StorePosition]) {
        batches.removeLast(max(0, batches.count - committedCount - count))
        committedCount = batches.count
        return recover()
    }

    // MARK: - Recovery

    fileprivate struct Found {
        var record: SessionRecord
        var subscriptions: [StoredSubscription] = []
        var inbound: [PacketIdentifier] = []
        var outbound: [RestoredSession.Outbound] = []
        var waiting: [ModelStore.Waiting] = []
    }

    private func recover() -> (sessions: [RestoredSession], retained: [StorePosition]) {
        var found: [SessionNumber: Found] = [:]
        var retained: [StorePosition] = []
        messages = [:]
        for step in batches.flatMap(\.steps) {
            switch step {
            case .message(let position, let header, let message, let recipients):
                messages[position] = message
                if header.isKeptAsRetained { retained.append(position) }
                if header.publisher.isStored { found[header.publisher]?.inbound.append(header.packetIdentifier) }
                for recipient in recipients { found[recipient.session]?.add(position, recipient) }
            case .assigned(let position, let recipient):
                found[recipient.session]?.add(position, recipient)
            case .finished(let position, .retained):
                retained.removeAll { $0 == position }
            case .finished(let position, let session):
                found[session]?.waiting.removeAll { $0.position == position }
                found[session]?.outbound.removeAll { $0.message?.position == position }
            case .change(.state(let record), let session):
                var new = Found(record: record)
                new.waiting = found[session]?.waiting ?? []
                found[session] = new
            case .change(.ended, let session):
                found[session] = nil
            case .change(let change, let session):
                found[session]?.apply(change)
            }
        }
        queues = found.mapValues(\.waiting)
        let sessions = found.sorted { $0.key.rawValue < $1.key.rawValue }.map { number, session in
            RestoredSession(
                number: number,
                record: session.record,
                subscriptions: session.subscriptions,
                inbound: session.inbound,
                outbound: session.outbound,
            )
        }
        return (sessions, retained)
    }
}

extension ModelLog.Found {
    fileprivate mutating func add(_ position: StorePosition, _ recipient: Recipient) {
        if let last = waiting.indices.last, waiting[last].position == position {
            waiting[last].merge(recipient)
        } else {
            waiting.append(ModelStore.Waiting(position, recipient))
        }
    }

    fileprivate mutating func apply(_ change: SessionChange) {
        switch change {
        case .record(let new): record = new
        case .subscribed(let new):
            subscriptions.removeAll { $0.filter == new.filter }
            subscriptions.append(new)
        case .unsubscribed(let filter): subscriptions.removeAll { $0.filter == filter }
        case .inbound(let identifier): inbound.append(identifier)
        case .released(let identifier): inbound.removeAll { $0 == identifier }
        case .sent(let identifier, let position, let recipient):
            waiting.removeAll { $0.position == position }
            outbound.append(.init(identifier: identifier, message: (position, recipient)))
        case .received(let identifier, _):
            if let at = outbound.firstIndex(where: { $0.identifier == identifier }) {
                outbound[at].message = nil
            } else {
                outbound.append(.init(identifier: identifier, message: nil))
            }
        case .completed(let identifier): outbound.removeAll { $0.identifier == identifier }
        case .state, .ended: break
        }
    }
}

/// One shard's end of a ``ModelLog``.
final class ModelStore: WatchedStore, @unchecked Sendable {
    struct Waiting {
        let position: StorePosition
        /// One for each subscription that matched.
        var recipients: [Recipient]
        /// The delivery itself, when nothing is stored.
        var fleeting: Delivery?
        var group: SharedGroup?

        init(_ position: StorePosition, _ recipient: Recipient) {
            self.position = position
            recipients = [recipient]
        }

        /// What traces know the message by.
        var number: MessageNumber { fleeting?.message.number ?? MessageNumber(position) }

        mutating func merge(_ recipient: Recipient) { recipients.append(recipient) }
    }

    // The log holds its stores.
    private unowned let log: ModelLog
    private let shard: Int
    private var steps: [ModelLog.Step] = []
    private var batch: UInt64 = 0
    private var begun: (header: MessageHeader, message: Message, recipients: [Recipient])?
    private var queues: [SessionHandle: [Waiting]] = [:]
    fileprivate(set) var safe = StorePosition.none
    private(set) var longest = 0

    init(_ log: ModelLog, shard: Int) {
        self.log = log
        self.shard = shard
    }

    var waitingCount: Int { queues.values.reduce(0) { $0 + $1.count } }

    private var next: StorePosition { StorePosition(rawValue: batch << 20 | UInt64(steps.count)) }

    private func append(_ make: (StorePosition) -> ModelLog.Step) -> StorePosition {
        if steps.isEmpty { batch = log.drawBatch() }
        let position = next
        steps.append(make(position))
        return position
    }

    // MARK: Messages

    func beginMessage(
        _ header: MessageHeader,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
    ) -> Bool {
        var bytes: [UInt8] = []
        for part in 0..<3 {
            let source = part == 0 ? topic : part == 1 ? properties : payload
            for index in source.indices { bytes.append(source[index]) }
        }
        let message = Message(
            bytes: bytes,
            topicEnd: topic.count,
            propertiesEnd: topic.count + properties.count,
            qos: header.qos,
            retain: header.retain,
            expiresAt: header.expiresAt,
            instance: header.instance,
        )
        begun = (header, message, [])
        return true
    }

    func addRecipient(_ recipient: Recipient) { begun?.recipients.append(recipient) }

    func endMessage() -> StorePosition {
        guard let (header, message, recipients) = begun else { return .none }
        begun = nil
        return append { position in
            log.messages[position] = message.stored(at: position)
            return .message(position, header, message.stored(at: position), recipients)
        }
    }

    var refusal: StoreRefusal? { nil }

    func assigned(_ position: StorePosition, to recipient: Recipient) -> StorePosition {
        append { _ in .assigned(position, recipient) }
    }

    func finished(_ position: StorePosition, by session: SessionNumber) -> StorePosition {
        append { _ in .finished(position, session) }
    }

    // MARK: Sessions and commit

    func newSessionNumber() -> SessionNumber { log.drawSession() }

    func record(_ change: SessionChange, of session: SessionNumber) -> StorePosition {
        append { _ in .change(change, session) }
    }

    var committed: StorePosition { safe }
    var isBehind: Bool { false }
    var isStalled: Bool { false }

    func handOver() {
        guard !steps.isEmpty else { return }
        log.append(ModelLog.Batch(shard: shard, last: next, steps: steps))
        steps = []
    }

    // MARK: Queues

    func enqueue(
        _ delivery: Delivery,
        for session: SessionHandle,
        _ number: SessionNumber,
        limits: QueueLimits,
    ) -> [MessageNumber] {
        var recipient = Recipient(session: number, qos: delivery.qos, retain: delivery.retain)
        recipient.subscriptionIdentifier = delivery.subscriptionIdentifier
        var waiting = Waiting(delivery.position, recipient)
        waiting.group = delivery.extra?.group
        if delivery.position == .none || !number.isStored { waiting.fleeting = delivery }
        queues[session, default: []].append(waiting)
        var dropped: [MessageNumber] = []
        while let queue = queues[session], queue.count > limits.messages {
            let oldest = queues[session]?.removeFirst()
            if let oldest, oldest.position != .none, number.isStored { _ = finished(oldest.position, by: number) }
            if let oldest { dropped.append(oldest.number) }
        }
        // As with every store, the bound holds when the call returns.
        longest = max(longest, queues[session]?.count ?? 0)
        return dropped
    }

    func dequeue(for session: SessionHandle) -> Dequeued {
        guard var queue = queues[session], !queue.isEmpty else { return .empty }
        let first = queue.removeFirst()
        queues[session] = queue.isEmpty ? nil : queue
        return delivery(first).map(Dequeued.delivery) ?? .lost(first.position)
    }

    private func delivery(_ waiting: Waiting) -> Delivery? {
        if let fleeting = waiting.fleeting { return fleeting }
        guard let message = log.messages[waiting.position] else { return nil }
        return Delivery(
            message: message,
            qos: waiting.recipients.map(\.qos).max() ?? .atLeastOnce,
            retain: waiting.recipients.contains { $0.retain },
            extra: waiting.group.map { Delivery.Extra(furtherSubscriptionIdentifiers: [], group: $0) },
        )
    }

    func backlog(of session: SessionHandle) -> (messages: Int, bytes: Int) { (queues[session]?.count ?? 0, 0) }

    var waitingTotal: QueueTotal {
        var total = QueueTotal()
        for queue in queues.values { total.add(queue.count, bytes: 0) }
        return total
    }

    func takeShared(from session: SessionHandle, where condition: (SharedGroup) -> Bool) -> [Delivery] {
        var taken: [Delivery] = []
        var kept: [Waiting] = []
        for waiting in queues[session] ?? [] {
            if let group = waiting.group, condition(group), let delivery = delivery(waiting),
                delivery.qos == .atLeastOnce
            {
                taken.append(delivery)
            } else {
                kept.append(waiting)
            }
        }
        queues[session] = kept.isEmpty ? nil : kept
        return taken
    }

    func sessionEnded(
        _ session: SessionHandle,
        _ number: SessionNumber,
    ) -> (shared: [Delivery], others: [MessageNumber]) {
        let queue = queues.removeValue(forKey: session) ?? []
        let shared = queue.filter { $0.group != nil }.compactMap { delivery($0) }
        return (shared, queue.filter { $0.group == nil }.map(\.number))
    }

    // MARK: Start and vacating

    func restoreQueue(
        of session: SessionNumber,
        to handle: SessionHandle,
        group: (TopicFilter) -> SharedGroup?,
    ) -> Int {
        var queue = log.queues.removeValue(forKey: session) ?? []
        for index in queue.indices { queue[index].group = queue[index].recipients.first?.group.flatMap(group) }
        queues[handle] = queue.isEmpty ? nil : queue
        return queue.count
    }

    func load(_ position: StorePosition, for recipient: Recipient) -> Delivery? {
        log.messages[position].map { Delivery(message: $0, qos: recipient.qos, retain: recipient.retain) }
    }

    var isVacating: Bool { false }
    func mustRecordAgain(_ session: SessionNumber) -> Bool { false }
    func keepQueue(of session: SessionHandle, from place: UInt64, limit: Int) -> UInt64? { nil }
    func keep(_ position: StorePosition, for recipient: Recipient) {}
    func vacated() {}
}
