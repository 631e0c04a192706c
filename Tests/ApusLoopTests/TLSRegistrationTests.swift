import Testing

@testable import ApusLoop

@Suite("TLS with what is registered while it runs")
struct TLSRegistrationTests {
    let authority: TestAuthority
    let identity: TLSIdentity
    let authorities = TLSAuthorities()
    let certificates = TLSServerCertificates()
    let device: TestAuthority

    init() throws {
        authority = try TestAuthority()
        identity = try authority.issue("/CN=broker")
        device = try TestAuthority()
    }

    private static let key = TLSAuthorities.Key(owner: 1, name: "01")

    private func server(_ mode: TLSClientCertificates, hasFile: Bool = false) throws -> TLSContext {
        var configuration = TLSServerConfiguration(identities: [identity], clientCertificates: mode)
        if hasFile { configuration.clientAuthorityFile = authority.certificate }
        configuration.registeredAuthorities = authorities
        configuration.registeredCertificates = certificates
        return try TLSContext(server: configuration)
    }

    private func client(_ identity: TLSIdentity?, isLimitedToTLS12: Bool = false) throws -> TLSContext {
        var configuration = TLSClientConfiguration(authorityFile: authority.certificate)
        configuration.identity = identity
        configuration.isLimitedToTLS12 = isLimitedToTLS12
        return try TLSContext(client: configuration)
    }

    private func reason(_ handshake: TLSSession.Handshake) -> String {
        if case .failed(let reason) = handshake { return reason }
        return "\(handshake)"
    }

    // MARK: - Authorities

    @Test(
        arguments: [TLSClientCertificates.optional, .required],
        [false, true],
    )
    func `an authority counts from the next handshake on, and no longer when it is removed`(
        mode: TLSClientCertificates,
        hasFile: Bool,
    ) throws {
        let server = try server(mode, hasFile: hasFile)
        let client = try client(device.issue("/CN=device"))
        let before = try TLSPair(server: server, client: client)
        #expect(reason(before.handshake().server).contains("certificate verify failed"))
        try authorities.put(Self.key, pem: device.pem)
        let registered = try TLSPair(server: server, client: client)
        #expect(registered.handshake() == (.done, .done))
        #expect(registered.server.peerSubject == "CN=device")
        #expect(registered.server.peerCertificate != nil)
        // Whoever registers authorities must not give out names of others.
        #expect(!registered.server.isPeerOfConfiguredAuthority)
        authorities.remove(Self.key)
        #expect(authorities.isEmpty)
        let after = try TLSPair(server: server, client: client)
        #expect(reason(after.handshake().server).contains("certificate verify failed"))
    }

    @Test
    func `the file's authorities count beside the registered ones`() throws {
        try authorities.put(Self.key, pem: device.pem)
        let pair = try TLSPair(server: server(.required, hasFile: true), client: client(authority.issue("/CN=own")))
        #expect(pair.handshake() == (.done, .done))
        #expect(pair.server.isPeerOfConfiguredAuthority)
    }

