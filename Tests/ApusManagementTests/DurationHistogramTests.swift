import ApusMessage
import Testing

@Suite("Histograms of durations")
struct DurationHistogramTests {
    /// Nanoseconds, and the bucket that they belong to.
    @Test(arguments: [
        (Int64.min, 0), (-1, 0), (0, 0), (1, 0), (9_999, 0), (10_000, 0), (10_001, 1), (20_000, 1), (20_001, 2),
        (1_000_000, 6), (1_000_001, 7), (10_000_000_000, 18), (10_000_000_001, 19), (3_600_000_000_000, 19),
    ])
    func `a bound belongs to the bucket that it ends`(nanoseconds: Int64, bucket: Int) {
        var histogram = DurationHistogram()
        histogram.add(nanoseconds: nanoseconds)
        let counts = (0..<DurationHistogram.bucketCount).map { histogram[$0] }
        #expect(counts.firstIndex(of: 1) == bucket)
        #expect(counts.reduce(0, +) == 1)
        #expect(histogram.count == 1)
        #expect(histogram.sum == max(0, nanoseconds))
    }

    @Test func `bounds ascend, and there is a bucket behind the last`() {
        let bounds = DurationHistogram.bounds
        #expect(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 })
        #expect(DurationHistogram.bucketCount == bounds.count + 1)
    }

    @Test func `what several have counted is added bucket by bucket`() {
        var one = DurationHistogram()
        var other = DurationHistogram()
        var both = DurationHistogram()
        for nanoseconds: Int64 in [5, 15_000, 7_000_000_000] {
            one.add(nanoseconds: nanoseconds)
            other.add(nanoseconds: nanoseconds * 3)
            both.add(nanoseconds: nanoseconds)
            both.add(nanoseconds: nanoseconds * 3)
        }
        #expect(one != both)
        one += other
        #expect(one == both)
        #expect(one.count == 6)
    }
}
