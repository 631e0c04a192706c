internal import MQTTCodec

/// What a run came to.
package struct BenchReport: Sendable {
    /// One measured part of a run.
    package struct Part: Sendable, Equatable {
        package enum Name: String, Sendable {
            /// From the first publish until everything has come or was acknowledged.
            case messages
            /// Connections, each up to CONNACK and its subscriptions.
            case connect
            /// Connections with all their filters.
            case subscribe
            /// Publishes until all are acknowledged, for sessions that are away.
            case store
            /// The sessions return and get what was stored.
            case drain
            /// Retained messages until the broker has taken all.
            case set
            /// Subscriptions until all retained messages have come.
            case get
        }

        package var name: Name
        package var nanoseconds: Int64
        /// How many messages, deliveries, connections or filters that were.
        package var count: Int
        /// Processor time of the broker, where it is known.
        package var brokerNanoseconds: Int64?
        /// Processor time of this process.
        package var generatorNanoseconds: Int64

        package var seconds: Double { Double(nanoseconds) / 1e9 }
        package var perSecond: Double { nanoseconds > 0 ? Double(count) / seconds : 0 }
        package var brokerSeconds: Double? { brokerNanoseconds.map { Double($0) / 1e9 } }
        package var generatorSeconds: Double { Double(generatorNanoseconds) / 1e9 }
        /// The broker's processor seconds for a million of what was counted.
        package var brokerSecondsPerMillion: Double? {
            count > 0 ? brokerSeconds.map { $0 * 1e6 / Double(count) } : nil
        }
    }

    package var plan: BenchPlan
    package var outcome = Outcome.done
    package var parts: [Part] = []
    package var tally = Tally()
    /// From when a message was due until it came.
    package var latency = LatencyHistogram()
    /// From when a connection was due until CONNACK.
    package var connectLatency = LatencyHistogram()
    /// How many deliveries there had to be.
    package var expected = 0
    /// Resident bytes of the broker at the end.
    package var brokerBytes: Int?
    package var brokerThreads: Int?
    /// Whether the broker had hardly done anything before the run; what it did leaves room in its memory.
    package var brokerWasFresh = true
    /// Those of the broker's processes that have ended.
    package var endedProcesses: [Int32] = []
    /// What the broker's memory grew by for each connection, filter or message; by workload.
    package var brokerBytesPerItem: Double?
    /// Processors that the broker used while its connections did nothing.
    package var idleProcessors: Double?
    /// What kept connections from being made.
    package var limit: Problem.Limit?
    /// Connections or sessions that there had to be.
    package var wantedConnections = 0
    /// Sessions that were there before the run made any.
    package var sessionsBefore = 0
    /// How many files this process may have open.
    package var openFileLimit = 0
    /// Whether sessions or retained messages stayed on the broker that should not have.
    package var leavesTraces = false
    /// Why they could not be removed; not part of what was measured.
    package var removalProblems: [Problem: Int] = [:]

    /// How it went on, where that was wanted.
    package var samples: [BenchSample] = []

    package init(plan: BenchPlan) { self.plan = plan }

    package func part(_ name: Part.Name) -> Part? { parts.first { $0.name == name } }

    /// Messages that had to come and did not.
    package var lost: Int { max(0, expected - tally.delivered) }

    /// What was not as it has to be; empty for a run that is verified.
    ///
    /// - Parameter allowingLoss: whether messages of QoS 0 may be lost, as the standard lets them be.
    package func violations(allowingLoss: Bool) -> [Violation] {
        var found: [Violation] = []
        func check(_ kind: Violation.Kind, _ count: Int) {
            if count > 0 { found.append(Violation(kind: kind, count: count)) }
        }
        let mayLose = allowingLoss && min(plan.qos, plan.subscribeQoS ?? plan.qos) == .atMostOnce
        if !mayLose { check(.lost, lost) }
        check(.repeated, tally.repeated)
        check(.misordered, tally.misordered)
        check(.misrouted, tally.misrouted)
        check(.damaged, tally.damaged)
        check(.downgraded, tally.downgraded)
        check(.notRetained, tally.notRetained)
        check(.refused, tally.refused)
        check(.problems, tally.problems.values.reduce(0, +))
        check(.missingConnections, limit == nil ? 0 : 1)
        check(.missingSessions, outcome == .done ? missingSessions : 0)
        if outcome.isBreak { check(.unfinished, 1) }
        return found
    }

    /// What went wrong, the most frequent first.
    package var sortedProblems: [(problem: Problem, count: Int)] {
        tally.problems.sorted { $0.value > $1.value }.map { (problem: $0.key, count: $0.value) }
    }

    /// The limit that kept connections from being made; nil when none did, or when those that stood were lost as well.
    var limitOfConnections: Problem.Limit? {
        guard plan.workload == .idle || plan.workload == .storm, tally.failedConnections > 0,
            tally.brokenConnections == 0, endedProcesses.isEmpty
        else { return nil }
        return sortedProblems.lazy.compactMap(\.problem.limit).first
    }

    /// Sessions that had to be there when their clients came back.
    private var missingSessions: Int {
        let returns =
            switch plan.workload {
            case .offline: plan.phase == .store ? 0 : 1
            case .storm: plan.isPersistent ? plan.rounds - 1 : 0
            default: 0
            }
        return max(0, plan.subscribers * returns - tally.sessionsPresent)
    }

    package struct Violation: Equatable, Sendable {
        package enum Kind: String, Sendable {
            case lost, repeated, misordered, misrouted, damaged, downgraded, refused, problems, unfinished
            case notRetained = "not_retained"
            case missingConnections = "missing_connections"
            case missingSessions = "missing_sessions"
        }

        package var kind: Kind
        package var count: Int
    }
}
