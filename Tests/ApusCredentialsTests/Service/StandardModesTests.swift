import ApusBroker
import ApusCrypto
import ApusLocks
import ApusMessage
import ApusResources
import MQTTCodec
import Testing

@testable import ApusCredentials

private let secret = [UInt8](repeating: 3, count: 32)

/// A token signed with HS256.
private func jwt(_ payload: String, header: String = #"{"alg":"HS256","typ":"JWT"}"#, key: [UInt8] = secret) -> String {
    let signed = "\(urlSafe(Array(header.utf8))).\(urlSafe(Array(payload.utf8)))"
    return "\(signed).\(urlSafe(HMAC.sha256(key: key, Array(signed.utf8))))"
}

private func urlSafe(_ bytes: [UInt8]) -> String {
    String(Base64.encode(bytes).map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }.filter { $0 != "=" })
}

@Suite("JSON Web Tokens")
struct JWTTests {
    private func service() throws -> ServiceFixture {
        try ServiceFixture(options: {
            $0.modes.jwt = ["": JWTVerifier(keys: [("k1", .hs256(secret))], issuer: "shop", audience: "mqtt")]
            $0.addressFailures.freeFailures = 1000
        })
    }

    private static let claims = #""iss":"shop","aud":["mqtt","x"],"exp":1800003600"#

    private func connect(_ password: String, _ userName: String = "alice") async throws -> AuthenticationOutcome {
        await (try service()).connect(userName, password, clientID: "c1", instance: ServiceFixture.standard)
    }

    @Test(arguments: [
        #"{\#(claims)}"#, #"{\#(claims),"sub":"alice","client_id":"c1","nbf":1800000000,"iat":1,"x":[{}]}"#,
        #"{"iss":"shop","aud":"mqtt","exp":1800003600.0}"#,
    ])
    func `a signed token gets in until it expires`(payload: String) async throws {
        let principal = try #require(await connect(jwt(payload)).principal)
        #expect(principal.userName == "alice")
        #expect(principal.validUntil == Timestamp(milliseconds: 1_800_003_600_000))
        let service = try service()
        #expect(service.authorizer.mayPublish(principal, topic: "any"))
        guard
            case .ended(.notAuthorized, let sentence, nil) =
                service.authorizer.standing(of: principal, now: principal.validUntil)
        else {
            Issue.record("still stands")
            return
        }
        #expect(sentence == "what the JWT allowed has expired")
    }

