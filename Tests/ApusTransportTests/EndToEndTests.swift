import ApusBroker
import ApusLoop
import Testing

@testable import ApusTransport

@Suite("Every transport, end to end")
struct EndToEndTests {
    static let kinds = ListenerConfiguration.Kind.allCases

    @Test(arguments: kinds, [1, 2])
    func `a client connects, publishes to itself and leaves`(kind: ListenerConfiguration.Kind, shards: Int) throws {
        let setUp = try SetUp(kind, shards: shards)
        for number in 0..<4 {
            let client = try setUp.connect("client-\(number)")
            let topic = "topic/\(number)"
            #expect(try client.exchange(MQTT.subscribe(topic), 5) == [0x90, 3, 0, 1, 0])
            let message = MQTT.publish(topic, MQTT.pattern(1000))
            #expect(try client.exchange(message, message.count) == message)
            #expect(try client.exchange(MQTT.pingRequest, 2) == MQTT.pingResponse)
            try client.send(MQTT.disconnect)
            #expect(try client.receive(timeout: .seconds(10)) == .closed)
            client.close()
        }
    }

    @Test(arguments: kinds)
    func `large messages come back whole through tiny send buffers`(kind: ListenerConfiguration.Kind) throws {
        let setUp = try SetUp(kind, shards: 2) { $0.sendBufferBytes = 1024 }
        let client = try setUp.connect("large")
        #expect(try client.exchange(MQTT.subscribe("t"), 5) == [0x90, 3, 0, 1, 0])
        var expected: [UInt8] = []
        for size in [1, 100, 5000, 70_000, 300_000, 10, 900_000] {
            let message = MQTT.publish("t", MQTT.pattern(size, seed: size))
            try client.send(message)
            expected += message
        }
        #expect(try client.collect(expected.count) == expected)
        #expect(try client.exchange(MQTT.pingRequest, 2) == MQTT.pingResponse)
    }

    @Test
    func `a unix socket serves, and its connections spread over the shards`() throws {
        let folder = try TestAuthority.makeFolder()
        defer { TestAuthority.remove(folder) }
        let path = "\(folder)/apus.sock"
        let listener = ListenerConfiguration(name: "local", kind: .tcp, address: .unix(path: path))
        let server = try TestServer([listener])
        #expect(server.endpoints.map(\.url) == ["unix:\(path)"])
        for number in 0..<8 {
            let client = try ClientConnection(ClientEndpoint("unix:\(path)"))
            try client.send(MQTT.connect("unix-\(number)"))
            #expect(try client.collect(4) == MQTT.connectionAccepted)
        }
        #expect(server.authenticator.peers.allSatisfy { $0.address == "unix" && $0.isLoopback })
        server.stop()
        #expect(throws: ClientError.self) { try ClientConnection(ClientEndpoint("unix:\(path)")) }
    }

    @Test
    func `IPv6 and a name both work`() throws {
        let server = try TestServer([.local(.tcp, host: "::1"), .local(.tcp, host: "localhost")])
        for endpoint in server.endpoints {
            let client = try ClientConnection(ClientEndpoint(endpoint.url))
            try client.send(MQTT.connect("six"))
            #expect(try client.collect(4) == MQTT.connectionAccepted)
        }
    }

    @Test
    func `several listeners serve at once and name themselves`() throws {
        let server = try TestServer([.local(.tcp, name: "plain"), .local(.webSocket, name: "web")])
        #expect(server.endpoints.map(\.listener) == ["plain", "web"])
        #expect(server.log.values("listener.started", "endpoint") == server.endpoints.map(\.url))
        for endpoint in server.endpoints {
            let client = try ClientConnection(ClientEndpoint(endpoint.url))
            try client.send(MQTT.connect(endpoint.listener))
            #expect(try client.collect(4) == MQTT.connectionAccepted)
        }
        #expect(Set(server.authenticator.peers.map(\.listener)) == ["plain", "web"])
    }
}

/// A server of one kind, and clients that reach it.
struct SetUp {
    let server: TestServer
    let tls: TLSClientConfiguration

    init(
        _ kind: ListenerConfiguration.Kind,
        shards: Int,
        clientCertificates: TLSClientCertificates = .none,
        configure: (inout TransportConfiguration) -> Void = { _ in },
    ) throws {
        var listener = ListenerConfiguration.local(kind)
        if kind.isSecure {
            let authority = try TestAuthority.shared.get()
            listener.tls = TLSServerConfiguration(
                identities: [try TestAuthority.brokerIdentity.get()],
                clientCertificates: clientCertificates,
                clientAuthorityFile: authority.certificate,
            )
            tls = TLSClientConfiguration(authorityFile: authority.certificate)
        } else {
            tls = TLSClientConfiguration()
        }
        server = try TestServer([listener], shards: shards, configure: configure)
    }

    /// A connection on which CONNECT was answered.
    func connect(_ clientID: String) throws -> ClientConnection {
        let client = try ClientConnection(ClientEndpoint(server.endpoints[0].url), tls: tls)
        try client.send(MQTT.connect(clientID))
        #expect(try client.collect(4) == MQTT.connectionAccepted)
        return client
    }
}

extension ClientConnection {
    /// Exactly this many bytes, fewer only when the connection ended.
    func collect(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            switch try receive(timeout: .seconds(10)) {
            case .bytes(let more): bytes += more
            case .closed: return bytes
            case .timedOut: throw RawClient.TimedOut()
            case .woken, .inputReady, .sent: continue
            }
        }
        return bytes
    }

    func exchange(_ bytes: [UInt8], _ count: Int) throws -> [UInt8] {
        try send(bytes)
        return try collect(count)
    }
}
