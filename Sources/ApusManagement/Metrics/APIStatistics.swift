internal import ApusBroker
internal import ApusLocks

/// Counters and latencies of the API itself.
///
/// Labels are bounded: operations are those of the tables, codes those that the source names.
final class APIStatistics: Sendable {
    enum API: String, Sendable {
        case rpc, rest
    }

    /// Upper bounds of the histogram's buckets in seconds; beyond the last is `+Inf`.
    static let bounds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]

    private struct Call: Hashable {
        var api: String
        var operation: String
        var code: String
    }

    struct Histogram {
        var buckets = [Int](repeating: 0, count: APIStatistics.bounds.count + 1)
        var sum = 0.0

        var count: Int { buckets.reduce(0, +) }

        mutating func add(_ seconds: Double) {
            buckets[APIStatistics.bounds.firstIndex { seconds <= $0 } ?? APIStatistics.bounds.count] += 1
            sum += seconds
        }
    }

    private struct State {
        var calls: [Call: Int] = [:]
        var latencies: [String: Histogram] = [:]
    }

    private let state = Guarded(State())

    func count(_ api: API, _ operation: String, _ code: String, _ elapsed: Duration) {
        // Codes that name a parameter are one.
        let code = code.hasPrefix("InvalidParameter") ? "InvalidParameter" : code
        state.withLock { state in
            state.calls[Call(api: api.rawValue, operation: operation, code: code), default: 0] += 1
            state.latencies[api.rawValue, default: Histogram()].add(elapsed / .seconds(1))
        }
    }

    var samples: [BrokerMetrics.Sample] {
        let calls = state.withLock { $0.calls }
        let sorted = calls.sorted {
            ($0.key.api, $0.key.operation, $0.key.code) < ($1.key.api, $1.key.operation, $1.key.code)
        }
        return sorted.map { call, count in
            BrokerMetrics.Sample(
                name: "apus_api_requests_total",
                help: "Requests of the management API, by operation and result.",
                kind: .counter,
                labels: [("api", call.api), ("operation", call.operation), ("code", call.code)],
                value: Double(count)
            )
        }
    }

    var latencies: [(api: String, histogram: Histogram)] {
        state.withLock { $0.latencies }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}
