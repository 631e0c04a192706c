import ApusBroker
import ApusMessage
import ApusResources
import MQTTCodec
import Testing

@testable import ApusCredentials

private let userName = "Token|LTAIexampleAK|post-cn-apus00001"
private let hour: Int64 = 3_600_000

private func seal(_ token: Token) -> String { ServiceFixture.seal(token) }

private func text(_ notice: SystemNotice?) -> String? {
    notice.map { "\($0.topic) \(String(decoding: $0.payload, as: UTF8.self))" }
}

@Suite("Tokens as passwords")
struct TokenModeTests {
    static let read = seal(ServiceFixture.token(write: false, id: "aa"))
    static let write = seal(ServiceFixture.token(read: false, id: "bb", expiresAt: ServiceFixture.now + 2 * hour))
    static let both = seal(ServiceFixture.token(id: "cc"))

    @Test(arguments: [
        "R|\(read)", "W|\(write)", "RW|\(both)", "R|\(both)", "W|\(both)", "R|\(read)|W|\(write)",
        "W|\(write)|R|\(read)", "RW|\(both)|W|\(write)|R|\(read)",
    ])
    func `one to three good tokens get in, in any order`(password: String) async throws {
        let principal = try #require(await (try ServiceFixture()).connect(userName, password).principal)
        #expect(principal.userName == userName)
    }

    @Test func `the connection holds until the first token ends, and is warned five minutes before`() async throws {
        let service = try ServiceFixture()
        let principal = try #require(await service.connect(userName, "W|\(Self.write)|R|\(Self.read)").principal)
        #expect(principal.validUntil == Timestamp(milliseconds: ServiceFixture.now + hour))
        #expect(principal.noticeAt == Timestamp(milliseconds: ServiceFixture.now + hour - 300_000))
        let notice = service.authorizer.notice(to: principal, now: principal.noticeAt)
        #expect(text(notice) == #"$SYS/tokenExpireNotice {"expireTime":1800003600000,"type":"R"}"#)
    }

    static let forged = "is forged, cut or not of this service; apply for one with ApplyToken"
    static let refusals: [(String, ReasonCode, String, isTold: Bool)] = [
        ("", .badUserNameOrPassword, "it has no `|`", false),
        (read, .badUserNameOrPassword, "it has no `|`", false),
        ("R", .badUserNameOrPassword, "it has no `|`", false),
        ("R|", .badUserNameOrPassword, forged, false),
        ("R|\(read)|", .badUserNameOrPassword, "once, twice or three times", false),
        ("R|\(read)|W", .badUserNameOrPassword, "once, twice or three times", false),
        ("r|\(read)", .badUserNameOrPassword, "part 1 of the password is no token type: R, W or RW", false),
        ("R|\(read)|X|\(write)", .badUserNameOrPassword, "part 3 of the password is no token type", false),
        ("R|\(read)|R|\(both)", .badUserNameOrPassword, "the password has two tokens of type R", false),
        ("R|\(read)|W|x", .badUserNameOrPassword, "the W token \(forged)", false),
        ("R|x|W|\(write)", .badUserNameOrPassword, "the R token \(forged)", false),
        ("W|\(read)", .notAuthorized, "the W token was issued for R only; present it as `R|<token>`", true),
        ("RW|\(write)", .notAuthorized, "the RW token was issued for W only", true),
        (
            "R|" + seal(ServiceFixture.token(expiresAt: ServiceFixture.now)), .notAuthorized,
            "the R token expired at 1800000000000 (Unix ms)", true
        ),
        (
            "R|" + seal(ServiceFixture.token(instance: ServiceFixture.foreign)), .notAuthorized,
            "was issued for another instance than `post-cn-apus00001`", true
        ),
        (
            "R|" + seal(ServiceFixture.token(key: "LTAIadmin")), .notAuthorized,
            "was issued by another access key than `LTAIexampleAK`", true
        ),
        ("R|" + seal(ServiceFixture.token(id: "revoked")), .notAuthorized, "the R token was revoked", true),
        ("RW|\(both)|R|" + seal(ServiceFixture.token(id: "revoked")), .notAuthorized, "the R token was revoked", true),
    ]

