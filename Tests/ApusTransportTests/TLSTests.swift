import ApusBroker
import ApusLoop
import Testing

@testable import ApusTransport

@Suite("TLS on a listener")
struct TLSTests {
    @Test(arguments: [ListenerConfiguration.Kind.tls, .secureWebSocket])
    func `the certificate's subject and the server name reach authentication`(
        kind: ListenerConfiguration.Kind,
    ) throws {
        let setUp = try SetUp(kind, shards: 2, clientCertificates: .required)
        let authority = try TestAuthority.shared.get()
        let identity = try authority.issue("/O=Example/CN=device-1")
        let tls = TLSClientConfiguration(authorityFile: authority.certificate, identity: identity)
        let url = "\(kind.scheme)://localhost:\(setUp.server.port)"
        let client = try ClientConnection(ClientEndpoint(url), tls: tls)
        try client.send(MQTT.connect("device-1"))
        #expect(try client.collect(4) == MQTT.connectionAccepted)
        let peer = try #require(setUp.server.authenticator.peers.first)
        #expect(peer.certificateSubject == "CN=device-1,O=Example")
        #expect(peer.serverName == "localhost")
    }

    @Test
    func `the subject of a registered authority's certificate does not reach authentication`() throws {
        let authority = try TestAuthority.shared.get()
        let other = try TestAuthority()
        let authorities = TLSAuthorities()
        var listener = ListenerConfiguration.local(.tls)
        var settings = TLSServerConfiguration(
            identities: [try TestAuthority.brokerIdentity.get()],
            clientCertificates: .whileRegistered,
        )
        settings.registeredAuthorities = authorities
        listener.tls = settings
        let server = try TestServer([listener])
        let pem = try StandardStream.readAll(file: other.certificate, limit: 1 << 16) ?? []
        try authorities.put(.init(owner: 1, name: "01"), pem: String(decoding: pem, as: UTF8.self))
        for issuer in [other, authority] {
            let tls = TLSClientConfiguration(
                authorityFile: authority.certificate,
                identity: try issuer.issue("/CN=admin"),
            )
            let client = try ClientConnection(ClientEndpoint(server.endpoints[0].url), tls: tls)
            try client.send(MQTT.connect("device-1"))
            #expect(try client.collect(4) == MQTT.connectionAccepted)
            let peer = try #require(server.authenticator.peers.last)
            #expect(peer.certificateSubject == nil)
            #expect(peer.certificate != nil)
            #expect((peer.certificateFault == nil) == (issuer === other))
        }
    }

