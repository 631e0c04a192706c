internal import ApusBroker
internal import ApusCredentials

/// The results of logins under the names of docs/operations.md.
struct LoginFigures: MetricSource {
    let counts: LoginCounts

    /// Those that were accepted for each mode; of the others those that have happened.
    var samples: [BrokerMetrics.Sample] {
        LoginMode.allCases.flatMap { mode in
            LoginResult.allCases.compactMap { result in
                let count = counts[mode, result]
                guard count > 0 || result == .accepted, mode != .none || result != .accepted else { return nil }
                return BrokerMetrics.Sample(
                    name: "apus_logins_total",
                    help: "Logins that were decided, by mode and result.",
                    kind: .counter,
                    labels: [("mode", mode.rawValue), ("result", result.rawValue)],
                    value: Double(count)
                )
            }
        }
    }
}
