import Foundation
import Testing

@testable import ApusConfiguration

func load(
    _ yaml: String,
    environment: [String: String] = [:],
    overrides: [(String, String)] = [],
    purpose: Configuration.Purpose = .service,
) throws(ConfigurationError) -> Configuration {
    try Configuration.load(
        yaml: (name: "apus.yaml", text: yaml),
        environment: environment,
        overrides: overrides.map { ConfigurationOverride(option: "--set", key: $0.0, value: $0.1) },
        purpose: purpose,
    )
}

/// What the operator would read.
func problems(
    _ yaml: String,
    environment: [String: String] = [:],
    overrides: [(String, String)] = [],
    purpose: Configuration.Purpose = .service,
) -> [String] {
    do throws(ConfigurationError) {
        _ = try load(yaml, environment: environment, overrides: overrides, purpose: purpose)
        return []
    } catch {
        return error.problems.map(\.description)
    }
}

@Suite("Sources of configuration")
struct ConfigurationLoadingTests {
    @Test func `the command line beats the environment, which beats the file, which beats the default`() throws {
        let yaml = "limits:\n  connections: 10\n  topicLevels: 11\n  topicAliases: 12\n"
        let environment = ["APUS_LIMITS_TOPIC_LEVELS": "21", "APUS_LIMITS_TOPIC_ALIASES": "22", "HOME": "/nowhere"]
        let limits = try load(yaml, environment: environment, overrides: [("limits.topicAliases", "32")]).limits
        #expect(limits.connections == 10)
        #expect(limits.topicLevels == 21)
        #expect(limits.topicAliases == 32)
        #expect(limits.connectSeconds == Configuration().limits.connectSeconds)
    }

    @Test func `every kind of value is read`() throws {
        let configuration = try load(
            """
            data: {directory: /var/lib/apus}
            limits: {packetBytes: 2 MiB, connectPacketBytes: 16KiB, queuedBytesPerSession: 4194304}
            authentication: {anonymous: never, passwordFile: /p, scram: false}
            authorization:
            logging: {level: debug, format: json}
            """
        )
        #expect(configuration.data.directory == "/var/lib/apus")
        #expect(configuration.limits.packetBytes == 2 << 20)
        #expect(configuration.limits.connectPacketBytes == 16 << 10)
        #expect(configuration.limits.queuedBytesPerSession == 4 << 20)
        #expect(configuration.authentication.anonymous == .never)
        #expect(configuration.authentication.passwordFile == "/p")
        #expect(!configuration.authentication.scram)
        #expect(configuration.logging.level == .debug)
        #expect(configuration.logging.format == .json)
    }

    @Test(arguments: ["", "\n# nothing\n", "---\n", "limits:\n", "~"])
    func `an empty file or section changes nothing`(yaml: String) throws {
        #expect(try load(yaml) == Configuration())
    }

    @Test func `a path can be unset again from above`() throws {
        let yaml = "authentication: {passwordFile: /p}"
        let environment = ["APUS_AUTHENTICATION_PASSWORD_FILE": ""]
        #expect(try load(yaml, environment: environment).authentication.passwordFile == nil)
    }

    @Test func `the variables that Kubernetes makes for a service called apus are ignored`() throws {
        let environment = [
            "APUS_SERVICE_HOST": "10.0.0.1", "APUS_PORT": "tcp://10.0.0.1:1883", "APUS_PORT_1883_TCP": "x",
            "APUS_CONFIG": "/etc/apus.yaml",
        ]
        #expect(try load("", environment: environment) == Configuration())
    }