    @Test(arguments: [
        (#"{\#(claims),"sub":"bob"}"#, "is of user `bob`, but the user name is `alice`"),
        (#"{\#(claims),"client_id":"c2"}"#, "is bound to client id `c2`, not `c1`"),
        (#"{\#(claims),"nbf":1800000001}"#, "does not hold yet"),
        (#"{"iss":"shop","aud":"mqtt"}"#, "has no `exp`"),
        (#"{"iss":"shop","aud":"mqtt","exp":1800000000}"#, "expired at"),
        (#"{"iss":"shop","aud":"mqtt","exp":1e300}"#, "has no `exp` that is a time"),
        (#"{"iss":"shop","aud":"mqtt","exp":-1}"#, "has no `exp` that is a time"),
        (#"{"iss":"x","aud":"mqtt","exp":1800003600}"#, "is of issuer `x`, not `shop`"),
        (#"{"iss":"shop","exp":1800003600}"#, "is not for the audience `mqtt`"),
        (
            #"{\#(claims),"acl":[{"effect":"x","action":["publish"],"topic":"a"}]}"#,
            "has a bad `acl`: rule 1 has effect `x`"
        ),
        ("[]", "has a payload that is not the JSON"),
    ])
    func `a signed token that does not hold says why`(payload: String, sentence: String) async throws {
        let outcome = try await connect(jwt(payload))
        #expect(outcome.code == .notAuthorized)
        #expect(outcome.told.contains(sentence), "\(outcome.told)")
    }

    @Test(arguments: [
        (jwt(#"{\#(claims)}"#, key: [1]), "has a wrong signature"),
        (jwt(#"{\#(claims)}"#, header: #"{"alg":"none"}"#), "is signed by `none`; the configured keys are of HS256"),
        (jwt(#"{\#(claims)}"#, header: #"{"alg":"RS256"}"#), "is signed by `RS256`"),
        (jwt(#"{\#(claims)}"#, header: #"{"alg":"HS256","kid":"k2"}"#), "names the key `k2`, which is not known"),
        (jwt(#"{\#(claims)}"#, header: #"{"alg":"HS256","crit":["x"]}"#), "demands extensions"),
        (jwt(#"{\#(claims)}"#, header: #"{"typ":"JWT"}"#), "has a header that is not the JSON"),
        ("eyJ.eyJ.", "is not three parts"), ("eyJ..", "is not three parts"),

        ("eyJ" + String(repeating: "A", count: 20_000) + "..", "is longer than 16384 bytes"),
    ])
    func `an unsigned or mangled token is a guess, and the client learns no more`(
        password: String,
        sentence: String,
    ) async throws {
        let outcome = try await connect(password)
        #expect(outcome.code == .badUserNameOrPassword)
        #expect(outcome.explanation.contains(sentence), "\(outcome.explanation)")
        #expect(outcome.told == "the user name or password is wrong")
    }

    @Test func `a token is refused when it is cut or changed anywhere`() async throws {
        let service = try service()
        let whole = Array(jwt(#"{\#(Self.claims)}"#).utf8)
        let verifier = JWTVerifier(keys: [(nil, .hs256(secret))])
        func holds(_ token: [UInt8]) -> Bool {
            do throws(JWTVerifier.Refusal) {
                _ = try verifier.claims(
                    of: token,
                    userName: nil,
                    clientID: "c",
                    now: Timestamp(milliseconds: ServiceFixture.now),
                )
                return true
            } catch { return false }
        }
        #expect(holds(whole))
        for index in whole.indices {
            #expect(!holds(Array(whole[..<index])))
            var changed = whole
            changed[index] ^= 1
            #expect(!holds(changed))
        }
        _ = service
    }

    @Test func `the acl claim decides on topics`() async throws {
        let acl =
            #"[{"effect":"allow","action":["publish","subscribe"],"topic":"a/#"},"#
            + #"{"effect":"deny","action":["publish"],"topic":"a/b"}]"#
        let principal = try #require(await connect(jwt(#"{\#(Self.claims),"acl":\#(acl)}"#)).principal)
        let authorizer = try service().authorizer
        #expect(authorizer.mayPublish(principal, topic: "a/c"))
        #expect(!authorizer.mayPublish(principal, topic: "a/b"))
        #expect(authorizer.maySubscribe(principal, filter: "a/b"))
        #expect(!authorizer.maySubscribe(principal, filter: "b"))
    }

    @Test func `an instance's own keys go before those of all, and both can be replaced`() async throws {
        let other = [UInt8](repeating: 4, count: 32)
        let service = try service()
        func connect(_ key: [UInt8]) async -> AuthenticationOutcome {
            let token = jwt(#"{\#(Self.claims)}"#, key: key)
            return await service.connect("alice", token, clientID: "c1", instance: ServiceFixture.standard)
        }
        #expect(await connect(secret).principal != nil)
        let id = try #require(service.directory.instance(ServiceFixture.standard)?.id)
        var modes = ConfiguredModes()
        modes.jwt = ["": JWTVerifier(keys: [(nil, .hs256(secret))]), id: JWTVerifier(keys: [(nil, .hs256(other))])]
        service.authenticator.replaceModes(modes)
        #expect(await connect(secret).principal == nil)
        #expect(await connect(other).principal != nil)
        service.authenticator.replaceModes(ConfiguredModes())
        #expect(await connect(other).principal == nil)
    }

    @Test func `an instance of the service's profile takes none`() async throws {
        let outcome = await (try service()).connect("alice", jwt(#"{\#(Self.claims)}"#))
        #expect(outcome.explanation.hasPrefix("unknown user `alice`"))
    }

    /// RFC 7515, appendices A.2 and A.3.
    @Test(arguments: JWTVectors.all)
    func `signatures of RSA and of elliptic curves are checked`(vector: JWTVectors.Vector) throws {
        let key = try #require(PublicKey(pem: vector.pem))
        #expect(key.algorithm == vector.algorithm)
        let signature = try #require(Base64.decodeURLSafe(vector.signature))
        let message = Array(vector.message.utf8)
        #expect(key.verifies(signature, of: message))
        #expect(!key.verifies(signature, of: message + [0]))
        #expect(!key.verifies(Array(signature.dropLast()), of: message))
        var changed = signature
        changed[40] ^= 1
        #expect(!key.verifies(changed, of: message))
        #expect(!key.verifies([], of: message))
        #expect(!key.verifies([UInt8](repeating: 0, count: 64), of: message))
    }

    @Test func `what is no key of these kinds is none`() {
        #expect(PublicKey(pem: "") == nil)
        #expect(PublicKey(pem: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n") == nil)
    }
}

/// Answers as a test tells it to, at once or when the test says so.
private final class ScriptedHook: AuthenticationHookClient {
    private struct Held: Sendable {
        let reply: @Sendable (AuthenticationHookAnswer) -> Void
    }

    private let answer: AuthenticationHookAnswer?
    private let asked = Guarded<[String]>([])
    private let held = Guarded<[Held]>([])

    init(_ answer: AuthenticationHookAnswer?) { self.answer = answer }

    convenience init(_ body: String, status: Int = 200, type: String = "application/json") {
        self.init(.answered(status: status, contentType: type, body: Array(body.utf8)))
    }

    var questions: [String] { asked.withLock { $0 } }

    func post(
        _ json: [UInt8],
        timeoutMilliseconds: Int,
        maximumBytes: Int,
        reply: @escaping @Sendable (AuthenticationHookAnswer) -> Void,
    ) {
        asked.withLock { $0.append(String(decoding: json, as: UTF8.self)) }
        if let answer { reply(answer) } else { held.withLock { $0.append(Held(reply: reply)) } }
    }

    /// Answers the oldest that waits, twice: a client may err.
    func release(_ answer: AuthenticationHookAnswer) {
        let oldest = held.withLock { $0.removeFirst() }
        oldest.reply(answer)
        oldest.reply(answer)
    }
}

@Suite("An HTTP service that judges CONNECTs")
struct AuthenticationHookTests {
    private func service(_ hook: ScriptedHook, calls: Int = 64, waiting: Int = 1024) throws -> ServiceFixture {
        try ServiceFixture(options: {
            let url = "http://127.0.0.1:9/auth"
            let hook = AuthenticationHook(url: url, calls: calls, waitingCalls: waiting, client: hook)
            $0.modes.hooks = ["post-cn-apus00001": hook]
        })
    }

    @Test func `the service is told who comes, and its rules hold`() async throws {
        let hook = ScriptedHook(
            #"{"result":"allow","expireAt":1800000060000,"acl":[{"effect":"allow","action":["publish"],"topic":"orders/#"}]}"#
        )
        let service = try service(hook)
        let principal = try #require(
            await service.connect("alice", "pass\"word", address: "[2001:db8::1]:99").principal
        )
        #expect(principal.userName == "alice")
        #expect(principal.validUntil == Timestamp(milliseconds: 1_800_000_060_000))
        #expect(service.authorizer.mayPublish(principal, topic: "orders/a"))
        #expect(!service.authorizer.maySubscribe(principal, filter: "orders/a"))
        #expect(!service.authorizer.mayPublish(principal, topic: "none/a"))
        let question = try #require(hook.questions.first)
        for part in [
            #""instanceId":"post-cn-apus00001""#, #""clientId":"GID_apus@@@device-0001""#, #""username":"alice""#,
            #""password":"pass\"word""#, #""clientIp":"2001:db8::1""#, #""protocolVersion":5"#,
        ] { #expect(question.contains(part), "\(question)") }
    }

    @Test(arguments: [
        (#"{"result":"allow"}"#, nil), (#"{"result":"allow","expireAt":1800000060}"#, Int64(1_800_000_060_000)),
        (#"{"result":"allow","expireAt":1800000060000.0,"more":1}"#, 1_800_000_060_000),
    ])
    func `without rules all topics are allowed, and an end may be in seconds`(body: String, end: Int64?) async throws {
        let service = try service(ScriptedHook(body))
        let principal = try #require(await service.connect("alice", "x").principal)
        #expect(principal.validUntil == (end.map { Timestamp(milliseconds: $0) } ?? .distantFuture))
        #expect(service.authorizer.maySubscribe(principal, filter: "orders/#"))
    }

    private static let rule = #"{"effect":"allow","action":["publish"],"topic":"a"}"#

    @Test(
        arguments: [
            (.failed("no answer in 3000 ms"), "failed: no answer in 3000 ms"),
            (
                .answered(status: 500, contentType: "application/json", body: Array(#"{"result":"allow"}"#.utf8)),
                "answered with status 500, not 200"
            ),
            (.answered(status: 204, contentType: "application/json", body: []), "answered with status 204"),
            (
                .answered(status: 200, contentType: "text/html", body: Array(#"{"result":"allow"}"#.utf8)),
                "answered with content type `text/html`, not application/json"
            ),
            (
                .answered(status: 200, contentType: "application/json", body: [UInt8](repeating: 0x20, count: 4097)),
                "answered with 4097 bytes; at most 4096 are allowed"
            ),
            (
                .answered(status: 200, contentType: "application/json", body: Array(#"{"result":"maybe"}"#.utf8)),
                "answered with result `maybe`"
            ),
            (
                .answered(status: 200, contentType: "application/json", body: Array("{".utf8)),
                "answered with something else"
            ),
            (.answered(status: 200, contentType: "application/json", body: [0xFF]), "answered with something else"),
            (
                .answered(
                    status: 200,
                    contentType: "application/json",
                    body: Array(#"{"result":"allow","expireAt":1800000000000}"#.utf8)
                ), "that has passed"
            ),
            (
                .answered(
                    status: 200,
                    contentType: "application/json; charset=utf-8",
                    body: Array(
                        #"{"result":"allow","acl":[\#(Array(repeating: rule, count: 11).joined(separator: ","))]}"#.utf8
                    )
                ),
                "bad `acl`: there are 11 rules; at most 10 are allowed"
            ),
        ] as [(AuthenticationHookAnswer, String)]
    )
    func `what is no proper answer refuses the client`(answer: AuthenticationHookAnswer, sentence: String) async throws
    {
        let outcome = await (try service(ScriptedHook(answer))).connect("alice", "x")
        #expect(outcome.code == .serverUnavailable)
        #expect(
            outcome.explanation.hasPrefix("the HTTP authentication service `http://127.0.0.1:9/auth` \(sentence)")
                || outcome.explanation.contains(sentence),
            "\(outcome.explanation)"
        )
        #expect(outcome.told == "the authentication service has failed")
    }

    @Test func `a denial counts as a failed login`() async throws {
        let service = try service(ScriptedHook(#"{"result":"deny"}"#))
        for _ in 0..<6 {
            let outcome = await service.connect("alice", "x")
            #expect(outcome.code == .badUserNameOrPassword)
            #expect(outcome.explanation == "the HTTP authentication service denied user `alice`")
        }
        #expect(await service.connect("alice", "x").code == .connectionRateExceeded)
    }

    @Test func `stored identities and the service's own modes do not ask it`() async throws {
        let hook = ScriptedHook(#"{"result":"deny"}"#)
        let service = try service(hook)
        #expect(await service.connect("origin", "originPassword").principal != nil)
        #expect(await service.signIn().principal != nil)
        #expect(hook.questions.isEmpty)
    }

    @Test func `a slow service holds up the clients of its own instance only`() async throws {
        let slow = ScriptedHook(nil)
        let service = try service(slow, calls: 1, waiting: 0)
        service.authenticator.authenticate(ServiceFixture.request("alice", [1])) { _ in }
        #expect(slow.questions.count == 1)
        var modes = service.authenticator.modes
        let id = try #require(service.directory.instance(ServiceFixture.standard)?.id)
        let quick = ScriptedHook(#"{"result":"allow"}"#)
        modes.hooks[id] = AuthenticationHook(url: "http://127.0.0.1:8/auth", calls: 1, waitingCalls: 0, client: quick)
        service.authenticator.replaceModes(modes)
        #expect(await service.connect("bob", "x").code == .serverBusy)
        let outcome = await service.connect("bob", "x", clientID: "any", instance: ServiceFixture.standard)
        #expect(outcome.principal != nil)
    }

    @Test func `so many are asked at a time, so many wait, the others are told to come again`() async throws {
        let hook = ScriptedHook(nil)
        let service = try service(hook, calls: 2, waiting: 1)
        let replies = Guarded<[AuthenticationOutcome]>([])
        for index in 0..<4 {
            let request = ServiceFixture.request("alice", [1], clientID: "GID_apus@@@\(index)")
            service.authenticator.authenticate(request) { outcome in replies.withLock { $0.append(outcome) } }
        }
        #expect(hook.questions.count == 2)
        #expect(replies.withLock { $0.map(\.code) } == [.serverBusy])
        let allow = AuthenticationHookAnswer.answered(
            status: 200,
            contentType: "application/json",
            body: Array(#"{"result":"allow"}"#.utf8),
        )
        hook.release(allow)
        #expect(hook.questions.count == 3)
        hook.release(allow)
        hook.release(allow)
        #expect(replies.withLock { $0.compactMap(\.principal?.clientID) } == (0..<3).map { "GID_apus@@@\($0)" })
    }
}

@Suite("Modes of the standard profile")
struct StandardModesTests {
    private func connect(
        _ service: ServiceFixture,
        _ userName: String?,
        _ password: String?,
        isLoopback: Bool = true,
        instance: InstanceNumber = ServiceFixture.standard,
    ) async -> AuthenticationOutcome {
        await service.connect(userName, password, clientID: "any", instance: instance, isLoopback: isLoopback)
    }

    private func passwords(_ folder: TemporaryFolder) throws -> PasswordAuthenticator {
        let file = PasswordFile(path: folder.file("passwords"))
        try file.setCheaply("alice", "secret")
        var options = PasswordAuthenticator.Options()
        options.passwordFile = file.path
        return try PasswordAuthenticator(options: options)
    }

    @Test func `a user of the password file gets in, with the rights of the file of rules`() async throws {
        let folder = try TemporaryFolder()
        let passwords = try passwords(folder)
        let rules = ACLAuthorizer(try ACLFile(parsing: "user alice\ntopic read a/#\n", file: "acl"))
        let service = try ServiceFixture(options: { $0.passwords = passwords }, fileRights: rules)
        let principal = try #require(await connect(service, "alice", "secret").principal)
        #expect(principal.userName == "alice")
        #expect(principal.instance == ServiceFixture.standard)
        #expect(service.authorizer.maySubscribe(principal, filter: "a/b"))
        #expect(!service.authorizer.mayPublish(principal, topic: "a/b"))
        #expect(await connect(service, "alice", "Secret").explanation == "wrong password (user `alice`)")
        let elsewhere = await connect(service, "alice", "secret", instance: ServiceFixture.apsaramq)
        #expect(elsewhere.code == .clientIdentifierNotValid)
        let there = await service.connect("alice", "secret", isLoopback: true)
        #expect(there.explanation.hasPrefix("unknown user `alice`"))
    }

    @Test(arguments: [true, false])
    func `the log tells of an identity in another instance of the account, and the client does not learn of it`(
        hasPasswords: Bool
    ) async throws {
        let passwords = hasPasswords ? try PasswordAuthenticator(options: PasswordAuthenticator.Options()) : nil
        let foreign = ServiceFixture.instance(ServiceFixture.foreign, "post-cn-other0001", .standard, account: "other")
        let service = try ServiceFixture({ $0.instances[2] = foreign }, options: { $0.passwords = passwords })
        let outcome = await connect(service, "origin", "originPassword")
        #expect(outcome.code == .badUserNameOrPassword)
        #expect(
            outcome.explanation.hasSuffix(
                "; there is one in `post-cn-apus00001`, so the connection was for the wrong instance"
            )
        )
        #expect(outcome.explanation.contains("`Plain-00001`"))
        #expect(outcome.told == "the user name or password is wrong")
        #expect(await !connect(service, "nobody", "x").explanation.contains("there is one"))
        // Whoever may read the trace of this instance has nothing to do with the other's account.
        let other = await connect(service, "origin", "x", instance: ServiceFixture.foreign)
        #expect(other.code == .badUserNameOrPassword && !other.explanation.contains("there is one"))
    }

    @Test func `a certificate names the user where that is configured, but not in the service's own modes`()
        async throws
    {
        var options = PasswordAuthenticator.Options()
        options.userNameFromCertificate = true
        let passwords = try PasswordAuthenticator(options: options)
        let service = try ServiceFixture(options: {
            $0.passwords = passwords
            $0.userNameFromCertificate = true
        })
        func outcome(_ userName: String?, subject: String?) async -> AuthenticationOutcome {
            var request = ServiceFixture.request(userName, [1], clientID: "any", instance: ServiceFixture.standard)
            request.peer.certificateSubject = subject
            return await service.authenticator.outcome(of: request)
        }
        #expect(await outcome("mallory", subject: "CN=meter-7").principal?.userName == "meter-7")
        #expect(await outcome(nil, subject: "CN=meter-7").principal?.userName == "meter-7")
        #expect(await outcome("mallory", subject: nil).principal == nil)
        #expect(await outcome("Signature|LTAIexampleAK|Plain-00001", subject: "CN=meter-7").principal == nil)
    }

    @Test func `SCRAM belongs to an instance too`() async throws {
        let folder = try TemporaryFolder()
        let passwords = try passwords(folder)
        let service = try ServiceFixture(options: { $0.passwords = passwords })
        let request = ServiceFixture.request(nil, nil, clientID: "any", instance: ServiceFixture.standard)
        var server = try #require(
            service.authenticator.enhancedAuthentication(method: "SCRAM-SHA-256", request: request)
        )
        var client = ScramClient(userName: "alice", password: Array("secret".utf8), nonce: "abc")
        guard case .challenge(let challenge) = server.received(client.first) else {
            Issue.record("no challenge")
            return
        }
        guard case .accepted(let principal, let data) = server.received(try client.challenged(challenge)) else {
            Issue.record("refused")
            return
        }
        try client.finished(data)
        #expect(principal.instance == ServiceFixture.standard)
        #expect(service.authorizer.mayPublish(principal, topic: "x"))
        let other = ServiceFixture.request(nil, nil)
        #expect(service.authenticator.enhancedAuthentication(method: "SCRAM-SHA-256", request: other) == nil)
    }

    @Test func `a banned client gets no further in SCRAM`() async throws {
        let folder = try TemporaryFolder()
        let passwords = try passwords(folder)
        let ban = BannedClient(instance: ServiceFixture.standard, clientID: "any")
        let service = try ServiceFixture({ $0.bans = [ban] }, options: { $0.passwords = passwords })
        let request = ServiceFixture.request(nil, nil, clientID: "any", instance: ServiceFixture.standard)
        var server = try #require(
            service.authenticator.enhancedAuthentication(method: "SCRAM-SHA-256", request: request)
        )
        guard case .refused(.banned, _, _) = server.received([]) else {
            Issue.record("went on")
            return
        }
    }

    @Test func `anonymous clients come from this machine, to instances that allow it`() async throws {
        let service = try ServiceFixture()
        let principal = try #require(await connect(service, nil, nil).principal)
        #expect(principal.userName == nil)
        #expect(service.authorizer.mayPublish(principal, topic: "x"))
        #expect(await connect(service, nil, nil, isLoopback: false).explanation.hasSuffix("from this machine only"))
        let there = await service.connect(nil, nil, isLoopback: true)
        #expect(there.explanation == "no user name: instance `post-cn-apus00001` takes no anonymous clients")
        let off = try ServiceFixture(options: { $0.anonymousOnLoopback = false })
        #expect(await connect(off, nil, nil).principal == nil)
        let closed = try ServiceFixture(options: { $0.listenersWithoutAnonymous = ["mqtt://0.0.0.0:1883"] })
        #expect(await connect(closed, nil, nil).principal == nil)
    }
}
