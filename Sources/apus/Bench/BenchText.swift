internal import ApusBench
internal import ApusLoop
internal import MQTTCodec

/// The report of a run for people.
enum BenchText {
    static func text(_ report: BenchReport, _ violations: [BenchReport.Violation], label: String?) -> String {
        var lines = [headline(report, label)]
        lines += report.parts.uniqued.map { name, part in partLine(name, part, report) }
        if report.measuresLatency, report.latency.count > 0 { lines.append(row("latency", histogram(report.latency))) }
        if report.plan.rate != nil, report.plan.workload.isTraffic {
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
        if plan.workload != .storm { words += ["QoS \(plan.qos.rawValue)", "\(plan.payloadBytes) bytes"] }
        switch plan.workload {
        case .pairs, .p2p: words.append("\(plan.publishers) pairs")
        case .idle, .storm: words.append("\(plan.subscribers) connections")
        default: words.append("\(plan.publishers) → \(plan.subscribers)")
        }
        if let rate = plan.rate {
            words.append("\(Figures.grouped(Int(rate)))/s")
        } else if plan.workload != .storm {
            words.append("window \(plan.window)")
        }
        return words.joined(separator: ", ")
    }

    private static func partLine(_ name: String, _ part: BenchReport.Part, _ report: BenchReport) -> String {
        var words = "\(Figures.grouped(part.count)) in \(Figures.fixed(part.seconds, 2)) s"
        words += ", \(Figures.grouped(Int(part.perSecond)))/s"
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
        }
        if let idle = report.idleProcessors { words += ", \(Figures.fixed(idle * 100, 1)) % of a processor when idle" }
        return row("broker", words)
    }

    private static func verdict(_ report: BenchReport, _ violations: [BenchReport.Violation]) -> String {
        guard violations.isEmpty else {
            return "NO: " + violations.map { "\(Figures.grouped($0.count)) \($0.kind.words)" }.joined(separator: ", ")
        }
        let tally = report.tally
        guard report.expected > 0 else { return "yes: \(Figures.grouped(tally.connected)) connections" }
        var words = "yes: \(Figures.grouped(tally.delivered)) of \(Figures.grouped(report.expected)) deliveries"
        words += report.lost == 0 ? ", none lost, none twice" : ", \(Figures.grouped(report.lost)) lost, none twice"
        if [.wildcard, .retained].contains(report.plan.workload) || report.plan.shareName != nil { return words }
        return words + ", all in order"
    }

    private static func row(_ name: String, _ words: String) -> String {
        "  \(name)\(String(repeating: " ", count: max(1, 15 - name.count)))\(words)"
    }

    // MARK: - What went wrong

    /// What a person should know beside the figures.
    static func explanations(_ report: BenchReport) -> [String] {
        var lines: [String] = []
        switch report.outcome {
        case .done: break
        case .stalled: lines.append("nothing happened for \(report.plan.patience / .seconds(1)) s; gave up")
        case .disconnected: lines.append("a connection was lost; gave up")
        case .interrupted: lines.append("interrupted")
        }
        for (problem, count) in report.sortedProblems.prefix(10) { lines.append("\(count) × \(words(problem))") }
        lines += report.tally.examples
        if let limit = report.limit { lines.append(limit.advice(report)) }
        if report.isGeneratorBusy { lines.append("note: the generator was busy all the time; try --threads 2") }
        return lines
    }

    static func words(_ problem: Problem) -> String {
        switch problem {
        case .connectRefused(let code, let reason): "CONNECT refused: \(code.description(reason))"
        case .subscribeRefused(let code, let reason): "subscription refused: \(code.description(reason))"
        case .publishRefused(let code, let reason): "message refused: \(code.description(reason))"
        case .disconnected(let code, let reason): "disconnected by the broker: \(code.description(reason))"
        case .closed: "the broker closed the connection"
        case .silence: "no answer to a connection in time"
        case .network(.system(let error)) where error.name == "ECONNREFUSED":
            "\(error.description); is a broker listening there?"
        case .network(.system(let error)): error.description
        case .network(.tls(let words)): "TLS: \(words)"
        case .webSocket(let words): "WebSocket: \(words)"
        case .protocolViolation(let words): "the broker broke the protocol: \(words)"
        }
    }
}

extension BenchReport {
    /// Whether the generator's threads hardly ever waited.
    var isGeneratorBusy: Bool {
        parts.contains { $0.seconds > 1 && $0.generatorSeconds > 0.95 * $0.seconds * Double(plan.threads) }
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
        case .pairs, .fanIn, .fanOut, .p2p, .storm: nil
        }
    }
}

extension Problem.Limit {
    var name: String {
        switch self {
        case .openFiles: "open_files"
        case .openFilesOfMachine: "open_files_of_machine"
        case .ports: "ports"
        case .memory: "memory"
        case .broker: "broker"
        }
    }

    /// Which limit that is and how to raise it.
    fileprivate func advice(_ report: BenchReport) -> String {
        let made = "\(report.tally.connected) of \(report.wantedConnections) connections were made"
        switch self {
        case .openFiles:
            return """
                \(made): this process may have \(report.openFileLimit) files open. Raise that with `ulimit -n` (its \
                hard limit stands in /etc/security/limits.conf, or LimitNOFILE= of a systemd unit)
                """
        case .openFilesOfMachine:
            return "\(made): the machine has no more open files. Raise that with `sysctl fs.file-max`"
        case .ports:
            return """
                \(made): there are no ports left to connect from. Widen `sysctl net.ipv4.ip_local_port_range`, or run \
                against a loopback address, of which this tool uses as many as it needs
                """
        case .memory: return "\(made): the kernel has no memory for more sockets; see `sysctl net.ipv4.tcp_mem`"
        case .broker:
            return """
                \(made): the broker takes no more. Look at its own limit of connections, and at the limit of open files \
                that it runs under (/proc/PID/limits)
                """
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
