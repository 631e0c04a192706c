internal import ApusBench
internal import ApusLoop
internal import ApusTransport
internal import ArgumentParser

/// Loads a broker, verifies what comes back, and says how fast it was.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Load a broker, verify every message, and measure.",
        discussion: """
            Workloads:
              pairs     publishers with a topic and a subscriber of their own
              fan-in    many publishers, one subscriber that gets everything (--share: several that share it)
              fan-out   one publisher, many subscribers
              p2p       messages to client ids, as an instance of the message service takes them
              wildcard  100,000 filters with wildcards, of which each message matches one
              retained  retained messages are set, then fetched
              offline   messages are stored for sessions that are away, then fetched
              idle      as many connections as there can be; then a message to each
              storm     many connections at once, again and again
              publish   publishers alone; subscribers are somebody else's
              subscribe subscribers alone, until Ctrl-C; whatever comes is counted

            Every message carries its number, so that loss, repetition and disorder are seen and not guessed. With \
            --rate messages are sent at fixed moments and latency counts from these (open loop); without it each waits \
            for room in the window (closed loop), and latency says mostly how long that window queued.

            The exit code is 0 when everything was verified, and 1 when something was lost, came twice, in disorder or \
            to the wrong client, or was refused. docs/bench.md says what each figure means.
            """,
    )

    @Argument(help: ArgumentHelp("One of the above.", valueName: "workload"))
    var workload: Workload

    @OptionGroup(title: "Load") var load: BenchLoadOptions
    @OptionGroup(title: "Broker") var endpoint: BenchEndpointOptions
    @OptionGroup(title: "Login") var login: BenchLoginOptions

    @Option(
        name: .long,
        help: ArgumentHelp("A process of the broker: its processor time and memory are measured.", valueName: "pid"),
    )
    var pid: [Int32] = []

    @Flag(name: .long, help: "Messages of QoS 0 may be lost.")
    var allowLoss = false

    @Option(name: .long, help: ArgumentHelp("A name for the run, in its report.", valueName: "text"))
    var label: String?

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    @Flag(name: .long, help: "Show no progress and explain no failure; the report and the exit code tell.")
    var quiet = false

    func validate() throws {
        _ = try load.plan(workload, endpoint)
        _ = try endpoint.endpoint()
        _ = try names(run: "0")
        try login.check()
    }

    private func names(run: String) throws -> BenchNames {
        do {
            return try BenchNames(clientID: login.clientID, topic: load.topic, run: run, workload: workload)
        } catch {
            throw ValidationError(error.description)
        }
    }

    func run() throws {
        let plan = try load.plan(workload, endpoint)
        let state = load.state.map {
            OfflineState(
                file: $0,
                plan: plan,
                clientID: login.clientID,
                topic: load.topic ?? BenchNames.defaultTopic(workload)
            )
        }
        let stored = plan.phase == .drain ? try state?.read() : nil
        let run = try stored ?? ClientPlan.randomText(4)
        let names = try names(run: run)
        let target = try target()
        let voice = Voice(level: quiet ? .quiet : .usual)
        // Blocked from here on: Ctrl-C ends the publishing, and what was published is still verified.
        let interruptions = Interruptions(try SignalWaiter())
        let line = BenchProgressLine(plan, voice)
        let observer = BenchObserver(
            progress: { line.show($0) },
            interruptions: { interruptions.count() },
            sampled: { before, sample in voice.say(BenchText.sample(sample, after: before)) },
        )
        let report = try Self.measure(plan, names, target, pid, observer)
        voice.progress(nil)
        let violations = report.violations(allowingLoss: allowLoss)
        if plan.phase == .store, report.outcome == .done { try state?.write(run: run) }
        // What was drained is gone from the broker, unless it was to stay or could not be removed.
        if plan.phase == .drain, !report.outcome.isBreak, !plan.keepsTraces, !report.leavesTraces {
            try state?.remove()
        }
        if json {
            print(BenchJSON.text(report, violations, label: label))
        } else {
            print(BenchText.text(report, violations, label: label), terminator: "")
        }
        for words in BenchText.explanations(report) { voice.say(words) }
        if !violations.isEmpty { throw ExitCode(1) }
    }

    private func target() throws -> BenchTarget {
        do {
            return try endpoint.target(try login.login())
        } catch let error as NameError {
            throw CommandFailure(error.description)
        } catch let error as SystemError {
            throw CommandFailure(error.description)
        } catch let error as TLSError {
            throw CommandFailure("\(error)")
        }
    }

    private static func measure(
        _ plan: BenchPlan,
        _ names: BenchNames,
        _ target: BenchTarget,
        _ processes: [Int32],
        _ observer: BenchObserver,
    ) throws -> BenchReport {
        do {
            let run = try BenchRun(plan, names, target, brokerProcesses: processes, observer: observer)
            return try run.run()
        } catch let failure as BenchFailure {
            throw CommandFailure(failure.description)
        }
    }
}

/// Counts how often the person has asked to end.
private final class Interruptions {
    private let signals: SignalWaiter
    private var seen = 0

    init(_ signals: consuming SignalWaiter) { self.signals = signals }

    func count() -> Int {
        while let signal = signals.next() { seen += signal == .reload ? 0 : 1 }
        return seen
    }
}

/// The line of progress on a terminal.
private final class BenchProgressLine {
    private let plan: BenchPlan
    private let voice: Voice
    private var last: (nanoseconds: Int64, count: Int) = (0, 0)
    private var next: Int64 = 0

    init(_ plan: BenchPlan, _ voice: Voice) {
        self.plan = plan
        self.voice = voice
    }

    func show(_ progress: BenchProgress) {
        guard voice.showsProgress else { return }
        let now = Clock.monotonicNanoseconds()
        guard now >= next else { return }
        next = now + 500_000_000
        let tally = progress.tally
        let count = max(tally.delivered, tally.acknowledged)
        let rate = last.nanoseconds == 0 ? 0 : Double(count - last.count) * 1e9 / Double(now - last.nanoseconds)
        last = (now, count)
        var words = "\(plan.workload.rawValue): \(progress.elapsed / 1_000_000_000) s, \(tally.connected) connected"
        if tally.published + tally.delivered > 0 {
            words += ", \(Figures.grouped(tally.published)) published, \(Figures.grouped(tally.delivered)) delivered"
            words += ", \(Figures.grouped(Int(rate)))/s"
        }
        let wrong = tally.repeated + tally.misordered + tally.misrouted + tally.damaged
        if wrong > 0 { words += ", \(wrong) wrong" }
        voice.progress(words)
    }
}
