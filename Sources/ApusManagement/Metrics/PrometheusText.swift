internal import ApusBroker
internal import ApusMessage

/// Metrics in Prometheus' text format, version 0.0.4.
enum PrometheusText {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// - Parameter samples: Those of one name side by side.
    static func text(_ samples: [BrokerMetrics.Sample]) -> String {
        var text = ""
        var last = ""
        for sample in samples {
            if sample.name != last {
                text += head(sample.name, sample.help, sample.kind.rawValue)
                last = sample.name
            }
            if let durations = sample.durations {
                text += buckets(sample, durations)
            } else {
                text += "\(sample.name)\(labels(sample.labels)) \(number(sample.value))\n"
            }
        }
        return text
    }

    /// The lines of one histogram; each bucket counts all that is within its bound.
    private static func buckets(_ sample: BrokerMetrics.Sample, _ durations: DurationHistogram) -> String {
        var text = ""
        var within: UInt64 = 0
        for bucket in 0..<DurationHistogram.bucketCount {
            within += durations[bucket]
            let bounds = DurationHistogram.bounds
            let bound = bucket < bounds.count ? number(Double(bounds[bucket]) / 1e9) : "+Inf"
            text += "\(sample.name)_bucket\(labels(sample.labels + [("le", bound)])) \(within)\n"
        }
        text += "\(sample.name)_sum\(labels(sample.labels)) \(number(sample.value))\n"
        text += "\(sample.name)_count\(labels(sample.labels)) \(within)\n"
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
