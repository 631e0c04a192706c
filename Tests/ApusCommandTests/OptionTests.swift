import ApusTransport
import ArgumentParser
import MQTTClient
import MQTTCodec
import Testing

@testable import apus

@Suite("Options of the client commands")
struct OptionTests {
    private func pub(_ more: [String]) throws -> PubCommand {
        try PubCommand.parse(["-t", "a", "-m", "x"] + more)
    }

    private func plan(_ more: [String]) throws -> ClientPlan {
        try ClientPlan(pub(more).options, role: "pub")
    }

    @Test func `without options the broker is on this machine and the protocol is the newest`() throws {
        let plan = try plan([])
        #expect(plan.endpoint.description == "mqtt://127.0.0.1")
        #expect(plan.endpoint.address == .internet(host: "127.0.0.1", port: 1883))
        #expect(plan.client.connect.version == .v5)
        #expect(plan.client.connect.keepAliveSeconds == 60)
        #expect(plan.client.connect.cleanStart)
        #expect(plan.client.connect.sessionExpiryInterval == 0)
        #expect(plan.client.connect.clientIdentifier.hasPrefix("apus-pub-"))
        #expect(!plan.client.connect.exceedsMQTT31ClientIdentifierLimit)
    }

    @Test func `made-up client identifiers differ`() throws {
        let names = try Set((0..<20).map { _ in try plan([]).client.connect.clientIdentifier })
        #expect(names.count == 20)
    }

    @Test(arguments: [
        (["-h", "example.org"], "mqtt://example.org", 1883),
        (["-p", "1999"], "mqtt://127.0.0.1:1999", 1999),
        (["-h", "::1", "-p", "1999"], "mqtt://[::1]:1999", 1999),
        (["-h", "[::1]"], "mqtt://[::1]", 1883),
        (["-h", "example.org", "--insecure"], "mqtts://example.org", 8883),
        (["--url", "wss://example.org/x"], "wss://example.org/x", 443),
    ])
    func `host and port make a URL`(options: [String], url: String, port: UInt16) throws {
        let endpoint = try pub(options).options.endpoint()
        #expect(endpoint.description == url)
        guard case .internet(_, port) = endpoint.address else {
            Issue.record("\(endpoint.address)")
            return
        }
    }

    @Test(
        arguments: [
            ("3.1", .v3_1), ("31", .v3_1), ("3.1.1", .v3_1_1), ("311", .v3_1_1), ("5", .v5), ("5.0", .v5),
        ] as [(String, ProtocolVersion)]
    )
    func `versions have their usual names`(text: String, version: ProtocolVersion) throws {
        #expect(try pub(["-V", text]).options.mqttVersion == version)
    }

    @Test(arguments: [
        (["--url", "mqtt://x", "-p", "1"], "leave --host and --port out"),
        (["--url", "http://x"], "a URL starts with"),
        (["--url", "mqtt://u:p@x"], "do not stand in the URL"),
        (["-p", "0"], "1 to 65535"),
        (["-p", "65536"], "65536"),
        (["-q", "3"], "none of 0, 1 and 2"),
        (["-V", "4"], "none of 3.1, 3.1.1 and 5"),
        (["--quiet", "--verbose"], "contradict"),
        (["--timeout", "0"], "more than 0"),
        (["--timeout", "-1"], "timeout"),
        (["--timeout", "nan"], "no number of seconds"),
        (["--interval", "x"], "no number of seconds"),
        (["-P", "x", "--password-file", "y"], "contradict"),
        (["--no-clean-start"], "--client-id"),
        (["--scram"], "--user"),
        (["--scram", "-u", "u", "-V", "3.1.1"], "--scram needs MQTT 5"),
        (["--session-expiry", "1", "-V", "3.1.1"], "--session-expiry needs MQTT 5"),
        (["--user-property", "a=b", "-V", "3.1"], "--user-property needs MQTT 5"),
        (["--user-property", "a"], "name=value"),
        (["--will-payload", "x"], "--will-topic"),
        (["--will-qos", "1"], "--will-topic"),
        (["--will-topic", "a/#"], "--will-topic"),
        (["--will-topic", "a", "--will-delay", "1", "-V", "3.1.1"], "--will-delay needs MQTT 5"),
        (["--url", "mqtt://x", "--insecure"], "mqtts://"),
        (["--cert", "a"], "belong together"),
        (["--expiry", "1", "-V", "3.1.1"], "--expiry needs MQTT 5"),
        (["--response-topic", "a/+"], "--response-topic"),
        (["--repeat", "0"], "at least 1"),
        (["-n"], "one of -m"),
    ])
    func `what makes no sense is refused with a reason`(options: [String], reason: String) {
        let error = #expect(throws: (any Error).self) { try pub(options) }
        let message = error.map(PubCommand.message(for:)) ?? ""
        #expect(message.contains(reason), "\(message)")
    }

