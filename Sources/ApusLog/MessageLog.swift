internal import ApusLocks
package import ApusLoop
package import ApusMessage
package import ApusStore
internal import Synchronization

/// The message log of the process: opened on a folder, with one ``LogStore`` for each shard.
///
/// Order of use: `open`, `makeStore` for each shard, `start`, restore the sessions, run; at the end `close` when no shard
/// runs any more. Sendable because the writer belongs to the writer's thread from `start` to `close`, and everything
/// else is behind locks.
package final class MessageLog: @unchecked Sendable {
    /// Found at start; whoever restores them takes them out.
    package private(set) var sessions: [RestoredSession]
    /// Of retained messages, to be loaded.
    package let retained: [StorePosition]
    /// What was found damaged at start.
    package let damage: [LogDamage]

    let shared: LogShared
    let writer: LogWriter
    private let recovered: RecoveredQueues
    private let published: Published
    private var lock: (any AnyObject & Sendable)?
    private let isClosing = Atomic<Bool>(false)
    private let threads = Threads()

    private final class Threads {
        var writer: NativeThread?
        var reader: NativeThread?
    }

    /// Opens the log in the folder, or makes a new one in an empty folder.
    ///
    /// - Parameters:
    ///   - clock: the process's; the time of all shards.
    ///   - events: called on any thread.
    ///   - progress: called now and then while a large log is read.
    package static func open(
        _ options: LogOptions,
        disk: any Disk,
        clock: @escaping @Sendable () -> Timestamp,
        events: @escaping @Sendable (LogEvent) -> Void,
        progress: (LogRecovery.Progress) -> Void = { _ in },
    ) throws(LogError) -> MessageLog {
        let lock = try LogFolder.lock(disk)
        try LogFolder.checkFormat(disk)
        do throws(SystemError) {
            let opening = try LogOpening(disk, options: options, progress: progress)
            return try MessageLog(opening, options, disk, lock, clock, events)
        } catch {
            throw .system(error)
        }
    }

    private init(
        _ opening: LogOpening,
        _ options: LogOptions,
        _ disk: any Disk,
        _ lock: any AnyObject & Sendable,
        _ clock: @escaping @Sendable () -> Timestamp,
        _ events: @escaping @Sendable (LogEvent) -> Void,
    ) throws(SystemError) {
        let recovered = opening.recovered
        var places = PlaceTable(
            firstNumber: recovered.firstBatchNumber,
            batches: recovered.batches,
            relocations: recovered.relocations,
        )
        for (number, file) in opening.files { places.open(number, file) }
        self.lock = lock
        sessions = recovered.sessions
        retained = recovered.retained
        damage = recovered.damage
        self.recovered = RecoveredQueues(recovered)
        shared = try LogShared(
            seed: recovered.seed ?? UInt64.random(in: 1 ... .max),
            nextBatch: recovered.nextBatchNumber,
            nextSession: recovered.nextSessionNumber,
            places: places,
            retentionSeconds: options.messageRetentionSeconds,
            clock: clock,
            events: events,
        )
        shared.stateBytes.store(recovered.states.values.reduce(0) { $0 + $1.bytes }, ordering: .relaxed)
        published = Published()
        writer = LogWriter(
            shared: shared,
            disk: disk,
            options: options,
            segments: opening.segments,
            active: opening.active,
            nextSegment: (opening.segments.last?.number ?? 0) + 1,
            endsInPeace: recovered.endsInPeace,
            published: published,
        )
        try writer.prepare()
    }

    /// The sessions that were found; the next call finds none.
    package func takeSessions() -> [RestoredSession] {
        defer { sessions = [] }
        return sessions
    }

    /// A store for a shard; before `start`.
    ///
    /// - Parameter notify: called on the log's threads.
    package func makeStore(shard: Int, notify: @escaping @Sendable (StoreNotice) -> Void) -> LogStore {
        let before = shared.nextBatch.load(ordering: .relaxed) - 1
        let state = ShardState(index: shard, committed: LogFormat.endOfBatch(before), notify: notify)
        shared.shards.withLock { $0.append(state) }
        return LogStore(shared: shared, state: state, recovered: recovered)
    }

    /// Starts the log's threads.
    package func start() throws(SystemError) {
        threads.reader = try NativeThread(name: "apus-log-read") { [readAhead = shared.readAhead] in readAhead.run() }
        threads.writer = try NativeThread(name: "apus-log") { [self] in run() }
    }

    private func run() {
        while !isClosing.load(ordering: .sequentiallyConsistent) {
            let (isBusy, wait) = writer.step()
            if isBusy { continue }
            shared.writerWakeUp.fallAsleep()
            // Whoever signals from here on wakes the thread; what came before is found by this look.
            let isClosing = isClosing.load(ordering: .sequentiallyConsistent)
            if !isClosing, !writer.hasWork { _ = shared.writerWakeUp.wait(milliseconds: wait) }
            shared.writerWakeUp.stayAwake()
        }
    }

    /// Commits what was handed over, ends the threads and gives the folder free; once no shard runs any more.
    ///
    /// - Returns: whether everything was committed.
    @discardableResult
    package func close() -> Bool {
        isClosing.store(true, ordering: .sequentiallyConsistent)
        shared.writerWakeUp.signal()
        shared.readAhead.close()
        threads.writer.take()?.join()
        threads.reader.take()?.join()
        let isComplete = writer.close()
        lock = nil
        return isComplete
    }

    package var statistics: LogStatistics { published.statistics.withLock { $0 } }
}

/// The figures for other threads.
final class Published: Sendable {
    let statistics = Guarded(LogStatistics())
}
