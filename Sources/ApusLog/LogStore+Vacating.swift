internal import ApusLocks
internal import ApusLoop
package import ApusMessage
package import ApusStore
internal import ApusTopics
internal import MQTTCodec
internal import Synchronization

// The shard's side of vacating a segment: it names what it needs of it.

/// What a store knows of the segment that is being vacated.
struct StoreVacating {
    var task: VacatingTask?
    /// Beside the next hand-over.
    var effects = VacatingExchange.Effects()
    /// The shard has named all; said with the next hand-over.
    var hasNamedAll = false
}

extension LogStore {
    package var isVacating: Bool {
        guard let task = vacating.task, !vacating.hasNamedAll else { return false }
        let walking = VacatingStage(task.number, .walking).rawValue
        return shared.vacatingStage.load(ordering: .acquiring) == walking
            && state.vacating.load(ordering: .relaxed) < walking
    }

    package func mustRecordAgain(_ session: SessionNumber) -> Bool {
        guard let task = vacating.task else { return false }
        // What is not known stands where nobody has looked.
        guard let place = states[session]?.place else { return true }
        guard place & SessionPlace.isSegment == 0 else {
            return place & ~SessionPlace.isSegment <= UInt64(task.segment)
        }
        return task.contains(batch: place)
    }

    package func keepQueue(of session: SessionHandle, from place: UInt64, limit: Int) -> UInt64? {
        guard let task = vacating.task, let index = queues.index(forKey: session) else { return nil }
        let queue = queues.values[index]
        // What was taken out since then is under way or finished.
        let start = place > queue.taken ? Int(clamping: place - queue.taken) : 0
        let end = min(queue.count, start + limit)
        for place in start..<max(start, end) {
            let entry = queue[place]
            guard entry.position != .none, task.contains(entry.position) else { continue }
            let extra = queue.extra(entry).map { extra in
                QueueExtra(
                    furtherSubscriptionIdentifiers: extra.furtherSubscriptionIdentifiers,
                    group: extra.group?.filter,
                )
            }
            note(entry.position, queue.number, entry.spec, extra)
        }
        return end < queue.count ? queue.taken + UInt64(end) : nil
    }

    package func keep(_ position: StorePosition, for recipient: Recipient) {
        guard let task = vacating.task, task.contains(position) else { return }
        note(position, recipient)
    }

    package func vacated() { vacating.hasNamedAll = true }

    /// Tells the writer that a session needs a message of the segment.
    func note(_ position: StorePosition, _ recipient: Recipient) {
        note(
            position,
            recipient.session,
            DeliverySpec(recipient),
            recipient.group.map { QueueExtra(group: $0) },
        )
    }

    private func note(
        _ position: StorePosition,
        _ session: SessionNumber,
        _ spec: DeliverySpec,
        _ extra: QueueExtra?,
    ) {
        // A retained message may be one of QoS 0; the mark that it is needed is never 0.
        let mark = spec.rawValue == 0 ? 1 << 28 : spec.rawValue
        vacating.effects.changes.append(ReferenceChange(position: position, session: session, spec: mark))
        guard let extra else { return }
        vacating.effects.extras[QueueExtraKey(session: session, position: position)] = extra
    }

    /// Tells the writer that a session needs a message no more.
    func noteFinished(_ position: StorePosition, _ session: SessionNumber) {
        guard let task = vacating.task, task.contains(position) else { return }
        vacating.effects.changes.append(ReferenceChange(position: position, session: session, spec: 0))
    }

    /// Follows the writer, after all of this tick was handed over.
    func followVacating() {
        let raw = shared.vacatingStage.load(ordering: .acquiring)
        if vacating.hasNamedAll, let task = vacating.task {
            vacating.hasNamedAll = false
            state.vacating.store(VacatingStage(task.number, .walking).rawValue, ordering: .releasing)
            shared.writerWakeUp.signal()
        }
        guard raw != lastVacatingStage else { return }
        lastVacatingStage = raw
        let stage = VacatingStage(rawValue: raw)
        switch stage.step {
        case .none:
            vacating.task = nil
            reading.follow(shared.fileEpoch.load(ordering: .acquiring))
        case .marking, .settling:
            if vacating.task?.number != stage.task { vacating.task = shared.exchange.withLock { $0.vacating.task } }
            state.vacating.store(raw, ordering: .releasing)
            shared.writerWakeUp.signal()
        case .walking, .copying: break
        }
    }
}
