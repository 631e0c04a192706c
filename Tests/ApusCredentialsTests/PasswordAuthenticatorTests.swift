import ApusBroker
import ApusLocks
import ApusMessage
import Foundation
import MQTTCodec
import Testing

@testable import ApusCredentials

/// A clock that a test moves.
final class ManualClock: Sendable {
    private let milliseconds = Guarded<Int64>(1_000_000)

    var now: Timestamp { Timestamp(milliseconds: milliseconds.withLock { $0 }) }

    func advance(milliseconds more: Int64) { milliseconds.withLock { $0 += more } }
}

func request(
    _ user: String? = nil,
    _ password: String? = nil,
    address: String = "192.0.2.1:5000",
    isLoopback: Bool = false,
    subject: String? = nil,
    listener: String = "mqtt://0.0.0.0:1883",
) -> AuthenticationRequest {
    AuthenticationRequest(
        peer: Peer(address: address, listener: listener, isLoopback: isLoopback, certificateSubject: subject),
        clientID: "c",
        userName: user,
        password: password.map { Array($0.utf8) },
        version: .v5,
    )
}

extension Authenticator {
    /// Waits for the reply.
    func outcome(of request: AuthenticationRequest) async -> AuthenticationOutcome {
        await withCheckedContinuation { continuation in
            authenticate(request) { continuation.resume(returning: $0) }
        }
    }
}

private func accepted(_ user: String?) -> AuthenticationOutcome {
    .accepted(Principal(clientID: "c", userName: user))
}

private func wrong(_ explanation: String) -> AuthenticationOutcome {
    .refused(
        .badUserNameOrPassword,
        explanation: explanation,
        clientExplanation: "the user name or password is wrong",
    )
}

@Suite("Authentication by password file")
struct PasswordAuthenticatorTests {
    let folder: TemporaryFolder
    let file: PasswordFile
    let clock = ManualClock()

    init() throws {
        folder = try TemporaryFolder()
        file = PasswordFile(path: folder.file("passwords"))
        try file.setCheaply("alice", "secret")
    }

    private func make(_ change: (inout PasswordAuthenticator.Options) -> Void = { _ in }) throws
        -> PasswordAuthenticator
    {
        var options = PasswordAuthenticator.Options()
        options.passwordFile = file.path
        change(&options)
        let clock = clock
        return try PasswordAuthenticator(options: options, clock: { clock.now })
    }

    @Test func `the right password gets in, again and again`() async throws {
        let authenticator = try make()
        for _ in 0..<3 { #expect(await authenticator.outcome(of: request("alice", "secret")) == accepted("alice")) }
    }

    @Test func `the log learns what was wrong, the client does not`() async throws {
        let authenticator = try make()
        #expect(await authenticator.outcome(of: request("alice", "Secret")) == wrong("wrong password (user `alice`)"))
        #expect(await authenticator.outcome(of: request("bob", "secret")) == wrong("unknown user (user `bob`)"))
        #expect(await authenticator.outcome(of: request("alice", "")) == wrong("wrong password (user `alice`)"))
        #expect(await authenticator.outcome(of: request("alice", nil)) == wrong("no password (user `alice`)"))
        #expect(await authenticator.outcome(of: request(nil, "secret")) == wrong("a password without a user name"))
        #expect(await authenticator.outcome(of: request("", "")) == wrong("unknown user (user ``)"))
    }

    @Test func `a remembered password does not open the door to another one`() async throws {
        let authenticator = try make()
        _ = await authenticator.outcome(of: request("alice", "secret"))
        #expect(await authenticator.outcome(of: request("alice", "other")) == wrong("wrong password (user `alice`)"))
        #expect(await authenticator.outcome(of: request("bob", "secret")) == wrong("unknown user (user `bob`)"))
    }

    @Test func `a user with a SCRAM entry only cannot use a password`() async throws {
        _ = try folder.write("bob:\(PasswordFileTests.scram)\n", to: "passwords")
        let expected = wrong("the user has no $scrypt$ entry; set the password anew (user `bob`)")
        #expect(await (try make()).outcome(of: request("bob", "x")) == expected)
    }

    @Test func `without a password file no password is right`() async throws {
        let authenticator = try make { $0.passwordFile = nil }
        #expect(
            await authenticator.outcome(of: request("alice", "secret", isLoopback: true))
                == wrong("no password file is configured")
        )
        #expect(authenticator.enhancedAuthentication(method: "SCRAM-SHA-256", request: request()) == nil)
    }

    // MARK: - Anonymous

