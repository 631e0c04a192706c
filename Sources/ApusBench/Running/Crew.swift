internal import ApusLoop

/// What somebody may watch while a run goes on.
package struct BenchProgress: Sendable {
    package var tally: Tally
    /// Since the part began, in nanoseconds.
    package var elapsed: Int64
}

/// Watches a run; called on the thread that runs it, several times a second.
package struct BenchObserver {
    package var progress: (BenchProgress) -> Void
    /// How often the person has asked to end it: once to stop publishing, twice to give up.
    package var interruptions: () -> Int
    /// Gets each sample that the plan wants, and the one before.
    package var sampled: (BenchSample?, BenchSample) -> Void

    package init(
        progress: @escaping (BenchProgress) -> Void,
        interruptions: @escaping () -> Int,
        sampled: @escaping (BenchSample?, BenchSample) -> Void = { _, _ in },
    ) {
        self.progress = progress
        self.interruptions = interruptions
        self.sampled = sampled
    }
}

/// Why a run cannot begin or go on, for the person who wants it.
package struct BenchFailure: Error, CustomStringConvertible {
    package let description: String
}

/// The threads of a run and the one that directs them, which is the caller's.
struct Crew: ~Copyable {
    let job: BenchJob
    private let post: PostOffice
    private let threads: [BenchThread]
    private let observer: BenchObserver
    private let series: SampleSeries?
    /// The newest that each worker has said.
    private var tallies: [Tally]
    private var latencies: [LatencyHistogram]
    private var connectLatencies: [LatencyHistogram]
    private var isStopped = false

    /// Starts the threads.
    static func start(_ job: BenchJob, _ observer: BenchObserver, _ series: SampleSeries?) throws -> Crew {
        let post = try PostOffice(workers: job.plan.threads)
        var threads: [BenchThread] = []
        for index in 0..<job.plan.threads { threads.append(BenchThread(try startWorker(index, job, post))) }
        return Crew(job, post, threads, observer, series)
    }

    private init(
        _ job: BenchJob,
        _ post: PostOffice,
        _ threads: [BenchThread],
        _ observer: BenchObserver,
        _ series: SampleSeries?,
    ) {
        self.job = job
        self.post = post
        self.threads = threads
        self.observer = observer
        self.series = series
        tallies = [Tally](repeating: Tally(), count: threads.count)
        latencies = [LatencyHistogram](repeating: LatencyHistogram(), count: threads.count)
        connectLatencies = latencies
    }

    private static func startWorker(_ index: Int, _ job: BenchJob, _ post: PostOffice) throws -> NativeThread {
        try NativeThread(name: "apus-bench-\(index)") {
            do {
                let poller = try Poller()
                try poller.add(post.wakeUps[index].fileDescriptor, token: Worker.wakeUpToken)
                var loop = WorkerLoop(Worker(index: index, job, post, poller))
                loop.run()
            } catch {
                post.crew.post(.failed(worker: index, "\(error)"))
            }
        }
    }

    /// Ends the threads and waits for them.
    consuming func end() {
        tellAll(.end)
        for thread in threads { thread.join() }
    }

    var tally: Tally { tallies.reduce(into: Tally()) { $0.merge($1) } }
    var latency: LatencyHistogram { latencies.reduce(into: LatencyHistogram()) { $0.merge($1) } }
    var connectLatency: LatencyHistogram { connectLatencies.reduce(into: LatencyHistogram()) { $0.merge($1) } }

    /// How an order ended: the worst of all, and when the last worker was done.
    struct Answer {
        var outcome: Outcome
        var end: Int64
    }

    /// Gives an order to all workers and waits until each has answered.
    ///
    /// - Parameter mayStop: whether an interruption stops what is ordered; else it only ends the waiting, the second time.
    mutating func perform(_ order: Order, mayStop: Bool = true) throws -> Answer {
        let start = Clock.monotonicNanoseconds()
        tellAll(order)
        var answer = Answer(outcome: .done, end: start)
        var waiting = tallies.count
        while waiting > 0 {
            for report in post.crew.drain() {
                guard let (outcome, end) = try take(report) else { continue }
                waiting -= 1
                answer.end = max(answer.end, end)
                if answer.outcome == .done { answer.outcome = outcome }
            }
            guard waiting > 0 else { break }
            guard observer.interruptions() < 2 else { return Answer(outcome: .abandoned, end: answer.end) }
            if mayStop { stopIfAsked() }
            show(since: start)
            _ = post.crewWakeUp.wait(milliseconds: 100)
        }
        return answer
    }

    /// How an order ended at one worker, if the report says so.
    private mutating func take(_ report: Report) throws -> (Outcome, Int64)? {
        switch report {
        case .failed(_, let words): throw BenchFailure(description: words)
        case .progress(let worker, let tally):
            tallies[worker] = tally
            return nil
        case .done(let worker, let outcome, let tally, let latency, let connectLatency, let end):
            tallies[worker] = tally
            latencies[worker] = latency
            connectLatencies[worker] = connectLatency
            return (outcome, end)
        }
    }

    private mutating func stopIfAsked() {
        guard isInterrupted, !isStopped else { return }
        isStopped = true
        tellAll(.stop)
    }

    /// Whether the person has asked to end the run.
    var isInterrupted: Bool { observer.interruptions() > 0 }
    /// Whether the person does not want to wait for its end either.
    var isAbandoned: Bool { observer.interruptions() > 1 }

    /// Lets time pass, and the workers serve.
    mutating func pause(_ nanoseconds: Int64) throws {
        try pass(nanoseconds) { $0.observer.interruptions() > 1 }
    }

    /// Lets time pass unless the person asks to end the run, a connection is lost or it is enough.
    mutating func watch(_ nanoseconds: Int64, until isEnough: (Tally) -> Bool = { _ in false }) throws {
        try pass(nanoseconds) { crew in
            let tally = crew.tally
            return crew.isInterrupted || tally.brokenConnections > 0 || isEnough(tally)
        }
    }

    private mutating func pass(_ nanoseconds: Int64, until isOver: (borrowing Self) -> Bool) throws {
        let start = Clock.monotonicNanoseconds()
        while true {
            for report in post.crew.drain() { _ = try take(report) }
            let rest = nanoseconds - (Clock.monotonicNanoseconds() - start)
            guard rest > 0, !isOver(self) else { return }
            show(since: start)
            _ = post.crewWakeUp.wait(milliseconds: Int(min(100, rest / 1_000_000 + 1)))
        }
    }

    private func show(since start: Int64) {
        let tally = tally
        series?.take(tally)
        observer.progress(BenchProgress(tally: tally, elapsed: Clock.monotonicNanoseconds() - start))
    }

    /// What was seen on the way.
    var samples: [BenchSample] { series?.samples ?? [] }

    private func tellAll(_ order: Order) {
        for mailbox in post.workers { mailbox.post(.order(order)) }
    }
}

/// A thread in an array, which cannot hold what is not copyable.
private final class BenchThread {
    private var thread: NativeThread?

    init(_ thread: consuming NativeThread) { self.thread = consume thread }

    func join() { thread.take()?.join() }
}