    @Test func `a file on disk is read, and one that is not there is named`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "apus.yaml").path
        #expect(throws: ConfigurationError.self) { try Configuration.load(file: file) }
        try Data("shards: 2\n".utf8).write(to: URL(filePath: file))
        #expect(try Configuration.load(file: file).shards == 2)
        try Data([0x61, 0xFF]).write(to: URL(filePath: file))
        #expect(throws: ConfigurationError.self) { try Configuration.load(file: file) }
        do throws(ConfigurationError) {
            _ = try Configuration.load(file: file + "-missing")
            Issue.record("a missing file was read")
        } catch {
            #expect(error.description == "\(file)-missing: there is no such file")
        }
        do throws(ConfigurationError) {
            _ = try Configuration.load(file: folder.path)
            Issue.record("a folder was read")
        } catch {
            #expect(error.description.hasSuffix(": is a folder; name a file in it"))
        }
    }

    @Test func `an assignment of the command line is split at the first equals sign`() throws {
        let override = try ConfigurationOverride(option: "--set", assignment: "data.directory=a=b")
        #expect(override == ConfigurationOverride(option: "--set", key: "data.directory", value: "a=b"))
        #expect(throws: ConfigurationError.self) { try ConfigurationOverride(option: "--set", assignment: "shards") }
    }
}

