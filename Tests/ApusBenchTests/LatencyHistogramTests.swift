import Testing

@testable import ApusBench

@Suite("Latency histogram")
struct LatencyHistogramTests {
    @Test(arguments: [0, 1, 127, 128, 255, 256, 257, 1000, 65_535, 1_000_000, 123_456_789, 60_000_000_000] as [Int64])
    func `one duration is found again within 0.8 percent and never too low`(value: Int64) {
        var histogram = LatencyHistogram()
        histogram.record(value)
        // A second, far longer one, so that the figure is not cut to the maximum.
        histogram.record(4_000_000_000_000)
        let figure = histogram.percentile(0.5)
        #expect(figure >= value)
        #expect(Double(figure) <= Double(value) * 1.008)
        #expect(histogram.minimum == value)
        #expect(histogram.percentile(1) == 4_000_000_000_000)
    }

    @Test(arguments: [(0.5, 500), (0.9, 900), (0.99, 990), (0.999, 999), (1.0, 1000)] as [(Double, Int64)])
    func `percentiles of 1 to 1000 microseconds`(part: Double, microseconds: Int64) {
        var histogram = LatencyHistogram()
        for value: Int64 in 1...1000 { histogram.record(value * 1000) }
        let figure = histogram.percentile(part)
        #expect(figure >= microseconds * 1000)
        #expect(Double(figure) <= Double(microseconds) * 1000 * 1.008)
        #expect(histogram.mean == 500_500)
    }

    @Test
    func `an empty one has no figures`() {
        #expect(LatencyHistogram().percentile(0.99) == 0)
        #expect(LatencyHistogram().mean == 0)
    }

    @Test
    func `what is out of range counts at its ends`() {
        var histogram = LatencyHistogram()
        histogram.record(-5)
        histogram.record(.max)
        #expect(histogram.minimum == 0)
        #expect(histogram.maximum == .max)
        #expect(histogram.count == 2)
        #expect(histogram.percentile(0.5) == 0)
    }

    @Test
    func `merging is counting in one`() {
        var (left, right, all) = (LatencyHistogram(), LatencyHistogram(), LatencyHistogram())
        for value: Int64 in 1...100 {
            if value % 3 == 0 { left.record(value * 777) } else { right.record(value * 777) }
            all.record(value * 777)
        }
        left.merge(right)
        #expect(left == all)
    }
}
