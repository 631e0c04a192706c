internal import CLinux
internal import Glibc

/// Processor time that was used, by all threads together, user and system.
package enum ProcessorTime {
    /// Nanoseconds of this process.
    package static func ownNanoseconds() -> Int64 { nanoseconds(CLOCK_PROCESS_CPUTIME_ID) ?? 0 }

    /// Nanoseconds of another process; nil when there is none of this number.
    package static func nanoseconds(process: Int32) -> Int64? {
        var clock = clockid_t()
        guard process > 0, clock_getcpuclockid(process, &clock) == 0 else { return nil }
        return nanoseconds(clock)
    }

    private static func nanoseconds(_ clock: clockid_t) -> Int64? {
        var time = timespec()
        guard clock_gettime(clock, &time) == 0 else { return nil }
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// How much later than asked the kernel may wake a thread.
package enum TimerSlack {
    /// For the calling thread; 50 µs is the system's default.
    package static func set(nanoseconds: Int) { apus_set_timer_slack(UInt(max(1, nanoseconds))) }
}
