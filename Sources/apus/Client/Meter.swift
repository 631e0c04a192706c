/// Counts, and says from time to time how fast.
struct Meter {
    struct Numbers: Equatable {
        let total: Int
        let inPeriod: Int
        let perSecond: Double
    }

    var count = 0
    private let period: Duration
    private var lastCount = 0
    private var lastShow: Duration?

    init(period: Duration = .seconds(1)) { self.period = period }

    /// When there is something to show again; nil before the start.
    var nextShow: Duration? { lastShow.map { $0 + period } }

    mutating func start(_ now: Duration) { lastShow = lastShow ?? now }

    /// The numbers of the period that is over; nil while it is not.
    mutating func show(_ now: Duration) -> Numbers? {
        guard let lastShow, now >= lastShow + period else { return nil }
        let perSecond = Double(count - lastCount) / ((now - lastShow) / .seconds(1))
        defer {
            self.lastShow = now
            lastCount = count
        }
        return Numbers(total: count, inPeriod: count - lastCount, perSecond: (perSecond * 10).rounded() / 10)
    }
}
