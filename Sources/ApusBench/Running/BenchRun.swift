internal import ApusLoop
internal import MQTTCodec

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
        let broker = BrokerProcess(numbers: brokerProcesses)
        report.brokerWasFresh = broker.isFresh
        let series = plan.sampleInterval.map { SampleSeries(interval: $0, broker, show: observer.sampled) }
        let crew = try Crew.start(BenchJob(plan: plan, names: names, target: target), observer, series)
        self.plan = plan
        self.report = report
        self.crew = crew
        self.broker = broker
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
            case .publish: try runPublish()
            case .subscribe: try runSubscribe()
            }
        } catch is Stop {
            // The report says how far it came.
            report.tally = crew.tally
        }
        if report.outcome == .done, crew.isInterrupted { report.outcome = .interrupted }
        report.latency = crew.latency
        report.connectLatency = crew.connectLatency
        report.brokerBytes = broker.residentBytes
        report.brokerThreads = broker.threads
        report.endedProcesses = broker.ended
        report.tally.sessionsPresent -= report.sessionsBefore
        report.limit = report.limit ?? report.limitOfConnections
        // Where nothing could be connected at all, no limit is the reason.
        if report.tally.connected == 0 { report.limit = nil }
        try leave()
        report.samples = crew.samples
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
    private mutating func perform(_ order: Order, mayStop: Bool = true) throws -> Int64 {
        let answer = try crew.perform(order, mayStop: mayStop)
        report.tally = crew.tally
        guard answer.outcome == .done else { throw stop(answer.outcome) }
        return answer.end
    }

    private mutating func stop(_ outcome: Outcome) -> Stop {
        report.outcome = outcome
        return Stop()
    }

    /// Ends the run here if the person wants it.
    private mutating func goOn() throws {
        guard !crew.isInterrupted else { throw stop(.interrupted) }
    }

    private mutating func connect(_ role: BenchNames.Role, isClean: Bool = true, subscribes: Bool = true) throws {
        try perform(.connect(role, isClean: isClean, subscribes: subscribes, isTolerant: false, known: false))
        try goOn()
    }

    /// Connects subscribers who will get what was published before.
    ///
    /// - Returns: how many; an interruption leaves it at those who are there, who still get everything.
    private mutating func connectReceivers(isClean: Bool, subscribes: Bool) throws -> Int {
        let before = report.tally.connected
        try perform(.connect(.subscriber, isClean: isClean, subscribes: subscribes, isTolerant: false, known: false))
        return report.tally.connected - before
    }

    /// Waits until each connected subscriber has got so many messages.
    private mutating func receive(_ messages: Int, _ name: BenchReport.Part.Name, since start: Start) throws {
        let answer = try crew.perform(.receive(messages))
        report.tally = crew.tally
        finish(name, start, end: report.tally.lastDelivery, count: report.tally.delivered)
        // Long enough for a repetition behind the last message.
        try crew.pause(100_000_000)
        try perform(.count)
        guard answer.outcome == .done else { throw stop(answer.outcome) }
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
        try crew.pause(100_000_000)
        let counted = try crew.perform(.count)
        report.tally = crew.tally
        let last = report.parts.count - 1
        report.parts[last].count = count(report.tally)
        if !isWhole { report.parts[last].nanoseconds = max(0, report.tally.lastDelivery - start.time) }
        guard answer.outcome == .done, counted.outcome == .done else {
            throw stop(answer.outcome == .done ? counted.outcome : answer.outcome)
        }
    }

    // MARK: - The end

    /// Removes what the run has left on the broker, and says goodbye; what was counted stays as it is.
    private mutating func leave() throws {
        guard report.outcome != .abandoned else {
            report.leavesTraces = removesTraces
            return
        }
        let (tally, outcome) = (report.tally, report.outcome)
        do {
            // First, or they would get the messages that remove the retained ones.
            try perform(.leave(.subscriber), mayStop: false)
            if removesTraces { try removeTraces() }
            try perform(.leave(.publisher), mayStop: false)
        } catch is Stop {
            report.leavesTraces = removesTraces
            for (problem, count) in report.tally.problems where tally.problems[problem] == nil {
                report.removalProblems[problem] = count
            }
        }
        report.tally = tally
        if outcome != .done { report.outcome = outcome }
    }

    /// Whether there is something that must not stay on the broker.
    private var removesTraces: Bool {
        guard !plan.keepsTraces else { return false }
        switch plan.workload {
        case .retained: return report.tally.published > 0
        case .storm: return plan.isPersistent
        case .offline:
            switch plan.phase {
            case .both: return true
            // What was stored in part is of no use to a drain phase.
            case .store: return report.outcome != .done
            // What could not be drained may be wanted again.
            case .drain: return !report.outcome.isBreak
            }
        case .pairs, .fanIn, .fanOut, .p2p, .wildcard, .idle, .publish, .subscribe: return false
        }
    }

    private mutating func removeTraces() throws {
        if plan.workload == .retained {
            if report.outcome.isBreak { try connectAgain(.publisher) }
            try perform(.clear, mayStop: false)
        } else {
            // A clean session takes the place of the old one and ends with its connection.
            try perform(.leave(.publisher), mayStop: false)
            try connectAgain(.subscriber)
            try perform(.leave(.subscriber), mayStop: false)
        }
    }

    /// Connects those of one side that have been connected, or may have been in the run that stored.
    private mutating func connectAgain(_ role: BenchNames.Role) throws {
        try perform(.leave(role), mayStop: false)
        let known = plan.phase != .drain
        try perform(
            .connect(role, isClean: true, subscribes: false, isTolerant: false, known: known),
            mayStop: false,
        )
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
        try crew.pause(200_000_000)
        try goOn()
        let copies = Routes.copies(plan)
        defer { report.expected = (report.tally.published - report.tally.refused) * copies }
        try publish(.messages) { $0.delivered }
    }

    private mutating func runRetained() throws {
        try connect(.publisher)
        let memory = broker.residentBytes
        let start = begin()
        try perform(.publish(start: start.time))
        let end = try perform(.ping)
        finish(.set, start, end: end, count: report.tally.published)
        let messages = report.tally.published - report.tally.refused
        noteGrowth(since: memory, items: messages)
        try goOn()
        let second = begin()
        report.expected = try connectReceivers(isClean: true, subscribes: true) * messages
        try receive(messages, .get, since: second)
    }

    private mutating func runOffline() throws {
        guard let messages = plan.messages else { return }
        var all = messages * plan.subscribers
        if plan.phase != .drain {
            try store()
            all = min(all, (report.tally.published - report.tally.refused) * plan.sessionsPerTopic)
            guard plan.phase != .store else { return }
            try goOn()
        }
        let start = begin()
        let count = try connectReceivers(isClean: false, subscribes: false)
        report.expected = min(all, count * messages)
        try receive(messages, .drain, since: start)
    }

    /// Makes the sessions of `offline`, and publishes to them once they are away.
    private mutating func store() throws {
        try connect(.subscriber, isClean: false)
        try perform(.leave(.subscriber))
        // A broker may take a moment to note that they have gone.
        try crew.pause(500_000_000)
        report.sessionsBefore = report.tally.sessionsPresent
        try connect(.publisher)
        let memory = broker.residentBytes
        let start = begin()
        let end = try perform(.publish(start: start.time))
        finish(.store, start, end: end, count: report.tally.acknowledged)
        noteGrowth(since: memory, items: report.tally.acknowledged)
        try perform(.leave(.publisher))
    }

    private mutating func runIdle() throws {
        let memory = broker.residentBytes
        let start = begin()
        let end = try perform(
            .connect(.subscriber, isClean: true, subscribes: true, isTolerant: true, known: false)
        )
        finish(.connect, start, end: end, count: report.tally.connected)
        let connected = report.tally.connected
        try crew.watch(1_000_000_000)
        noteGrowth(since: memory, items: connected)
        let before = begin()
        try crew.watch(plan.idleTime.wholeNanoseconds)
        let elapsed = Clock.monotonicNanoseconds() - before.time
        if plan.idleTime > .zero, elapsed > 0, let first = before.broker, let last = broker.nanoseconds {
            report.idleProcessors = Double(last - first) / Double(elapsed)
        }
        try perform(.count)
        guard report.tally.brokenConnections == 0 else { throw stop(.disconnected) }
        try goOn()
        // Where some are missing, nobody could tell whether their messages are lost.
        guard report.tally.failedConnections == 0, connected == plan.subscribers else { return }
        report.expected = connected
        try connect(.publisher)
        try publish(.messages) { $0.delivered }
    }

    private mutating func runStorm() throws {
        report.wantedConnections = plan.subscribers * plan.rounds
        let isClean = !plan.isPersistent
        for round in 0..<plan.rounds {
            try goOn()
            let before = report.tally.connected
            let start = begin()
            // Who finds the session that it left has its subscriptions, too.
            let subscribes = isClean || round == 0
            let end = try perform(
                .connect(.subscriber, isClean: isClean, subscribes: subscribes, isTolerant: true, known: false)
            )
            finish(.connect, start, end: end, count: report.tally.connected - before)
            if round == 0, plan.isPersistent { report.sessionsBefore = report.tally.sessionsPresent }
            try perform(.leave(.subscriber))
        }
    }

    private mutating func runPublish() throws {
        try connect(.publisher)
        try crew.pause(200_000_000)
        try goOn()
        let start = begin()
        var end = try perform(.publish(start: start.time))
        // What is not acknowledged was taken when something behind it is answered.
        if plan.qos == .atMostOnce { end = try perform(.ping) }
        let count = plan.qos == .atMostOnce ? report.tally.published : report.tally.acknowledged
        finish(.messages, start, end: end, count: count)
    }

    private mutating func runSubscribe() throws {
        try connect(.subscriber)
        let start = begin()
        let most = plan.messages ?? .max
        try crew.watch(plan.duration?.wholeNanoseconds ?? .max) { $0.delivered >= most }
        let answer = try crew.perform(.count)
        report.tally = crew.tally
        finish(.messages, start, end: report.tally.lastDelivery, count: report.tally.delivered)
        guard answer.outcome == .done else { throw stop(answer.outcome) }
        guard report.tally.brokenConnections == 0 else { throw stop(.disconnected) }
    }

    private mutating func noteGrowth(since before: Int?, items: Int) {
        guard let before, let after = broker.residentBytes, items > 0 else { return }
        report.brokerBytesPerItem = Double(after - before) / Double(items)
    }
}
