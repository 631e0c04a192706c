import Testing

@testable import ApusConfiguration

@Suite("Listener addresses")
struct ListenerAddressTests {
    @Test(arguments: [
        ("mqtt://127.0.0.1:1883", "mqtt://127.0.0.1:1883"),
        ("mqtt://127.0.0.1", "mqtt://127.0.0.1:1883"),
        ("mqtts://broker.example.org/", "mqtts://broker.example.org:8883"),
        ("ws://localhost:0", "ws://localhost:0"),
        ("wss://[::1]", "wss://[::1]:8084"),
        ("mqtt://[2001:db8::1.2.3.4]:65535", "mqtt://[2001:db8::1.2.3.4]:65535"),
        ("unix:/run/apus.sock", "unix:/run/apus.sock"),
        ("unix:///run/apus.sock", "unix:/run/apus.sock"),
        ("unix:apus.sock", "unix:apus.sock"),
    ])
    func `a URL is read and written again`(url: String, text: String) throws {
        let address = try ListenerAddress(url)
        #expect(address.description == text)
        #expect(try ListenerAddress(text) == address)
    }

    @Test(arguments: [
        "", "mqtt", "mqtt:", "mqtt://", "mqtt:/127.0.0.1", "MQTT://127.0.0.1", "http://127.0.0.1", "127.0.0.1:1883",
        "mqtt://:1883", "mqtt://*:1883", "mqtt://127.0.0.1:", "mqtt://127.0.0.1:65536", "mqtt://127.0.0.1:-1",
        "mqtt://127.0.0.1:+1", "mqtt://127.0.0.1:1883x", "mqtt://127.0.0.1:000001", "mqtt://127.0.0.256",
        "mqtt://127.0.0", "mqtt://127.0.0.01", "mqtt://::1:1883", "mqtt://[::1", "mqtt://[::1]1883", "mqtt://[]:1",
        "mqtt://[::1::2]:1", "mqtt://[1:2:3]:1", "mqtt://[g::1]:1", "mqtt://[1:2:3:4:5:6:7:8:9]", "mqtt://[:::]",
        "mqtt://[::+1]:1", "mqtt://[fe80::1%eth0]:1", "ws://127.0.0.1/mqtt", "ws://127.0.0.1?x", "mqtt://a b",
        "mqtt://ü.example", "mqtt://u@127.0.0.1", "unix:", "unix://", "unix:/\(String(repeating: "x", count: 107))",
    ])
    func `anything else is refused`(url: String) {
        #expect(throws: InvalidValue.self) { try ListenerAddress(url) }
    }

    @Test(arguments: [
        ("mqtt://127.0.0.1", true), ("mqtt://127.255.0.9", true), ("mqtt://localhost", true), ("mqtt://[::1]", true),
        ("mqtt://[0:0:0:0:0:0:0:1]", true), ("mqtt://[::ffff:127.0.0.1]", true), ("unix:/x", true),
        ("mqtt://0.0.0.0", false), ("mqtt://[::]", false), ("mqtt://128.0.0.1", false), ("mqtt://[::2]", false),
        ("mqtt://[1::1]", false), ("mqtt://[::ffff:10.0.0.1]", false), ("mqtt://localhost.example.org", false),
        ("mqtt://127.0.0.1.example.org", false),
    ])
    func `loopback is told from the rest`(url: String, isLoopback: Bool) throws {
        #expect(try ListenerAddress(url).isLoopback == isLoopback)
    }
}

@Suite("Listeners in a configuration")
struct ListenerTests {
    static let full = """
        tls: {certificate: /c, key: /k}
        listeners:
          - mqtt://127.0.0.1:0
          - url: mqtts://0.0.0.0:8883
            proxyProtocol: v2
            maximumConnections: 100
            allowAnonymous: false
            tls:
              certificate: /own
              key: /own.key
              clientCA: /ca
              clientCertificate: required
              hosts: [{name: a.example, certificate: /a, key: /a.key}]
          - wss://[::1]
        """

