import ApusBroker
import ApusLoop
import Testing

@testable import ApusTransport

@Suite("PROXY protocol on a listener")
struct ProxyTests {
    typealias Mode = ListenerConfiguration.ProxyProtocolMode

    static let line = Array("PROXY TCP4 192.0.2.7 198.51.100.1 40001 1883\r\n".utf8)
    static let block: [UInt8] =
        [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x21, 0x11, 0x00, 0x0C]
        + [192, 0, 2, 7, 198, 51, 100, 1, 0x9C, 0x41, 0x07, 0x5B]

    private static func server(
        _ mode: Mode,
        _ kind: ListenerConfiguration.Kind = .tcp,
    ) throws -> TestServer {
        var listener = ListenerConfiguration.local(kind)
        listener.proxyProtocol = mode
        if kind.isSecure {
            listener.tls = TLSServerConfiguration(identities: [try TestAuthority.brokerIdentity.get()])
        }
        return try TestServer([listener])
    }

    @Test(arguments: [(line, .v1), (line, .any), (block, .v2), (block, .any)] as [([UInt8], Mode)])
    func `the client's address comes from the header`(
        header: [UInt8],
        mode: Mode,
    ) throws {
        let server = try Self.server(mode)
        let client = try server.client()
        try client.send(header + MQTT.connect("proxied"))
        #expect(try client.receive(4) == MQTT.connectionAccepted)
        #expect(server.authenticator.peers.map(\.address) == ["192.0.2.7:40001"])
        // The proxy is on this machine, its client is not: no local rights.
        #expect(server.authenticator.peers.map(\.isLoopback) == [false])
    }

    @Test(arguments: [line, block])
    func `a header in any two pieces is one header`(header: [UInt8]) throws {
        let server = try Self.server(.any)
        for cut in 1..<header.count {
            let client = try server.client()
            try client.send(Array(header[..<cut]))
            try client.send(Array(header[cut...]) + MQTT.connect("cut"))
            #expect(try client.receive(4) == MQTT.connectionAccepted, "cut at \(cut)")
        }
    }

    @Test(arguments: ["PROXY UNKNOWN\r\n"])
    func `a proxy that speaks for itself keeps its own address`(line: String) throws {
        let server = try Self.server(.v1)
        let client = try server.client()
        try client.send(Array(line.utf8) + MQTT.connect("itself"))
        #expect(try client.receive(4) == MQTT.connectionAccepted)
        #expect(server.authenticator.peers.allSatisfy { $0.address.hasPrefix("127.0.0.1:") && $0.isLoopback })
    }

    @Test(arguments: [(line, .v2), (block, .v1), (MQTT.connect("none"), .any)] as [([UInt8], Mode)])
    func `a wrong header ends the connection and is told`(
        bytes: [UInt8],
        mode: Mode,
    ) throws {
        let server = try Self.server(mode)
        let client = try server.client()
        try client.send(bytes)
        #expect(try client.receiveUntilClosed().isEmpty)
        server.stop()
        #expect(server.log.named("connection.rejected").count == 1)
        #expect(server.authenticator.peers.isEmpty)
    }

    @Test
    func `TLS follows the header, even in the same segment`() throws {
        let server = try Self.server(.any, .tls)
        let client = try server.client()
        try client.send(Self.block)
        let authority = try TestAuthority.shared.get()
        let context = try TLSContext(client: TLSClientConfiguration(authorityFile: authority.certificate))
        let session = try TLSSession(context, descriptor: client.socket.number, hostName: "localhost")
        try client.shakeHands(session)
        server.stop()
        #expect(server.log.named("tls.handshake_failed").isEmpty)
    }

    @Test
    func `WebSocket follows the header`() throws {
        let server = try Self.server(.v1, .webSocket)
        let client = try server.client()
        try client.send(Self.line + WebSocketBytes.request + WebSocketBytes.frame(MQTT.connect("proxied")))
        #expect(try client.receiveHead().hasPrefix("HTTP/1.1 101"))
        #expect(try client.receive(6) == [0x82, 4] + MQTT.connectionAccepted)
        #expect(server.authenticator.peers.map(\.address) == ["192.0.2.7:40001"])
        #expect(server.authenticator.peers.map(\.serverName) == ["broker.example"])
    }
}
