/// Where a page of the trace begins, the latest event being the first.
///
/// A place in time, not a count from the beginning: events that come between two pages shift nothing.
struct TraceCursor: Equatable {
    /// Events that are later belong to pages before; Unix milliseconds.
    let time: Int64
    /// Events of just that time that belong to pages before.
    let passed: Int

    /// No client has as many events in one millisecond.
    private static let mostPassed = 1 << 32

    private init(time: Int64, passed: Int) {
        self.time = time
        self.passed = passed
    }

    /// - Parameter key: of a cursor before, empty for the first page; any other gives `nil`.
    init?(key: String) {
        guard !key.isEmpty else {
            self.init(time: .max, passed: 0)
            return
        }
        let parts = key.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard parts.count == 2, let time = Int64(Substring(parts[0])), let passed = Int(Substring(parts[1])),
            time >= 0, (0...Self.mostPassed).contains(passed)
        else { return nil }
        self.init(time: time, passed: passed)
    }

    var key: String { "\(time) \(passed)" }

    /// The place behind a page that begins here.
    ///
    /// - Parameter times: of its events, the latest first; `nil` when it has none.
    func behind(_ times: [Int64]) -> TraceCursor? {
        guard let last = times.last else { return nil }
        let same = times.reversed().prefix { $0 == last }.count
        return TraceCursor(time: last, passed: last == time ? passed + same : same)
    }
}
