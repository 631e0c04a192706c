internal import ApusBroker
internal import ApusConfiguration
internal import ApusLocks
internal import ApusLog
internal import ApusLoop
internal import ApusMessage
internal import ApusStore
internal import MQTTCodec
internal import Synchronization

/// Where a service keeps what must outlive it: the message log in the data directory, or nothing but memory.
///
/// Order of use: `init` reads the log; `makeStore` and `restore` on each shard's thread; `close` when all have ended.
final class Storage: Sendable {
    private let messageLog: MessageLog?
    /// Found damaged at start; at least so many.
    private let lostMessages: Int
    private let shardCount: Int
    /// What each shard has still to take up.
    private let parts: Guarded<[Part]>
    private let waiting: [WakeUp]
    private let arrived = Atomic<Int>(0)
    /// Of a message service.
    private let known: KnownInstances?

    private struct Part {
        var store: any MessageStore
        var sessions: [RestoredSession]
    }

    /// Opens the log, which takes long when it is large; `events` hears of the progress.
    ///
    /// - Parameters:
    ///   - broker: where the log's notices go, and which says where a session lives.
    ///   - known: of a message service; what the log has of other instances is dropped.
    init(
        _ configuration: Configuration,
        broker: Broker,
        known: KnownInstances?,
        events: any EventSink,
    ) throws {
        self.known = known
        let shardCount = broker.configuration.shardCount
        self.shardCount = shardCount
        var waiting: [WakeUp] = []
        for _ in 0..<shardCount { waiting.append(try WakeUp()) }
        self.waiting = waiting
        guard let durability = LogOptions.Durability(configuration.data.durability) else {
            messageLog = nil
            lostMessages = 0
            parts = Guarded((0..<shardCount).map { _ in Part(store: MemoryStore(), sessions: []) })
            return
        }
        let (messageLog, lostMessages) = try Self.open(configuration.data, durability, events)
        self.messageLog = messageLog
        self.lostMessages = lostMessages
        broker.connectMetrics(LogFigures(log: messageLog))
        var found = [[RestoredSession]](repeating: [], count: shardCount)
        try known?.check(messageLog.sessions.map(\.record.instance))
        for session in messageLog.takeSessions() {
            found[broker.homeShard(of: session.record.clientID)].append(session)
        }
        parts = Guarded(
            (0..<shardCount).map { shard in
                let store = messageLog.makeStore(shard: shard) { [weak broker] in broker?.post(to: shard, .store($0)) }
                return Part(store: store, sessions: found[shard])
            },
        )
        if let known, known.last == .none { try checkRetained(messageLog.retained, known) }
        try messageLog.start()
    }

    /// A new catalog goes with a new log, or with that of a plain broker; with any other catalog the sessions tell.
    private func checkRetained(_ positions: [StorePosition], _ known: KnownInstances) throws {
        let recipient = Recipient(session: .retained, qos: .atMostOnce, retain: true)
        let instances = parts.withLock { parts in
            positions.compactMap { parts[0].store.load($0, for: recipient)?.message.instance }
        }
        try known.check(instances)
    }

    private static func open(
        _ data: Configuration.Data,
        _ durability: LogOptions.Durability,
        _ events: any EventSink,
    ) throws -> (log: MessageLog, lostMessages: Int) {
        var options = LogOptions()
        options.durability = durability
        options.segmentBytes = data.segmentBytes
        options.maximumBytes = data.maximumBytes
        options.messageRetentionSeconds = data.messageRetentionSeconds
        let path = "\(data.directory)/log"
        let started = Clock.monotonicNanoseconds()
        var lastReport = started
        let clock = Clock()
        do {
            let messageLog = try MessageLog.open(
                options,
                disk: try FolderDisk(creating: path),
                clock: { Timestamp(milliseconds: clock.now()) },
                events: { events.record($0.brokerEvent) },
                progress: { progress in
                    let now = Clock.monotonicNanoseconds()
                    guard now - lastReport >= 1_000_000_000 else { return }
                    lastReport = now
                    events.record(progress.brokerEvent(path))
                },
            )
            let took = Clock.monotonicNanoseconds() - started
            let lost = report(messageLog, path, nanoseconds: took, events)
            return (messageLog, lost)
        } catch let error as LogError {
            throw CommandFailure("the message log cannot be opened: \(error)")
        }
    }

