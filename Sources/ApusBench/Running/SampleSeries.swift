internal import ApusLoop

/// Takes samples of a run from its progress, at least an interval apart.
final class SampleSeries {
    private let interval: Int64
    private let broker: BrokerProcess
    private let start = Clock.monotonicNanoseconds()
    private let brokerStart: Int64?
    private var next: Int64
    private let show: (_ before: BenchSample?, BenchSample) -> Void
    private(set) var samples: [BenchSample] = []

    /// - Parameter show: gets each sample and the one before.
    init(interval: Duration, _ broker: BrokerProcess, show: @escaping (BenchSample?, BenchSample) -> Void) {
        self.interval = interval.wholeNanoseconds
        self.broker = broker
        self.show = show
        next = start + self.interval
        brokerStart = broker.nanoseconds
    }

    func take(_ tally: Tally) {
        let now = Clock.monotonicNanoseconds()
        guard now >= next else { return }
        // A sample that is late does not bring the next nearer.
        while next <= now { next += interval }
        let sample = BenchSample(
            nanoseconds: now - start,
            connected: tally.connected,
            published: tally.published,
            acknowledged: tally.acknowledged,
            delivered: tally.delivered,
            brokerNanoseconds: broker.nanoseconds.flatMap { now in brokerStart.map { now - $0 } },
            brokerBytes: broker.residentBytes,
        )
        show(samples.last, sample)
        samples.append(sample)
    }
}