    @Test(arguments: [false, true])
    func `while authorities are registered a certificate is asked for, and none is refused`(
        isLimitedToTLS12: Bool,
    ) throws {
        let server = try server(.whileRegistered)
        let known = try client(device.issue("/CN=device"), isLimitedToTLS12: isLimitedToTLS12)
        let unasked = try TLSPair(server: server, client: known)
        #expect(unasked.handshake() == (.done, .done))
        #expect(unasked.server.peerCertificate == nil)
        try authorities.put(Self.key, pem: device.pem)
        let rows = [
            (known, true, nil), (try client(nil, isLimitedToTLS12: isLimitedToTLS12), false, nil),
            (
                try client(authority.issue("/CN=stranger"), isLimitedToTLS12: isLimitedToTLS12), true,
                "self-signed certificate in certificate chain"
            ),
        ]
        for (client, hasCertificate, fault) in rows {
            let pair = try TLSPair(server: server, client: client)
            #expect(pair.handshake() == (.done, .done))
            #expect((pair.server.peerCertificate != nil) == hasCertificate)
            #expect(pair.server.certificateFault == fault)
            if hasCertificate { #expect(!pair.server.isPeerOfConfiguredAuthority) }
        }
    }

    @Test
    func `authorities of one name do not stand in each other's way`() throws {
        // All test authorities have the same subject.
        for owner in 1...3 as ClosedRange<UInt32> {
            for number in 0..<(2 * TLSAuthorities.triedOfOneOwner) {
                try authorities.put(.init(owner: owner, name: "0\(number)"), pem: authority.pem)
            }
        }
        try authorities.put(.init(owner: 4, name: "own"), pem: device.pem)
        let client = try client(device.issue("/CN=device"))
        let server = try server(.required, hasFile: true)
        let pair = try TLSPair(server: server, client: client)
        #expect(pair.handshake() == (.done, .done))
        authorities.removeAll(of: 4)
        let after = try TLSPair(server: server, client: client)
        #expect(reason(after.handshake().server).contains("certificate verify failed"))
        #expect(!authorities.isEmpty)
    }

    @Test
    func `an authority that another one has issued is trusted for itself`() throws {
        let middle = try authority.intermediate()
        let client = try client(middle.issue("/CN=device"))
        let server = try server(.required)
        try authorities.put(Self.key, pem: middle.pem)
        let pair = try TLSPair(server: server, client: client)
        #expect(pair.handshake() == (.done, .done))
    }

    @Test
    func `what is no certificate takes the place of one`() throws {
        try authorities.put(Self.key, pem: device.pem)
        #expect(throws: TLSError.self) { try authorities.put(Self.key, pem: "no PEM") }
        #expect(authorities.isEmpty)
    }

    @Test
    func `without a file or registered authorities nothing could be verified`() throws {
        let configuration = TLSServerConfiguration(identities: [identity], clientCertificates: .required)
        #expect(throws: TLSError.self) { try TLSContext(server: configuration) }
    }

    // MARK: - Server certificates

    @Test(
        arguments: [
            ("shop.example", "shop"), ("Shop.Example", "shop"), ("a.wild.example", "wild"), ("own.example", "own"),
            ("unknown", "broker"), (nil, "broker"),
        ] as [(String?, String)]
    )
    func `a registered certificate is shown for its names, unless the listener has its own`(
        name: String?,
        expected: String,
    ) throws {
        var own = try authority.issue("/CN=own")
        own.hostNames = ["own.example"]
        var configuration = TLSServerConfiguration(identities: [identity, own])
        configuration.registeredCertificates = certificates
        let server = try TLSContext(server: configuration)
        certificates.replace(with: [
            (["shop.example", "own.example"], try TLSServerCertificate(authority.issue("/CN=shop"))),
            (["*.wild.example"], try TLSServerCertificate(authority.issue("/CN=wild"))),
        ])
        let client = try TLSContext(client: TLSClientConfiguration(isInsecure: true))
        let pair = try TLSPair(server: server, client: client, hostName: name)
        #expect(pair.handshake() == (.done, .done))
        #expect(pair.client.peerSubject == "CN=\(expected)")
        certificates.replace(with: [])
        let after = try TLSPair(server: server, client: client, hostName: name)
        #expect(after.handshake() == (.done, .done))
        #expect(after.client.peerSubject == (expected == "own" ? "CN=own" : "CN=broker"))
    }

    @Test(arguments: [("localhost", "broker"), ("service.example", "broker"), ("a.example", "shop")])
    func `names of the listener's certificate and those that are excepted are not shown another one`(
        name: String,
        expected: String,
    ) throws {
        let certificates = TLSServerCertificates(exceptions: ["service.example"])
        var configuration = TLSServerConfiguration(identities: [identity])
        configuration.registeredCertificates = certificates
        let server = try TLSContext(server: configuration)
        certificates.replace(with: [
            (["localhost", "*.example"], try TLSServerCertificate(authority.issue("/CN=shop")))
        ])
        let client = try TLSContext(client: TLSClientConfiguration(isInsecure: true))
        let pair = try TLSPair(server: server, client: client, hostName: name)
        #expect(pair.handshake() == (.done, .done))
        #expect(pair.client.peerSubject == "CN=\(expected)")
    }

    @Test
    func `a session keeps its certificate when it is replaced`() throws {
        certificates.replace(with: [(["shop.example"], try TLSServerCertificate(authority.issue("/CN=shop")))])
        let client = try TLSContext(client: TLSClientConfiguration(isInsecure: true))
        var pair = try TLSPair(server: server(.none), client: client, hostName: "shop.example")
        #expect(pair.handshake() == (.done, .done))
        certificates.replace(with: [])
        #expect(pair.client.peerSubject == "CN=shop")
        let echoed = pair.exchange([1, 2, 3])
        #expect(echoed == [1, 2, 3])
    }

    @Test
    func `a key may have a password, which must be the right one`() throws {
        var identity = try authority.issue("/CN=shop")
        identity.keyFile = try authority.encryptedKey(of: identity)
        _ = try TLSServerCertificate(identity, password: "secret")
        for password in ["", "wrong", String(repeating: "x", count: 5000)] {
            let error = #expect(throws: TLSError.self) { try TLSServerCertificate(identity, password: password) }
            #expect(error?.description.contains(identity.keyFile) == true)
        }
        identity.certificateFile = "/none.pem"
        #expect(throws: TLSError.self) { try TLSServerCertificate(identity, password: "secret") }
    }
}
