import Testing

@testable import ApusLoop

@Suite("TLS context")
struct TLSContextTests {
    let authority: TestAuthority
    let identity: TLSIdentity
    let trusting: TLSClientConfiguration

    init() throws {
        authority = try TestAuthority()
        identity = try authority.issue("/CN=broker")
        trusting = TLSClientConfiguration(authorityFile: authority.certificate)
    }

    private func reason(_ handshake: TLSSession.Handshake) -> String {
        if case .failed(let reason) = handshake { return reason }
        return "\(handshake)"
    }

    // MARK: - Server certificates

    @Test
    func `a client refuses a server of another authority`() throws {
        let other = try TestAuthority()
        let server = try TLSContext(server: TLSServerConfiguration(identities: [identity]))
        let client = try TLSContext(client: TLSClientConfiguration(authorityFile: other.certificate))
        let pair = try TLSPair(server: server, client: client)
        let results = pair.handshake()
        #expect(reason(results.client).contains("certificate verify failed"))
        #expect(results.client != .done)
    }

    @Test
    func `an insecure client takes any server`() throws {
        let server = try TLSContext(server: TLSServerConfiguration(identities: [identity]))
        let client = try TLSContext(client: TLSClientConfiguration(isInsecure: true))
        let pair = try TLSPair(server: server, client: client, hostName: "elsewhere.example")
        #expect(pair.handshake() == (.done, .done))
    }