    @Test
    func `who shows no certificate where one is required is turned away and told of`() throws {
        let setUp = try SetUp(.tls, shards: 1, clientCertificates: .required)
        // TLS 1.3 tells the client only with its first read.
        #expect(throws: ClientError.self) {
            let client = try setUp.client()
            try client.send(MQTT.connect("nobody"))
            _ = try client.collect(4)
            throw ClientError("closed")
        }
        setUp.server.stop()
        #expect(setUp.server.log.named("tls.handshake_failed").count == 1)
        #expect(setUp.server.authenticator.peers.isEmpty)
    }

    @Test
    func `a reload serves the new certificate and keeps the connections that stand`() throws {
        let folder = try TestAuthority.makeFolder()
        defer { TestAuthority.remove(folder) }
        let authority = try TestAuthority.shared.get()
        let served = TLSIdentity(certificateFile: "\(folder)/c.pem", keyFile: "\(folder)/k.pem")
        try TestAuthority.copy(authority.issue("/CN=old"), to: served)
        var listener = ListenerConfiguration.local(.tls)
        listener.tls = TLSServerConfiguration(identities: [served])
        let server = try TestServer([listener])
        let context = try TLSContext(client: TLSClientConfiguration(authorityFile: authority.certificate))

        func subject() throws -> String? {
            let client = try server.client()
            let session = try TLSSession(context, descriptor: client.socket.number, hostName: "localhost")
            try client.shakeHands(session)
            return session.peerSubject
        }
        let standing = try ClientConnection(
            ClientEndpoint(server.endpoints[0].url),
            tls: TLSClientConfiguration(authorityFile: authority.certificate),
        )
        try standing.send(MQTT.connect("standing"))
        #expect(try standing.collect(4) == MQTT.connectionAccepted)
        #expect(try subject() == "CN=old")

        try TestAuthority.copy(authority.issue("/CN=new"), to: served)
        try server.server.reloadTLS()
        #expect(try subject() == "CN=new")
        #expect(try standing.exchange(MQTT.pingRequest, 2) == MQTT.pingResponse)

        // A broken file changes nothing.
        TestAuthority.remove(served.keyFile)
        #expect(throws: TransportError.self) { try server.server.reloadTLS() }
        #expect(try subject() == "CN=new")
    }

    @Test
    func `a reload may name other files, and the next one reads these again`() throws {
        let folder = try TestAuthority.makeFolder()
        defer { TestAuthority.remove(folder) }
        let authority = try TestAuthority.shared.get()
        var named = ListenerConfiguration.local(.tls, name: "named")
        var other = ListenerConfiguration.local(.tls, name: "other")
        named.tls = try TLSServerConfiguration(identities: [authority.issue("/CN=old")])
        other.tls = named.tls
        let server = try TestServer([named, other])
        let context = try TLSContext(client: TLSClientConfiguration(authorityFile: authority.certificate))
        func subjects() throws -> [String?] {
            try server.endpoints.indices.map { index in
                let client = try server.client(index)
                let session = try TLSSession(context, descriptor: client.socket.number, hostName: "localhost")
                try client.shakeHands(session)
                return session.peerSubject
            }
        }
        #expect(try subjects() == ["CN=old", "CN=old"])

        let moved = TLSIdentity(certificateFile: "\(folder)/c.pem", keyFile: "\(folder)/k.pem")
        try TestAuthority.copy(authority.issue("/CN=new"), to: moved)
        let settings = TLSServerConfiguration(identities: [moved])
        try server.server.reloadTLS(["named": settings, "nobody": settings])
        #expect(try subjects() == ["CN=new", "CN=old"])

        try TestAuthority.copy(authority.issue("/CN=newer"), to: moved)
        try server.server.reloadTLS()
        #expect(try subjects() == ["CN=newer", "CN=old"])

        // One bad file and nobody gets anything new.
        let missing = TLSServerConfiguration(identities: [TLSIdentity(certificateFile: "/none", keyFile: "/none")])
        let good = try TLSServerConfiguration(identities: [authority.issue("/CN=good")])
        #expect(throws: TransportError.self) { try server.server.reloadTLS(["named": good, "other": missing]) }
        #expect(try subjects() == ["CN=newer", "CN=old"])
        // What failed is not remembered.
        try server.server.reloadTLS()
        #expect(try subjects() == ["CN=newer", "CN=old"])
    }

    @Test
    func `more handshakes at once than a tick takes all come to their end`() throws {
        let setUp = try SetUp(.tls, shards: 1)
        let authority = try TestAuthority.shared.get()
        let context = try TLSContext(client: TLSClientConfiguration(authorityFile: authority.certificate))
        var started: [(client: RawClient, session: TLSSession)] = []
        for _ in 0..<(3 * ShardLoop<EpollNetwork>.handshakeStepsPerTick) {
            let client = try setUp.server.client()
            let session = try TLSSession(context, descriptor: client.socket.number, hostName: "localhost")
            started.append((client, session))
        }
        for (_, session) in started { _ = session.handshake() }
        for (client, session) in started { try client.shakeHands(session) }
        setUp.server.stop()
        #expect(setUp.server.log.named("tls.handshake_failed").isEmpty)
        #expect(setUp.server.log.named("connection.rejected").isEmpty)
    }

    @Test
    func `MQTT without TLS is turned away`() throws {
        let setUp = try SetUp(.tls, shards: 1)
        let client = try setUp.server.client()
        try client.send(MQTT.connect("plain"))
        _ = try client.receiveUntilClosed()
        setUp.server.stop()
        #expect(setUp.server.log.named("tls.handshake_failed").count == 1)
    }
}
