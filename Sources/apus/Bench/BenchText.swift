internal import ApusBench
internal import ApusLoop
internal import MQTTCodec

/// The report of a run for people.
enum BenchText {
    static func text(_ report: BenchReport, _ violations: [BenchReport.Violation], label: String?) -> String {
        var lines = [headline(report, label)]
        lines += report.parts.uniqued.map { name, part in partLine(name, part, report) }
        if report.measuresLatency, report.latency.count > 0 { lines.append(row("latency", histogram(report.latency))) }
        if report.plan.rate != nil {
            let greatest = Figures.duration(report.tally.greatestLateness)
            let late = Figures.grouped(report.tally.late)
            lines.append(row("schedule", "\(late) messages left more than 1 ms late, at most \(greatest)"))
            if report.tally.unsent > 0 {
                let unsent = Figures.grouped(report.tally.unsent)
                lines.append(
                    row(
                        "",
                        "the rate was not reached: \(unsent) of the messages that were due never left, and no latency has them"
                    )
                )
            }
        }
        if report.plan.workload == .idle || report.plan.workload == .storm, report.connectLatency.count > 0 {
            lines.append(row("until CONNACK", histogram(report.connectLatency)))
        }
        if let line = brokerLine(report) { lines.append(line) }
        lines.append(row("verified", verdict(report, violations)))
        return lines.map { $0 + "\n" }.joined()
    }

    private static func headline(_ report: BenchReport, _ label: String?) -> String {
        let plan = report.plan
        var words = [label, plan.workload.rawValue, "MQTT \(plan.version.name)"].compactMap(\.self)
        if plan.workload == .subscribe { words.append("QoS \(plan.qos.rawValue)") }
        if ![.storm, .subscribe].contains(plan.workload) {
            words += ["QoS \(plan.qos.rawValue)", "\(plan.payloadBytes) bytes"]
        }
        switch plan.workload {
        case .pairs, .p2p: words.append("\(plan.publishers) pairs")
        case .idle, .storm: words.append("\(plan.subscribers) connections")
        case .publish: words.append("\(plan.publishers) publishers")
        case .subscribe: words.append("\(plan.subscribers) subscribers")
        default: words.append("\(plan.publishers) → \(plan.subscribers)")
        }
        if let rate = plan.rate {
            words.append("\(Figures.grouped(Int(rate.rounded())))/s")
        } else if ![.storm, .subscribe].contains(plan.workload) {
            words.append("window \(plan.window)")
        }
        if let rate = plan.connectRate { words.append("\(Figures.grouped(Int(rate.rounded()))) connections/s") }
        return words.joined(separator: ", ")
    }

    private static func partLine(_ name: String, _ part: BenchReport.Part, _ report: BenchReport) -> String {
        var words = "\(Figures.grouped(part.count)) in \(Figures.fixed(part.seconds, 2)) s"
        words += ", \(Figures.grouped(Int(part.perSecond.rounded())))/s"
        if let seconds = part.brokerSeconds, let each = part.brokerSecondsPerMillion {
            words += "; broker \(Figures.fixed(seconds, 2)) CPU s, \(Figures.fixed(each, 3)) per million"
        }
        words += "; generator \(Figures.fixed(part.generatorSeconds, 2)) CPU s"
        return row(name, words)
    }

    private static func histogram(_ histogram: LatencyHistogram) -> String {
        let parts = Figures.percentiles.map { "\($0.name) \(Figures.duration(histogram.percentile($0.part)))" }
        return parts.joined(separator: ", ") + ", max \(Figures.duration(histogram.maximum))"
    }

    private static func brokerLine(_ report: BenchReport) -> String? {
        guard let bytes = report.brokerBytes else { return nil }
        var words = "\(Figures.bytes(Double(bytes))) resident"
        if let threads = report.brokerThreads { words += ", \(threads) threads" }
        if let each = report.brokerBytesPerItem, let item = report.plan.workload.item {
            words += ", \(Figures.bytes(each)) for each \(item)"
            if !report.brokerWasFresh { words += " (by growth: too little, as the broker was not fresh)" }
        }
        if let idle = report.idleProcessors { words += ", \(Figures.fixed(idle * 100, 1)) % of a processor when idle" }
        return row("broker", words)
    }

    private static func verdict(_ report: BenchReport, _ violations: [BenchReport.Violation]) -> String {
        guard violations.isEmpty else {
            return "NO: " + violations.map { "\(Figures.grouped($0.count)) \($0.kind.words)" }.joined(separator: ", ")
        }
        let tally = report.tally
        switch report.plan.workload {
        case .publish where report.plan.qos == .atMostOnce:
            return "yes: \(Figures.grouped(tally.published)) messages sent, and the broker has read them"
        case .publish: return "yes: all \(Figures.grouped(tally.published)) messages acknowledged"
        case .subscribe:
            return "yes: \(Figures.grouped(tally.delivered)) messages came; how many had to, nobody here knows"
        default: break
        }
        let yes = report.outcome == .interrupted ? "yes, as far as it went:" : "yes:"
        guard report.expected > 0 else { return "\(yes) \(Figures.grouped(tally.connected)) connections" }
        var words = "\(yes) \(Figures.grouped(tally.delivered)) of \(Figures.grouped(report.expected)) deliveries"
        words += report.lost == 0 ? ", none lost, none twice" : ", \(Figures.grouped(report.lost)) lost, none twice"
        if [.wildcard, .retained].contains(report.plan.workload) || report.plan.shareName != nil { return words }
        return words + ", all in order"
    }

