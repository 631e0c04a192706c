internal import ApusMemory
package import ApusMessage

/// The storage port in memory: keeps everything until the process ends and is committed at once.
///
/// Sendable because one shard's thread alone calls it after it was handed over at start.
package final class MemoryStore: MessageStore, @unchecked Sendable {
    fileprivate struct Queue {
        var deliveries = RingBuffer<Delivery>()
        var bytes = 0
    }

    private var queues: [SessionHandle: Queue] = [:]
    private var last: UInt64 = 0

    package init() {}

    package func append(_ message: Message) -> StorePosition {
        last += 1
        return StorePosition(rawValue: last)
    }

    package var committed: StorePosition { StorePosition(rawValue: last) }

    package func enqueue(_ delivery: Delivery, for session: SessionHandle, limits: QueueLimits) -> [Delivery] {
        var dropped: [Delivery] = []
        queues[session, default: Queue()].add(delivery, limits: limits, dropped: &dropped)
        return dropped
    }

    package func dequeue(for session: SessionHandle) -> Delivery? {
        let first = queues[session]?.removeFirst()
        if let queue = queues[session], queue.deliveries.isEmpty { queues[session] = nil }
        return first
    }

    package func backlog(of session: SessionHandle) -> (messages: Int, bytes: Int) {
        guard let queue = queues[session] else { return (0, 0) }
        return (queue.deliveries.count, queue.bytes)
    }

    package func finished(_ delivery: Delivery, for session: SessionHandle) {}

    package func remove(for session: SessionHandle, where condition: (Delivery) -> Bool) -> [Delivery] {
        guard let queue = queues.removeValue(forKey: session) else { return [] }
        var kept = Queue()
        var removed: [Delivery] = []
        for index in 0..<queue.deliveries.count {
            let delivery = queue.deliveries[index]
            if condition(delivery) { removed.append(delivery) } else { kept.append(delivery) }
        }
        if !kept.deliveries.isEmpty { queues[session] = kept }
        return removed
    }

    package func sessionEnded(_ session: SessionHandle) -> [Delivery] {
        guard let queue = queues.removeValue(forKey: session) else { return [] }
        return (0..<queue.deliveries.count).map { queue.deliveries[$0] }
    }
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

    fileprivate mutating func add(_ delivery: Delivery, limits: QueueLimits, dropped: inout [Delivery]) {
        append(delivery)
        while deliveries.count > limits.messages || bytes > limits.bytes, let oldest = removeFirst() {
            dropped.append(oldest)
        }
    }
}
