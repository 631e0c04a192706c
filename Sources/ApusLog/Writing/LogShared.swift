internal import ApusLocks
internal import ApusLoop
internal import ApusMessage
internal import ApusStore
internal import Synchronization

/// What the threads of a log have in common.
final class LogShared: Sendable {
    /// Bytes handed over and not committed from which on publishers must wait.
    static let behindBytes = 64 << 20

    let seed: UInt64
    let nextBatch: Atomic<UInt64>
    let nextSession: Atomic<UInt32>
    let waitingBytes = Atomic<Int>(0)
    let isBehind = Atomic<Bool>(false)
    /// Nothing is committed for now.
    let isStalled = Atomic<Bool>(false)
    let unreadable = Atomic<Int>(0)
    /// Of the records that make up sessions, roughly.
    let stateBytes = Atomic<Int>(0)
    /// See ``VacatingStage``.
    let vacatingStage = Atomic<UInt64>(0)
    /// 0 none, 1 full, 2 failed.
    private let refusalState = Atomic<UInt8>(0)
    /// Rises when files go, so that nobody holds on to one.
    let fileEpoch = Atomic<UInt64>(0)
    let exchange: Guarded<Exchange>
    let writerWakeUp: WakeUp
    let readAhead: ReadAhead
    let shards = Guarded<[ShardState]>([])
    let clock: @Sendable () -> Timestamp
    let events: @Sendable (LogEvent) -> Void

    /// How long a message is kept; 0 as long as somebody needs it.
    let retentionSeconds: Int

    init(
        seed: UInt64,
        nextBatch: UInt64,
        nextSession: UInt32,
        places: PlaceTable,
        retentionSeconds: Int,
        clock: @escaping @Sendable () -> Timestamp,
        events: @escaping @Sendable (LogEvent) -> Void,
    ) throws(SystemError) {
        self.seed = seed
        self.nextBatch = Atomic(nextBatch)
        self.nextSession = Atomic(nextSession)
        exchange = Guarded(Exchange(places: places))
        writerWakeUp = try WakeUp()
        readAhead = try ReadAhead()
        self.retentionSeconds = retentionSeconds
        self.clock = clock
        self.events = events
    }

    var refusal: StoreRefusal? {
        get {
            switch refusalState.load(ordering: .relaxed) {
            case 0: nil
            case 1: .full
            default: .failed
            }
        }
        set {
            let raw: UInt8 =
                switch newValue {
                case nil: 0
                case .full: 1
                case .failed: 2
                }
            refusalState.store(raw, ordering: .relaxed)
        }
    }

    /// Whether a shard has begun this batch and not handed it over yet.
    func isBeingFilled(_ batch: UInt64) -> Bool {
        shards.withLock { shards in shards.contains { $0.openBatch.load(ordering: .acquiring) == batch } }
    }

    /// Makes every shard go through a tick.
    func wakeAll() {
        for shard in shards.withLock({ $0 }) { shard.notify(.progressed) }
    }

    /// Tells all shards to look again.
    func notifyAll() {
        for shard in shards.withLock({ $0 }) { shard.progressed() }
    }
}

/// What shards and writer give each other, under one lock: taken once a hand-over and once a commit.
struct Exchange: Sendable {
    /// Handed over, not yet taken by the writer, in this order.
    var handed: [HandedBatch] = []
    /// Handed over, not yet committed: their messages are read from here.
    var uncommitted: [UInt64: [UInt8]] = [:]
    var places: PlaceTable
    /// Messages that could not be moved when their segment was vacated.
    var unmovable: Set<StorePosition> = []
    var vacating = VacatingExchange()

    init(places: PlaceTable) { self.places = places }
}

/// A batch on its way from its shard to the disk.
struct HandedBatch: Sendable {
    let number: UInt64
    /// `nil` for copies that the writer makes itself.
    let shard: ShardState?
    let bytes: [UInt8]
    let messageBytes: Int
    let references: Int
    var messages = 0
    /// Of the monotonic clock, in nanoseconds.
    var handedOverAt: Int64 = 0
    var relocations: [Relocation] = []
}

/// What the writer and one shard know of each other.
final class ShardState: Sendable {
    let index: Int
    private let committedRaw: Atomic<UInt64>
    /// A notice is on its way that the shard has not looked after yet.
    private let isNoticed = Atomic<Bool>(false)
    let notify: @Sendable (StoreNotice) -> Void
    /// The batch that the shard fills, 0 for none: retained messages in it are known to other shards already.
    let openBatch = Atomic<UInt64>(0)
    /// How far the shard has followed the writer to the vacating of a segment.
    let vacating = Atomic<UInt64>(0)

    init(index: Int, committed: StorePosition, notify: @escaping @Sendable (StoreNotice) -> Void) {
        self.index = index
        committedRaw = Atomic(committed.rawValue)
        self.notify = notify
    }

    var committed: StorePosition {
        // First the flag, then the value: what comes in between brings another notice.
        if isNoticed.load(ordering: .relaxed) { isNoticed.store(false, ordering: .sequentiallyConsistent) }
        return StorePosition(rawValue: committedRaw.load(ordering: .sequentiallyConsistent))
    }

    /// All batches of the shard up to this one are safe.
    func commit(batch: UInt64) {
        committedRaw.store(LogFormat.endOfBatch(batch).rawValue, ordering: .sequentiallyConsistent)
    }

    /// At most one such notice is under way.
    func progressed() {
        if !isNoticed.exchange(true, ordering: .sequentiallyConsistent) { notify(.progressed) }
    }
}

extension LogFormat {
    /// Not before any position of the batch, and before all of the next.
    static func endOfBatch(_ number: UInt64) -> StorePosition {
        StorePosition(rawValue: number << offsetBits | (1 << offsetBits - 1))
    }
}
