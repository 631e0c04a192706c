/// How long things took: counts by duration, 128 steps for each doubling (HDR).
///
/// A figure is at most 0.8 % above what was measured. Nanoseconds, from 0 to 73 minutes; longer counts as that. 36 KiB,
/// whatever is counted.
package struct LatencyHistogram: Equatable, Sendable {
    private static let stepBits = 7
    private static let octaves = 36
    private static let limit: Int64 = 1 << 42

    private var counts = [UInt64](repeating: 0, count: (octaves) << stepBits)
    package private(set) var count: UInt64 = 0
    private var sum: Double = 0
    /// Exact; 0 when nothing was counted.
    package private(set) var maximum: Int64 = 0
    package private(set) var minimum: Int64 = .max

    package init() {}

    /// Counts a duration in nanoseconds; a negative one as 0.
    @inline(__always)
    package mutating func record(_ nanoseconds: Int64) {
        let value = max(0, nanoseconds)
        counts[Self.step(min(value, Self.limit &- 1))] &+= 1
        count &+= 1
        sum += Double(value)
        if value > maximum { maximum = value }
        if value < minimum { minimum = value }
    }

    /// Adds what another one has counted.
    package mutating func merge(_ other: LatencyHistogram) {
        for index in counts.indices { counts[index] += other.counts[index] }
        count += other.count
        sum += other.sum
        maximum = max(maximum, other.maximum)
        minimum = min(minimum, other.minimum)
    }

    /// The mean in nanoseconds; 0 when nothing was counted.
    package var mean: Double { count == 0 ? 0 : sum / Double(count) }

    /// The duration in nanoseconds that this part of all did not exceed; 0 when nothing was counted.
    ///
    /// - Parameter part: 0.99 for the 99th percentile; 1 gives the maximum.
    package func percentile(_ part: Double) -> Int64 {
        guard count > 0 else { return 0 }
        let wanted = max(1, UInt64((part * Double(count)).rounded(.up)))
        guard wanted < count else { return maximum }
        var seen: UInt64 = 0
        for (index, here) in counts.enumerated() {
            seen += here
            if seen >= wanted { return min(Self.highest(of: index), maximum) }
        }
        return maximum
    }

    @inline(__always)
    private static func step(_ value: Int64) -> Int {
        let octave = max(0, 63 &- stepBits &- value.leadingZeroBitCount)
        return octave &<< stepBits &+ Int(truncatingIfNeeded: value &>> Int64(octave))
    }

    /// The longest duration that is counted at this step.
    private static func highest(of step: Int) -> Int64 {
        guard step >= 1 << (stepBits + 1) else { return Int64(step) }
        let octave = step >> stepBits - 1
        let lowest = Int64(step - octave << stepBits) << Int64(octave)
        return lowest + (1 << Int64(octave)) - 1
    }
}
