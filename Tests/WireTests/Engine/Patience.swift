internal import Foundation

/// How long the tests wait for what should come at once; `WIRE_PATIENCE` multiplies it on slow builds.
enum Patience {
    static let factor = ProcessInfo.processInfo.environment["WIRE_PATIENCE"].flatMap(Double.init) ?? 1

    /// For an answer of the broker.
    static let answer = Duration.seconds(8 * factor)
    /// For the start or the end of the broker.
    static let process = Duration.seconds(20 * factor)
}

/// A moment until which something may take.
struct Deadline {
    private let end: ContinuousClock.Instant

    init(_ duration: Duration) { end = .now + duration }

    /// Milliseconds left, not below zero, in the form of poll(2).
    var milliseconds: Int32 {
        let left = ContinuousClock.now.duration(to: end)
        let (seconds, attoseconds) = left.components
        return Int32(max(0, min(seconds * 1000 + attoseconds / 1_000_000_000_000_000, 3_600_000)))
    }

    var hasPassed: Bool { milliseconds == 0 }
}
