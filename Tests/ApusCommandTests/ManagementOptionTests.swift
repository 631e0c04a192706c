import ArgumentParser
import Foundation
import Testing

@testable import apus

@Suite("Options of the management verbs")
struct ManagementOptionTests {
    private func folder(_ administrator: String?) throws -> String {
        let folder = FileManager.default.temporaryDirectory.appending(path: "apus-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        if let administrator {
            try Data(administrator.utf8).write(to: folder.appending(path: "administrator.json"))
        }
        return folder.path
    }

    private static let file = #"{"api":"http://f:1","accessKeyId":"FILE","accessKeySecret":"fs"}"#
    private static let key = ["APUS_ACCESS_KEY_ID": "ENV", "APUS_ACCESS_KEY_SECRET": "es"]

    private func access(_ arguments: [String], _ environment: [String: String], _ file: String?) throws -> APIAccess {
        let folder = try folder(file)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try APIOptions.parse(arguments + ["--data", folder]).access(environment: environment)
    }

    @Test func `the file of the first start is enough`() throws {
        #expect(try access([], [:], Self.file) == APIAccess(url: "http://f:1", keyID: "FILE", secret: "fs"))
    }

    @Test func `the environment lies over the file and options over both`() throws {
        let environment = Self.key.merging(["APUS_API": "http://e:1"]) { $1 }
        #expect(try access([], environment, Self.file) == APIAccess(url: "http://e:1", keyID: "ENV", secret: "es"))
        let arguments = ["--api", "http://o:1", "--access-key", "OPT:o:s"]
        let chosen = APIAccess(url: "http://o:1", keyID: "OPT", secret: "o:s")
        #expect(try access(arguments, environment, nil) == chosen)
    }

    @Test func `the key alone may come from elsewhere`() throws {
        #expect(try access([], Self.key, Self.file) == APIAccess(url: "http://f:1", keyID: "ENV", secret: "es"))
    }

    @Test func `halves of two keys are never put together`() {
        #expect(throws: CommandFailure.self) { try access([], ["APUS_ACCESS_KEY_ID": "ENV"], Self.file) }
    }

