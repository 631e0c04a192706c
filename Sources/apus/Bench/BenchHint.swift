internal import ApusBench
internal import ApusLoop
internal import MQTTCodec

/// What may be the reason of something that a report shows, and what to do about it.
enum BenchHint {
    static func all(_ report: BenchReport) -> [String] {
        var hints: [String] = []
        if let limit = report.limit { hints.append(limit.advice(report)) }
        if report.isAnsweredByNobody {
            hints.append(
                "nothing there answered as a broker does: is it the right port for mqtt://, mqtts://, ws:// or wss://?"
            )
        }
        if report.listensNoMore { hints.append("nobody listens there any more: has the broker ended?") }
        if report.plan.workload == .p2p, report.tally.delivered == 0, report.tally.published > 0 {
            hints.append(
                """
                nothing came: p2p is for an instance of the message service, with --mode and its parent topic; elsewhere \
                these are messages that nobody subscribed to
                """
            )
        }
        if report.hasSilentLoss {
            hints.append(
                """
                acknowledged messages did not come, and no connection was lost: a broker drops them when a client's queue \
                is full, and may say so in its log; a lower --window or --rate keeps below its bound
                """
            )
        }
        if report.hasIdleBroker {
            hints.append(
                """
                the process given by --pid took hardly any processor time for all these messages: is it the broker's? \
                Its figures mean nothing then
                """
            )
        }
        if report.isGeneratorBusy { hints.append("note: the generator was busy all the time; try --threads 2") }
        if report.leavesTraces {
            let what = report.plan.workload == .retained ? "retained messages" : "sessions"
            hints.append("\(what) of this run were left on the broker")
            for problem in report.removalProblems.keys { hints.append("they stayed: \(BenchText.words(problem))") }
        }
        return hints
    }
}

extension BenchReport {
    /// Whether connections were taken, but not by what was expected there.
    fileprivate var isAnsweredByNobody: Bool {
        tally.connected == 0
            && tally.problems.keys.contains { problem in
                switch problem {
                case .unanswered, .protocolViolation, .webSocket, .network(.tls), .silence: true
                case .connectRefused, .subscribeRefused, .publishRefused, .disconnected, .closed, .network: false
                }
            }
    }

    /// Whether the broker's port was closed in the middle of the run.
    fileprivate var listensNoMore: Bool {
        tally.connected > 0
            && tally.problems.keys.contains { problem in
                if case .network(.system(let error)) = problem { error.name == "ECONNREFUSED" } else { false }
            }
    }

    /// Whether messages that must come did not, though all went on.
    fileprivate var hasSilentLoss: Bool {
        lost > 0 && tally.problems.isEmpty && outcome == .stalled
            && min(plan.qos, plan.subscribeQoS ?? plan.qos) != .atMostOnce
            && tally.delivered > 0
    }

    /// Whether what is taken for the broker did less than even a system call for each message asks for.
    fileprivate var hasIdleBroker: Bool {
        parts.contains { part in
            guard part.count >= 1000, let seconds = part.brokerSecondsPerMillion else { return false }
            return seconds < 0.02
        }
    }

    /// Whether the generator's threads hardly ever waited.
    fileprivate var isGeneratorBusy: Bool {
        parts.contains { $0.seconds > 1 && $0.generatorSeconds > 0.95 * $0.seconds * Double(plan.threads) }
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
