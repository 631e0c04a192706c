package import ApusMessage
package import ApusStore
package import ApusTopics
internal import MQTTCodec

// The queues of a shard's sessions: positions in memory, messages from the disk when their turn comes.

extension LogStore {
    package func enqueue(
        _ delivery: Delivery,
        for session: SessionHandle,
        _ number: SessionNumber,
        limits: QueueLimits,
    ) -> [MessageNumber] {
        if queues.index(forKey: session) == nil { queues[session] = EntryQueue() }
        guard let index = queues.index(forKey: session) else { return [] }
        queues.values[index].append(delivery)
        queues.values[index].number = number
        waitingTotal.add(bytes: EntryQueue.size(of: delivery))
        var dropped: [MessageNumber] = []
        while queues.values[index].count > limits.messages || queues.values[index].bytes > limits.bytes {
            guard let gone = queues.values[index].removeFirst() else { break }
            waitingTotal.remove(bytes: Int(gone.entry.size))
            dropped.append(Self.number(of: gone.entry, gone.unstored))
            if gone.entry.position != .none, number.isStored { _ = finished(gone.entry.position, by: number) }
        }
        if queues.values[index].isEmpty { queues.remove(at: index) }
        return dropped
    }

    package func dequeue(for session: SessionHandle) -> Dequeued {
        guard let index = queues.index(forKey: session), let entry = queues.values[index].first else { return .empty }
        var result = Dequeued.lost(entry.position)
        var message: Message?
        if entry.position != .none {
            switch read(entry.position, mayWait: reading.isServed(session), for: session) {
            case .message(let found, let storedAt):
                if isRetired(storedAt) { result = .expired(entry.position) } else { message = found }
            case .wouldWait: return .notYet
            case .retired: result = .expired(entry.position)
            case .lost: break
            }
        }
        guard let taken = queues.values[index].removeFirst() else { return .empty }
        waitingTotal.remove(bytes: Int(taken.entry.size))
        if let unstored = taken.unstored {
            result = .delivery(unstored)
        } else if let message {
            result = .delivery(Self.delivery(message, entry, taken.extra))
        }
        if queues.values[index].isEmpty { queues.remove(at: index) }
        return result
    }

    /// Whether a message that waits has become older than the retention allows; retained ones have no age.
    private func isRetired(_ storedAt: Timestamp) -> Bool {
        shared.retentionSeconds > 0 && storedAt.adding(seconds: Int64(shared.retentionSeconds)) <= shared.clock()
    }

    static func delivery(_ message: Message, _ entry: QueueEntry, _ extra: Delivery.Extra?) -> Delivery {
        Delivery(
            message: message,
            qos: entry.spec.qos,
            retain: entry.spec.retain,
            subscriptionIdentifier: entry.spec.subscriptionIdentifier,
            extra: extra,
        )
    }

    package func backlog(of session: SessionHandle) -> (messages: Int, bytes: Int) {
        guard let index = queues.index(forKey: session) else { return (0, 0) }
        return (queues.values[index].count, queues.values[index].bytes)
    }

    package func takeShared(from session: SessionHandle, where condition: (SharedGroup) -> Bool) -> [Delivery] {
        guard var queue = queues.removeValue(forKey: session) else { return [] }
        var kept = EntryQueue()
        kept.number = queue.number
        waitingTotal.remove(queue.count, bytes: queue.bytes)
        var taken: [Delivery] = []
        while let (entry, extra, unstored) = queue.removeFirst() {
            let qos = unstored?.qos ?? entry.spec.qos
            let group = unstored?.extra?.group ?? extra?.group
            if qos == .atLeastOnce, let group, condition(group) {
                if let delivery = unstored ?? restored(entry, extra) { taken.append(delivery) }
            } else if let unstored {
                kept.append(unstored)
            } else if let extra {
                kept.append(entry, extra: extra)
            } else {
                kept.append(entry)
            }
        }
        waitingTotal.add(kept.count, bytes: kept.bytes)
        if !kept.isEmpty { queues[session] = kept }
        return taken
    }

    private static func number(of entry: QueueEntry, _ unstored: Delivery?) -> MessageNumber {
        unstored?.message.number ?? MessageNumber(entry.position)
    }

    package func sessionEnded(
        _ session: SessionHandle,
        _ number: SessionNumber,
    ) -> (shared: [Delivery], others: [MessageNumber]) {
        reading.forget(session)
        guard var queue = queues.removeValue(forKey: session) else { return ([], []) }
        waitingTotal.remove(queue.count, bytes: queue.bytes)
        var shared: [Delivery] = []
        var others: [MessageNumber] = []
        while let (entry, extra, unstored) = queue.removeFirst() {
            // Its end is one record; each message has lost a reference all the same.
            if entry.position != .none, number.isStored { release(entry.position, 1) }
            if unstored?.extra?.group == nil, extra?.group == nil {
                others.append(Self.number(of: entry, unstored))
            } else if let delivery = unstored ?? restored(entry, extra) {
                shared.append(delivery)
            }
        }
        return (shared, others)
    }

    private func restored(_ entry: QueueEntry, _ extra: Delivery.Extra?) -> Delivery? {
        guard case .message(let message, _) = read(entry.position, mayWait: true) else { return nil }
        return Self.delivery(message, entry, extra)
    }
}