    @Test(arguments: [nil, "", "[]", "{}", #"{"accessKeyId":"x"}"#, "no JSON"])
    func `without a key it says how to give one`(file: String?) {
        #expect(throws: CommandFailure.self) { try access([], [:], file) }
    }

    @Test(arguments: [("90", 90), ("90s", 90), ("15m", 900), ("12h", 43_200), ("30d", 2_592_000)])
    func `times have units`(text: String, seconds: Int64) throws {
        #expect(try LifetimeText.seconds(text) == seconds)
    }

    @Test(arguments: [
        ("onDenied=close", ""), ("p2p=default", ""), ("ondenied=close", "did you mean `onDenied`?"),
        ("onDenid=close", "did you mean `onDenied`?"), ("onDenied=Close", "did you mean `close`?"),
        ("duplicateClientId=xyz", "there are takeover, refuse"),
        ("colour=red", "there are duplicateClientId, onDenied"),
        ("onDenied", "not of the form name=value"), ("=1", "not of the form name=value"),
    ])
    func `a misspelt policy is answered with what was meant`(text: String, says: String) {
        expect(says) { try SettingText.policy(text) }
    }

    @Test(arguments: [
        ("connections=5", ""), ("groups=default", ""), ("Connections=5", "did you mean `connections`?"),
        ("conections=5", "did you mean `connections`?"), ("x=1", "there are connections, publishPerSecond"),
    ])
    func `so is a misspelt limit`(text: String, says: String) { expect(says) { try SettingText.limit(text) } }

    /// - Parameter says: of the refusal; empty for none.
    private func expect(_ says: String, _ read: () throws -> JSONValue.Member) {
        do {
            _ = try read()
            #expect(says.isEmpty)
        } catch {
            #expect("\(error)".contains(says) && !says.isEmpty, "\(error)")
        }
    }

    @Test(arguments: [60, 61, 3600, 2_592_000])
    func `a token may live so long`(seconds: Int64) {
        #expect(throws: Never.self) { try LifetimeText.checkToken(seconds) }
    }

    @Test(arguments: [
        (["5s"], "60s at least; this is 5s"), (["59"], "60s at least"), (["31d"], "30d at most; this is 31d"),
        (["721h"], "this is 721h"), (["2592001"], "this is 2592001s"),
    ])
    func `a token's life is refused before the service is asked`(words: [String], says: String) {
        let error = #expect(throws: (any Error).self) {
            try TokenCommand.Issue.parse(["orders/#", "--lifetime"] + words)
        }
        #expect(error.map { TokenCommand.Issue.message(for: $0) }?.contains(says) == true)
    }

    @Test(arguments: [
        (["key", "change", "X", "--enabled", "no"], "`--enabled` is no option here; did you mean `--enable-key`?"),
        (["key", "--acconut", "shop"], "`--acconut` is no option here; did you mean `--account`?"),
        (["key", "change", "X", "--rights", "data", "--zzz=1"], "`--zzz` is no option here"),
    ])
    func `an option that a verb does not have is named, with the nearest`(words: [String], says: String) {
        #expect(CommandHint.misspeltOption("Error: say what to change", words) == says)
    }

    @Test func `a verb that is misspelt is guessed where another is the usual one`() {
        let words = ["key", "chnge"]
        #expect(CommandHint.hint("Error: Unexpected argument 'chnge'", words) == "did you mean `change`?")
        #expect(CommandHint.hint("Error: say what to change", words) == nil, "it may be an argument of `key list`")
    }

    @Test(arguments: [
        (["bench", "pairs", "--seconds", "-1"], "a value that begins with `-` stands behind `=`: `--seconds=-1`"),
        (["bench", "pairs", "--seconds", "--rate"], nil), (["bench", "pairs", "--seconds"], nil),
    ])
    func `a value that looks like an option is told how to stand`(words: [String], says: String?) {
        #expect(CommandHint.hint("Error: Missing value for '--seconds <seconds>'", words) == says)
    }

    @Test func `a message may begin with a dash, as with mosquitto_pub`() throws {
        #expect(try PubCommand.parse(["-t", "a", "-m", "-5"]).message == "-5")
    }

    @Test(arguments: [
        ["key", "change", "X"], ["key", "change", "X", "--rights"], ["sub", "-t", "a", "--", "--topci"], [],
    ])
    func `where all options are known nothing is said of them`(words: [String]) {
        #expect(CommandHint.misspeltOption("Error: say what to change", words) == nil)
    }

    @Test(arguments: [
        (
            #"{"policies":{"p2p":true,"trace":null},"limits":{"groups":5},"name":"x"}"#,
            "policies.p2p = yes, policies.trace = default, limits.groups = 5, name = x"
        ),
        ("{}", ""), ("group GID_demo", "group GID_demo"), ("{broken", "{broken"), (#"{"a":{}}"#, "a = "),
    ])
    func `a change in the audit log reads as settings`(detail: String, text: String) {
        #expect(AuditText.plain(detail) == text)
    }

    @Test(arguments: ["", "0", "-1s", "1w", "s", "1.5h", "99999999999d"])
    func `what is no time is refused`(text: String) {
        #expect(throws: ValidationError.self) { try LifetimeText.seconds(text) }
    }

    @Test(
        arguments: [
            ("p2p=true", .bool(true)), ("onDenied=close", .string("close")), ("connections=5", .number("5")),
            ("connections=default", .null), ("x=a=b", .string("a=b")),
        ] as [(String, JSONValue)]
    )
    func `settings have types`(text: String, value: JSONValue) throws {
        #expect(try SettingText.assignment(text).value == value)
    }

    @Test func `a table has aligned columns and no control characters`() throws {
        let items = try JSONReader.read(Array(#"[{"id":"a","n":5},{"id":"b\u001b[2J","n":100,"on":true}]"#.utf8)).items
        let columns = [Column("name", "id"), Column("count", "n", right: true), Column("on", "on")]
        let expected = """
            NAME        COUNT  ON
            a               5
            b\\u001b[2J    100  yes

            """
        #expect(Column.table(items, columns) == expected)
    }

    /// Every verb can be parsed and has completions.
    @Test(arguments: ["bash", "zsh", "fish"])
    func `completion scripts name the verbs`(shell: String) throws {
        let script = ApusCommand.completionScript(for: try #require(CompletionShell(rawValue: shell)))
        for verb in ["instance", "topic", "group", "key", "credential", "token", "client", "session", "retained"] {
            #expect(script.contains(verb))
        }
    }

    @Test(arguments: [
        "http://192.0.2.1:18083", "http://apus.example.org", "http://127.example.org", "http://[2001:db8::1]:1",
    ])
    func `the secret is not sent to another machine in clear`(url: String) throws {
        let options = try APIOptions.parse(["--api", url, "--access-key", "LTAI:secret"])
        let error = #expect(throws: CommandFailure.self) { try APIClient(options) }
        #expect(error.map { "\($0)" }?.contains("use https") == true)
    }

    @Test(arguments: [
        "http://127.0.0.1:18083", "http://localhost:1", "http://post-cn-1.localhost:1", "http://[::1]:1",
        "https://apus.example.org",
    ])
    func `it is sent where nobody else can read it`(url: String) throws {
        _ = try APIClient(try APIOptions.parse(["--api", url, "--access-key", "LTAI:secret"]))
    }
}
