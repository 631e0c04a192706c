/// When the client has to say something, and when the server's silence means that the connection is dead.
struct KeepAlive: Sendable {
    /// Zero switches keeping alive off.
    var interval: Duration
    let responseTimeout: Duration
    private var lastSent: Duration
    private var lastReceived: Duration
    private var pingSent: Duration?

    enum Action: Equatable {
        case nothing
        case ping
        case giveUp
    }

    init(interval: Duration, responseTimeout: Duration, now: Duration) {
        self.interval = interval
        self.responseTimeout = responseTimeout
        lastSent = now
        lastReceived = now
    }

    mutating func sent(_ now: Duration) { lastSent = now }
    mutating func received(_ now: Duration) { lastReceived = now }
    mutating func responded() { pingSent = nil }

    /// When ``tick(_:)`` has something to do next; nil when never.
    var deadline: Duration? {
        guard interval > .zero else { return nil }
        if let pingSent { return max(pingSent, lastReceived) + responseTimeout }
        // A packet has to be out before the interval is over [MQTT-3.1.2-20], and the timer may be late. A client that
        // only sends would never learn that the server is gone, so a server's silence asks for a ping as well.
        return min(lastSent, lastReceived) + interval * 3 / 4
    }

    mutating func tick(_ now: Duration) -> Action {
        guard let deadline, now >= deadline else { return .nothing }
        guard pingSent == nil else { return .giveUp }
        pingSent = now
        return .ping
    }
}
