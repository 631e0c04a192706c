import ApusBroker
import ApusMessage
import ApusResources
import Testing

@testable import ApusCredentials

@Suite("Counts of logins")
struct LoginCountTests {
    private func token(_ type: String = "RW", _ change: (inout Token) -> Void = { _ in }) -> String {
        var token = ServiceFixture.token()
        change(&token)
        return "\(type)|\(ServiceFixture.seal(token))"
    }

    /// Whatever has been counted, as `mode result count`.
    private func lines(_ counts: LoginCounts) -> [String] {
        LoginMode.allCases.flatMap { mode in
            LoginResult.allCases.compactMap { result in
                counts[mode, result] > 0 ? "\(mode.rawValue) \(result.rawValue) \(counts[mode, result])" : nil
            }
        }
    }

    @Test(arguments: [
        (
            "Signature|LTAIexampleAK|post-cn-apus00001", ServiceFixture.signature("apusSecretKey0001"),
            "signature accepted 1"
        ),
        ("Signature|LTAIexampleAK|post-cn-apus00001", "x", "signature bad_signature 1"),
        ("Signature|LTAInobody|post-cn-apus00001", "x", "signature unknown_key 1"),
        (
            "Signature|LTAIdisabled|post-cn-apus00001", ServiceFixture.signature("disabledSecret01"),
            "signature unusable_key 1"
        ),
        ("Signature|LTAIexampleAK|post-cn-other0001", "x", "signature wrong_instance 1"),
        ("Signature|LTAIexampleAK", "x", "signature malformed 1"),
        ("Token|LTAIexampleAK|post-cn-apus00001", "x", "token malformed 1"),
        ("Token|LTAIexampleAK|post-cn-apus00001", "R|x", "token bad_token 1"),
        (
            "DeviceCredential|DC.deviceKey0001|post-cn-apus00001", ServiceFixture.signature("DC.deviceSecret0001"),
            "device_credential accepted 1"
        ),
        ("DeviceCredential|DC.deviceKey0001|post-cn-apus00001", "x", "device_credential bad_signature 1"),
        ("DeviceCredential|DC.unknown|post-cn-apus00001", "x", "device_credential unknown_key 1"),
        ("origin", "originPassword", "custom accepted 1"),
        ("origin", "x", "custom bad_password 1"),
        ("signed", "x", "custom bad_signature 1"),
        ("nobody", "x", "none unknown_user 1"),
        ("nobody", nil, "none malformed 1"),
        (nil, nil, "anonymous not_allowed 1"),
        (nil, "x", "anonymous malformed 1"),
    ])
    func `each login is counted once, by mode and result`(userName: String?, password: String?, line: String)
        async throws
    {
        let service = try ServiceFixture()
        _ = await service.connect(userName, password)
        #expect(lines(service.authenticator.counts) == [line])
    }

