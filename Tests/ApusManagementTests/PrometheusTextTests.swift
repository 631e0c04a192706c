import ApusBroker
import ApusMessage
import Testing

@testable import ApusManagement

/// Held against the text format of Prometheus, version 0.0.4.
@Suite("Prometheus' text format")
struct PrometheusTextTests {
    @Test func `a histogram is its cumulative buckets, the sum and the count`() {
        var fast = DurationHistogram()
        for nanoseconds: Int64 in [4_000, 10_000, 15_000, 2_500_000_000, 60_000_000_000] {
            fast.add(nanoseconds: nanoseconds)
        }
        let name = "apus_x_seconds"
        let text = PrometheusText.text([
            .init(name: name, help: "Time of x.", labels: [("a", "1")], durations: fast),
            .init(name: name, help: "Time of x.", labels: [("a", "2")], durations: DurationHistogram()),
        ])
        let lines = text.split(separator: "\n").map(String.init)
        #expect(Array(lines.prefix(2)) == ["# HELP apus_x_seconds Time of x.", "# TYPE apus_x_seconds histogram"])
        #expect(lines.count == 2 + 2 * (DurationHistogram.bucketCount + 2))
        let first = Array(lines[2..<2 + DurationHistogram.bucketCount])
        #expect(first[0] == #"apus_x_seconds_bucket{a="1",le="1e-05"} 2"#)
        #expect(first[1] == #"apus_x_seconds_bucket{a="1",le="2e-05"} 3"#)
        #expect(first[6] == #"apus_x_seconds_bucket{a="1",le="0.001"} 3"#)
        #expect(first[16] == #"apus_x_seconds_bucket{a="1",le="2"} 3"#)
        #expect(first[17] == #"apus_x_seconds_bucket{a="1",le="5"} 4"#)
        #expect(first[19] == #"apus_x_seconds_bucket{a="1",le="+Inf"} 5"#)
        #expect(lines.contains(#"apus_x_seconds_sum{a="1"} 62.500029"#))
        #expect(lines.contains(#"apus_x_seconds_count{a="1"} 5"#))
        #expect(lines.contains(#"apus_x_seconds_bucket{a="2",le="+Inf"} 0"#))
        #expect(lines.last == #"apus_x_seconds_count{a="2"} 0"#)
        #expect(text.hasSuffix("\n"))
    }

    @Test func `bounds are read as the numbers that they are, in ascending order`() throws {
        let text = PrometheusText.text([
            .init(name: "x_seconds", help: "X.", durations: DurationHistogram())
        ])
        let bounds = try text.split(separator: "\n").filter { $0.hasPrefix("x_seconds_bucket") }.map { line in
            let label = try #require(line.split(separator: "\"").dropFirst().first)
            return label == "+Inf" ? Double.infinity : try #require(Double(label))
        }
        #expect(bounds.count == DurationHistogram.bucketCount)
        #expect(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 })
        for (bound, nanoseconds) in zip(bounds, DurationHistogram.bounds) {
            #expect(bound == Double(nanoseconds) / 1e9)
        }
    }

    @Test func `help and labels cannot leave their line`() {
        let text = PrometheusText.text([
            .init(name: "x", help: "a\\b\nc \"d\"", kind: .gauge, labels: [("l", "a\\b\n\"")], value: -1.5)
        ])
        #expect(text == "# HELP x a\\\\b\\nc \"d\"\n# TYPE x gauge\nx{l=\"a\\\\b\\n\\\"\"} -1.5\n")
    }
}
