internal import ApusMessage

/// Keeps what comes without end from filling the log: each reason of each event is logged at most a few times a second,
/// for each instance, so that none keeps the others' reasons out of the log.
///
/// What was passed over is told with the next event that is logged, or by a line of its own when none follows.
struct RejectionLog: Sendable {
    private struct Key: Hashable {
        var event: String
        var reason: String
        /// The instance's place in the shard's list; -1 where it is not known or does not matter.
        var tenant: Int32
    }

    private struct Window {
        var start: Timestamp
        var level: EventLevel
        var logged = 0
        var suppressed = 0
    }

    /// Bounded by the number of rules, and of reason codes for each instance.
    private var windows: [Key: Window] = [:]
    /// Whether somebody will call `flush`.
    private var isFlushDue = false
    private static let perSecond = 5
    private static let windowMilliseconds: Int64 = 1000

    /// Whether to log another event for this reason.
    ///
    /// - Returns: how many were passed over since the last one logged, or `nil` to pass over this one too.
    mutating func admit(
        _ level: EventLevel,
        _ event: String,
        _ reason: String,
        tenant: Int32 = -1,
        now: Timestamp,
    ) -> Int? {
        let key = Key(event: event, reason: reason, tenant: tenant)
        var window = windows[key] ?? Window(start: now, level: level)
        if now >= window.start.adding(milliseconds: Self.windowMilliseconds) {
            window.start = now
            window.logged = 0
        }
        defer { windows[key] = window }
        guard window.logged < Self.perSecond else {
            window.suppressed += 1
            return nil
        }
        window.logged += 1
        defer { window.suppressed = 0 }
        return window.suppressed
    }

    /// When to call `flush`, once for all that is passed over until then; `nil` when that is known already.
    ///
    /// While events go on coming, they tell of those before; so a flush waits until that would have happened.
    mutating func scheduleFlush(now: Timestamp) -> Timestamp? {
        guard !isFlushDue else { return nil }
        isFlushDue = true
        return now.adding(milliseconds: 2 * Self.windowMilliseconds)
    }

    /// The lines that tell what was passed over and that no later event has told.
    ///
    /// - Parameter all: also of the reasons that may go on.
    /// - Returns: the lines, and whether there is more to tell later.
    mutating func flush(now: Timestamp, all: Bool = false) -> (events: [BrokerEvent], hasMore: Bool) {
        isFlushDue = false
        var events: [BrokerEvent] = []
        var hasMore = false
        for (key, window) in windows where window.suppressed > 0 {
            guard all || now >= window.start.adding(milliseconds: Self.windowMilliseconds) else {
                hasMore = true
                continue
            }
            let fields = [
                ("reason", key.reason), ("suppressed", "\(window.suppressed)"),
                ("explanation", "so many more of these came than were logged one by one"),
            ]
            events.append(BrokerEvent(window.level, key.event, fields))
            windows[key]?.suppressed = 0
        }
        return (events.sorted { $0.name < $1.name }, hasMore)
    }
}

extension Shard {
    /// Whether to log another event for this reason, see `RejectionLog`.
    ///
    /// - Returns: how many were passed over since the last one logged, or `nil` to pass over this one too.
    mutating func admits(_ level: EventLevel, _ event: String, _ reason: String, tenant: Int32 = -1) -> Int? {
        if let suppressed = rejections.admit(level, event, reason, tenant: tenant, now: now) { return suppressed }
        if let time = rejections.scheduleFlush(now: now) { schedule(.suppressed, 0, 0, time) }
        return nil
    }

    /// Tells what was passed over.
    mutating func tellSuppressed(all: Bool = false) {
        let (events, hasMore) = rejections.flush(now: now, all: all)
        for event in events { broker.events.record(event) }
        if hasMore, let time = rejections.scheduleFlush(now: now) { schedule(.suppressed, 0, 0, time) }
    }
}
