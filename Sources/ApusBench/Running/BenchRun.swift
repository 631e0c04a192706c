internal import ApusLoop

/// One run of a workload, from its first connection to its last.
package struct BenchRun: ~Copyable {
    private var plan: BenchPlan
    private let broker: BrokerProcess
    private var crew: Crew
    private var report: BenchReport

    /// Starts the threads; nothing is connected yet.
    ///
    /// - Parameter brokerProcesses: whose processor time and memory are measured.
    package init(
        _ wanted: BenchPlan,
        _ names: BenchNames,
        _ target: BenchTarget,
        brokerProcesses: [Int32] = [],
        observer: BenchObserver,
    ) throws {
        if let missing = BrokerProcess.missing(brokerProcesses).first {
            throw BenchFailure(description: "there is no process \(missing)")
        }
        ignoreBrokenPipe()
        let files = Machine.raiseOpenFileLimit()
        var plan = wanted
        var report = BenchReport(plan: wanted)
        report.openFileLimit = files
        report.wantedConnections = wanted.subscribers
        // What a thread has open besides: its poller, its wake-up, and some more for the process.
        let room = files - 32 - 4 * plan.threads - plan.publishers
        if plan.subscribers > room {
            guard plan.workload == .idle, room > 0 else {
                throw BenchFailure(
                    description: """
                        \(plan.subscribers + plan.publishers) connections are more than the \(files) files that this \
                        process may have open; raise that with `ulimit -n`
                        """
                )
            }
            // Idle connections are for finding limits: as many as there can be.
            plan.subscribers = room
            report.limit = .openFiles
            report.plan = plan
        }
        let crew = try Crew.start(BenchJob(plan: plan, names: names, target: target), observer)
        self.plan = plan
        self.report = report
        self.crew = crew
        broker = BrokerProcess(numbers: brokerProcesses)
    }

    /// Runs to the end.
    package consuming func run() throws -> BenchReport {
        do {
            switch plan.workload {
            case .pairs, .fanIn, .fanOut, .p2p, .wildcard: try runTraffic()
            case .retained: try runRetained()
            case .offline: try runOffline()
            case .idle: try runIdle()
            case .storm: try runStorm()
            }
        } catch is Stop {
            // The report says how far it came.
            report.tally = crew.tally
        }
        report.latency = crew.latency
        report.connectLatency = crew.connectLatency
        report.brokerBytes = broker.residentBytes
        report.brokerThreads = broker.threads
        if plan.workload == .idle || plan.workload == .storm, report.limit == nil, report.tally.failedConnections > 0 {
            report.limit = report.tally.problems.keys.lazy.compactMap(\.limit).first
        }
        // Where nothing could be connected at all, no limit is the reason.
        if report.tally.connected == 0 { report.limit = nil }
        let result = report
        crew.end()
        return result
    }

    /// The end of a run before its time.
    private struct Stop: Error {}

    // MARK: - Steps

    /// Processor times at the beginning of a part.
    private struct Start {
        var time = Clock.monotonicNanoseconds()
        var broker: Int64?
        var generator = ProcessorTime.ownNanoseconds()
    }

    private func begin() -> Start { Start(broker: broker.nanoseconds) }

    private mutating func finish(_ name: BenchReport.Part.Name, _ start: Start, end: Int64, count: Int) {
        let used = broker.nanoseconds.flatMap { now in start.broker.map { now - $0 } }
        report.parts.append(
            BenchReport.Part(
                name: name,
                nanoseconds: max(0, end - start.time),
                count: count,
                brokerNanoseconds: used,
                generatorNanoseconds: ProcessorTime.ownNanoseconds() - start.generator,
            )
        )
    }

    /// Gives an order; ends the run unless it is done.
    @discardableResult
    private mutating func perform(_ order: Order) throws -> Int64 {
        let answer = try crew.perform(order)
        report.tally = crew.tally
        guard answer.outcome == .done else {
            report.outcome = answer.outcome
            throw Stop()
        }
        return answer.end
    }

    private mutating func connect(_ role: BenchNames.Role, isClean: Bool = true, subscribes: Bool = true) throws {
        try perform(.connect(role, isClean: isClean, subscribes: subscribes, isTolerant: false))
        if crew.isInterrupted {
            report.outcome = .interrupted
            throw Stop()
        }
    }

    /// Publishes all; the end is when the last answer or delivery came.
    private mutating func publish(_ name: BenchReport.Part.Name, counting count: (Tally) -> Int) throws {
        var start = begin()
        start.time = Clock.monotonicNanoseconds()
        let answer = try crew.perform(.publish(start: start.time))
        let isWhole = answer.outcome == .done && crew.tally.writtenOff == 0
        // The counts of those that only receive are as old as their last report.
        finish(name, start, end: answer.end, count: 0)
        // Long enough for a repetition behind the last message, which is not measured any more.
        crew.pause(100_000_000)
        let counted = try crew.perform(.count)
        report.tally = crew.tally
        let last = report.parts.count - 1
        report.parts[last].count = count(report.tally)
        if !isWhole { report.parts[last].nanoseconds = max(0, report.tally.lastDelivery - start.time) }
        guard answer.outcome == .done, counted.outcome == .done else {
            report.outcome = answer.outcome == .done ? counted.outcome : answer.outcome
            throw Stop()
        }
    }

    private mutating func leaveAll() throws {
        try perform(.leave(.publisher, politely: true))
        try perform(.leave(.subscriber, politely: true))
    }

    // MARK: - Workloads

    private mutating func runTraffic() throws {
        let memory = broker.residentBytes
        let start = begin()
        try connect(.subscriber)
        if plan.workload == .wildcard {
            let filters = plan.subscribers * plan.filters
            finish(.subscribe, start, end: Clock.monotonicNanoseconds(), count: filters)
            noteGrowth(since: memory, items: filters)
        }
        try connect(.publisher)
        // So that the broker has done what the connections gave it to do.
        crew.pause(200_000_000)
        let copies = Routes.copies(plan)
        defer { report.expected = (report.tally.published - report.tally.refused) * copies }
        try publish(.messages) { $0.delivered }
        try leaveAll()
    }

    private mutating func runRetained() throws {
        guard let messages = plan.messages else { return }
        try connect(.publisher)
        let memory = broker.residentBytes
        report.expected = messages * plan.subscribers
        let start = begin()
        try perform(.publish(start: start.time))
        let end = try perform(.ping)
        finish(.set, start, end: end, count: report.tally.published)
        noteGrowth(since: memory, items: messages)
        let second = begin()
        try connect(.subscriber)
        let got = try crew.perform(.receive(messages))
        report.tally = crew.tally
        finish(.get, second, end: report.tally.lastDelivery, count: report.tally.delivered)
        crew.pause(100_000_000)
        try perform(.count)
        guard got.outcome == .done else {
            report.outcome = got.outcome
            throw Stop()
        }
        // First, or they would get the empty messages.
        try perform(.leave(.subscriber, politely: true))
        if !plan.keepsTraces { try perform(.clear) }
        try perform(.leave(.publisher, politely: true))
    }

    private mutating func runOffline() throws {
        guard let messages = plan.messages else { return }
        let present = plan.phase == .drain ? 0 : try store()
        guard plan.phase != .store else { return }
        report.expected = messages * plan.subscribers
        let start = begin()
        try connect(.subscriber, isClean: false, subscribes: false)
        let drained = try crew.perform(.receive(messages))
        report.tally = crew.tally
        finish(.drain, start, end: report.tally.lastDelivery, count: report.tally.delivered)
        crew.pause(100_000_000)
        try perform(.count)
        report.tally.sessionsPresent -= present
        try removeSessions()
        if drained.outcome != .done { report.outcome = drained.outcome }
    }

    /// Makes the sessions of `offline`, and publishes to them once they are away.
    ///
    /// - Returns: how many of them were there before.
    private mutating func store() throws -> Int {
        try connect(.subscriber, isClean: false)
        try perform(.leave(.subscriber, politely: true))
        // A broker may take a moment to note that they have gone.
        crew.pause(500_000_000)
        let present = report.tally.sessionsPresent
        try connect(.publisher)
        let memory = broker.residentBytes
        let start = begin()
        let end = try perform(.publish(start: start.time))
        finish(.store, start, end: end, count: report.tally.acknowledged)
        noteGrowth(since: memory, items: report.tally.acknowledged)
        try perform(.leave(.publisher, politely: true))
        return present
    }

    /// Ends the sessions of the subscribers, who are connected, unless they are to stay; what was counted stays as it is.
    private mutating func removeSessions() throws {
        let tally = report.tally
        defer { report.tally = tally }
        try perform(.leave(.subscriber, politely: true))
        if !plan.keepsTraces {
            try connect(.subscriber, subscribes: false)
            try perform(.leave(.subscriber, politely: true))
        }
    }

    private mutating func runIdle() throws {
        let memory = broker.residentBytes
        let start = begin()
        let end = try perform(.connect(.subscriber, isClean: true, subscribes: true, isTolerant: true))
        finish(.connect, start, end: end, count: report.tally.connected)
        let connected = report.tally.connected
        crew.pause(1_000_000_000)
        noteGrowth(since: memory, items: connected)
        let before = begin()
        crew.pause(plan.idleTime.wholeNanoseconds)
        if let first = before.broker, let last = broker.nanoseconds {
            report.idleProcessors = Double(last - first) / Double(Clock.monotonicNanoseconds() - before.time)
        }
        try perform(.count)
        // Where some are missing, nobody could tell whether their messages are lost.
        guard report.tally.failedConnections == 0, connected == plan.subscribers, !crew.isInterrupted else { return }
        report.expected = connected
        try connect(.publisher)
        try publish(.messages) { $0.delivered }
        try perform(.leave(.publisher, politely: true))
        try perform(.leave(.subscriber, politely: true))
    }

    private mutating func runStorm() throws {
        report.wantedConnections = plan.subscribers * plan.rounds
        let isClean = !plan.isPersistent
        var present = 0
        for round in 0..<plan.rounds where !crew.isInterrupted {
            let before = report.tally.connected
            let start = begin()
            // Who finds the session that it left has its subscriptions, too.
            let subscribes = isClean || round == 0
            let end = try perform(
                .connect(.subscriber, isClean: isClean, subscribes: subscribes, isTolerant: true)
            )
            finish(.connect, start, end: end, count: report.tally.connected - before)
            if round == 0 { present = report.tally.sessionsPresent }
            guard round == plan.rounds - 1, plan.isPersistent else {
                try perform(.leave(.subscriber, politely: true))
                continue
            }
            report.tally.sessionsPresent -= present
            try removeSessions()
        }
    }

    private mutating func noteGrowth(since before: Int?, items: Int) {
        guard let before, let after = broker.residentBytes, items > 0 else { return }
        report.brokerBytesPerItem = Double(after - before) / Double(items)
    }
}
