internal import ApusLoop
internal import ApusMemory
internal import ApusMessage
internal import ApusStore
internal import ApusTopics
internal import MQTTCodec

extension LogRecovery {
    /// Makes the result of what was read.
    mutating func finish() {
        finishRelocations()
        table.settle()
        table.forgetWords()
        let reader = StoredRecordReader(sources)
        for slot in table.slots.indices {
            let number = SessionNumber(rawValue: table.slots[slot].number)
            var queue = table.takeQueue(slot)
            guard !table.slots[slot].hasEnded else { continue }
            if number == .retained {
                count(queue)
                log.retained = queue.map(\.position)
                continue
            }
            guard table.slots[slot].state >= 0 else {
                log.danglingReferences += queue.count
                continue
            }
            resolveSizes(&queue, reader)
            count(queue)
            let state = table.states[Int(table.slots[slot].state)]
            restore(number, state, &queue, reader)
            if !queue.isEmpty { log.queues[number] = queue }
        }
        pruneExtras()
        sumUp()
        log.nextBatchNumber = highestBatch + 1
        log.nextSessionNumber = table.highest >= UInt32.max - 1 ? 1 : table.highest + 1
    }

    private mutating func finishRelocations() {
        unsortedRelocations.sort {
            ($0.relocation.origin.rawValue, $0.order) < ($1.relocation.origin.rawValue, $1.order)
        }
        for (relocation, _) in unsortedRelocations {
            if log.relocations.last?.origin == relocation.origin { log.relocations.removeLast() }
            log.relocations.append(relocation)
        }
        unsortedRelocations = []
    }

    /// Entries that came by reference get their size, and go when there is no such message.
    private mutating func resolveSizes(_ queue: inout [QueueEntry], _ reader: StoredRecordReader) {
        var kept = 0
        for index in queue.indices {
            var entry = queue[index]
            if entry.size == 0 {
                guard let size = reader.head(of: entry.position, log)?.footprint else {
                    log.danglingReferences += 1
                    continue
                }
                entry.size = size
            }
            queue[kept] = entry
            kept += 1
        }
        queue.removeLast(queue.count - kept)
    }

    /// Counts what is alive in each batch.
    private mutating func count(_ queue: [QueueEntry]) {
        for entry in queue {
            let physical = log.copy(of: entry.position)
            guard physical.batchNumber >= log.firstBatchNumber else { continue }
            let index = Int(physical.batchNumber - log.firstBatchNumber)
            if index < log.batches.count { log.batches[index].liveReferences &+= 1 }
        }
    }

    private mutating func restore(
        _ number: SessionNumber,
        _ state: SessionTable.State,
        _ queue: inout [QueueEntry],
        _ reader: StoredRecordReader,
    ) {
        var session = RestoredSession(
            number: number,
            record: state.record,
            subscriptions: state.subscriptions.all,
            inbound: state.inbound,
        )
        var underWay: Set<StorePosition> = []
        for outbound in state.outbound {
            guard outbound.position != .none else {
                session.outbound.append(.init(identifier: outbound.identifier, message: nil))
                continue
            }
            guard reader.head(of: outbound.position, log) != nil else {
                log.danglingReferences += 1
                continue
            }
            let recipient = Recipient(session: number, outbound.spec, group: outbound.group)
            underWay.insert(outbound.position)
            session.outbound.append(.init(identifier: outbound.identifier, message: (outbound.position, recipient)))
        }
        if !underWay.isEmpty { queue.removeAll { underWay.contains($0.position) } }
        log.sessions.append(session)
        log.states[number] = StatePlace(segment: state.segment, bytes: state.bytes)
    }

    private mutating func pruneExtras() {
        guard !log.extras.isEmpty else { return }
        var kept: [QueueExtraKey: QueueExtra] = [:]
        for (session, queue) in log.queues {
            for entry in queue where entry.spec.hasMore {
                let key = QueueExtraKey(session: session, position: entry.position)
                kept[key] = log.extras[key]
            }
        }
        log.extras = kept
    }

    private mutating func sumUp() {
        var indices: [UInt64: Int] = [:]
        for (index, segment) in log.segments.enumerated() { indices[segment.number] = index }
        for place in log.batches where place.segment != 0 {
            guard let index = indices[UInt64(place.segment)] else { continue }
            log.segments[index].messageBytes += Int(place.messageBytes)
            log.segments[index].liveBytes += place.liveBytes
        }
        for state in log.states.values {
            if let index = indices[state.segment] { log.segments[index].liveBytes += state.bytes }
        }
    }
}