@Suite("Problems of configuration")
struct ConfigurationProblemTests {
    @Test func `all problems of all sources are reported together`() {
        let found = problems(
            "limits:\n  conections: 5\n  topicLevels: many\nlogging:\n  level: warn\n",
            environment: ["APUS_LIMITS_CONECTIONS": "1", "APUS_SHARDS": "-1"],
            overrides: [("io", "uring"), ("limits.conections", "5")],
        )
        #expect(
            found == [
                "apus.yaml:2: limits.conections: unknown key; did you mean `limits.connections`?",
                "apus.yaml:3: limits.topicLevels: `many` is not a number from 1 to 65535",
                "apus.yaml:5: logging.level: `warn` is not one of debug, info, notice, warning, error",
                "environment APUS_LIMITS_CONECTIONS: unknown variable; did you mean `APUS_LIMITS_CONNECTIONS`?",
                "environment APUS_SHARDS: shards: `-1` is not a number from 0 to 64",
                "command line --set: io: `uring` is not one of epoll",
                "command line --set: limits.conections: unknown key; did you mean `limits.connections`?",
            ]
        )
    }

    @Test(arguments: [
        ("lmits:\n  connections: 1\n", "apus.yaml:1: lmits: unknown key; did you mean `limits`?"),
        ("connections: 1\n", "apus.yaml:1: connections: unknown key; did you mean `limits.connections`?"),
        (
            "logging: {level: eror}\n",
            "apus.yaml:1: logging.level: `eror` is not one of debug, info, notice, warning, error; did you mean `error`?"
        ),
        ("limits: 5\n", "apus.yaml:1: limits: is a section: its keys stand below it, indented"),
        (
            "limits.connections: 5\n",
            "apus.yaml:1: limits.connections: in a file the part before the dot is a section of its own"
        ),
        ("shards: [1]\n", "apus.yaml:1: shards: needs a number from 0 to 64, not a list"),
        ("shards:\n", "apus.yaml:1: shards: `` is not a number from 0 to 64"),
        (
            "authentication: {scram: yes}\n",
            "apus.yaml:1: authentication.scram: `yes` is neither true nor false; did you mean `true`?"
        ),
        ("data: {directory: ''}\n", "apus.yaml:1: data.directory: the path is empty"),
        (
            "shutdown: {serverReference: \"a\\tb\"}\n",
            "apus.yaml:1: shutdown.serverReference: holds control characters"
        ),
        (
            "limits: {packetBytes: 1GB}\n",
            "apus.yaml:1: limits.packetBytes: `1GB` is not a number of bytes from 1KiB to 256MiB"
        ),
        ("- a\n- b\n", "apus.yaml:1: the file must hold keys and values"),
        ("listeners: mqtt://127.0.0.1\n", "apus.yaml:1: listeners: needs a list of listeners, not a single value"),
        ("listeners: []\n", "apus.yaml:1: listeners: the list is empty: nobody could connect"),
        (
            "\nlisteners:\n - mqt://127.0.0.1\n",
            "apus.yaml:3: listeners[0]: unknown protocol `mqt`; there are mqtt, mqtts, ws, wss, unix; did you mean `mqtt`?"
        ),
        ("listeners:\n - {port: 1}\n", "apus.yaml:2: listeners[0].port: unknown key"),
        (
            "listeners:\n - url: ws://127.0.0.1\n   proxyProtcol: v1\n",
            "apus.yaml:3: listeners[0].proxyProtcol: unknown key; did you mean `proxyProtocol`?"
        ),
        (
            "listeners:\n - url: ws://127.0.0.1\n   proxyProtocol: v3\n",
            "apus.yaml:3: listeners[0].proxyProtocol: `v3` is not one of off, v1, v2, any; did you mean `v1`?"
        ),
        (
            "listeners:\n - url: ws://127.0.0.1\n   tls: {}\n",
            "apus.yaml:3: listeners[0].tls: ws has no TLS; did you mean `wss`?"
        ),
        ("tls: {hosts: [{name: a}]}\n", "apus.yaml:1: tls.hosts[0]: needs name, certificate and key"),
    ])
    func `a mistake is reported with line, key and what was meant`(yaml: String, problem: String) {
        #expect(problems(yaml).first == problem)
    }

    @Test(arguments: [
        "a: [", "a: b: c\n", "\t- x", "a: &x\nb: *y\n", "shards: 1\nshards: 2\n", "a: 1\n---\nb: 2\n", "\"\\q\"",
    ])
    func `what is not YAML is one problem of the file`(yaml: String) {
        let found = problems(yaml)
        #expect(found.count == 1)
        #expect(found.allSatisfy { $0.hasPrefix("apus.yaml:") })
    }

    @Test func `the default file cut anywhere never traps`() {
        let text = Configuration.defaultYAML
        for count in stride(from: 0, to: text.count, by: 7) { _ = problems(String(text.prefix(count))) }
    }

    @Test(arguments: [
        ("limits: {packetBytes: 8MiB}\n", "limits.outputBytesPerConnection"),
        ("limits: {packetBytes: 64MiB}\n", "limits.queuedBytesPerSession"),
        ("limits: {packetBytes: 16KiB}\n", "limits.connectPacketBytes"),
        ("listeners: ['mqtts://127.0.0.1']\n", "listeners[0]"),
        ("listeners: ['mqtt://127.0.0.1', 'ws://127.0.0.1:1883']\n", "listeners[1]"),
        ("authentication: {userNameFromCertificate: true}\n", "authentication.userNameFromCertificate"),
    ])
    func `values that do not fit together are refused`(yaml: String, key: String) {
        let found = problems(yaml)
        #expect(!found.isEmpty)
        #expect(found.contains { $0.hasPrefix("apus.yaml:1: \(key): ") || $0.hasPrefix("configuration: \(key): ") })
    }

    @Test(arguments: [
        ("listeners: ['mqtt://0.0.0.0:1883', 'ws://127.0.0.1:1883']", "", "listeners[1]"),
        ("listeners: ['mqtt://h:1883', 'ws://0.0.0.0:1883']", "", "listeners[1]"),
        ("listeners: ['mqtt://[::1]:1', 'ws://[0:0:0:0:0:0:0:1]:1']", "", "listeners[1]"),
        ("listeners: ['mqtt://localhost:1', 'ws://127.0.0.1:1']", "", "listeners[1]"),
        ("listeners: ['unix:/x', 'unix:/x']", "", "listeners[1]"),
        ("listeners: ['mqtt://127.0.0.1:1']", "http://127.0.0.1:1", "api.listen"),
        ("listeners: ['mqtt://0.0.0.0:18083']", "http://127.0.0.1", "api.listen"),
        ("listeners: ['mqtt://127.0.0.1:1']", "http://[::]:1", "api.listen"),
        ("listeners: ['mqtt://127.0.0.1:1', 'ws://127.0.0.2:1']", "", nil),
        ("listeners: ['mqtt://[::]:1', 'ws://0.0.0.0:1']", "", nil),
        ("listeners: ['mqtt://[::]:1']", "http://127.0.0.1:1", nil),
        ("listeners: ['mqtt://127.0.0.1:0', 'ws://127.0.0.1:0']", "http://127.0.0.1:0", nil),
        ("listeners: ['mqtt://a:1', 'ws://b:1']", "", nil),
    ])
    func `two that would listen on one port are refused`(listeners: String, api: String, key: String?) {
        let found = problems("\n\(listeners)\napi: {listen: '\(api)'}\n")
        #expect(found.count == (key == nil ? 0 : 1))
        #expect(found.allSatisfy { $0.hasPrefix("apus.yaml:\(key == "api.listen" ? 3 : 2): \(key ?? ""): ") })
    }

    @Test func `what does not fit together is told beside what is wrong by itself, unless that may be its cause`() {
        let found = problems("logging: {format: xml}\ndata:\n maximumBytes: 50MiB\n")
        #expect(found.count == 2)
        #expect(found.first?.hasPrefix("apus.yaml:1: logging.format: ") == true)
        #expect(found.last?.hasPrefix("apus.yaml:3: data.maximumBytes: 50MiB is less than") == true)
        #expect(problems("data: {maximumBytes: 50MiB, segmentBytes: x}").count == 1)
        #expect(problems("dat: {segmentBytes: 1MiB}\ndata: {maximumBytes: 50MiB}").count == 1)
    }

    @Test(arguments: [
        ("http://0.0.0.0:1", 1), ("http://shop.example", 1), ("http://[::]", 1), ("http://127.0.0.1", 0),
        ("http://localhost", 0), ("https://0.0.0.0", 0),
    ])
    func `an API without TLS that others can reach is worth a warning`(api: String, count: Int) {
        let examination = Configuration.Examination(
            yaml: ("apus.yaml", "tls: {certificate: /c, key: /k}\napi: {listen: '\(api)'}\n"),
            environment: [:],
            overrides: [],
            purpose: .service
        )
        #expect(examination.problems.isEmpty && examination.warnings.count == count)
        #expect(examination.warnings.allSatisfy { $0.description.hasPrefix("apus.yaml:2: api.listen: `http://") })
    }

    @Test(arguments: [
        ("maximumBytes: 100MiB", true), ("maximumBytes: 511MiB", true), ("maximumBytes: 512MiB", false),
        ("maximumBytes: 0", false), ("maximumBytes: 8MiB, segmentBytes: 1MiB", false),
        ("maximumBytes: 7MiB, segmentBytes: 1MiB", true), ("maximumBytes: 1MiB, durability: memory", false),
    ])
    func `a message log too small for eight of its files is refused`(data: String, isRefused: Bool) {
        for purpose in [Configuration.Purpose.service, .development] {
            let found = problems("data: {\(data)}\n", purpose: purpose)
            #expect(found.count == (isRefused ? 1 : 0))
            for problem in found {
                #expect(problem.hasPrefix("apus.yaml:1: data.maximumBytes: "))
                #expect(problem.contains("data.segmentBytes"))
            }
        }
    }

    @Test func `a password in a listener's URL is not repeated`() {
        let found = problems("", overrides: [("listeners", "mqtt://alice:hunter2@127.0.0.1:1883")])
        #expect(found == ["command line --set: listeners: a listener has no user name or password"])
    }

    @Test(arguments: [
        ("levle", "level"), ("vaults", nil), ("", nil), ("LEVEL", "level"), (String(repeating: "x", count: 500), nil),
    ])
    func `only a near name is suggested`(text: String, nearest: String?) {
        #expect(nearestName(to: text, among: ["level", "format"]) == nearest)
    }
}
