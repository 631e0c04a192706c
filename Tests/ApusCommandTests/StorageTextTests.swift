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