    @Test func `a mapping says everything about a listener`() throws {
        let configuration = try load(Self.full)
        #expect(
            configuration.listeners.map(\.name) == ["mqtt://127.0.0.1:0", "mqtts://0.0.0.0:8883", "wss://[::1]:8084"]
        )
        let listener = configuration.listeners[1]
        #expect(listener.proxyProtocol == .v2)
        #expect(listener.maximumConnections == 100)
        #expect(!listener.allowAnonymous)
        #expect(listener.tls?.clientCertificate == .required)
        #expect(listener.tls?.hosts == [TLS.Host(name: "a.example", certificate: "/a", key: "/a.key")])
    }

    @Test func `a listener without its own TLS takes that of the section`() throws {
        let configuration = try load(Self.full)
        #expect(configuration.effectiveTLS(of: configuration.listeners[0]) == nil)
        #expect(configuration.effectiveTLS(of: configuration.listeners[1])?.certificate == "/own")
        #expect(configuration.effectiveTLS(of: configuration.listeners[2])?.certificate == "/c")
    }

    @Test func `listeners of the command line replace those of the file and keep what it says of them`() throws {
        let configuration = try load(
            Self.full,
            environment: ["APUS_LISTENERS": "ws://127.0.0.1:1"],
            overrides: [("listeners", "mqtt://127.0.0.1:2"), ("listeners", "unix:/x")],
        )
        #expect(configuration.listeners.map(\.name) == ["mqtt://127.0.0.1:2", "unix:/x"])
        let kept = try load(Self.full, overrides: [("listeners", "mqtts://0.0.0.0:8883")])
        #expect(kept.listeners.first?.tls?.certificate == "/own")
    }

    @Test func `the environment's listeners are separated by commas`() throws {
        let configuration = try load("", environment: ["APUS_LISTENERS": "ws://127.0.0.1:1, mqtt://[::1]:2"])
        #expect(configuration.listeners.map(\.name) == ["ws://127.0.0.1:1", "mqtt://[::1]:2"])
    }

    @Test func `the development mode refuses what others could reach`() throws {
        let found = problems("", overrides: [("listeners", "mqtt://0.0.0.0,mqtt://127.0.0.1:1")], purpose: .development)
        #expect(found.count == 1)
        #expect(found.first?.contains("`mqtt://0.0.0.0:1883` can be reached from outside") == true)
        let outside = try load("listeners: ['mqtt://[::]']")
        #expect(throws: ConfigurationError.self) { try outside.validatedForDevelopment() }
        _ = try Configuration().validatedForDevelopment()
    }

    @Test func `the development mode can do without certificates`() throws {
        let overrides = [("listeners", "mqtts://127.0.0.1:0,wss://localhost:0")]
        #expect(try load("", overrides: overrides, purpose: .development).listeners.count == 2)
        #expect(problems("", overrides: overrides).count == 2)
    }

    @Test func `only with the API client certificates may do without a file of authorities`() throws {
        let file = "tls: {certificate: /c, key: /k, clientCertificate: required}"
        let listen = ("listeners", "mqtts://127.0.0.1:0")
        #expect(problems(file, overrides: [listen]).count == 1)
        let overrides = [listen, ("api.listen", "http://127.0.0.1:0")]
        #expect(try load(file, overrides: overrides).tls.clientCA == nil)
    }

    @Test(arguments: ["tls: {certificate: /c}", "tls: {key: /k}", "tls: {clientCertificate: required}"])
    func `the development mode does not guess what half of a setting means`(file: String) {
        let found = problems(file, overrides: [("listeners", "mqtts://127.0.0.1:0")], purpose: .development)
        #expect(found.count == 1)
    }
}

@Suite("Changes and descriptions")
struct ConfigurationChangesTests {
    @Test func `a reload tells what counts at once and what needs a restart`() throws {
        let old = Configuration()
        let new = try load("logging: {level: debug}\nshards: 3\ntls: {certificate: /c}\n")
        let changes = old.changes(to: new)
        #expect(changes.live == ["tls.certificate", "logging.level"])
        #expect(changes.needRestart == ["shards"])
        let none = new.changes(to: new)
        #expect(none.live.isEmpty && none.needRestart.isEmpty)
    }

    @Test func `another listener needs a restart, another certificate does not`() throws {
        let old = try load(ListenerTests.full)
        var new = old
        new.listeners[1].tls?.certificate = "/new"
        #expect(old.changes(to: new).live == ["listeners[mqtts://0.0.0.0:8883].tls"])
        #expect(old.changes(to: new).needRestart.isEmpty)
        new.listeners[0].maximumConnections = 5
        #expect(old.changes(to: new).needRestart == ["listeners"])
    }

    @Test func `a description names every key and no private key`() throws {
        var configuration = try load(ListenerTests.full)
        configuration.tls.key = "/very/private"
        let text = "\(configuration) \(String(reflecting: configuration))"
        #expect(!text.contains("/very/private"))
        #expect(!text.contains("/own.key"))
        for setting in Setting.all { #expect(text.contains("\(setting.key) = ")) }
        #expect(text.contains("mqtts://0.0.0.0:8883 proxyProtocol=v2 maximumConnections=100 allowAnonymous=false"))
    }
}