    @Test(arguments: refusals)
    func `one bad token spoils the password`(
        password: String,
        code: ReasonCode,
        sentence: String,
        isTold: Bool,
    ) async throws {
        let revoked = RevokedToken(instance: ServiceFixture.apsaramq, tokenID: "revoked", expiresAt: .max)
        let outcome = await (try ServiceFixture { $0.revokedTokens = [revoked] }).connect(userName, password)
        #expect(outcome.code == code)
        #expect(outcome.explanation.contains(sentence))
        #expect(outcome.told.contains(sentence) == isTold)
        #expect(password.count < 20 || !outcome.explanation.contains(password.suffix(20)))
    }

    @Test func `a token is refused when it is cut anywhere`() async throws {
        let service = try ServiceFixture(options: { $0.addressFailures.freeFailures = .max })
        for count in 0..<Self.both.utf8.count {
            let cut = "RW|\(Self.both.prefix(count))"
            let outcome = await service.connect(userName, cut, clientID: "GID_apus@@@\(count)")
            #expect(outcome.code == .badUserNameOrPassword)
        }
    }

    @Test(arguments: ["LTAIdisabled", "LTAIgone", "LTAIotherAK"])
    func `a token is as good as its access key`(key: String) async throws {
        let token = seal(ServiceFixture.token(key: key))
        let outcome = await (try ServiceFixture()).connect("Token|\(key)|post-cn-apus00001", "RW|\(token)")
        #expect(outcome.code == .notAuthorized)
        #expect(outcome.explanation.contains("access key `\(key)`"))
    }

    @Test func `a token that is older than its access key is refused`() async throws {
        let service = try ServiceFixture { contents in
            for index in contents.accessKeys.indices { contents.accessKeys[index].tokensSince = ServiceFixture.now + 1 }
        }
        let outcome = await service.connect(userName, "RW|\(Self.both)")
        #expect(outcome.code == .notAuthorized)
        #expect(outcome.explanation.contains("the RW token is older than what access key `LTAIexampleAK` stands for"))
    }

    @Test func `without a secret of the service no token is good`() async throws {
        let service = try ServiceFixture { $0.serviceSecrets = [:] }
        #expect(await service.connect(userName, "RW|\(Self.both)").explanation == "the RW token \(Self.forged)")
    }
}