    @Test func `tokens that were good are told apart from those that never were`() async throws {
        let revoked = "00000000000000000000000000000002"
        let service = try ServiceFixture {
            $0.revokedTokens = [
                RevokedToken(instance: ServiceFixture.apsaramq, tokenID: revoked, expiresAt: .max)
            ]
        }
        let passwords = [
            token(), token { $0.expiresAt = ServiceFixture.now }, token { $0.id = revoked },
            token { $0.instance = ServiceFixture.foreign }, token { $0.accessKeyID = "LTAIotherAK" },
        ]
        for password in passwords { _ = await service.connect("Token|LTAIexampleAK|post-cn-apus00001", password) }
        #expect(
            lines(service.authenticator.counts) == [
                "token accepted 1", "token bad_token 2", "token expired_token 1", "token revoked_token 1",
            ]
        )
    }

    @Test func `what is refused before there is a mode has none`() async throws {
        let ban = BannedClient(instance: ServiceFixture.apsaramq, clientID: ServiceFixture.clientID)
        let service = try ServiceFixture { $0.bans = [ban] }
        _ = await service.signIn()
        _ = await service.signIn("device")
        _ = await service.signIn("GID_none@@@x")
        _ = await service.signIn(instance: ServiceFixture.stopped)
        _ = await service.signIn(instance: InstanceNumber(rawValue: 77))
        #expect(
            lines(service.authenticator.counts) == [
                "signature unknown_group 1", "none instance_unavailable 2", "none malformed_client_id 1",
                "none banned 1",
            ]
        )
    }

    @Test func `a connection for no instance is counted where its instance is looked for`() throws {
        let counts = LoginCounts()
        let directory = try ServiceFixture().directory
        let resolver = ServiceInstanceResolver(
            directory: directory,
            listenerInstances: ["lost": "gone"],
            counts: counts
        )
        let peer = Peer(address: "192.0.2.1:1", listener: "test", isLoopback: false)
        _ = resolver.resolve(userName: "Signature|key|none", peer: peer)
        _ = resolver.resolve(userName: "x", peer: Peer(address: "192.0.2.1:1", listener: "lost", isLoopback: false))
        _ = resolver.resolve(userName: "Signature|key|post-cn-stopped01", peer: peer)
        #expect(lines(counts) == ["none unknown_instance 2", "none instance_unavailable 1"])
        _ = resolver.resolve(userName: "x", peer: peer)
        #expect(lines(counts).count == 2)
        let empty = ServiceInstanceResolver(directory: ResourceDirectory(CatalogContents()), counts: counts)
        _ = empty.resolve(userName: "x", peer: peer)
        #expect(counts[.none, .unknownInstance] == 3)
    }

    @Test func `who must wait is counted as one who must wait`() async throws {
        let service = try ServiceFixture(options: { $0.identityFailures = FailurePolicy(freeFailures: 1) })
        for _ in 0..<3 { _ = await service.connect("origin", "x") }
        #expect(lines(service.authenticator.counts) == ["custom bad_password 2", "custom too_many_failures 1"])
    }

    @Test func `the password file, SCRAM and certificates have modes of their own`() async throws {
        let folder = try TemporaryFolder()
        let file = PasswordFile(path: folder.file("passwords"))
        try file.setCheaply("alice", "secret")
        var options = PasswordAuthenticator.Options()
        options.passwordFile = file.path
        options.userNameFromCertificate = true
        let passwords = try PasswordAuthenticator(options: options)
        let service = try ServiceFixture(options: {
            $0.passwords = passwords
            $0.userNameFromCertificate = true
        })
        let standard = ServiceFixture.standard
        for (userName, password) in [("alice", "secret"), ("alice", "wrong"), ("bob", "secret")] {
            _ = await service.connect(userName, password, clientID: "any", instance: standard)
        }
        _ = await service.connect(nil, nil, clientID: "any", instance: standard, isLoopback: true)
        var request = ServiceFixture.request(nil, nil, clientID: "any", instance: standard)
        request.peer.certificateSubject = "CN=meter-7"
        _ = await service.authenticator.outcome(of: request)
        request.peer.certificateSubject = nil
        for (userName, password) in [("alice", "secret"), ("alice", "wrong"), ("bob", "secret")] {
            let exchange = service.authenticator.enhancedAuthentication(method: "SCRAM-SHA-256", request: request)
            var server = try #require(exchange)
            var client = ScramClient(userName: userName, password: Array(password.utf8), nonce: "abc")
            guard case .challenge(let challenge) = server.received(client.first) else { continue }
            _ = server.received(try client.challenged(challenge))
        }
        var broken = try #require(
            service.authenticator.enhancedAuthentication(method: "SCRAM-SHA-256", request: request)
        )
        _ = broken.received([0xFF])
        #expect(
            lines(service.authenticator.counts) == [
                "password_file accepted 1", "password_file unknown_user 1", "password_file bad_password 1",
                "scram accepted 1", "scram malformed 1", "scram unknown_user 1", "scram bad_password 1",
                "certificate accepted 1", "anonymous accepted 1",
            ]
        )
    }

    @Test func `names are the metric's, each its own`() {
        let names = LoginMode.allCases.map(\.rawValue) + LoginResult.allCases.map(\.rawValue)
        #expect(names.allSatisfy { name in name.allSatisfy { $0.isLowercase || $0 == "_" } })
    }
}
