internal import ApusLocks
internal import ApusLoop
internal import ApusMemory
internal import ApusMessage
internal import ApusStore
internal import Synchronization

/// What a store remembers for reading messages again.
struct StoreReading {
    /// A message as it was found.
    enum Found {
        case message(Message, storedAt: Timestamp)
        /// The disk must be waited for; the session gets a notice.
        case wouldWait
        /// It was given up because it was older than the retention allows.
        case retired
        case lost
    }

    /// The batch that was read from last: most reads go to it again, and need no lock.
    fileprivate enum Recent {
        case none
        case uncommitted(UInt64, [UInt8])
        case written(UInt64, PlaceTable.Place)
    }

    fileprivate var reader = MessageReader()
    fileprivate var recent = Recent.none
    private var epoch: UInt64 = 0
    private var requests: [SessionHandle: ReadAhead.Request] = [:]

    /// Whether the disk was waited for already, so that a further read may take its time.
    mutating func isServed(_ session: SessionHandle) -> Bool {
        requests.isEmpty ? false : requests[session]?.isDone ?? false
    }

    fileprivate func isWaiting(_ session: SessionHandle) -> Bool {
        requests.isEmpty ? false : requests[session].map { !$0.isDone } ?? false
    }

    fileprivate mutating func await(_ request: ReadAhead.Request, _ session: SessionHandle) {
        requests[session] = request
    }

    /// Lets go of files that may have been deleted since: what one holds on to keeps its room on the disk.
    mutating func follow(_ epoch: UInt64) {
        guard epoch != self.epoch else { return }
        self.epoch = epoch
        recent = .none
        _ = reader.forget()
    }

    mutating func forget(_ session: SessionHandle) {
        if !requests.isEmpty { requests[session] = nil }
    }
}

extension LogStore {
    /// Reads a stored message.
    ///
    /// - Parameter session: who is told when it is at hand, when `mayWait` is false.
    func read(_ position: StorePosition, mayWait: Bool, for session: SessionHandle? = nil) -> StoreReading.Found {
        if let session, reading.isWaiting(session) { return .wouldWait }
        let number = position.batchNumber
        if number == builder.number {
            // A copy of the reference only, gone before the next record is written.
            return message(of: builder.written, at: position.offsetInBatch, position)
        }
        reading.follow(shared.fileEpoch.load(ordering: .acquiring))
        switch reading.recent {
        case .uncommitted(number, let bytes):
            return message(of: bytes, at: position.offsetInBatch, position)
        case .written(number, let place):
            return read(place, position.offsetInBatch, position, mayWait, session)
        default: break
        }
        var copy = look(for: position)
        if case .none = reading.recent, copy == nil {
            if let session, shared.isBeingFilled(number) {
                // A retained message of another shard's present tick.
                state.notify(.readable(session))
                return .wouldWait
            }
            // It may have been handed over in between.
            copy = look(for: position)
        }
        switch reading.recent {
        case .uncommitted(_, let bytes): return message(of: bytes, at: position.offsetInBatch, position)
        case .written(_, let place): return read(place, position.offsetInBatch, position, mayWait, session)
        case .none:
            if let copy { return read(copy, 0, position, mayWait, session) }
            // Given up for its age, or damaged: either was reported then.
            guard shared.retentionSeconds > 0 else { return .lost }
            return shared.exchange.withLock { $0.unmovable.contains(position) } ? .lost : .retired
        }
    }

    /// Looks up where the batch of the message is; if it is gone, where the message was moved.
    private func look(for position: StorePosition) -> PlaceTable.Place? {
        let number = position.batchNumber
        var copy: PlaceTable.Place?
        reading.recent = shared.exchange.withLock { exchange in
            if let bytes = exchange.uncommitted[number] { return .uncommitted(number, bytes) }
            if let place = exchange.places.place(ofBatch: number) { return .written(number, place) }
            copy = exchange.places.place(ofCopy: position)
            return .none
        }
        return copy
    }

    private func read(
        _ place: PlaceTable.Place,
        _ offset: Int,
        _ position: StorePosition,
        _ mayWait: Bool,
        _ session: SessionHandle?,
        isAgain: Bool = false,
    ) -> StoreReading.Found {
        switch reading.reader.find(place.file, place.offset + offset, mayWait: mayWait) {
        case .at(let start):
            if let session { reading.forget(session) }
            let found = message(of: reading.reader.buffer, at: start, position)
            guard case .lost = found else { return found }
            // The buffer may have been filled when this part of the segment was being written.
            if !isAgain, reading.reader.forget() {
                return read(place, offset, position, mayWait, session, isAgain: true)
            }
            report(place, offset, "its checksum does not fit")
            return .lost
        case .wouldWait(let bytes):
            guard let session else { return .lost }
            let request = ReadAhead.Request(
                file: place.file,
                offset: place.offset + offset,
                bytes: bytes,
                session: session,
                shard: state,
            )
            reading.await(request, session)
            shared.readAhead.request(request)
            return .wouldWait
        case .failed(let reason):
            if !isAgain, reading.reader.forget() {
                return read(place, offset, position, mayWait, session, isAgain: true)
            }
            if let session { reading.forget(session) }
            report(place, offset, reason)
            return .lost
        }
    }

    private func report(_ place: PlaceTable.Place, _ offset: Int, _ reason: String) {
        shared.unreadable.add(1, ordering: .relaxed)
        let file = LogSource.name(ofSegment: UInt64(place.segment))
        shared.events(.unreadable(file: file, offset: place.offset + offset, reason: reason))
    }

    /// In a function of its own, because the optimizer of Swift 6.3 loses the lifetime of a span taken in a pattern.
    @inline(never)
    private func message(of bytes: [UInt8], at offset: Int, _ position: StorePosition) -> StoreReading.Found {
        message(in: bytes.span, at: offset, position)
    }

    private func message(in bytes: Span<UInt8>, at offset: Int, _ position: StorePosition) -> StoreReading.Found {
        guard let view = try? LogRecordReader.message(in: bytes, at: offset, seed: shared.seed) else { return .lost }
        let start = view.topic.lowerBound
        let message = Message(
            bytes: Array(copying: bytes.extracting(view.contents)),
            topicEnd: view.topic.upperBound - start,
            propertiesEnd: view.properties.upperBound - start,
            qos: view.header.qos,
            retain: view.header.retain,
            expiresAt: view.header.expiresAt,
            position: position,
            receivedAt: view.storedAt,
            instance: view.header.instance,
        )
        return .message(message, storedAt: view.storedAt)
    }
}
