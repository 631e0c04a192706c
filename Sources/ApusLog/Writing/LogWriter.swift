internal import ApusLocks
internal import ApusLoop
internal import ApusMemory
internal import ApusMessage
internal import ApusStore
internal import Synchronization

/// Puts the batches of all shards behind one another on the disk, and says what is safe.
///
/// Driven by `step()`: the writer's thread only loops; tests call it by hand. What was handed over while one commit
/// waited for the disk goes into the next one together.
///
/// A write or sync that fails is final for its segment: it is sealed behind the last batch that was committed, and
/// all that was not goes to a fresh one. When that fails too, nothing is committed until a later attempt succeeds.
final class LogWriter {
    /// Bytes that one commit waits for.
    private static let commitBytes = 8 << 20
    private static let retryMilliseconds: Int64 = 1000
    /// Between looks whether the oldest segment is too old.
    private static let idleMilliseconds = 10_000

    let shared: LogShared
    let disk: any Disk
    let options: LogOptions
    var segments: [SegmentRecord]
    var statistics = LogStatistics()
    /// For other threads.
    let published: Published
    var vacating = Vacating()
    var copyReader = MessageReader()
    /// Copied between two commits when a segment is vacated; what is handed over meanwhile waits no longer than that.
    var copyBytes = 256 << 10
    var uncommitted: [HandedBatch] = []
    /// Handed over with them, or before.
    private var releases: [VacatingExchange.Release] = []

    private var active: SegmentFile?
    private var spares: [SpareSegment] = []
    private var nextSegment: UInt64
    /// See `RecoveredLog.endsInPeace`; of what was there at the start.
    private let endsInPeace: Bool
    private var retryAt = Timestamp.distantFuture
    private var buffer: [UInt8] = []
    /// The room that is left is kept for vacating: of what was handed over only the first `granted` batches are written.
    private(set) var isHolding = false
    private var granted = 0

    /// A segment on the disk.
    struct SegmentRecord {
        var number: UInt64
        /// On the disk, with what is allocated.
        var bytes: Int
        var createdAt: Timestamp
    }

    init(
        shared: LogShared,
        disk: any Disk,
        options: LogOptions,
        segments: [SegmentRecord],
        active: SegmentFile?,
        nextSegment: UInt64,
        endsInPeace: Bool,
        published: Published,
    ) {
        self.shared = shared
        self.disk = disk
        self.options = options
        self.segments = segments
        self.active = active
        self.nextSegment = nextSegment
        self.endsInPeace = endsInPeace
        self.published = published
    }

    /// What can be written without any more room on the disk.
    var room: Int { spares.reduce(active?.room ?? 0) { $0 + $1.capacity - SegmentHeader.byteCount } }
    var bytesOnDisk: Int { segments.reduce(spares.reduce(0) { $0 + $1.capacity }) { $0 + $1.bytes } }
    var isFailed: Bool { statistics.state == .failed }

    // MARK: Steps

    /// Makes the first segment and its reserve, so that a log that opens can be written.
    func prepare() throws(SystemError) {
        do {
            if active == nil { try roll(for: 0) }
            refillSpares()
        } catch {
            // What is there can be read and delivered all the same, and there may be room later.
            guard error.isNoSpace else { throw error }
            fail(error, shared.clock())
        }
        publish()
    }

    /// Commits what was handed over.
    ///
    /// - Returns: whether there may be more to do at once; else milliseconds until the next step at the latest.
    func step() -> (isBusy: Bool, wait: Int) {
        let now = shared.clock()
        // Before taking: what a shard has handed over before it answered is then among what is taken.
        let isAnswered = vacatingAnswer()
        take()
        if isFailed, !isHolding, now < retryAt {
            return (false, Int(min(Self.retryMilliseconds, retryAt.milliseconds - now.milliseconds)))
        }
        if statistics.state == .full || isHolding, now >= retryAt { refillSpares() }
        keepRoomForVacating(now)
        commitAll(now)
        let isVacating = isFailed && !isHolding ? false : vacate(now, isAnswered: isAnswered)
        publish()
        if isVacating { return (true, 0) }
        let isWaiting = statistics.state != .running || vacating.isWaiting(now)
        return (false, isWaiting ? Int(Self.retryMilliseconds) : Self.idleMilliseconds)
    }

    /// Whether a step would find something to do, other than to try again.
    var hasWork: Bool {
        if isFailed, !isHolding { return false }
        if hasNewAnswer { return true }
        return shared.exchange.withLock { !$0.handed.isEmpty }
    }

