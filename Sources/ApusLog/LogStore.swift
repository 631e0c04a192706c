internal import ApusLocks
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
    private var openMessages = 0
    private var releases: [VacatingExchange.Release] = []
    /// Retained messages that were let go before the batch that they are in was handed over.
    private var finishedEarly: [StorePosition] = []

    var queues: [SessionHandle: EntryQueue] = [:]
    package internal(set) var waitingTotal = QueueTotal()
    var reading = StoreReading()
    var states: [SessionNumber: SessionPlace] = [:]
    var vacating = StoreVacating()
    var lastVacatingStage: UInt64 = 0

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

    package func endMessage() -> StorePosition {
        openMessages += 1
        return builder.endMessage()
    }

    package var refusal: StoreRefusal? { shared.refusal }

    package func assigned(_ position: StorePosition, to recipient: Recipient) -> StorePosition {
        prepare()
        release(position, -1)
        if let task = vacating.task, task.contains(position) { note(position, recipient) }
        return builder.assigned(position, to: recipient)
    }

    package func finished(_ position: StorePosition, by session: SessionNumber) -> StorePosition {
        prepare()
        release(position, 1)
        noteFinished(position, session)
        if session == .retained, position.batchNumber != builder.number, shared.isBeingFilled(position.batchNumber) {
            finishedEarly.append(position)
        }
        return builder.finished(position, by: session)
    }

    /// Says once more behind the message that it is finished: what said so first may stand in a segment before the
    /// message's, and go with it.
    private func finishAgain() {
        guard !finishedEarly.isEmpty else { return }
        let known = finishedEarly.filter { !shared.isBeingFilled($0.batchNumber) }
        guard !known.isEmpty else { return }
        finishedEarly.removeAll { known.contains($0) }
        for position in known {
            prepare()
            _ = builder.finished(position, by: .retained)
        }
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
        let isStep =
            switch change {
            case .state, .record, .ended: false
            case .subscribed, .unsubscribed, .inbound, .released, .sent, .received, .completed: true
            }
        // All that makes up a state stands in one batch: half a state would void the whole one before.
        prepare(isWithinState: isStep)
        let before = builder.byteCount
        let position = builder.record(change, of: session)
        let bytes = UInt32(clamping: builder.byteCount - before)
        switch change {
        case .state: setState(session, SessionPlace(place: builder.number, bytes: bytes))
        case .record, .subscribed:
            if let known = states[session] {
                setState(session, SessionPlace(place: known.place, bytes: known.bytes &+ bytes))
            }
        case .ended: setState(session, nil)
        case .received(_, let message):
            guard message != .none else { break }
            release(message, 1)
            noteFinished(message, session)
        case .unsubscribed, .inbound, .released, .sent, .completed: break
        }
        return position
    }

    private func setState(_ session: SessionNumber, _ new: SessionPlace?) {
        let old = new.map { states.updateValue($0, forKey: session) } ?? states.removeValue(forKey: session)
        let change = Int(new?.bytes ?? 0) - Int(old?.bytes ?? 0)
        shared.stateBytes.add(change, ordering: .relaxed)
    }

    // MARK: Commit

    package var committed: StorePosition { state.committed }

    package func handOver() {
        finishAgain()
        if isOpen {
            handOverBatch()
        } else if !vacating.effects.isEmpty {
            shared.exchange.withLock { handOverEffects(&$0) }
        }
        followVacating()
    }

    package var isBehind: Bool { shared.isBehind.load(ordering: .relaxed) }
    package var isStalled: Bool { shared.isStalled.load(ordering: .relaxed) }

    private func prepare(isWithinState: Bool = false) {
        if isOpen, builder.isFull, !isWithinState || builder.byteCount > LogFormat.stateBytes {
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
        state.openBatch.store(builder.number, ordering: .releasing)
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
            messages: openMessages,
            handedOverAt: Clock.monotonicNanoseconds(),
        )
        openMessages = 0
        let waiting = shared.waitingBytes.add(bytes.count, ordering: .relaxed).newValue
        if waiting > LogShared.behindBytes { shared.isBehind.store(true, ordering: .relaxed) }
        shared.exchange.withLock { exchange in
            exchange.handed.append(batch)
            exchange.uncommitted[number] = bytes
            handOverEffects(&exchange)
        }
        // Only now: whoever finds it closed finds it there.
        state.openBatch.store(0, ordering: .releasing)
        shared.writerWakeUp.signal()
    }

    private func handOverEffects(_ exchange: inout Exchange) {
        exchange.vacating.releases.append(contentsOf: releases)
        releases.removeAll(keepingCapacity: true)
        guard !vacating.effects.isEmpty else { return }
        exchange.vacating.effects.append(vacating.effects)
        vacating.effects = VacatingExchange.Effects()
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
        if let state = found.state {
            // Its bytes were counted when the log was opened.
            let place = SessionPlace.isSegment | state.segment
            states[session] = SessionPlace(place: place, bytes: UInt32(clamping: state.bytes))
        }
        guard !found.entries.isEmpty else { return 0 }
        var queue = EntryQueue()
        queue.number = session
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
        waitingTotal.add(queue.count, bytes: queue.bytes)
        return queue.count
    }

    package func load(_ position: StorePosition, for recipient: Recipient) -> Delivery? {
        guard case .message(let message, _) = read(position, mayWait: true) else { return nil }
        return Delivery(
            message: message,
            qos: min(recipient.qos, message.qos),
            retain: recipient.retain,
            subscriptionIdentifier: recipient.subscriptionIdentifier,
        )
    }
}

/// Where a session's state was recorded last, and its bytes since.
struct SessionPlace {
    static let isSegment: UInt64 = 1 << 63

    /// The number of a batch, or with the top bit that of a segment.
    var place: UInt64
    var bytes: UInt32
}
