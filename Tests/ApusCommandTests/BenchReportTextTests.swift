import ArgumentParser
import MQTTCodec
import Testing

@testable import ApusBench
@testable import apus

@Suite("Reports of apus bench")
struct BenchReportTextTests {
    private func report(_ workload: Workload = .pairs) -> BenchReport {
        var report = BenchReport(plan: BenchPlan(workload: workload))
        report.expected = 1_000_000
        report.tally.delivered = 1_000_000
        report.parts = [
            BenchReport.Part(
                name: .messages,
                nanoseconds: 2_000_000_000,
                count: 1_000_000,
                brokerNanoseconds: 500_000_000,
                generatorNanoseconds: 250_000_000,
            )
        ]
        report.latency.record(1_500_000)
        return report
    }

    @Test
    func `for people`() {
        let text = BenchText.text(report(), [], label: nil)
        #expect(
            text == """
                pairs, MQTT 5.0, QoS 0, 64 bytes, 50 pairs, window 32
                  messages       1,000,000 in 2.00 s, 500,000/s; broker 0.50 CPU s, 0.500 per million; generator 0.25 CPU s
                  latency        p50 1500 µs, p90 1500 µs, p99 1500 µs, p999 1500 µs, p9999 1500 µs, max 1500 µs
                  verified       yes: 1,000,000 of 1,000,000 deliveries, none lost, none twice, all in order

                """
        )
    }

    @Test
    func `what is not verified comes with its counts`() {
        var report = report()
        report.tally.delivered = 999_998
        report.tally.repeated = 3
        let violations = report.violations(allowingLoss: false)
        #expect(BenchText.text(report, violations, label: "x").hasSuffix("verified       NO: 2 lost, 3 came twice\n"))
        let json = try? JSONReader.read(Array(BenchJSON.text(report, violations, label: "x").utf8))
        #expect(json?["verified"]?.bool == false)
        #expect(json?["violations"]?["lost"]?.integer == 2)
        #expect(json?["label"]?.string == "x")
        #expect(json?["parts"]?["messages"]?["broker_cpu_seconds_per_million"] == .number("0.5000"))
    }

    @Test
    func `parts of one name are told apart`() {
        var report = report(.storm)
        report.parts = [report.parts[0], report.parts[0], report.parts[0]]
        #expect(report.parts.uniqued.map(\.name) == ["messages", "messages_2", "messages_3"])
    }

    @Test(arguments: [
        (0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567"), (100_000, "100,000"),
    ])
    func `thousands are grouped`(number: Int, text: String) {
        #expect(Figures.grouped(number) == text)
    }

    @Test(
        arguments: [
            (0, 2, "0.00"), (0.005, 2, "0.01"), (12.345, 1, "12.3"), (-0.001, 2, "0.00"), (-1.5, 1, "-1.5"),
            (7, 0, "7"),
            (.infinity, 2, "?"), (1e300, 3, "?"),
        ] as [(Double, Int, String)]
    )
    func `numbers have so many digits behind the point`(number: Double, places: Int, text: String) {
        #expect(Figures.fixed(number, places) == text)
    }

    @Test(
        arguments: [
            (999, "1.0 µs"), (99_999, "100.0 µs"), (1_234_567, "1235 µs"), (12_340_000, "12.3 ms"),
            (12_340_000_000, "12.3 s"),
        ] as [(Int64, String)]
    )
    func `durations are told in a unit that suits`(nanoseconds: Int64, text: String) {
        #expect(Figures.duration(nanoseconds) == text)
    }

    @Test(arguments: Problem.Limit.allLimits)
    func `each limit is told with a way to raise it`(limit: Problem.Limit) {
        var report = report(.idle)
        report.limit = limit
        report.wantedConnections = 20_000
        let words = BenchText.explanations(report).joined()
        #expect(words.contains("of 20000 connections were made"))
    }
}

extension Problem.Limit {
    fileprivate static let allLimits: [Problem.Limit] = [.openFiles, .openFilesOfMachine, .ports, .memory, .broker]
}

@Suite("Options of apus bench")
struct BenchOptionTests {
    private func command(_ arguments: String...) throws -> BenchCommand {
        try #require(try ApusCommand.parseAsRoot(["bench"] + arguments) as? BenchCommand)
    }

    @Test
    func `a count ends a run and not the usual time`() throws {
        let parsed = try command("pairs", "--count", "10", "--publishers", "3")
        let plan = try parsed.load.plan(.pairs, parsed.endpoint)
        #expect(plan.messages == 10)
        #expect(plan.duration == nil)
        #expect(plan.subscribers == 3)
    }

    @Test
    func `the time of an idle run is that of doing nothing`() throws {
        let parsed = try command("idle", "--seconds", "7")
        let plan = try parsed.load.plan(.idle, parsed.endpoint)
        #expect(plan.idleTime == .seconds(7))
        #expect(plan.duration == nil)
    }

    @Test
    func `each client of a signed login has a password of its own`() throws {
        let login = DeviceLogin(mode: .signature, clientID: "GID_Test@@@0001", instance: "i", name: "k")
        #expect(login.password(secret: "XXXXX") == "vI009IZJZVGRwBwZvnbwjfuXxVM=")
        let parsed = try command("p2p", "--mode", "signature", "--access-key-id", "k", "-I", "i")
        #expect(parsed.login.mode == .signature)
    }

    @Test(arguments: [
        ["idle", "--rate", "5"], ["pairs", "--filters", "3"], ["storm", "--count", "3"],
        ["retained", "--seconds", "3"],
        ["pairs", "--mode", "token", "--access-key-id", "k", "-I", "i"], ["pairs", "-u", "a", "--mode", "signature"],
        ["pairs", "--url", "mqtt://h", "-p", "3"], ["pairs", "--ca-file", "f", "--url", "mqtt://h"],
    ])
    func `options that contradict each other or have no effect are refused`(arguments: [String]) {
        #expect(throws: (any Error).self) { try ApusCommand.parseAsRoot(["bench"] + arguments) }
    }
}
