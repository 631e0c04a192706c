import ApusBroker
import ApusLoop
import ApusMessage
import Testing

@testable import ApusTransport

@Suite("Peers that misbehave")
struct HostileTests {
    private static func server(
        _ kind: ListenerConfiguration.Kind,
        proxy: ListenerConfiguration.ProxyProtocolMode = .off,
        connectSeconds: Int = 10,
        configure: (inout TransportConfiguration) -> Void = { _ in },
    ) throws -> TestServer {
        var listener = ListenerConfiguration.local(kind)
        listener.proxyProtocol = proxy
        if kind.isSecure {
            listener.tls = TLSServerConfiguration(identities: [try TestAuthority.brokerIdentity.get()])
        }
        var limits = Limits()
        limits.connectSeconds = connectSeconds
        return try TestServer([listener], limits: limits, configure: configure)
    }

    @Test(arguments: ListenerConfiguration.Kind.allCases, [.off, .any] as [ListenerConfiguration.ProxyProtocolMode])
    func `garbage closes the connection that sent it and no other`(
        kind: ListenerConfiguration.Kind,
        proxy: ListenerConfiguration.ProxyProtocolMode,
    ) throws {
        let server = try Self.server(kind, proxy: proxy, connectSeconds: 1) {
            $0.handshakeTimeout = .milliseconds(300)
            $0.closeTimeout = .milliseconds(300)
        }
        var generator = SplitMix(state: 42)
        var clients: [RawClient] = []
        for length in [1, 2, 5, 16, 100, 5000, 100_000] {
            let client = try server.client()
            try client.send((0..<length).map { _ in UInt8(truncatingIfNeeded: generator.next()) })
            clients.append(client)
        }
        for client in clients { _ = try client.receiveUntilClosed() }
        #expect(server.authenticator.peers.isEmpty)
    }

    @Test(
        arguments: [
            (.tcp, .any), (.tls, .off), (.webSocket, .off), (.secureWebSocket, .off), (.secureWebSocket, .v1),
        ] as [(ListenerConfiguration.Kind, ListenerConfiguration.ProxyProtocolMode)]
    )
    func `a silent peer is closed by the deadline of its handshake`(
        kind: ListenerConfiguration.Kind,
        proxy: ListenerConfiguration.ProxyProtocolMode,
    ) throws {
        let server = try Self.server(kind, proxy: proxy) { $0.handshakeTimeout = .milliseconds(100) }
        let client = try server.client()
        #expect(try client.receiveUntilClosed().isEmpty)
        server.stop()
        #expect(server.log.named("connection.rejected").count == 1)
    }

    @Test
    func `a silent peer on plain TCP is closed by the deadline of CONNECT`() throws {
        let server = try Self.server(.tcp, connectSeconds: 1)
        let client = try server.client()
        #expect(try client.receiveUntilClosed().isEmpty)
    }

    @Test
    func `a peer that shuts its side gets the answers first`() throws {
        let server = try Self.server(.tcp)
        let client = try server.client()
        try client.send(MQTT.connect("half") + MQTT.pingRequest)
        client.shutdownWriting()
        #expect(try client.receiveUntilClosed() == MQTT.connectionAccepted + MQTT.pingResponse)
        #expect(!client.wasReset)
    }

    @Test
    func `the reason of a close arrives although the peer goes on sending`() throws {
        let server = try Self.server(.tcp)
        let client = try server.client()
        try client.send(MQTT.connect("noisy", version: 5))
        let answer = try client.receivePacket()
        #expect(answer.first == 0x20)
        // A second CONNECT is a protocol error [MQTT-3.1.0-2].
        try client.send(MQTT.connect("noisy", version: 5) + MQTT.pattern(150_000))
        let rest = try client.receiveUntilClosed()
        #expect(rest.first == 0xE0)
        #expect(!client.wasReset)
    }

    @Test
    func `a peer that never closes is closed`() throws {
        let server = try Self.server(.tcp) { $0.closeTimeout = .milliseconds(100) }
        let client = try server.client()
        #expect(try client.connect("clinging"))
        try client.send(MQTT.disconnect)
        #expect(try client.receiveUntilClosed().isEmpty)
        // Our end of the socket is gone: what is still sent is answered by a reset.
        let deadline = Deadline()
        while !client.wasReset {
            guard !deadline.isOver else { throw RawClient.TimedOut() }
            _ = try client.sendSome(MQTT.pingRequest)
            client.noticeReset()
        }
    }