    private func take() {
        let (handed, effects, releases) = shared.exchange.withLock { exchange in
            var handed: [HandedBatch] = []
            swap(&handed, &exchange.handed)
            return (handed, exchange.vacating.takeEffects(), exchange.vacating.takeReleases())
        }
        uncommitted.append(contentsOf: handed)
        self.releases.append(contentsOf: releases)
        vacating.apply(effects)
    }

    private func commitAll(_ now: Timestamp) {
        while granted > 0 {
            do {
                try commitSome()
            } catch {
                seal(error)
                do {
                    try roll(for: uncommitted[0].bytes.count)
                    try commitSome()
                } catch {
                    seal(error)
                    return fail(error, now)
                }
            }
            if isFailed, !isHolding { resume() }
            if spares.count < SpareSegment.names.count, statistics.state == .running { refillSpares() }
        }
        if isFailed, !isHolding { resume() }
    }

    // MARK: Commit

    /// Writes and syncs as many batches as one commit takes.
    private func commitSome() throws(SystemError) {
        let first = uncommitted[0].bytes.count
        if active == nil || active.map({ $0.room < first }) == true { try roll(for: first) }
        guard let segment = active else { return }
        var count = 1
        var bytes = first
        while count < granted, bytes + uncommitted[count].bytes.count <= min(segment.room, Self.commitBytes) {
            bytes += uncommitted[count].bytes.count
            count += 1
        }
        let start = Clock.monotonicNanoseconds()
        try write(count, bytes, to: segment)
        if options.durability == .power {
            active?.writeAhead(of: bytes)
            try synchronize(segment.file)
        }
        let end = Clock.monotonicNanoseconds()
        statistics.commitDurations.add(nanoseconds: end - start)
        for batch in uncommitted[..<count] where batch.shard != nil {
            statistics.appendDurations.add(nanoseconds: end - batch.handedOverAt)
        }
        committed(count, bytes, in: segment)
    }

    private func write(_ count: Int, _ bytes: Int, to segment: SegmentFile) throws(SystemError) {
        if count == 1 {
            let batch = uncommitted[0].bytes
            try segment.file.writeAll(batch.span, at: segment.end)
        } else {
            // Out of the object while it changes, so that its span is a local one's.
            var buffer: [UInt8] = []
            swap(&buffer, &self.buffer)
            defer { swap(&buffer, &self.buffer) }
            buffer.removeAll(keepingCapacity: buffer.capacity <= 2 * Self.commitBytes)
            buffer.reserveCapacity(bytes)
            for index in 0..<count {
                let start = buffer.count
                buffer.append(contentsOf: uncommitted[index].bytes)
                if index > 0 { BatchHeader.markJoined(&buffer, at: start, seed: shared.seed) }
            }
            try segment.file.writeAll(buffer.span, at: segment.end)
        }
        statistics.bytesWritten += bytes
    }

    private func synchronize(_ file: any DiskFile) throws(SystemError) {
        let start = Clock.monotonicNanoseconds()
        try file.synchronize()
        let took = Clock.monotonicNanoseconds() - start
        statistics.synchronizations += 1
        statistics.synchronizationNanoseconds += took
        statistics.slowestSynchronizationNanoseconds = max(statistics.slowestSynchronizationNanoseconds, took)
    }

    private func committed(_ count: Int, _ bytes: Int, in segment: SegmentFile) {
        let number = UInt32(truncatingIfNeeded: segment.number)
        var offset = segment.end
        var concerned: [ShardState] = []
        shared.exchange.withLock { exchange in
            for index in 0..<count {
                let batch = uncommitted[index]
                let place = BatchPlace(
                    segment: number,
                    offset: offset,
                    messageBytes: UInt32(clamping: batch.messageBytes),
                    references: UInt32(clamping: batch.references),
                    liveReferences: UInt32(clamping: batch.references),
                )
                exchange.places.add(batch.number, place)
                exchange.uncommitted[batch.number] = nil
                for relocation in batch.relocations { exchange.places.move(relocation) }
                offset += batch.bytes.count
            }
            if count == uncommitted.count {
                // Now the batches that they are of are in the table; more may have been handed over meanwhile.
                for release in releases { exchange.places.release(release.batch, Int(release.count)) }
                releases.removeAll(keepingCapacity: releases.count <= 1 << 16)
            }
            statistics.liveBytes = exchange.places.liveBytes
        }
        for batch in uncommitted[..<count] {
            statistics.messages += batch.messages
            guard let shard = batch.shard else { continue }
            shard.commit(batch: batch.number)
            if !concerned.contains(where: { $0 === shard }) { concerned.append(shard) }
        }
        active?.end += bytes
        uncommitted.removeFirst(count)
        granted -= count
        statistics.commits += 1
        statistics.batches += count
        let waiting = shared.waitingBytes.subtract(bytes, ordering: .relaxed).newValue
        if waiting < LogShared.behindBytes / 2, shared.isBehind.exchange(false, ordering: .relaxed) {
            shared.notifyAll()
        }
        for shard in concerned { shard.progressed() }
    }

