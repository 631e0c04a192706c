internal import ApusLocks
internal import ApusLoop
internal import ApusMessage
internal import ApusStore
internal import Synchronization

/// The writer's side of vacating the oldest segment.
struct Vacating {
    fileprivate var task: VacatingTask?
    fileprivate var tasks: UInt64 = 0
    fileprivate var effects = VacatingExchange.Effects()
    fileprivate var plan: CopyPlan?
    /// While copying: what changed since the plan was made.
    fileprivate var late: [QueueExtraKey: UInt32] = [:]
    /// Of the task.
    fileprivate(set) var copiedBytes = 0
    /// Messages of the task that were given up for their age.
    fileprivate var retired = 0
    /// Written to the log when the last task ended, and how much must be written before the next.
    fileprivate var bytesBefore = 0
    fileprivate var bytesBetween = 0
    fileprivate var retryAt = Timestamp(milliseconds: 0)
    /// On a full disk: the last segment when the present round through the log began, and what lived then.
    fileprivate var round: (last: UInt64, live: Int)?

    /// Whether something is to be tried again later.
    func isWaiting(_ now: Timestamp) -> Bool { now < retryAt }

    var isIdle: Bool { task == nil }

    mutating func forgetRound() { round = nil }

    /// All that shards have handed over up to now.
    mutating func apply(_ new: VacatingExchange.Effects) {
        guard let task else { return }
        var new = new
        // A shard that has not followed to the end of the task before may speak of that.
        new.changes.removeAll { !task.contains($0.position) }
        if plan == nil { return effects.append(new) }
        for change in new.changes {
            late[QueueExtraKey(session: change.session, position: change.position)] = change.spec
        }
        if !new.extras.isEmpty { effects.extras.merge(new.extras) { $1 } }
    }
}

extension LogWriter {
    /// Segments that are never vacated: the one that is written and the one before it.
    private static let newest = 2

    /// The stage that all shards have reached, before anything is taken from them: what they handed over by then counts.
    func vacatingAnswer() -> Bool {
        guard let task = vacating.task else { return false }
        let stage = VacatingStage(rawValue: shared.vacatingStage.load(ordering: .relaxed))
        guard stage.task == task.number else { return false }
        return shared.shards.withLock { shards in
            shards.allSatisfy { $0.vacating.load(ordering: .acquiring) >= stage.rawValue }
        }
    }

    /// Whether the shards have come to a stage from which the writer goes on.
    var hasNewAnswer: Bool {
        guard vacating.task != nil else { return false }
        let stage = VacatingStage(rawValue: shared.vacatingStage.load(ordering: .relaxed))
        return stage.step != .copying && vacatingAnswer()
    }

    /// Does the next part of the work that space is given back with.
    ///
    /// - Returns: whether there is more to do at once.
    func vacate(_ now: Timestamp, isAnswered: Bool) -> Bool {
        guard let task = vacating.task else {
            if mustVacate(now) { beginVacating(now) }
            return false
        }
        guard isAnswered else { return false }
        switch VacatingStage(rawValue: shared.vacatingStage.load(ordering: .relaxed)).step {
        case .none: return false
        case .marking:
            enter(.settling, task)
            shared.wakeAll()
            return false
        case .settling:
            enter(.walking, task)
            for shard in shared.shards.withLock({ $0 }) { shard.notify(.vacate) }
            return false
        case .walking:
            makePlan(task)
            // Among it the sessions that were recorded again.
            if isHolding { grantAll() }
            for shard in shared.shards.withLock({ $0 }) {
                shard.vacating.store(VacatingStage(task.number, .copying).rawValue, ordering: .relaxed)
            }
            enter(.copying, task)
            return true
        case .copying:
            return copy(task, now)
        }
    }

    private func enter(_ step: VacatingStage.Step, _ task: VacatingTask) {
        shared.vacatingStage.store(VacatingStage(task.number, step).rawValue, ordering: .releasing)
    }

