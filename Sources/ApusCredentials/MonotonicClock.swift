package import ApusMessage

/// Milliseconds since this process first asked, never running backwards.
package enum MonotonicClock {
    private static let start = ContinuousClock.now

    @Sendable
    package static func now() -> Timestamp {
        let elapsed = start.duration(to: .now).components
        return Timestamp(milliseconds: elapsed.seconds * 1000 + elapsed.attoseconds / 1_000_000_000_000_000)
    }
}