    // MARK: Segments

    /// Goes on in a new segment, which has room for a batch of this size.
    private func roll(for bytes: Int) throws(SystemError) {
        if let full = active {
            active = nil
            finish(full)
        }
        // Whatever happens to it now, it is nobody's reserve any more.
        let new = try takeSpare(max(options.segmentBytes, SegmentHeader.byteCount + bytes))
        let now = shared.clock()
        let segment = try new.named(
            nextSegment,
            disk,
            seed: shared.seed,
            at: now,
            isSynchronized: options.durability == .power,
        )
        nextSegment += 1
        active = segment
        segments.append(SegmentRecord(number: segment.number, bytes: segment.capacity, createdAt: now))
        shared.exchange.withLock { $0.places.open(UInt32(truncatingIfNeeded: segment.number), segment.file) }
    }

    /// Gives back what a segment that is written no further does not need.
    private func cut(_ segment: SegmentFile) {
        // A file that stays longer than it must be does no harm.
        guard (try? segment.file.truncate(to: segment.end)) != nil else { return }
        guard let index = segments.lastIndex(where: { $0.number == segment.number }) else { return }
        segments[index].bytes = segment.end
    }

    /// Takes a segment out of use after an error.
    private func seal(_ error: SystemError) {
        statistics.failures += 1
        guard let segment = active else { return }
        active = nil
        shared.events(.segmentFailed(segment: segment.number, error))
        finish(segment)
    }

    /// Writes a segment no further; the number of one that nothing was committed to is used again, so that an empty one
    /// between others is damage.
    private func finish(_ segment: SegmentFile) {
        if segment.end > SegmentHeader.byteCount { return cut(segment) }
        guard (try? disk.delete(segment.name)) != nil else { return }
        segments.removeAll { $0.number == segment.number }
        nextSegment = segment.number
    }

    private func takeSpare(_ bytes: Int) throws(SystemError) -> SpareSegment {
        if let index = spares.firstIndex(where: { $0.capacity >= bytes }) { return spares.remove(at: index) }
        // A larger one takes their place.
        if spares.count == SpareSegment.names.count { dropSpare() }
        while true {
            do {
                return try makeSpare(bytes)
            } catch {
                guard error.isNoSpace, !spares.isEmpty else { throw error }
                dropSpare()
            }
        }
    }

    private func dropSpare() {
        // One that stays is in the way of the next of its name, which tries again.
        if let last = spares.popLast() { try? disk.delete(last.name) }
    }

    private func makeSpare(_ bytes: Int) throws(SystemError) -> SpareSegment {
        if options.maximumBytes > 0, bytesOnDisk + bytes > options.maximumBytes {
            throw SystemError(code: SystemError.noSpace, decision: "the log has reached data.maximumBytes")
        }
        let name = SpareSegment.names.first { name in !spares.contains { $0.name == name } }
        return try SpareSegment.make(disk, name ?? SpareSegment.names[0], bytes: bytes)
    }

    /// Makes the reserve, or says that the disk is full.
    func refillSpares() {
        while spares.count < SpareSegment.names.count {
            do {
                spares.append(try makeSpare(options.segmentBytes))
            } catch {
                statistics.failures += 1
                retryAt = shared.clock().adding(milliseconds: Self.retryMilliseconds)
                guard statistics.state == .running else { return }
                statistics.state = .full
                shared.refusal = .full
                shared.events(.full(reason: error.description))
                return shared.notifyAll()
            }
        }
        if statistics.state == .full { resume() }
    }

    // MARK: Room for vacating