    // MARK: When

    private func mustVacate(_ now: Timestamp) -> Bool {
        guard segments.count > Self.newest, now >= vacating.retryAt else { return false }
        let size = options.segmentBytes
        let bytes = segments.reduce(0) { $0 + $1.bytes }
        let live = statistics.liveBytes + shared.stateBytes.load(ordering: .relaxed)
        if options.messageRetentionSeconds > 0,
            segments[1].createdAt.adding(seconds: Int64(options.messageRetentionSeconds)) < now
        {
            return true
        }
        if statistics.state != .running { return bytes > live + size + size / 2 && canMoveHead(live) }
        guard statistics.bytesWritten - vacating.bytesBefore >= vacating.bytesBetween else { return false }
        return bytes > max(4 * size, 2 * live + 2 * size)
    }

    /// On a full disk: whether there is room for what lives in the oldest segment, and moving it may lead on to something
    /// that is dead.
    private func canMoveHead(_ live: Int) -> Bool {
        let size = options.segmentBytes
        let oldest = shared.exchange.withLock { $0.places.liveBytes(of: UInt32(segments[0].number)) }
        guard oldest + oldest / 8 + size / 4 < room else { return false }
        // Once round everything was moved; again only when more is dead since, or it would go round for ever.
        if let round = vacating.round {
            if segments[0].number <= round.last { return true }
            guard live < round.live - size / 2 else { return false }
        }
        vacating.round = (segments[segments.count - 1].number, live)
        return true
    }

    private func beginVacating(_ now: Timestamp) {
        vacating.tasks += 1
        let segment = UInt32(truncatingIfNeeded: segments[0].number)
        let number = vacating.tasks
        let (batches, written) = shared.exchange.withLock { exchange in
            (exchange.places.batches(in: segment), exchange.places.copies(writtenTo: segment))
        }
        var origins: [StorePosition] = []
        inSlices(written) { places, slice in
            origins.append(contentsOf: slice.filter { places.isCopy($0, in: segment) })
        }
        let task = VacatingTask(number: number, segment: segment, batches: batches, origins: origins)
        shared.exchange.withLock { $0.vacating.task = task }
        vacating.task = task
        vacating.copiedBytes = 0
        vacating.retired = 0
        enter(.marking, task)
        shared.wakeAll()
    }

    /// Goes through many positions without keeping the shards from the table for long; only the writer changes it.
    private func inSlices(
        _ positions: [StorePosition],
        _ body: (inout PlaceTable, ArraySlice<StorePosition>) -> Void,
    ) {
        for start in stride(from: 0, to: positions.count, by: 4096) {
            let slice = positions[start..<min(start + 4096, positions.count)]
            shared.exchange.withLock { body(&$0.places, slice) }
        }
    }

    // MARK: Copying

    private func makePlan(_ task: VacatingTask) {
        var effects = VacatingExchange.Effects()
        swap(&effects, &vacating.effects)
        vacating.effects.extras = effects.extras
        vacating.plan = CopyPlan(effects.changes)
    }

    /// Copies some messages; in the end deletes the segment.
    private func copy(_ task: VacatingTask, _ now: Timestamp) -> Bool {
        guard isReadyToCopy else { return false }
        guard var plan = vacating.plan else { return false }
        if plan.isFinished { appendLate(to: &plan) }
        guard !plan.isFinished else {
            endVacating(task, now)
            // There may be another one.
            return vacating.task == nil
        }
        var builder = BatchBuilder(
            number: shared.nextBatch.add(1, ordering: .relaxed).oldValue,
            shard: Int(UInt16.max),
            seed: shared.seed,
            reserving: copyBytes + 4096,
        )
        var relocations: [Relocation] = []
        // What does not fit at the end of a segment is a hole in it.
        let most = min(copyBytes, options.segmentBytes / 4)
        while builder.byteCount < most, let (position, references) = plan.next() {
            copy(position, references, &builder, &relocations, now)
        }
        vacating.plan = plan
        guard !builder.isEmpty else { return true }
        let (number, messageBytes, references) = (builder.number, builder.messageBytes, builder.references)
        let bytes = builder.finish(at: now)
        vacating.copiedBytes += bytes.count
        statistics.messagesCopied += relocations.count
        append(
            copies: HandedBatch(
                number: number,
                shard: nil,
                bytes: bytes,
                messageBytes: messageBytes,
                references: references,
                relocations: relocations,
            )
        )
        return true
    }

