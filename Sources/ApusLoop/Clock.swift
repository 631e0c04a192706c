internal import Glibc

/// Milliseconds since the Unix epoch that never run backwards.
///
/// The wall clock is read once; from there the monotonic clock counts, so setting the wall clock moves no deadline.
/// One clock for the whole process, else shards differ. Reading costs about 20 ns; a loop reads once a tick.
package struct Clock: Sendable {
    private let offset: Int64

    package init() {
        offset = Self.milliseconds(of: CLOCK_REALTIME) - Self.milliseconds(of: CLOCK_MONOTONIC)
    }

    package func now() -> Int64 { Self.milliseconds(of: CLOCK_MONOTONIC) + offset }

    /// Nanoseconds of the monotonic clock, to measure with.
    package static func monotonicNanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func milliseconds(of clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
