internal import ApusBench
internal import MQTTCodec

/// The report of a run as JSON; `docs/bench.md` describes its members.
enum BenchJSON {
    static func text(_ report: BenchReport, _ violations: [BenchReport.Violation], label: String?) -> String {
        JSONValue.object([
            "workload": .string(report.plan.workload.rawValue),
            "label": label.map { .string($0) },
            "verified": .bool(violations.isEmpty),
            "outcome": .string(report.outcome.rawValue),
            "violations": .object(
                violations.map { JSONValue.Member(key: $0.kind.rawValue, value: .number($0.count)) }
            ),
            "plan": plan(report.plan),
            "messages": messages(report),
            "connections": connections(report),
            "parts": .object(report.parts.uniqued.map { JSONValue.Member(key: $0, value: part($1)) }),
            "latency_microseconds": report.latency.count > 0 && report.measuresLatency
                ? histogram(report.latency) : nil,
            "connect_latency_microseconds": report.connectLatency.count > 0 ? histogram(report.connectLatency) : nil,
            "broker": broker(report),
            "problems": problems(report.sortedProblems),
            "examples": .array(report.tally.examples.map { .string($0) }),
            "samples": report.plan.sampleInterval == nil ? nil : .array(report.samples.map(sample)),
        ]).indented
    }

    private static func problems(_ found: [(problem: Problem, count: Int)]) -> JSONValue {
        .array(
            found.map { problem, count in
                .object(["what": .string(BenchText.words(problem)), "count": .number(count)])
            }
        )
    }

    private static func sample(_ sample: BenchSample) -> JSONValue {
        .object([
            "seconds": number(Double(sample.nanoseconds) / 1e9, 3),
            "connected": .number(sample.connected),
            "published": .number(sample.published),
            "acknowledged": .number(sample.acknowledged),
            "delivered": .number(sample.delivered),
            "broker_cpu_seconds": sample.brokerNanoseconds.map { number(Double($0) / 1e9, 6) },
            "resident_bytes": sample.brokerBytes.map { .number($0) },
        ])
    }

    private static func plan(_ plan: BenchPlan) -> JSONValue {
        .object([
            "mqtt_version": .string(plan.version.name),
            "qos": .number(plan.qos.rawValue),
            "subscribe_qos": .number((plan.subscribeQoS ?? plan.qos).rawValue),
            "payload_bytes": .number(plan.payloadBytes),
            "publishers": .number(plan.publishers),
            "subscribers": .number(plan.subscribers),
            "count": plan.messages.map { .number($0) },
            "seconds": plan.duration.map { number($0 / .seconds(1), 3) },
            "loop": .string(plan.rate == nil ? "closed" : "open"),
            "window": plan.rate == nil ? .number(plan.window) : nil,
            "rate": plan.rate.map { number($0, 3) },
            "connect_rate": plan.connectRate.map { number($0, 3) },
            "filters": plan.workload == .wildcard || plan.workload == .storm ? .number(plan.filters) : nil,
            "threads": .number(plan.threads),
        ])
    }

    private static func messages(_ report: BenchReport) -> JSONValue {
        let tally = report.tally
        return .object([
            "published": .number(tally.published),
            "acknowledged": .number(tally.acknowledged),
            "refused": .number(tally.refused),
            "expected": .number(report.expected),
            "delivered": .number(tally.delivered),
            "lost": .number(report.lost),
            "repeated": .number(tally.repeated),
            "misordered": .number(tally.misordered),
            "misrouted": .number(tally.misrouted),
            "damaged": .number(tally.damaged),
            "downgraded": .number(tally.downgraded),
            "not_retained": .number(tally.notRetained),
            "written_off": .number(tally.writtenOff),
            "unsent": report.plan.rate == nil ? nil : .number(tally.unsent),
            "late": report.plan.rate == nil ? nil : .number(tally.late),
            "greatest_lateness_microseconds": report.plan.rate == nil
                ? nil : number(Double(tally.greatestLateness) / 1e3, 1),
        ])
    }

    private static func connections(_ report: BenchReport) -> JSONValue {
        let tally = report.tally
        let returns = report.plan.workload == .offline || report.plan.isPersistent
        return .object([
            "connected": .number(tally.connected),
            "failed": .number(tally.failedConnections),
            "broken": .number(tally.brokenConnections),
            "sessions_before": returns ? .number(report.sessionsBefore) : nil,
            "sessions_present": returns ? .number(tally.sessionsPresent) : nil,
            "traces_left": report.leavesTraces ? .bool(true) : nil,
            "least_granted_qos": tally.leastGranted.map { .number($0.rawValue) },
            "stopped_by": report.limit.map { .string($0.name) },
            "open_file_limit": .number(report.openFileLimit),
        ])
    }

    private static func part(_ part: BenchReport.Part) -> JSONValue {
        .object([
            "seconds": number(part.seconds, 6),
            "count": .number(part.count),
            "per_second": number(part.perSecond, 1),
            "broker_cpu_seconds": part.brokerSeconds.map { number($0, 6) },
            "broker_cpu_seconds_per_million": part.brokerSecondsPerMillion.map { number($0, 4) },
            "generator_cpu_seconds": number(part.generatorSeconds, 6),
        ])
    }

    private static func histogram(_ histogram: LatencyHistogram) -> JSONValue {
        func microseconds(_ nanoseconds: Double) -> JSONValue { number(nanoseconds / 1e3, 1) }
        var members = [
            JSONValue.Member(key: "count", value: .number(histogram.count)),
            JSONValue.Member(key: "mean", value: microseconds(histogram.mean)),
            JSONValue.Member(key: "min", value: microseconds(Double(histogram.minimum))),
        ]
        for (name, part) in Figures.percentiles {
            members.append(JSONValue.Member(key: name, value: microseconds(Double(histogram.percentile(part)))))
        }
        members.append(JSONValue.Member(key: "max", value: microseconds(Double(histogram.maximum))))
        return .object(members)
    }

    private static func broker(_ report: BenchReport) -> JSONValue? {
        guard let bytes = report.brokerBytes else {
            return report.endedProcesses.isEmpty
                ? nil : .object(["ended": .array(report.endedProcesses.map { .number(Int($0)) })])
        }
        return .object([
            "resident_bytes": .number(bytes),
            "was_fresh": .bool(report.brokerWasFresh),
            "threads": report.brokerThreads.map { .number($0) },
            "bytes_per_item": report.brokerBytesPerItem.map { number($0, 1) },
            "idle_processors": report.idleProcessors.map { number($0, 4) },
        ])
    }

    private static func number(_ value: Double, _ places: Int) -> JSONValue { .number(Figures.fixed(value, places)) }
}

extension [BenchReport.Part] {
    /// The parts by name; those after the first of a name with a number.
    var uniqued: [(name: String, part: BenchReport.Part)] {
        var seen: [BenchReport.Part.Name: Int] = [:]
        return map { part in
            seen[part.name, default: 0] += 1
            let number = seen[part.name] ?? 1
            return (part.name.rawValue + (number > 1 ? "_\(number)" : ""), part)
        }
    }
}

extension BenchReport {
    /// Whether the time from publish to delivery says something about the broker.
    var measuresLatency: Bool { plan.workload.isTraffic || plan.workload == .idle }
}