    /// What was assigned while copying went on and has no copy yet.
    private func appendLate(to plan: inout CopyPlan) {
        guard !vacating.late.isEmpty else { return }
        var changes: [ReferenceChange] = []
        shared.exchange.withLock { exchange in
            for (key, spec) in vacating.late where spec != 0 {
                if let segment = exchange.places.place(ofCopy: key.position)?.segment, segment != vacating.task?.segment
                {
                    continue
                }
                changes.append(ReferenceChange(position: key.position, session: key.session, spec: spec))
            }
        }
        if !changes.isEmpty { plan = CopyPlan(changes) }
    }

    private func copy(
        _ position: StorePosition,
        _ references: ArraySlice<ReferenceChange>,
        _ builder: inout BatchBuilder,
        _ relocations: inout [Relocation],
        _ now: Timestamp,
    ) {
        var references = Array(references)
        if !vacating.late.isEmpty {
            references = references.compactMap { change in
                let key = QueueExtraKey(session: change.session, position: change.position)
                guard let spec = vacating.late[key] else { return change }
                return spec == 0
                    ? nil : ReferenceChange(position: change.position, session: change.session, spec: spec)
            }
        }
        guard !references.isEmpty else { return }
        let place = shared.exchange.withLock { exchange in
            exchange.places.place(of: position)
        }
        guard let place else { return }
        guard case .at(let start) = copyReader.find(place.file, place.offset, mayWait: true) else {
            return reportUnreadable(position, place)
        }
        let bytes = copyReader.buffer
        guard let view = try? LogRecordReader.message(in: bytes.span, at: start, seed: shared.seed) else {
            return reportUnreadable(position, place)
        }
        if isRetired(view, references, now) {
            statistics.messagesRetired += 1
            vacating.retired += 1
            return
        }
        var header = view.header
        // Identifiers in use are part of the session's state from now on.
        header.publisher = .none
        header.packetIdentifier = 0
        header.isKeptAsRetained = references.contains { $0.session == .retained }
        builder.beginMessage(
            header,
            origin: position,
            storedAt: view.storedAt,
            topic: bytes.span.extracting(view.topic),
            properties: bytes.span.extracting(view.properties),
            payload: bytes.span.extracting(view.payload),
        )
        for reference in references where reference.session.isStored && reference.session != .retained {
            let key = QueueExtraKey(session: reference.session, position: position)
            let extra = vacating.effects.extras[key]
            let spec = DeliverySpec(rawValue: reference.spec)
            var recipient = Recipient(
                session: reference.session,
                subscriptionIdentifier: spec.subscriptionIdentifier,
                qos: spec.qos,
                retain: spec.retain,
                group: extra?.group,
            )
            builder.addRecipient(recipient)
            recipient.group = nil
            for identifier in extra?.furtherSubscriptionIdentifiers ?? [] {
                recipient.subscriptionIdentifier = identifier
                builder.addRecipient(recipient)
            }
        }
        let copy = builder.endMessage()
        relocations.append(Relocation(origin: position, copy: copy))
    }

    /// Whether a message is given up because of its age.
    private func isRetired(_ view: StoredMessageView, _ references: [ReferenceChange], _ now: Timestamp) -> Bool {
        guard options.messageRetentionSeconds > 0, !references.contains(where: { $0.session == .retained }) else {
            return false
        }
        return view.storedAt.adding(seconds: Int64(options.messageRetentionSeconds)) < now
    }

