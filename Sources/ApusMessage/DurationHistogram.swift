/// How often something took how long: counts in buckets, whose bounds are the same for all that is measured.
///
/// Adding allocates nothing.
package struct DurationHistogram: Sendable, Equatable {
    /// The upper bounds of the buckets in nanoseconds, each part of its bucket: 10 µs … 10 s in steps of 1, 2 and 5.
    package static let bounds: [Int64] = [
        10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000,
        50_000_000, 100_000_000, 200_000_000, 500_000_000, 1_000_000_000, 2_000_000_000, 5_000_000_000, 10_000_000_000,
    ]
    /// One for each bound, and one for what took longer than the last.
    package static let bucketCount = 20

    private var buckets = InlineArray<20, UInt64>(repeating: 0)
    /// Nanoseconds of all together.
    package private(set) var sum: Int64 = 0

    package init() {}

    /// What it counts in this bucket alone.
    package subscript(bucket: Int) -> UInt64 { buckets[bucket] }

    package var count: UInt64 { Self.indices.reduce(0) { $0 + buckets[$1] } }

    /// A clock that ran backwards counts as no time.
    package mutating func add(nanoseconds: Int64) {
        let nanoseconds = max(0, nanoseconds)
        let bucket = Self.bounds.firstIndex { nanoseconds <= $0 } ?? Self.bounds.count
        buckets[bucket] += 1
        sum += nanoseconds
    }

    package static func += (left: inout DurationHistogram, right: DurationHistogram) {
        for bucket in indices { left.buckets[bucket] += right.buckets[bucket] }
        left.sum += right.sum
    }

    package static func == (left: DurationHistogram, right: DurationHistogram) -> Bool {
        left.sum == right.sum && indices.allSatisfy { left.buckets[$0] == right.buckets[$0] }
    }

    private static var indices: Range<Int> { 0..<bucketCount }
}
