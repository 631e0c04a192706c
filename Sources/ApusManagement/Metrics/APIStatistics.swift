internal import ApusBroker
internal import ApusLocks
internal import ApusMessage

/// Counters and latencies of the API itself.
///
/// Labels are bounded: operations are those of the tables, codes those that the source names.
final class APIStatistics: Sendable {
    enum API: String, Sendable, CaseIterable {
        case rpc, rest
    }

    /// Why the server itself ended a connection.
    enum Closing: String, Sendable, CaseIterable {
        /// Its address has as many as one may have.
        case addressShare = "address_share"
        /// The heads of requests took all memory that there is for them.
        case headMemory = "head_memory"
        /// The request did not come as a whole in time.
        case slowRequest = "slow_request"
        /// The answer was not taken in time.
        case slowAnswer = "slow_answer"
    }

    private struct Call: Hashable {
        var api: String
        var operation: String
        var code: String
    }

    private struct State {
        var calls: [Call: Int] = [:]
        var durations: [API: DurationHistogram] = [:]
        var closings: [Closing: Int] = [:]
    }

    private let state = Guarded(State())

    func count(_ api: API, _ operation: String, _ code: String, _ elapsed: Duration?) {
        // Codes that name a parameter are one.
        let code = code.hasPrefix("InvalidParameter") ? "InvalidParameter" : code
        state.withLock { state in
            state.calls[Call(api: api.rawValue, operation: operation, code: code), default: 0] += 1
            guard let elapsed else { return }
            state.durations[api, default: DurationHistogram()].add(nanoseconds: Int64(elapsed / .nanoseconds(1)))
        }
    }

    func count(_ closing: Closing) { state.withLock { $0.closings[closing, default: 0] += 1 } }

    var samples: [BrokerMetrics.Sample] {
        let (calls, durations, closings) = state.withLock { ($0.calls, $0.durations, $0.closings) }
        let sorted = calls.sorted {
            ($0.key.api, $0.key.operation, $0.key.code) < ($1.key.api, $1.key.operation, $1.key.code)
        }
        let counts = sorted.map { call, count in
            BrokerMetrics.Sample(
                name: "apus_api_requests_total",
                help: "Requests of the management API, by operation and result.",
                kind: .counter,
                labels: [("api", call.api), ("operation", call.operation), ("code", call.code)],
                value: Double(count)
            )
        }
        let times = API.allCases.map { api in
            BrokerMetrics.Sample(
                name: "apus_api_request_duration_seconds",
                help: "Time from a request of the management API to its answer.",
                labels: [("api", api.rawValue)],
                durations: durations[api] ?? DurationHistogram()
            )
        }
        let ends = Closing.allCases.map { closing in
            BrokerMetrics.Sample(
                name: "apus_api_connections_closed_total",
                help: "Connections that the management API ended before their request was answered, by reason.",
                kind: .counter,
                labels: [("reason", closing.rawValue)],
                value: Double(closings[closing] ?? 0)
            )
        }
        return counts + times + ends
    }
}