@Suite("Rights of tokens")
struct TokenRightsTests {
    @Test(arguments: [
        (["orders"], Access.publish, "orders", true), (["orders"], .publish, "orders/a", false),
        (["orders/+"], .publish, "orders/a", true), (["orders/+"], .publish, "orders/a/b", false),
        (["orders/#"], .publish, "orders/a/b", true), (["orders/#"], .publish, "orders", true),
        (["orders/#"], .publish, "chat/a", false), (["orders/a", "chat/#"], .publish, "chat/a", true),
        (["orders/#"], .publish, "orders/p2p/GID_apus@@@x", true),
        (["orders/a"], .publish, "orders/p2p/GID_apus@@@x", false), (["#"], .publish, "chat/x", true),
        (["orders/+"], .subscribe, "orders/+", true), (["orders/+"], .subscribe, "orders/#", false),
        (["orders/+"], .subscribe, "orders/a", true), (["orders/#"], .subscribe, "orders/#", true),
        (["orders/#"], .subscribe, "orders/+/x", true), (["orders/a"], .subscribe, "orders/b", false),
        (["not/a#filter"], .subscribe, "orders/a", false), ([], .publish, "orders/a", false),
    ])
    func `a resource covers what its wildcards cover`(
        resources: [String],
        access: Access,
        topic: String,
        isAllowed: Bool,
    ) async throws {
        let service = try ServiceFixture()
        let token = seal(ServiceFixture.token(resources))
        let principal = try #require(await service.connect(userName, "RW|\(token)").principal)
        let denial = service.authorizer.denial(of: access, to: topic, for: principal)
        #expect((denial == nil) == isAllowed)
        if let denial { #expect(denial.sentence.contains("no resource of the token covers `\(topic)`")) }
        let notice = service.authorizer.notice(ofDenied: access, to: topic, for: principal)
        #expect(text(notice) == (isAllowed ? nil : #"$SYS/tokenInvalidNotice {"code":4,"type":"RW"}"#))
    }

    @Test(arguments: [("R", Access.publish, "W"), ("W", .subscribe, "R")])
    func `a token gives the action that it is presented for, not all that it could`(
        type: String,
        denied: Access,
        right: String,
    ) async throws {
        let service = try ServiceFixture()
        let principal = try #require(await service.connect(userName, "\(type)|\(TokenModeTests.both)").principal)
        let denial = service.authorizer.denial(of: denied, to: "orders/a", for: principal)
        #expect(denial?.sentence.hasPrefix("no token of the connection has the right \(right)") == true)
        let notice = service.authorizer.notice(ofDenied: denied, to: "orders/a", for: principal)
        #expect(text(notice) == #"$SYS/tokenInvalidNotice {"code":5,"type":"\#(type)"}"#)
        let other: Access = denied == .publish ? .subscribe : .publish
        #expect(service.authorizer.denial(of: other, to: "orders/a", for: principal) == nil)
    }
}

@Suite("Tokens that are replaced without reconnecting")
struct UploadedTokenTests {
    private func upload(
        _ service: ServiceFixture,
        _ json: String,
        _ principal: Principal,
        now: Int64 = ServiceFixture.now,
    ) -> SystemMessageOutcome? {
        service.authenticator.receivedSystemMessage(
            topic: "$SYS/uploadToken",
            payload: Array(json.utf8),
            from: principal,
            now: Timestamp(milliseconds: now),
        )
    }

    private func connected(_ service: ServiceFixture, _ password: String) async throws -> Principal {
        try #require(await service.connect(userName, password).principal)
    }

    private func renewed(_ outcome: SystemMessageOutcome?) throws -> Principal {
        guard case .replaced(let principal)? = outcome else { throw Failed(outcome: outcome) }
        return principal
    }

    struct Failed: Error { var outcome: SystemMessageOutcome? }

