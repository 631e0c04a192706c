/// Figures of what the broker stands on, to be shown beside its own.
package protocol MetricSource: Sendable {
    /// The figures of now; those of one name stand side by side. Called on any thread.
    var samples: [BrokerMetrics.Sample] { get }
}