    private func reportUnreadable(_ position: StorePosition, _ place: PlaceTable.Place) {
        shared.exchange.withLock { _ = $0.unmovable.insert(position) }
        shared.unreadable.add(1, ordering: .relaxed)
        let file = LogSource.name(ofSegment: UInt64(place.segment))
        shared.events(.unreadable(file: file, offset: place.offset, reason: "a message that is needed cannot be moved"))
    }

    private func endVacating(_ task: VacatingTask, _ now: Timestamp) {
        guard let oldest = segments.first, oldest.number == UInt64(task.segment) else { return }
        guard now >= vacating.retryAt else { return }
        do {
            try remove(segment: oldest.number)
        } catch {
            // The next one must not go before this one is gone for good: what finished its messages stands there.
            statistics.failures += 1
            vacating.retryAt = now.adding(seconds: 1)
            return shared.events(.segmentFailed(segment: oldest.number, error))
        }
        segments.removeFirst()
        let copies = shared.exchange.withLock { $0.places.copies(writtenTo: task.segment) }
        inSlices(copies) { places, slice in places.removeCopies(slice, in: task.segment) }
        shared.exchange.withLock { exchange in
            exchange.places.remove(segment: task.segment)
            exchange.vacating.task = nil
            statistics.liveBytes = exchange.places.liveBytes
        }
        shared.fileEpoch.add(1, ordering: .releasing)
        _ = copyReader.forget()
        enter(.none, task)
        statistics.segmentsVacated += 1
        shared.events(.vacated(segment: oldest.number, bytes: oldest.bytes, copied: vacating.copiedBytes))
        if vacating.retired > 0 { shared.events(.retired(messages: vacating.retired)) }
        let isWorthIt = vacating.copiedBytes < oldest.bytes / 2
        vacating.bytesBefore = statistics.bytesWritten
        // What gave little back may not be tried again at once, or the log would be copied round and round.
        vacating.bytesBetween = isWorthIt ? 0 : options.segmentBytes / 2
        vacating.task = nil
        vacating.plan = nil
        vacating.late = [:]
        vacating.effects = VacatingExchange.Effects()
        vacating.copiedBytes = 0
        if statistics.state != .running { refillSpares() }
    }
}

/// The messages that are still needed, each with those who need it.
struct CopyPlan {
    private var changes: [ReferenceChange]
    private var at = 0

    /// - Parameter all: in the order in which they happened; the last one of a session and a message counts.
    init(_ all: [ReferenceChange]) {
        // By position, session and time; numbers beside one another sort several times faster than their owners.
        var keys: [(position: UInt64, rest: UInt64)] = []
        keys.reserveCapacity(all.count)
        for (index, change) in all.enumerated() {
            let rest = UInt64(change.session.rawValue) << 32 | UInt64(UInt32(truncatingIfNeeded: index))
            keys.append((change.position.rawValue, rest))
        }
        keys.sort { $0.position != $1.position ? $0.position < $1.position : $0.rest < $1.rest }
        var order = keys.map { Int(UInt32(truncatingIfNeeded: $0.rest)) }
        changes = []
        for (index, place) in order.enumerated() {
            if index + 1 < order.count {
                let next = all[order[index + 1]]
                if next.position == all[place].position, next.session == all[place].session {
                    // What let go of a retained message stays so, whatever a walk saw before that.
                    if all[place].session != .retained || all[place].isNeeded { continue }
                    if next.isNeeded { order[index + 1] = place }
                    continue
                }
            }
            if all[place].isNeeded { changes.append(all[place]) }
        }
    }

    var isFinished: Bool { at == changes.count }

    /// The next message.
    mutating func next() -> (StorePosition, ArraySlice<ReferenceChange>)? {
        guard at < changes.count else { return nil }
        let start = at
        while at < changes.count, changes[at].position == changes[start].position { at += 1 }
        return (changes[start].position, changes[start..<at])
    }
}
