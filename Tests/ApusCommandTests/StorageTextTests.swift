import ApusBroker
import ApusLog
import ApusMessage
import ArgumentParser
import Testing

@testable import apus

@Suite("Message log in words")
struct StorageTextTests {
    @Test(arguments: [
        (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_600_000, "1.5 MiB"), (5 << 40, "5.0 TiB"),
        (9 << 50, "9216.0 TiB"),
    ])
    func `sizes have units that are read easily`(count: Int, expected: String) {
        #expect(StorageText.bytes(count) == expected)
    }

    @Test
    func `a client identifier cannot steer the terminal, nor push the columns away`() {
        #expect(StorageText.shown("a\u{1B}[2Jb") == "a\\u001b[2Jb")
        #expect(StorageText.shown(String(repeating: "x", count: 41), atMost: 5) == "xxxx…")
    }

    @Test
    func `columns stand below each other`() {
        #expect(StorageText.table([["a", "1"], ["bbb", "22"]]) == "  a     1\n  bbb  22\n")
        #expect(StorageText.table([]) == "")
    }

    @Test
    func `the figures of the log are among the metrics`() {
        var figures = LogStatistics()
        figures.commits = 3
        figures.commitDurations.add(nanoseconds: 1_500_000_000)
        figures.failures = 2
        figures.segmentBytes = 4096
        figures.state = .full
        let samples = LogFigures.samples(of: figures)
        func value(_ name: String) -> Double? { samples.first { $0.name == "apus_log_\(name)" }?.value }
        #expect(value("commits_total") == 3)
        #expect(value("commit_seconds") == 1.5)
        #expect(value("failures_total") == 2)
        #expect(value("bytes") == 4096)
        #expect(value("full") == 1 && value("failed") == 0)
        #expect(Set(samples.map(\.name)).count == samples.count)
    }

    @Test
    func `one is not several`() {
        #expect(StorageText.count(1, "message") == "1 message")
        #expect(StorageText.count(0, "message") == "0 messages")
    }

    @Test
    func `backup and restore need to be told from where to where`() {
        #expect(throws: (any Error).self) { try BackupCommand.parse([]) }
        #expect(throws: (any Error).self) { try RestoreCommand.parse(["--from", "a"]) }
        #expect(throws: (any Error).self) { try LogCommand.Inspect.parse(["--sessions", "-1"]) }
        #expect(throws: Never.self) { try RestoreCommand.parse(["--from", "a", "--data", "b"]) }
    }
}