    /// - Returns: how many messages are known to be lost.
    private static func report(
        _ log: MessageLog,
        _ path: String,
        nanoseconds: Int64,
        _ events: any EventSink,
    ) -> Int {
        var lostMessages = 0
        // Without the files there is less to tell.
        let sources = log.damage.isEmpty ? [] : (try? LogSource.all(in: FolderDisk(existing: path))) ?? []
        for damage in log.damage {
            let effect = DamageEffect(of: damage, in: sources)
            lostMessages += effect.messages
            let fields = [
                ("file", damage.file), ("offset", "\(damage.offset)"), ("bytes", "\(damage.bytes)"),
                ("damage", damage.name), ("explanation", damage.explanation), ("effect", effect.words),
            ]
            // What a crash cuts off was never acknowledged.
            let level: EventLevel = damage.kind == .tornTail ? .notice : .error
            events.record(BrokerEvent(level, "log.damaged", fields))
        }
        let fields = [
            ("path", path), ("sessions", "\(log.sessions.count)"), ("retained", "\(log.retained.count)"),
            ("milliseconds", "\(nanoseconds / 1_000_000)"),
        ]
        events.record(BrokerEvent(.notice, "log.opened", fields))
        return lostMessages
    }

    // MARK: - On the shards' threads

    func makeStore(shard: Int) -> any MessageStore { parts.withLock { $0[shard].store } }

    /// Gives the shard what it had before the restart, and waits until all shards have theirs: a message that came
    /// earlier would miss the subscriptions of the others.
    func restore(_ shard: inout Shard, index: Int) {
        let sessions = parts.withLock { parts in
            defer { parts[index].sessions = [] }
            return parts[index].sessions
        }
        let keeps = { [known] in known?.keeps($0) ?? true }
        shard.restore(sessions, keeping: keeps)
        if index == 0, let messageLog {
            shard.restoreRetained(messageLog.retained, keeping: keeps)
            shard.countUnreadable(lostMessages)
        }
        if arrived.add(1, ordering: .acquiringAndReleasing).newValue == shardCount { letGo() }
        waiting[index].wait()
    }

    /// Lets all shards go on; also when one of them could not be started.
    func letGo() { for wakeUp in waiting { wakeUp.signal() } }

    /// Writes what is left; call when no shard runs any more.
    ///
    /// - Returns: whether everything is on the disk.
    func close() -> Bool { messageLog?.close() ?? true }
}

extension LogOptions.Durability {
    fileprivate init?(_ durability: Configuration.Data.Durability) {
        switch durability {
        case .power: self = .power
        case .process: self = .process
        case .memory: return nil
        }
    }
}

extension LogRecovery.Progress {
    fileprivate func brokerEvent(_ path: String) -> BrokerEvent {
        let percent = bytesTotal > 0 ? bytesRead * 100 / bytesTotal : 100
        let fields = [("path", path), ("percent", "\(percent)"), ("records", "\(records)")]
        return BrokerEvent(.notice, "log.recovering", fields)
    }
}

extension LogEvent {
    fileprivate var brokerEvent: BrokerEvent {
        switch self {
        case .segmentFailed(let segment, let error):
            let effect = "what was not committed is written to another file"
            let fields = [("segment", "\(segment)"), ("error", error.description), ("effect", effect)]
            return BrokerEvent(.error, "log.segment_failed", fields)
        case .failed(let error):
            let effect = "nothing that needs the disk is acknowledged; tried again each second"
            return BrokerEvent(.error, "log.failed", [("error", error.description), ("effect", effect)])
        case .full(let reason):
            let effect = "messages that must be kept are refused until there is room; all else goes on"
            return BrokerEvent(.error, "log.full", [("reason", reason), ("effect", effect)])
        case .resumed:
            return BrokerEvent(.notice, "log.resumed", [])
        case .unreadable(let file, let offset, let reason):
            return BrokerEvent(
                .error,
                "log.unreadable",
                [("file", file), ("offset", "\(offset)"), ("reason", reason), ("effect", "one message is lost")],
            )
        case .vacated(let segment, let bytes, let copied):
            let fields = [("segment", "\(segment)"), ("bytes", "\(bytes)"), ("copied_bytes", "\(copied)")]
            return BrokerEvent(.debug, "log.vacated", fields)
        case .retired(let messages):
            return BrokerEvent(.notice, "log.retired", [("messages", "\(messages)"), ("reason", "older than allowed")])
        }
    }
}
