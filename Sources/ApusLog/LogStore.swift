internal import ApusLoop
internal import ApusMemory
package import ApusMessage
package import ApusStore
package import ApusTopics
internal import MQTTCodec
internal import Synchronization

/// The storage port on the log of the process: one for each shard, called on its thread only.
///
/// Records are gathered in the shard's own batch without a lock; `handOver()` gives the batch to the writer. A message
/// lives on the disk from then on, and in memory only its position in each queue.
///
/// Sendable because after it was made one shard's thread alone calls it; what it has in common with the writer is in
/// `shared` and `state`.
package final class LogStore: MessageStore, @unchecked Sendable {
    let shared: LogShared
    let state: ShardState
    private let recovered: RecoveredQueues

    var builder: BatchBuilder
    /// Whether `builder` is the batch that will be handed over.
    private var isOpen = false
    private var batchTime = Timestamp(milliseconds: 0)
    private var lastBatchBytes = 0
    private var releases: [VacatingExchange.Release] = []

    var queues: [SessionHandle: EntryQueue] = [:]
    var reading = StoreReading()
    /// Where each session's state was recorded last: the number of a batch, or with the top bit that of a segment.
    var states: [SessionNumber: UInt64] = [:]

    init(shared: LogShared, state: ShardState, recovered: RecoveredQueues) {
        self.shared = shared
        self.state = state
        self.recovered = recovered
        builder = BatchBuilder(number: 0, shard: state.index, seed: shared.seed, reserving: 0)
    }

    // MARK: Messages

    package func beginMessage(
        _ header: MessageHeader,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
    ) -> Bool {
        guard shared.refusal == nil else { return false }
        prepare()
        builder.beginMessage(header, storedAt: batchTime, topic: topic, properties: properties, payload: payload)
        return true
    }

    package func addRecipient(_ recipient: Recipient) { builder.addRecipient(recipient) }

    package func endMessage() -> StorePosition { builder.endMessage() }

    package var refusal: StoreRefusal? { shared.refusal }

    package func assigned(_ position: StorePosition, to recipient: Recipient) -> StorePosition {
        prepare()
        release(position, -1)
        return builder.assigned(position, to: recipient)
    }

    package func finished(_ position: StorePosition, by session: SessionNumber) -> StorePosition {
        prepare()
        release(position, 1)
        return builder.finished(position, by: session)
    }

    // MARK: Sessions

    package func newSessionNumber() -> SessionNumber {
        while true {
            let raw = shared.nextSession.add(1, ordering: .relaxed).oldValue
            // The numbers have gone round: those of living sessions would come again after 2^32 sessions.
            if raw != 0, raw != .max { return SessionNumber(rawValue: raw) }
        }
    }

    package func record(_ change: SessionChange, of session: SessionNumber) -> StorePosition {
        switch change {
        case .state:
            prepare()
            states[session] = builder.number
        case .record: prepare()
        case .ended:
            prepare()
            states[session] = nil
        case .received(_, let position):
            if position != .none { release(position, 1) }
            prepare(isWithinState: true)
        case .subscribed, .unsubscribed, .inbound, .released, .sent, .completed:
            // All that makes up a state stands in one batch if it can: half a state would void the whole one before.
            prepare(isWithinState: true)
        }
        return builder.record(change, of: session)
    }

    // MARK: Commit

    package var committed: StorePosition { state.committed }

    package func handOver() {
        if isOpen { handOverBatch() }
    }

    package var isBehind: Bool { shared.isBehind.load(ordering: .relaxed) }

    private func prepare(isWithinState: Bool = false) {
        if isOpen, builder.isFull, !isWithinState || builder.byteCount > LogFormat.maximumOffset / 2 {
            handOverBatch()
        }
        guard !isOpen else { return }
        isOpen = true
        batchTime = shared.clock()
        builder = BatchBuilder(
            number: shared.nextBatch.add(1, ordering: .relaxed).oldValue,
            shard: state.index,
            seed: shared.seed,
            reserving: min(max(4 << 10, lastBatchBytes + lastBatchBytes / 4), LogFormat.batchBytes + 64 << 10),
        )
    }

    private func handOverBatch() {
        var finished = BatchBuilder(number: 0, shard: state.index, seed: shared.seed, reserving: 0)
        swap(&finished, &builder)
        isOpen = false
        lastBatchBytes = finished.byteCount
        let (number, messageBytes, references) = (finished.number, finished.messageBytes, finished.references)
        let bytes = finished.finish(at: shared.clock())
        let batch = HandedBatch(
            number: number,
            shard: state,
            bytes: bytes,
            messageBytes: messageBytes,
            references: references,
        )
        let waiting = shared.waitingBytes.add(bytes.count, ordering: .relaxed).newValue
        if waiting > LogShared.behindBytes { shared.isBehind.store(true, ordering: .relaxed) }
        shared.exchange.withLock { exchange in
            exchange.handed.append(batch)
            exchange.uncommitted[number] = bytes
            exchange.vacating.releases.append(contentsOf: releases)
        }
        releases.removeAll(keepingCapacity: true)
        shared.writerWakeUp.signal()
    }

    /// Notes for the estimate of what lives that the message has lost a reference, or got one.
    func release(_ position: StorePosition, _ count: Int32) {
        guard let last = releases.indices.last, releases[last].batch == position.batchNumber else {
            return releases.append(VacatingExchange.Release(batch: position.batchNumber, count: count))
        }
        releases[last].count += count
    }

    // MARK: Start

    package func restoreQueue(
        of session: SessionNumber,
        to handle: SessionHandle,
        group: (TopicFilter) -> SharedGroup?,
    ) -> Int {
        let found = recovered.take(session)
        if let segment = found.stateSegment { states[session] = 1 << 63 | segment }
        guard !found.entries.isEmpty else { return 0 }
        var queue = EntryQueue()
        for entry in found.entries {
            guard entry.spec.hasMore, let extra = found.extras[entry.position] else {
                queue.append(entry)
                continue
            }
            queue.append(
                entry,
                extra: Delivery.Extra(
                    furtherSubscriptionIdentifiers: extra.furtherSubscriptionIdentifiers,
                    group: extra.group.flatMap(group),
                ),
            )
        }
        queues[handle] = queue
        return queue.count
    }

    package func load(_ position: StorePosition, for recipient: Recipient) -> Delivery? {
        guard case .message(let message) = read(position, mayWait: true) else { return nil }
        return Delivery(
            message: message,
            qos: min(recipient.qos, message.qos),
            retain: recipient.retain,
            subscriptionIdentifier: recipient.subscriptionIdentifier,
        )
    }

    // MARK: Vacating

    package var isVacating: Bool { false }
    package func mustRecordAgain(_ session: SessionNumber) -> Bool { false }
    package func keepQueue(of session: SessionHandle) {}
    package func keep(_ position: StorePosition, for recipient: Recipient) {}
    package func vacated() {}
}