    @Test(arguments: [("localhost", true), ("127.0.0.1", true), ("elsewhere.example", false), ("127.0.0.2", false)])
    func `the server's name is verified`(name: String, isGood: Bool) throws {
        let server = try TLSContext(server: TLSServerConfiguration(identities: [identity]))
        let pair = try TLSPair(server: server, client: TLSContext(client: trusting), hostName: name)
        let result = pair.handshake().client
        #expect((result == .done) == isGood)
        if !isGood { #expect(reason(result).contains("mismatch")) }
    }

    @Test(
        arguments: [
            ("a.example", "a"), ("A.Example", "a"), ("b.example", "b"), ("x.wild.example", "wild"),
            ("x.y.wild.example", "default"), ("wild.example", "default"), ("unknown", "default"), (nil, "default"),
        ] as [(String?, String)]
    )
    func `the server name chooses the certificate`(name: String?, expected: String) throws {
        var identities: [TLSIdentity] = [try authority.issue("/CN=default")]
        for (subject, names) in [("a", ["a.example"]), ("b", ["b.example"]), ("wild", ["*.wild.example"])] {
            var identity = try authority.issue("/CN=\(subject)")
            identity.hostNames = names
            identities.append(identity)
        }
        let server = try TLSContext(server: TLSServerConfiguration(identities: identities))
        let client = try TLSContext(client: TLSClientConfiguration(isInsecure: true))
        let pair = try TLSPair(server: server, client: client, hostName: name)
        #expect(pair.handshake() == (.done, .done))
        #expect(pair.client.peerSubject == "CN=\(expected)")
        #expect(pair.server.serverName == name)
    }

    @Test
    func `a reload changes new sessions and leaves live ones alone`() throws {
        let box = TLSContextBox(try TLSContext(server: TLSServerConfiguration(identities: [identity])))
        let client = try TLSContext(client: trusting)
        var old = try TLSPair(server: box.current, client: client)
        #expect(old.handshake() == (.done, .done))
        let renewed = try authority.issue("/CN=renewed")
        box.replace(with: try TLSContext(server: TLSServerConfiguration(identities: [renewed])))
        let new = try TLSPair(server: box.current, client: client)
        #expect(new.handshake() == (.done, .done))
        #expect(new.client.peerSubject == "CN=renewed")
        #expect(old.client.peerSubject == "CN=broker")
        let echoed = old.exchange([1, 2, 3])
        #expect(echoed == [1, 2, 3])
    }

    // MARK: - Client certificates

    private func mutual(_ mode: TLSClientCertificates) throws -> TLSContext {
        try TLSContext(
            server: TLSServerConfiguration(
                identities: [identity],
                clientCertificates: mode,
                clientAuthorityFile: authority.certificate,
            ),
        )
    }

    @Test(arguments: [TLSClientCertificates.optional, .required])
    func `a client certificate gives the peer's subject`(mode: TLSClientCertificates) throws {
        var configuration = trusting
        configuration.identity = try authority.issue("/O=Example, Inc./OU=Floor 3/CN=device-7")
        let pair = try TLSPair(server: mutual(mode), client: TLSContext(client: configuration))
        #expect(pair.handshake() == (.done, .done))
        #expect(pair.server.peerSubject == "CN=device-7,OU=Floor 3,O=Example\\, Inc.")
        #expect(pair.server.peerCommonName == "device-7")
        // DER begins with a sequence.
        #expect(pair.server.peerCertificate?.first == 0x30)
    }

    @Test(arguments: [(TLSClientCertificates.none, true), (.optional, true), (.required, false)])
    func `a client without a certificate comes in unless one is required`(
        mode: TLSClientCertificates,
        isGood: Bool,
    ) throws {
        let pair = try TLSPair(server: mutual(mode), client: TLSContext(client: trusting))
        let result = pair.handshake().server
        #expect((result == .done) == isGood)
        if !isGood { #expect(reason(result).contains("peer did not return a certificate")) }
        #expect(pair.server.peerSubject == nil)
        #expect(pair.server.peerCertificate == nil)
    }

    @Test(arguments: [TLSClientCertificates.optional, .required])
    func `a client certificate of another authority is refused`(mode: TLSClientCertificates) throws {
        var configuration = trusting
        // Kept until the context has read the files.
        let other = try TestAuthority()
        configuration.identity = try other.issue("/CN=stranger")
        let pair = try TLSPair(server: mutual(mode), client: TLSContext(client: configuration))
        let result = pair.handshake().server
        #expect(reason(result).contains("certificate verify failed"))
    }

    // MARK: - Bad files

    @Test
    func `errors name the file and the reason`() throws {
        let other = try authority.issue("/CN=other")
        let encrypted = try authority.encryptedKey(of: identity)
        let missing = "\(authority.folder)/missing.pem"
        let rows: [(TLSIdentity, [String])] = [
            (TLSIdentity(certificateFile: missing, keyFile: identity.keyFile), [missing, "No such file"]),
            (TLSIdentity(certificateFile: identity.certificateFile, keyFile: missing), [missing, "No such file"]),
            (TLSIdentity(certificateFile: identity.keyFile, keyFile: identity.keyFile), [identity.keyFile]),
            (
                TLSIdentity(certificateFile: identity.certificateFile, keyFile: other.keyFile),
                [other.keyFile, "key values mismatch"]
            ),
            (TLSIdentity(certificateFile: identity.certificateFile, keyFile: encrypted), [encrypted]),
        ]
        for (identity, parts) in rows {
            let error = #expect(throws: TLSError.self) {
                try TLSContext(server: TLSServerConfiguration(identities: [identity]))
            }
            for part in parts { #expect(error?.description.contains(part) == true, "\(error?.description ?? "")") }
        }
        #expect(throws: TLSError.self) { try TLSContext(server: TLSServerConfiguration(identities: [])) }
        #expect(throws: TLSError.self) {
            try TLSContext(server: TLSServerConfiguration(identities: [identity], clientCertificates: .required))
        }
        let error = #expect(throws: TLSError.self) {
            try TLSContext(client: TLSClientConfiguration(authorityFile: missing))
        }
        #expect(error?.description.contains(missing) == true)
        #expect(throws: TLSError.self) {
            try TLSContext(client: TLSClientConfiguration(isInsecure: true, applicationProtocols: [""]))
        }
    }
}
