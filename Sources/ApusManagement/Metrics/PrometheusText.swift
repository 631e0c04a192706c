internal import ApusBroker

/// Metrics in Prometheus' text format, version 0.0.4.
enum PrometheusText {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    static func text(
        _ samples: [BrokerMetrics.Sample],
        latencies: [(api: String, histogram: APIStatistics.Histogram)],
    ) -> String {
        var text = ""
        var last = ""
        for sample in samples {
            if sample.name != last {
                text += head(sample.name, sample.help, sample.kind.rawValue)
                last = sample.name
            }
            text += "\(sample.name)\(labels(sample.labels)) \(number(sample.value))\n"
        }
        guard !latencies.isEmpty else { return text }
        let name = "apus_api_request_duration_seconds"
        text += head(name, "Time from a request of the management API to its answer.", "histogram")
        for (api, histogram) in latencies {
            var sum = 0
            for (index, count) in histogram.buckets.enumerated() {
                sum += count
                let bound = index < APIStatistics.bounds.count ? number(APIStatistics.bounds[index]) : "+Inf"
                text += "\(name)_bucket\(labels([("api", api), ("le", bound)])) \(sum)\n"
            }
            text += "\(name)_sum\(labels([("api", api)])) \(number(histogram.sum))\n"
            text += "\(name)_count\(labels([("api", api)])) \(histogram.count)\n"
        }
        return text
    }

    private static func head(_ name: String, _ help: String, _ type: String) -> String {
        "# HELP \(name) \(escaped(help, quotes: false))\n# TYPE \(name) \(type)\n"
    }

    private static func labels(_ labels: [(String, String)]) -> String {
        guard !labels.isEmpty else { return "" }
        return "{" + labels.map { "\($0.0)=\"\(escaped($0.1, quotes: true))\"" }.joined(separator: ",") + "}"
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for character in text {
            switch character {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.append(character)
            }
        }
        return result
    }

    /// Whole numbers without a fraction.
    private static func number(_ value: Double) -> String {
        Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }
}
