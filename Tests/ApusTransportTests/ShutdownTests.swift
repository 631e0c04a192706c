import ApusBroker
import ApusLoop
import ApusMessage
import Testing

@testable import ApusTransport

@Suite("Shutdown")
struct ShutdownTests {
    @Test(arguments: [1, 2])
    func `clients of 5.0 are told, all are closed in order, and the port is free`(shards: Int) throws {
        let server = try TestServer(shards: shards)
        let port = server.port
        let modern = try server.client()
        try modern.send(MQTT.connect("modern", version: 5))
        #expect(try modern.receivePacket().first == 0x20)
        let older = try server.client()
        #expect(try older.connect("older"))
        let silent = try server.client()

        server.server.shutdown(grace: .seconds(10))
        let goodbye = try modern.receiveUntilClosed()
        #expect(goodbye.first == 0xE0)
        #expect(goodbye.dropFirst(2).first == 0x8B)
        #expect(try older.receiveUntilClosed().isEmpty)
        #expect(try silent.receiveUntilClosed().isEmpty)
        #expect(!modern.wasReset && !older.wasReset)
        server.server.join()
        #expect(throws: SystemError.self) { try RawClient(port: port) }
    }

    @Test
    func `a WebSocket client reads that the server goes away`() throws {
        let server = try TestServer([.local(.webSocket)])
        let client = try server.client()
        #expect(try client.connectWebSocket("web"))
        server.server.shutdown(grace: .seconds(10))
        #expect(try client.receiveUntilClosed() == [0x88, 2, 0x03, 0xE9])
        server.server.join()
    }

    @Test
    func `peers in the midst of a handshake do not hold it up`() throws {
        var listener = ListenerConfiguration.local(.tls)
        listener.tls = TLSServerConfiguration(identities: [try TestAuthority.brokerIdentity.get()])
        var proxied = ListenerConfiguration.local(.tcp)
        proxied.proxyProtocol = .any
        let server = try TestServer([listener, .local(.webSocket), proxied])
        let clients = try (0..<3).map { try server.client($0) }
        for client in clients { try client.send([0x50]) }
        server.stop(grace: .seconds(60))
        for client in clients { _ = try client.receiveUntilClosed() }
    }

    @Test
    func `a peer that does not read is cut off when the grace is over`() throws {
        let server = try TestServer { configuration in
            configuration.sendBufferBytes = 1024
            configuration.closeTimeout = .seconds(60)
        }
        let client = try server.client()
        #expect(try client.connect("stuck"))
        try client.send(MQTT.subscribe("t"))
        #expect(try client.receive(5).count == 5)
        let publisher = try server.client()
        #expect(try publisher.connect("publisher"))
        for _ in 0..<30 { try publisher.send(MQTT.publish("t", MQTT.pattern(100_000))) }
        #expect(try publisher.ping())
        let start = Clock.monotonicNanoseconds()
        server.stop(grace: .milliseconds(200))
        #expect(Clock.monotonicNanoseconds() - start < 5_000_000_000)
    }

    @Test
    func `a second call shortens the time, and one after the end is harmless`() throws {
        let server = try TestServer { $0.closeTimeout = .seconds(60) }
        let client = try server.client()
        #expect(try client.connect("clinging"))
        server.server.shutdown(grace: .seconds(60))
        server.stop(grace: .zero)
        server.stop(grace: .zero)
    }
}