    @Test func `anonymous clients get in from this machine only`() async throws {
        let authenticator = try make()
        #expect(await authenticator.outcome(of: request(isLoopback: true)) == accepted(nil))
        let refused = AuthenticationOutcome.refused(
            .notAuthorized,
            explanation: "anonymous connection: accepted from this machine only",
            clientExplanation: "a user name and password are required",
        )
        #expect(await authenticator.outcome(of: request()) == refused)
    }

    @Test func `anonymous clients can be kept out, everywhere or at one listener`() async throws {
        let never = try make { $0.anonymous = .never }
        let closed = try make { $0.listenersWithoutAnonymous = ["ws://127.0.0.1:8083"] }
        for outcome in [
            await never.outcome(of: request(isLoopback: true)),
            await closed.outcome(of: request(isLoopback: true, listener: "ws://127.0.0.1:8083")),
        ] {
            guard case .refused(.notAuthorized, _, _) = outcome else {
                Issue.record("let in: \(outcome)")
                continue
            }
        }
        #expect(await closed.outcome(of: request(isLoopback: true)) == accepted(nil))
    }

    // MARK: - Certificates

    @Test func `the certificate's common name is the user when that is configured, and only then`() async throws {
        let subject = "CN=meter-7,O=Example"
        let byCertificate = try make { $0.userNameFromCertificate = true }
        #expect(await byCertificate.outcome(of: request("mallory", "x", subject: subject)) == accepted("meter-7"))
        #expect(await byCertificate.outcome(of: request("alice", "secret")) == accepted("alice"))
        guard case .refused(.notAuthorized, _, _) = await byCertificate.outcome(of: request(subject: "O=Example"))
        else {
            Issue.record("let in without a common name")
            return
        }
        #expect(
            await (try make()).outcome(of: request("bob", "x", subject: subject)) == wrong("unknown user (user `bob`)")
        )
    }

    // MARK: - Reload

    @Test func `a reload brings new passwords and forgets the old ones`() async throws {
        let authenticator = try make()
        #expect(await authenticator.outcome(of: request("alice", "secret")) == accepted("alice"))
        try file.setCheaply("alice", "new")
        #expect(await authenticator.outcome(of: request("alice", "secret")) == accepted("alice"))
        let (changes, warnings) = try authenticator.reload()
        #expect(warnings == [])
        #expect(changes.description == "1 changed")
        #expect(await authenticator.outcome(of: request("alice", "secret")) == wrong("wrong password (user `alice`)"))
        #expect(await authenticator.outcome(of: request("alice", "new")) == accepted("alice"))
    }

    @Test func `a reload tells how many users came, went and changed`() throws {
        try file.setCheaply("bob", "b")
        let authenticator = try make()
        #expect(try authenticator.reload().changes.description == "unchanged")
        try file.setCheaply("carol", "c")
        try file.setCheaply("dave", "d")
        try file.setCheaply("bob", "new")
        #expect(try file.removeUser("alice"))
        let changes = try authenticator.reload().changes
        #expect(changes == UserChanges(added: 2, removed: 1, changed: 1))
        #expect(changes.description == "2 added, 1 removed, 1 changed")
    }

    @Test func `a bad file changes nothing and is reported with its line`() async throws {
        let authenticator = try make()
        _ = try folder.write("# x\nnonsense\n", to: "passwords")
        let found = explanation { () throws(CredentialError) in _ = try authenticator.reload() }
        #expect(found == "\(file.path):2: no `:` between the user name and its password hash")
        #expect(await authenticator.outcome(of: request("alice", "secret")) == accepted("alice"))
        #expect(throws: CredentialError.self) { try make() }
    }

    @Test func `a file that others can read is warned of`() throws {
        _ = try folder.write(try folder.text(of: "passwords"), to: "passwords", mode: 0o640)
        #expect(
            try make().reload().warnings == [
                "\(file.path): others than the owner may use it (mode 640); run `chmod 600` on it"
            ]
        )
    }

    // MARK: - Bounds

    @Test func `a storm of logins is answered busy beyond the queue, and each is answered once`() async throws {
        let authenticator = try make { options in
            options.waitingChecks = 4
            options.failures.freeFailures = 1000
        }
        let outcomes = await withTaskGroup(of: AuthenticationOutcome.self) { group in
            for index in 0..<200 {
                let address = "192.0.2.\(index):5000"
                group.addTask { await authenticator.outcome(of: request("user\(index)", "x", address: address)) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        let busy = AuthenticationOutcome.refused(
            .serverBusy,
            explanation: "too many passwords are waiting to be checked",
        )
        #expect(outcomes.count == 200)
        #expect(outcomes.contains(busy))
        #expect(outcomes.contains { $0 != busy })
        #expect(await authenticator.outcome(of: request("alice", "secret")) == accepted("alice"))
    }

    @Test func `one address cannot fill the queue of checks`() async throws {
        let authenticator = try make { options in
            options.checksPerAddress = 0
            options.failures.freeFailures = 1000
        }
        let busy = AuthenticationOutcome.refused(
            .serverBusy,
            explanation: "too many passwords of this address are waiting to be checked",
        )
        #expect(await authenticator.outcome(of: request("alice", "secret")) == busy)
        let crowded = try make { $0.failures.freeFailures = 1000 }
        let outcomes = await withTaskGroup(of: AuthenticationOutcome.self) { group in
            for index in 0..<50 {
                group.addTask { await crowded.outcome(of: request("user\(index)", "x")) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count == 50)
        // Every check that ended gave its place back.
        for _ in 0..<10 { _ = await crowded.outcome(of: request("bob", "x")) }
        #expect(await crowded.outcome(of: request("alice", "secret")) == accepted("alice"))
    }

    @Test func `an address that keeps failing must wait, longer each time`() async throws {
        let authenticator = try make { $0.failures.freeFailures = 2 }
        for _ in 0..<3 { _ = await authenticator.outcome(of: request("alice", "guess")) }
        let waiting = { (seconds: Int) in
            AuthenticationOutcome.refused(
                .connectionRateExceeded,
                explanation: "too many failed logins from this address; try again in \(seconds) s",
            )
        }
        // Even the right password waits, or guessing would go on.
        #expect(await authenticator.outcome(of: request("alice", "secret", address: "192.0.2.1:6000")) == waiting(1))
        #expect(
            await authenticator.outcome(of: request("alice", "secret", address: "192.0.2.2:6000")) == accepted("alice")
        )
        // Known by now, so no guess.
        #expect(await authenticator.outcome(of: request("alice", "secret")) == accepted("alice"))
        clock.advance(milliseconds: 1000)
        #expect(await authenticator.outcome(of: request("alice", "guess")) == wrong("wrong password (user `alice`)"))
        #expect(await authenticator.outcome(of: request("alice", "guess")) == waiting(2))
    }

    // MARK: - SCRAM

    private func exchange(_ authenticator: PasswordAuthenticator, _ user: String, _ password: String) throws
        -> EnhancedAuthenticationStep
    {
        var server = try #require(authenticator.enhancedAuthentication(method: "SCRAM-SHA-256", request: request()))
        var client = ScramClient(userName: user, password: Array(password.utf8), nonce: "abc")
        let step = server.received(client.first)
        guard case .challenge(let challenge) = step else { return step }
        let last = server.received(try client.challenged(challenge))
        if case .accepted(_, let data) = last { try client.finished(data) }
        return last
    }

    @Test func `SCRAM proves a password of the file without sending it`() throws {
        let authenticator = try make()
        guard case .accepted(let principal, _) = try exchange(authenticator, "alice", "secret") else {
            Issue.record("refused")
            return
        }
        #expect(principal == Principal(clientID: "c", userName: "alice"))
        guard
            case .refused(.badUserNameOrPassword, "wrong password (user `alice`)", _) = try exchange(
                authenticator,
                "alice",
                "x"
            )
        else {
            Issue.record("let in")
            return
        }
    }

    @Test func `SCRAM failures count for the address`() throws {
        let authenticator = try make { $0.failures.freeFailures = 0 }
        _ = try exchange(authenticator, "alice", "guess")
        guard case .refused(_, let explanation, _) = try exchange(authenticator, "alice", "secret") else {
            Issue.record("let in")
            return
        }
        #expect(explanation == "too many failed logins from this address; try again in 1 s")
    }

    @Test func `other methods and a switched-off SCRAM are not supported`() throws {
        #expect(try make().enhancedAuthentication(method: "SCRAM-SHA-1", request: request()) == nil)
        #expect(
            try make { $0.scram = false }.enhancedAuthentication(method: "SCRAM-SHA-256", request: request()) == nil
        )
    }
}

@Suite("The development mode's authentication")
struct DevelopmentAuthenticatorTests {
    @Test func `everybody gets in from this machine, nobody from elsewhere`() async {
        let authenticator = DevelopmentAuthenticator()
        #expect(await authenticator.outcome(of: request(isLoopback: true)) == accepted(nil))
        #expect(await authenticator.outcome(of: request("x", "y", isLoopback: true)) == accepted(nil))
        guard case .refused(.notAuthorized, _, _) = await authenticator.outcome(of: request("x", "y")) else {
            Issue.record("let in from elsewhere")
            return
        }
    }
}