    private static func row(_ name: String, _ words: String) -> String {
        "  \(name)\(String(repeating: " ", count: max(1, 15 - name.count)))\(words)"
    }

    /// One line on how a run goes on, with what it did since the sample before.
    static func sample(_ sample: BenchSample, after before: BenchSample?) -> String {
        let nanoseconds = sample.nanoseconds - (before?.nanoseconds ?? 0)
        func rate(_ now: Int, _ then: Int?) -> String {
            Figures.grouped(Int((Double(now - (then ?? 0)) * 1e9 / Double(nanoseconds)).rounded()))
        }
        var words =
            "\(Figures.fixed(Double(sample.nanoseconds) / 1e9, 1)) s: \(Figures.grouped(sample.connected)) connected"
        words += ", \(rate(sample.published, before?.published)) published/s"
        words += ", \(rate(sample.delivered, before?.delivered)) delivered/s"
        if let used = sample.brokerNanoseconds {
            let share = Double(used - (before?.brokerNanoseconds ?? 0)) / Double(nanoseconds)
            words += "; broker \(Figures.fixed(share * 100, 0)) % of a processor"
        }
        if let bytes = sample.brokerBytes { words += ", \(Figures.bytes(Double(bytes)))" }
        return words
    }

    // MARK: - What went wrong

    /// What a person should know beside the figures.
    static func explanations(_ report: BenchReport) -> [String] {
        var lines: [String] = []
        switch report.outcome {
        case .done: break
        case .stalled: lines.append("nothing happened for \(report.plan.patience / .seconds(1)) s; gave up")
        case .disconnected where report.tally.connected == 0: lines.append("no connection could be made; gave up")
        case .disconnected: lines.append("a connection was lost; gave up")
        case .interrupted: lines.append("interrupted: what had begun was waited for")
        case .abandoned: lines.append("interrupted twice: nothing was waited for")
        }
        for process in report.endedProcesses { lines.append("the broker's process \(process) has ended") }
        lines += problems(report.sortedProblems)
        lines += report.tally.examples
        lines += BenchHint.all(report)
        return lines
    }

    /// Problems of the same kind are told once: their words may hold each a topic or a number of its own.
    private static func problems(_ found: [(problem: Problem, count: Int)]) -> [String] {
        var kinds: [(words: String, count: Int)] = []
        var places: [String: Int] = [:]
        for (problem, count) in found {
            let words = words(problem)
            let kind = words.filter { !$0.isNumber }
            if let place = places[kind] {
                kinds[place].count += count
            } else {
                places[kind] = kinds.count
                kinds.append((words, count))
            }
        }
        return kinds.prefix(10).map { "\($0.count) × \($0.words)" }
    }

    static func words(_ problem: Problem) -> String {
        switch problem {
        case .connectRefused(let code, let reason): "CONNECT refused: \(code.description(reason))"
        case .subscribeRefused(let code, let reason): "subscription refused: \(code.description(reason))"
        case .publishRefused(let code, let reason): "message refused: \(code.description(reason))"
        case .disconnected(let code, let reason): "disconnected by the broker: \(code.description(reason))"
        case .closed: "the broker closed the connection"
        case .unanswered(let question, let failure):
            "the connection ended before the broker answered \(question.words): \(failure.map(words) ?? "it closed it")"
        case .silence: "no answer to a connection in time"
        case .network(let failure): words(failure)
        case .webSocket(let words): "WebSocket: \(words)"
        case .protocolViolation(let words): "the broker broke the protocol: \(words)"
        }
    }

    private static func words(_ failure: StreamFailure) -> String {
        switch failure {
        case .system(let error) where error.name == "ECONNREFUSED": "\(error.description); is a broker listening there?"
        case .system(let error): error.description
        case .tls(let words): "TLS: \(words)"
        }
    }
}

extension Problem.Question {
    fileprivate var words: String {
        switch self {
        case .upgrade: "the upgrade to WebSocket"
        case .connect: "CONNECT"
        }
    }
}

extension BenchReport.Violation.Kind {
    fileprivate var words: String {
        switch self {
        case .lost: "lost"
        case .repeated: "came twice"
        case .misordered: "out of order"
        case .misrouted: "at the wrong client"
        case .damaged: "damaged"
        case .downgraded: "with a lower QoS"
        case .notRetained: "without RETAIN"
        case .refused: "refused"
        case .problems: "problems"
        case .missingConnections: "limit reached"
        case .missingSessions: "sessions gone"
        case .unfinished: "run not finished"
        }
    }
}

extension Workload {
    /// What the broker's memory is counted for.
    fileprivate var item: String? {
        switch self {
        case .wildcard: "filter"
        case .retained, .offline: "message"
        case .idle: "connection"
        case .pairs, .fanIn, .fanOut, .p2p, .storm, .publish, .subscribe: nil
        }
    }
}

extension ProtocolVersion {
    /// As the standards are called.
    var name: String {
        switch self {
        case .v3_1: "3.1"
        case .v3_1_1: "3.1.1"
        case .v5: "5.0"
        }
    }
}
