internal import ApusMemory
package import ApusMessage
package import ApusTopics
internal import MQTTCodec

/// The storage port in memory: keeps everything until the process ends and is committed at once.
///
/// Messages live in the queues that need them, so those of nobody cost nothing.
///
/// Sendable because one shard alone calls it after it was handed over at start.
package final class MemoryStore: MessageStore, @unchecked Sendable {
    fileprivate struct Queue {
        var deliveries = RingBuffer<Delivery>()
        var bytes = 0
    }

    private var queues: [SessionHandle: Queue] = [:]
    package private(set) var waitingTotal = QueueTotal()
    private var last: UInt64 = 0
    private var lastNumber: UInt32 = 0

    package init() {}

    // MARK: Messages

    package func beginMessage(
        _ header: MessageHeader,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
    ) -> Bool { true }

    package func addRecipient(_ recipient: Recipient) {}

    package func endMessage() -> StorePosition { step() }

    package var refusal: StoreRefusal? { nil }

    package func assigned(_ position: StorePosition, to recipient: Recipient) -> StorePosition { step() }

    package func finished(_ position: StorePosition, by session: SessionNumber) -> StorePosition { step() }

    // MARK: Sessions

    package func newSessionNumber() -> SessionNumber {
        // Nothing on disk carries it, so that it may come again.
        lastNumber = lastNumber >= .max - 1 ? 1 : lastNumber + 1
        return SessionNumber(rawValue: lastNumber)
    }

    package func record(_ change: SessionChange, of session: SessionNumber) -> StorePosition { step() }

    // MARK: Commit

    package var committed: StorePosition { StorePosition(rawValue: last) }

    package func handOver() {}

    package var isBehind: Bool { false }
    package var isStalled: Bool { false }

    private func step() -> StorePosition {
        last += 1
        return StorePosition(rawValue: last)
    }

    // MARK: Queues

    package func enqueue(
        _ delivery: Delivery,
        for session: SessionHandle,
        _ number: SessionNumber,
        limits: QueueLimits,
    ) -> [MessageNumber] {
        queues[session, default: Queue()].add(delivery, limits: limits, &waitingTotal)
    }

    package func dequeue(for session: SessionHandle) -> Dequeued {
        let first = queues[session]?.removeFirst()
        if let first { waitingTotal.remove(bytes: first.message.footprint) }
        if let queue = queues[session], queue.deliveries.isEmpty { queues[session] = nil }
        return first.map(Dequeued.delivery) ?? .empty
    }

    package func backlog(of session: SessionHandle) -> (messages: Int, bytes: Int) {
        guard let queue = queues[session] else { return (0, 0) }
        return (queue.deliveries.count, queue.bytes)
    }

    package func takeShared(from session: SessionHandle, where condition: (SharedGroup) -> Bool) -> [Delivery] {
        guard let queue = queues.removeValue(forKey: session) else { return [] }
        var kept = Queue()
        var taken: [Delivery] = []
        for index in 0..<queue.deliveries.count {
            let delivery = queue.deliveries[index]
            if delivery.qos == .atLeastOnce, let group = delivery.extra?.group, condition(group) {
                taken.append(delivery)
                waitingTotal.remove(bytes: delivery.message.footprint)
            } else {
                kept.append(delivery)
            }
        }
        if !kept.deliveries.isEmpty { queues[session] = kept }
        return taken
    }

    package func sessionEnded(
        _ session: SessionHandle,
        _ number: SessionNumber,
    ) -> (shared: [Delivery], others: [MessageNumber]) {
        guard let queue = queues.removeValue(forKey: session) else { return ([], []) }
        waitingTotal.remove(queue.deliveries.count, bytes: queue.bytes)
        let shared = queue.deliveries.filter { $0.extra?.group != nil }
        return (shared, queue.deliveries.filter { $0.extra?.group == nil }.map(\.message.number))
    }

    // MARK: Start and vacating: nothing outlives the process

    package func restoreQueue(
        of session: SessionNumber,
        to handle: SessionHandle,
        group: (TopicFilter) -> SharedGroup?,
    ) -> Int { 0 }

    package func load(_ position: StorePosition, for recipient: Recipient) -> Delivery? { nil }

    package var isVacating: Bool { false }

    package func mustRecordAgain(_ session: SessionNumber) -> Bool { false }

    package func keepQueue(of session: SessionHandle, from place: UInt64, limit: Int) -> UInt64? { nil }

    package func keep(_ position: StorePosition, for recipient: Recipient) {}

    package func vacated() {}
}

extension MemoryStore.Queue {
    fileprivate mutating func append(_ delivery: Delivery) {
        deliveries.append(delivery)
        bytes += delivery.message.footprint
    }

    fileprivate mutating func removeFirst() -> Delivery? {
        guard let first = deliveries.popFirst() else { return nil }
        bytes -= first.message.footprint
        return first
    }

    /// - Returns: what had to go.
    fileprivate mutating func add(
        _ delivery: Delivery,
        limits: QueueLimits,
        _ total: inout QueueTotal,
    ) -> [MessageNumber] {
        let before = bytes
        append(delivery)
        var dropped: [MessageNumber] = []
        while deliveries.count > limits.messages || bytes > limits.bytes, let gone = removeFirst() {
            dropped.append(gone.message.number)
        }
        total.add(1 - dropped.count, bytes: bytes - before)
        return dropped
    }
}
