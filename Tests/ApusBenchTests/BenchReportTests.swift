import MQTTCodec
import Testing

@testable import ApusBench

@Suite("Report of a run")
struct BenchReportTests {
    private func report(_ workload: Workload = .pairs, _ change: (inout BenchReport) -> Void) -> BenchReport {
        var report = BenchReport(plan: BenchPlan(workload: workload))
        report.expected = 10
        report.tally.delivered = 10
        change(&report)
        return report
    }

    @Test
    func `a run without fault has no violation`() {
        #expect(report { _ in }.violations(allowingLoss: false).isEmpty)
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        let kind: BenchReport.Violation.Kind
        let count: Int
        let change: @Sendable (inout BenchReport) -> Void

        init(
            _ kind: BenchReport.Violation.Kind,
            _ count: Int,
            _ change: @escaping @Sendable (inout BenchReport) -> Void
        ) {
            self.kind = kind
            self.count = count
            self.change = change
        }

        var testDescription: String { kind.rawValue }
    }

    @Test(arguments: [
        Fault(.lost, 2) { $0.tally.delivered = 8 },
        Fault(.repeated, 1) { $0.tally.repeated = 1 },
        Fault(.misordered, 3) { $0.tally.misordered = 3 },
        Fault(.misrouted, 1) { $0.tally.misrouted = 1 },
        Fault(.damaged, 1) { $0.tally.damaged = 1 },
        Fault(.downgraded, 1) { $0.tally.downgraded = 1 },
        Fault(.refused, 4) { $0.tally.refused = 4 },
        Fault(.problems, 2) { $0.tally.add(.closed, count: 2) },
        Fault(.unfinished, 1) { $0.outcome = .stalled },
        Fault(.unfinished, 1) { $0.outcome = .abandoned },
    ])
    func `each fault is a violation`(fault: Fault) {
        let found = report { fault.change(&$0) }.violations(allowingLoss: false)
        #expect(found == [BenchReport.Violation(kind: fault.kind, count: fault.count)])
    }

    @Test
    func `sessions that had to be there and were not are missed`() {
        func missing(_ workload: Workload, present: Int, _ change: (inout BenchPlan) -> Void) -> Int {
            let report = report(workload) { report in
                report.plan.subscribers = 20
                report.tally.sessionsPresent = present
                change(&report.plan)
            }
            return report.violations(allowingLoss: false).first { $0.kind == .missingSessions }?.count ?? 0
        }
        #expect(missing(.offline, present: 18) { _ in } == 2)
        #expect(missing(.offline, present: 0) { $0.phase = .store } == 0)
        #expect(missing(.offline, present: 0) { $0.phase = .drain } == 20)
        #expect(missing(.storm, present: 0) { $0.rounds = 3 } == 0)
        #expect(missing(.storm, present: 39) { ($0.rounds, $0.isPersistent) = (3, true) } == 1)
    }

    @Test
    func `loss is forgiven at QoS 0 only`() {
        var lossy = report { $0.tally.delivered = 9 }
        #expect(lossy.violations(allowingLoss: true).isEmpty)
        lossy.plan.qos = .atLeastOnce
        #expect(!lossy.violations(allowingLoss: true).isEmpty)
        lossy.plan.subscribeQoS = .atMostOnce
        #expect(lossy.violations(allowingLoss: true).isEmpty)
    }

    @Test
    func `a run that was ended early is not wrong for that`() {
        #expect(report { $0.outcome = .interrupted }.violations(allowingLoss: false).isEmpty)
    }

    @Test(
        arguments: [
            (Problem.closed, Problem.Limit.broker), (.unanswered(.connect, nil), .broker),
            (.connectRefused(.quotaExceeded, nil), .broker), (.connectRefused(.notAuthorized, nil), nil),
        ] as [(Problem, Problem.Limit?)]
    )
    func `a limit is suspected where connections failed and none was lost`(problem: Problem, limit: Problem.Limit?) {
        var idle = report(.idle) { report in
            report.tally.failedConnections = 3
            report.tally.add(problem, count: 3)
        }
        #expect(idle.limitOfConnections == limit)
        idle.tally.brokenConnections = 1
        #expect(idle.limitOfConnections == nil)
        idle.tally.brokenConnections = 0
        idle.endedProcesses = [1]
        #expect(idle.limitOfConnections == nil)
    }

    @Test
    func `a tally keeps the first problems and examples only`() {
        var tally = Tally()
        for number in 0..<100 {
            tally.add(.protocolViolation("\(number)"))
            tally.addExample("\(number)")
        }
        tally.add(.protocolViolation("3"))
        #expect(tally.problems.count == 32)
        #expect(tally.problems[.protocolViolation("3")] == 2)
        #expect(tally.examples == (0..<8).map { "\($0)" })
    }
}
