internal import ApusBroker
internal import ApusMessage

/// Passes events about peers that were turned away, a few a second; whoever floods us must not flood the log.
///
/// One a shard. What was left out is told with the next event of that name that passes.
struct EventLimiter {
    private static let perSecond = 10

    private struct Window {
        var start: Timestamp
        var passed = 0
        var suppressed = 0
    }

    private let sink: any EventSink
    private var windows: [String: Window] = [:]

    init(sink: any EventSink) { self.sink = sink }

    /// Records the event, or counts it when its name was recorded often enough within this second.
    ///
    /// - Parameter limit: how many of this name may pass in a second.
    mutating func record(
        _ level: EventLevel,
        _ name: String,
        limit: Int = perSecond,
        now: Timestamp,
        _ fields: [(String, String)],
    ) {
        var window = windows[name] ?? Window(start: now)
        if now.milliseconds - window.start.milliseconds >= 1000 {
            window.start = now
            window.passed = 0
        }
        guard window.passed < limit else {
            window.suppressed += 1
            windows[name] = window
            return
        }
        var fields = fields
        if window.suppressed > 0 { fields.append(("suppressed", String(window.suppressed))) }
        window.passed += 1
        window.suppressed = 0
        windows[name] = window
        sink.record(BrokerEvent(level, name, fields))
    }
}