    /// On a full disk keeps as much room as it takes to move a whole segment, though nothing in it may be dead, and what
    /// shards hand over meanwhile: else what is dead behind the oldest segment could never be reached.
    private func keepRoomForVacating(_ now: Timestamp) {
        let size = options.segmentBytes
        // A message grows by its origin, eight bytes, when it is moved for the first time.
        let needed = max(size / 4, size + size / 8 + size / 2 - vacating.copiedBytes)
        let mustHold = (statistics.state == .full || isHolding) && room < needed
        if mustHold, !isHolding {
            granted = 0
            retryAt = now.adding(milliseconds: Self.retryMilliseconds)
        }
        let wasHolding = isHolding
        isHolding = mustHold
        guard mustHold else {
            if wasHolding, isFailed { resume() }
            granted = uncommitted.count
            return
        }
        // What is finished counts although it is not written yet: it may be what makes vacating worth while.
        shared.exchange.withLock { exchange in
            releases.removeAll { exchange.places.release($0.batch, Int($0.count)) }
            statistics.liveBytes = exchange.places.liveBytes
        }
        guard wasHolding, vacating.isIdle, now >= retryAt else { return }
        fail(
            SystemError(code: SystemError.noSpace, decision: "the room that is left is kept for giving space back"),
            now
        )
    }

    /// While room is kept: what was handed over up to now belongs to the vacating.
    func grantAll() { granted = uncommitted.count }

    /// Whether nothing is left that must be written before the next copies.
    var isReadyToCopy: Bool { isHolding ? granted == 0 : uncommitted.isEmpty }

    /// Appends copies; before what is held back.
    func append(copies batch: HandedBatch) {
        shared.waitingBytes.add(batch.bytes.count, ordering: .relaxed)
        if isHolding {
            uncommitted.insert(batch, at: 0)
            granted = 1
        } else {
            uncommitted.append(batch)
        }
    }

    private func fail(_ error: SystemError, _ now: Timestamp) {
        retryAt = now.adding(milliseconds: Self.retryMilliseconds)
        shared.refusal = error.isNoSpace ? .full : .failed
        guard statistics.state != .failed else { return }
        statistics.state = .failed
        shared.isStalled.store(true, ordering: .relaxed)
        shared.events(.failed(error))
        shared.notifyAll()
    }

    private func resume() {
        statistics.state = .running
        shared.refusal = nil
        shared.isStalled.store(false, ordering: .relaxed)
        vacating.forgetRound()
        refillSpares()
        guard statistics.state == .running else { return }
        shared.events(.resumed)
        shared.notifyAll()
    }

    /// Deletes a segment that nobody needs.
    func remove(segment number: UInt64) throws(SystemError) {
        let name = LogSource.name(ofSegment: number)
        if try disk.list().contains(name) { try disk.delete(name) }
        if options.durability == .power { try disk.synchronize() }
    }

    /// Ends: commits what can be, and leaves the last segment without its reserve.
    ///
    /// - Returns: whether everything was committed.
    func close() -> Bool {
        take()
        retryAt = shared.clock()
        isHolding = false
        grantAll()
        commitAll(retryAt)
        writeEnd()
        if let active { cut(active) }
        active = nil
        spares = []
        try? SpareSegment.discard(disk)
        publish()
        return uncommitted.isEmpty
    }

    /// Ends the log with a batch without records: what stands before it is no last write any more, so that damage in it
    /// is not taken for a write that a crash has torn.
    ///
    /// Also when nothing was written since a crash: what it has left was found whole at the start.
    private func writeEnd() {
        guard statistics.commits > 0 || !endsInPeace, uncommitted.isEmpty, active != nil else { return }
        let number = shared.nextBatch.add(1, ordering: .relaxed).oldValue
        let batch = BatchBuilder(number: number, shard: 0, seed: shared.seed, reserving: 0).finish(at: shared.clock())
        do throws(SystemError) {
            if let full = active, full.room < batch.count { try roll(for: batch.count) }
            guard let segment = active else { return }
            try segment.file.writeAll(batch.span, at: segment.end)
            active?.end += batch.count
            if options.durability == .power { try synchronize(segment.file) }
        } catch {
            // Nothing depends on it; the next start cuts off what there is of it.
        }
    }

    private func publish() {
        statistics.segments = segments.count
        statistics.segmentBytes = bytesOnDisk
        statistics.waitingBytes = shared.waitingBytes.load(ordering: .relaxed)
        statistics.unreadable = shared.unreadable.load(ordering: .relaxed)
        let copy = statistics
        published.statistics.withLock { $0 = copy }
    }
}

extension SystemError {
    // As errno has them on every Linux; only ApusLoop imports the system's headers.
    static let noSpace: Int32 = 28
    private static let overQuota: Int32 = 122
    static let wouldBlock: Int32 = 11

    var isNoSpace: Bool { code == Self.noSpace || code == Self.overQuota }
}