    @Test
    func `a reader that stops does not stop others, and finds whole packets later`() throws {
        var limits = Limits()
        limits.outputBytesPerConnection = 256 * 1024
        let server = try TestServer(shards: 2, limits: limits) { $0.sendBufferBytes = 4096 }
        let slow = try server.client()
        #expect(try slow.connect("slow"))
        try slow.send(MQTT.subscribe("t"))
        #expect(try slow.receive(5).count == 5)
        let publisher = try server.client()
        #expect(try publisher.connect("publisher"))
        let message = MQTT.publish("t", MQTT.pattern(10_000))
        for _ in 0..<20 {
            for _ in 0..<50 { try publisher.send(message) }
            #expect(try publisher.ping())
        }
        var received = 0
        try slow.send(MQTT.pingRequest)
        while try slow.receive(1) == [0x30] {
            #expect(try [0x30] + slow.receive(message.count - 1) == message)
            received += 1
        }
        #expect(try slow.receive(1) == [0x00])
        #expect(received > 0 && received < 1000)
    }

    @Test(arguments: [ListenerConfiguration.Kind.tcp, .webSocket])
    func `one that asks without end and never reads is not read either, until it reads`(
        kind: ListenerConfiguration.Kind,
    ) throws {
        var limits = Limits()
        limits.outputBytesPerConnection = 4096
        let server = try TestServer([.local(kind)], shards: 1, limits: limits) { $0.sendBufferBytes = 4096 }
        let client = try server.client()
        let frame: ([UInt8]) -> [UInt8] = { kind.isWebSocket ? WebSocketBytes.frame($0) : $0 }
        if kind.isWebSocket {
            try client.send(WebSocketBytes.request)
            #expect(try client.receiveHead().hasPrefix("HTTP/1.1 101"))
            try client.send(frame(MQTT.connect("flood")))
            #expect(try client.receive(6) == [0x82, 4] + MQTT.connectionAccepted)
        } else {
            #expect(try client.connect("flood"))
        }
        let flood = frame([[UInt8]](repeating: MQTT.pingRequest, count: 32_000).flatMap { $0 })
        // The kernel's buffers of both sides hold some megabytes; a broker that reads on takes all of this.
        var sent = 0
        while sent < 1000, try client.sendSome(flood) { sent += 1 }
        #expect(sent < 1000)

        let last = frame(MQTT.disconnect)
        try client.send(last)
        var responses = 0
        let rest = try client.receiveUntilClosed()
        #expect(client.isClosed && !client.wasReset)
        for byte in rest where byte == 0xD0 { responses += 1 }
        #expect(responses >= (sent + 1) * 32_000)
        let other = try server.client()
        try other.send(kind.isWebSocket ? WebSocketBytes.request : MQTT.connect("other"))
        #expect(try other.receive(4).count == 4)
    }

    @Test
    func `one that gets more than its output holds, flush by flush, gets all and leaves time for others`() throws {
        var limits = Limits()
        limits.outputBytesPerConnection = 8192
        let server = try TestServer(shards: 1, limits: limits)
        let publisher = try server.client()
        #expect(try publisher.connect("publisher"))
        for number in 0..<300 {
            try publisher.send(MQTT.packet(0x31, MQTT.text("kept/\(number)") + MQTT.pattern(1000)))
        }
        #expect(try publisher.ping())
        let subscriber = try server.client()
        #expect(try subscriber.connect("subscriber"))
        try subscriber.send(MQTT.subscribe("kept/#"))
        #expect(try publisher.ping())
        #expect(try subscriber.receive(5) == [0x90, 3, 0, 1, 0])
        for _ in 0..<300 {
            let head = try subscriber.receive(3)
            #expect(head.first == 0x31)
            guard head.count == 3 else { return }
            _ = try subscriber.receive(Int(head[1] & 0x7F) + Int(head[2]) << 7)
        }
        #expect(try subscriber.ping())
    }

    @Test
    func `one that publishes without end leaves time for others`() throws {
        let server = try TestServer(shards: 1)
        let greedy = try server.client()
        #expect(try greedy.connect("greedy"))
        let modest = try server.client()
        #expect(try modest.connect("modest"))
        let flood = [[UInt8]](repeating: MQTT.publish("nobody", MQTT.pattern(1000)), count: 500).flatMap { $0 }
        for _ in 0..<20 {
            _ = try greedy.sendSome(flood)
            #expect(try modest.ping())
        }
        try greedy.send([])
        #expect(try greedy.ping())
    }
}

struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