    @Test(arguments: ["token", "Token"])
    func `a newer token takes the place of the old one, under either spelling`(key: String) async throws {
        let service = try ServiceFixture()
        let old = try await connected(service, "RW|\(TokenModeTests.both)")
        let newer = seal(ServiceFixture.token(["chat/#"], id: "dd", expiresAt: ServiceFixture.now + 3 * hour))
        let new = try renewed(upload(service, #"{"\#(key)":"\#(newer)","type":"RW"}"#, old))
        #expect(new.validUntil == Timestamp(milliseconds: ServiceFixture.now + 3 * hour))
        #expect(new.noticeAt == Timestamp(milliseconds: ServiceFixture.now + 3 * hour - 300_000))
        #expect(service.authorizer.mayPublish(new, topic: "chat/a"))
        #expect(!service.authorizer.mayPublish(new, topic: "orders/a"))
        #expect((new.clientID, new.userName, new.instance) == (old.clientID, old.userName, old.instance))
    }

    @Test func `a newer token for reading leaves the right to write as it was`() async throws {
        let service = try ServiceFixture()
        let old = try await connected(service, "RW|\(TokenModeTests.both)")
        let newer = seal(ServiceFixture.token(["chat/#"], write: false, id: "dd"))
        let new = try renewed(upload(service, #"{"token":"\#(newer)","type":"R"}"#, old))
        #expect(service.authorizer.maySubscribe(new, filter: "chat/#"))
        #expect(!service.authorizer.maySubscribe(new, filter: "orders/#"))
        #expect(service.authorizer.mayPublish(new, topic: "orders/a"))
        let last = try renewed(upload(service, #"{"type":"W","token":"\#(TokenModeTests.write)","x":1}"#, new))
        #expect(service.authorizer.maySubscribe(last, filter: "chat/#"))
        #expect(last.validUntil == Timestamp(milliseconds: ServiceFixture.now + hour))
    }

    @Test(arguments: [
        (#"{"token":"x","type":"R"}"#, ReasonCode.notAuthorized, #"{"code":1,"type":"R"}"#),
        (#"{"token":"\#(TokenModeTests.read)","type":"W"}"#, .notAuthorized, #"{"code":5,"type":"W"}"#),
        (
            #"{"token":"\#(seal(ServiceFixture.token(expiresAt: ServiceFixture.now)))","type":"RW"}"#, .notAuthorized,
            #"{"code":2,"type":"RW"}"#
        ),
        (
            #"{"token":"\#(seal(ServiceFixture.token(id: "revoked")))","type":"RW"}"#, .notAuthorized,
            #"{"code":3,"type":"RW"}"#
        ),
        (
            #"{"token":"\#(seal(ServiceFixture.token(instance: ServiceFixture.foreign)))","type":"RW"}"#,
            .notAuthorized,
            #"{"code":-1,"type":"RW"}"#
        ),
        (#"{"token":"x","type":"RWX"}"#, .payloadFormatInvalid, #"{"code":1,"type":"RW"}"#),
        (#"{"type":"RW"}"#, .payloadFormatInvalid, #"{"code":1,"type":"RW"}"#),
        ("", .payloadFormatInvalid, #"{"code":1,"type":"RW"}"#),
        ("[]", .payloadFormatInvalid, #"{"code":1,"type":"RW"}"#),
        (String(repeating: "[", count: 60_000), .payloadFormatInvalid, #"{"code":1,"type":"RW"}"#),
        (String(repeating: " ", count: 70_000), .payloadFormatInvalid, #"{"code":1,"type":"RW"}"#),
    ])
    func `a bad upload ends the connection with a notice`(json: String, code: ReasonCode, notice: String) async throws {
        let revoked = RevokedToken(instance: ServiceFixture.apsaramq, tokenID: "revoked", expiresAt: .max)
        let service = try ServiceFixture { $0.revokedTokens = [revoked] }
        let principal = try await connected(service, "RW|\(TokenModeTests.both)")
        guard case .refused(let found, let explanation, let sent)? = upload(service, json, principal) else {
            Issue.record("taken")
            return
        }
        #expect(found == code)
        #expect(!explanation.isEmpty)
        #expect(text(sent) == "$SYS/tokenInvalidNotice \(notice)")
    }

    @Test func `who has no token cannot replace one`() async throws {
        let service = try ServiceFixture()
        let principal = try #require(await service.signIn().principal)
        let outcome = upload(service, #"{"token":"\#(TokenModeTests.both)","type":"RW"}"#, principal)
        guard case .refused(.notAuthorized, _, nil)? = outcome else {
            Issue.record("taken: \(String(describing: outcome))")
            return
        }
    }

    @Test func `order is kept without asking, and other topics are none of ours`() async throws {
        let service = try ServiceFixture()
        let principal = try #require(await service.signIn().principal)
        let now = Timestamp(milliseconds: ServiceFixture.now)
        let ask = { (topic: String) in
            service.authenticator
                .receivedSystemMessage(
                    topic: topic,
                    payload: Array(#"{"order":"true"}"#.utf8),
                    from: principal,
                    now: now
                )
        }
        #expect(ask("$SYS/enableOrderMsg") == .accepted)
        #expect(ask("$SYS/uploadTokens") == nil)
        #expect(ask("orders/a") == nil)
    }
}