    @Test(arguments: ["", "a/#", "+/a", "a\0b", String(repeating: "x", count: 65_536)])
    func `a topic to publish to is one topic`(topic: String) {
        #expect(throws: (any Error).self) { try PubCommand.parse(["-t", topic, "-m", "x"]) }
    }

    @Test(arguments: ["#", "+", "a/#", "+/a/+", "$share/g/a/#", "$SYS/#", "/", "a//b"])
    func `topic filters with wildcards in their places are taken`(filter: String) throws {
        #expect(try SubCommand.parse(["-t", filter]).topic == [filter])
    }

    @Test(arguments: ["", "a/#/b", "a#", "#a", "a+", "+a/b", "a/b+", "#/"])
    func `other topic filters are not`(filter: String) {
        #expect(throws: (any Error).self) { try SubCommand.parse(["-t", filter]) }
    }

    @Test(arguments: [
        [], ["-t", "a", "-C", "0"], ["-t", "a", "--retained-only", "--no-retained"],
        ["-t", "a", "--no-retained", "--retain-handling", "1"], ["-t", "a", "--retain-handling", "3"],
        ["-t", "a", "--subscription-id", "0"], ["-t", "a", "--subscription-id", "268435456"],
        ["-t", "$share/g/a", "--no-local"], ["-t", "a", "--no-local", "-V", "3.1.1"], ["-t", "a", "--json", "-v"],
    ])
    func `what makes no sense for sub is refused`(options: [String]) {
        #expect(throws: (any Error).self) { try SubCommand.parse(options) }
    }

    @Test func `the will takes its options`() throws {
        let options = ["--will-topic", "w", "--will-payload", "gone", "--will-qos", "2", "--will-retain"]
        let will = try plan(options + ["--will-delay", "7"]).client.connect.will
        let expected = Will(
            topic: "w",
            payload: Array("gone".utf8),
            qos: .exactlyOnce,
            retain: true,
            willDelayInterval: 7
        )
        #expect(will == expected)
    }

    @Test func `a user property ends its name at the first equals sign`() throws {
        let options = try pub(["--user-property", "a=b=c", "--user-property", "a="]).options
        #expect(options.userProperty == [UserProperty("a", "b=c"), UserProperty("a", "")])
    }

    @Test func `a client that reconnects keeps its session meanwhile, unless told otherwise`() throws {
        #expect(try plan(["--reconnect"]).client.connect.sessionExpiryInterval == 3600)
        #expect(try plan(["--reconnect"]).endsSession)
        let chosen = try plan(["--reconnect", "--session-expiry", "5"])
        #expect(chosen.client.connect.sessionExpiryInterval == 5)
        #expect(!chosen.endsSession)
        #expect(try !plan(["--reconnect", "-V", "3.1.1"]).endsSession)
    }

    @Test func `SCRAM sends neither user name nor password in the open`() throws {
        let connect = try plan(["--scram", "-u", "alice", "-P", "geheim"]).client.connect
        #expect(connect.userName == nil)
        #expect(connect.password == nil)
        #expect(connect.authenticationMethod == "SCRAM-SHA-256")
        let first = String(decoding: connect.authenticationData ?? [], as: UTF8.self)
        #expect(first.hasPrefix("n,,n=alice,r="))
        #expect(!first.contains("geheim"))
    }
}
