import ApusBroker
import ApusCrypto
import ApusMessage
import ApusResources
import MQTTCodec
import Testing

@testable import ApusCredentials

private let wrongCredentials = "the user name or password is wrong"

@Suite("The service's own modes of authentication")
struct ServiceModesTests {
    /// The worked examples of apsaramq-facts 2.3.
    @Test(arguments: [
        ("XXXXX", "GID_Test@@@0001", "vI009IZJZVGRwBwZvnbwjfuXxVM="),
        ("apusSecretKey0001", "GID_apus@@@device-0001", "TTUDnFAGAWvlbA0Q6lx26lLGch8="),
        ("DC.deviceSecret0001", "GID_apus@@@device-0001", "esESF17NV9HbM6OVR98iJ8/uRtQ="),
        ("customSecret0001", "GID_apus@@@device-0001", "f5nfQ6QJiNj9rwkkVc3dyUD2T8U="),
    ])
    func `a password is the signature of the client id`(secret: String, clientID: String, password: String) {
        #expect(ClientIDSignature.password(secret: secret, clientID: clientID) == Array(password.utf8))
    }

    /// User names and passwords, written as devices write them.
    @Test(arguments: [
        ("Signature|LTAIexampleAK|post-cn-apus00001", "TTUDnFAGAWvlbA0Q6lx26lLGch8="),
        ("DeviceCredential|DC.deviceKey0001|post-cn-apus00001", "esESF17NV9HbM6OVR98iJ8/uRtQ="),
        ("signed", "f5nfQ6QJiNj9rwkkVc3dyUD2T8U="),
        ("origin", "originPassword"),
        ("both", "ofTheClient"),
    ])
    func `the right password gets in`(userName: String, password: String) async throws {
        let service = try ServiceFixture()
        let principal = try #require(await service.connect(userName, password).principal)
        #expect(principal.clientID == ServiceFixture.clientID)
        #expect(principal.userName == userName)
        #expect(principal.instance == ServiceFixture.apsaramq)
        #expect(principal.grant is ServiceGrant)
        #expect(principal.validUntil == .distantFuture)
        #expect(principal.noticeAt == .distantFuture)
    }

    @Test func `an administrator's key gets in anywhere`() async throws {
        let service = try ServiceFixture()
        let outcome = await service.signIn(key: "LTAIadmin", secret: "adminSecret0001")
        #expect(outcome.principal != nil)
    }

    /// What is wrong, what the log learns of it, and whether the client may know.
    static let refusals: [(String, String, ReasonCode, String, isTold: Bool)] = [
        (
            "Signature|LTAInobody|post-cn-apus00001", ServiceFixture.signature("x"), .badUserNameOrPassword,
            "unknown access key `LTAInobody`", false
        ),
        (
            "Signature|LTAIdisabled|post-cn-apus00001", ServiceFixture.signature("disabledSecret01"), .notAuthorized,
            "access key `LTAIdisabled` is disabled; enable it or use another", true
        ),
        (
            "Signature|LTAIdisabled|post-cn-apus00001", ServiceFixture.signature("guess"), .badUserNameOrPassword,
            "access key `LTAIdisabled`: the signature is wrong", false
        ),
        (
            "Signature|LTAIexampleAK|post-cn-other0001", ServiceFixture.signature("apusSecretKey0001"), .notAuthorized,
            "wrong instance: the user name names `post-cn-other0001`, the connection is for `post-cn-apus00001`", true
        ),
        (
            "Signature|LTAIexampleAK", "x", .badUserNameOrPassword,
            "the user name `Signature|LTAIexampleAK` has not three parts that are not empty", false
        ),
        (
            "Signature|LTAIexampleAK|post-cn-apus00001|", "x", .badUserNameOrPassword,
            "the user name `Signature|LTAIexampleAK|post-cn-apus00001|` has not three parts", false
        ),
        ("Token||post-cn-apus00001", "x", .badUserNameOrPassword, "has not three parts that are not empty", false),
        (
            "signature|LTAIexampleAK|post-cn-apus00001", ServiceFixture.signature("apusSecretKey0001"),
            .badUserNameOrPassword, "the mode is written `Signature|`", false
        ),
        ("nobody", "x", .badUserNameOrPassword, "unknown user `nobody`: no stored identity", false),
        (
            "DeviceCredential|DC.unknown|post-cn-apus00001", "x", .badUserNameOrPassword,
            "unknown device access key `DC.unknown`; if it was refreshed", false
        ),
        (
            "DeviceCredential|DC.deviceKey0001|post-cn-apus00001", ServiceFixture.signature("apusSecretKey0001"),
            .badUserNameOrPassword, "device access key `DC.deviceKey0001`: the signature is wrong", false
        ),
        (
            "origin", "OriginPassword", .badUserNameOrPassword,
            "identity `origin` (USER, ORIGIN): wrong password; in SignMode ORIGIN it is the stored secret itself", false
        ),
        (
            "origin", ServiceFixture.signature("originPassword"), .badUserNameOrPassword,
            "this is the signature, which SignMode SIGNED demands", false
        ),
        ("signed", "customSecret0001", .badUserNameOrPassword, "this is the secret itself", false),
        ("both", "ofTheUser", .badUserNameOrPassword, "identity `both` (CLIENT, ORIGIN): wrong password", false),
    ]

    @Test(arguments: refusals)
    func `a refusal says which part was wrong, to those who may know`(
        userName: String,
        password: String,
        code: ReasonCode,
        sentence: String,
        isTold: Bool,
    ) async throws {
        let outcome = await (try ServiceFixture()).connect(userName, password)
        #expect(outcome.code == code)
        #expect(outcome.explanation.contains(sentence))
        #expect(outcome.told.hasPrefix(wrongCredentials) == !isTold)
        #expect(outcome.told.contains(sentence) == isTold)
        for secret in ServiceFixture.contents.accessKeys.map(\.secret) + ["originPassword", "customSecret0001"] {
            #expect(!outcome.explanation.contains(secret))
        }
    }

    @Test func `a stranger is not told whose the instance is`() async throws {
        let password = ServiceFixture.signature("otherSecret0001")
        let outcome = await (try ServiceFixture()).connect("Signature|LTAIotherAK|post-cn-apus00001", password)
        #expect(outcome.code == .notAuthorized)
        #expect(
            outcome.explanation
                == "access key `LTAIotherAK` belongs to account `other`, instance `post-cn-apus00001` to account `shop`"
        )
        #expect(outcome.told == "access key `LTAIotherAK` is of another account than instance `post-cn-apus00001`")
    }

    @Test func `a client is told how its mode is written`() async throws {
        let service = try ServiceFixture()
        #expect(
            await service.signIn(secret: "wrong").told
                == "the user name or password is wrong; in mode Signature: user name "
                + "`Signature|<AccessKeyId>|<InstanceId>`, password Base64(HMAC-SHA1(AccessKeySecret, client id))"
        )
        // The same for what does not exist and what does not fit.
        #expect(
            await service.signIn(secret: "wrong").told
                == (await service.signIn(key: "LTAInobody", secret: "wrong")).told
        )
    }

    /// The mistakes that people make, and what the log calls them.
    static let mistakes: [(String, String)] = [
        ("apusSecretKey0001", "this is the secret itself"),
        ("TTUDnFAGAWvlbA0Q6lx26lLGch8=\n", "with blanks or a line end around it"),
        ("TTUDnFAGAWvlbA0Q6lx26lLGch8", "without its padding"),
        (
            Hex.encode(HMAC.sha1(key: Array("apusSecretKey0001".utf8), Array(ServiceFixture.clientID.utf8))),
            "hexadecimal"
        ),
        (ServiceFixture.signature("apusSecretKey0001", "device-0001"), "this signs the device id only"),
        (ServiceFixture.signature("apusSecretKey0001", "GID_apus"), "this signs the group id only"),
        (
            Base64.encode(HMAC.sha256(key: Array("apusSecretKey0001".utf8), Array(ServiceFixture.clientID.utf8))),
            "this is HMAC-SHA256"
        ),
        (ServiceFixture.signature("other"), "another secret or client id was signed"),
        ("short", "this one has 5 bytes"),
        ("", "this one has 0 bytes"),
    ]

    @Test(arguments: mistakes)
    func `the log names the mistake in a signature and how it ought to be`(password: String, mistake: String)
        async throws
    {
        let outcome = await (try ServiceFixture()).connect("Signature|LTAIexampleAK|post-cn-apus00001", password)
        #expect(outcome.explanation.contains("expected Base64(HMAC-SHA1(secret, client id))"))
        #expect(outcome.explanation.contains(mistake))
        #expect(!outcome.told.contains(mistake))
    }

    @Test func `a device credential is for its own client id`() async throws {
        let other = "GID_apus@@@device-0002"
        let outcome = await (try ServiceFixture()).connect(
            "DeviceCredential|DC.deviceKey0001|post-cn-apus00001",
            ServiceFixture.signature("DC.deviceSecret0001", other),
            clientID: other,
        )
        #expect(outcome.code == .notAuthorized)
        #expect(
            outcome.explanation
                == "device access key `DC.deviceKey0001` is bound to client id `GID_apus@@@device-0001`, not "
                + "`GID_apus@@@device-0002`"
        )
    }

    @Test func `an identity of user and client decides for that client alone`() async throws {
        let service = try ServiceFixture()
        #expect(await service.connect("both", "ofTheUser", clientID: "GID_apus@@@other").principal != nil)
        #expect(await service.connect("both", "ofTheClient", clientID: "GID_apus@@@other").principal == nil)
    }

    @Test func `a password is demanded`() async throws {
        let service = try ServiceFixture()
        #expect(await service.connect("origin", nil).explanation == "there is no password (user name `origin`)")
        #expect(await service.connect(nil, "x").explanation == "there is a password without a user name")
        #expect(await service.connect(nil, nil).told == "a user name and password are required")
    }

    /// Whatever the password holds, it is refused, and nothing breaks.
    static let hostile: [[UInt8]] = [
        [], [0], [UInt8](repeating: 0, count: 28), [UInt8](repeating: 0x41, count: 1 << 20),
        [UInt8](repeating: UInt8(ascii: "|"), count: 1 << 20), [0xFF, 0xFE], Array("R|".utf8), Array("|".utf8),
        Array("eyJ.eyJ.x".utf8), Array("'; DROP TABLE keys; --".utf8), Array("TTUDnFAGAWvlbA0Q6lx26lLGch8=\0".utf8),
    ]

    @Test(
        arguments: ["Signature|LTAIexampleAK|", "Token|LTAIexampleAK|", "DeviceCredential|DC.deviceKey0001|"],
        hostile
    )
    func `a hostile password is refused`(userName: String, password: [UInt8]) async throws {
        let request = ServiceFixture.request("\(userName)post-cn-apus00001", password)
        #expect(await (try ServiceFixture()).authenticator.outcome(of: request).code == .badUserNameOrPassword)
    }

    @Test(arguments: ["origin", "signed", "nobody", ""], hostile)
    func `a hostile password of a user is refused`(userName: String, password: [UInt8]) async throws {
        let request = ServiceFixture.request(userName, password)
        #expect(await (try ServiceFixture()).authenticator.outcome(of: request).code == .badUserNameOrPassword)
    }

    @Test(arguments: 0..<28)
    func `a truncated signature is refused at every byte`(count: Int) async throws {
        let whole = ServiceFixture.signature("apusSecretKey0001")
        let outcome = await (try ServiceFixture())
            .connect("Signature|LTAIexampleAK|post-cn-apus00001", String(whole.prefix(count)))
        #expect(outcome.code == .badUserNameOrPassword)
    }

    @Test(arguments: [
        String(repeating: "|", count: 65_535), String(repeating: "Signature|", count: 6000), "Signature|\u{301}A|B",
        String(repeating: "x", count: 65_535), "Signature|\0|post-cn-apus00001", "Token|../../x|post-cn-apus00001",
        "Signature|A|post-cn-apus00001\u{301}", "Signature|A|../../etc/passwd",
    ])
    func `a hostile user name is refused in a short sentence`(userName: String) async throws {
        let outcome = await (try ServiceFixture()).connect(userName, "x")
        #expect(outcome.code == .badUserNameOrPassword || outcome.explanation.hasPrefix("wrong instance"))
        #expect(outcome.explanation.utf8.count < 600)
        #expect(!outcome.explanation.contains("\0"))
    }
}

@Suite("Client ids of the service")
struct ClientIDRuleTests {
    @Test(arguments: [
        ("GID_apus@@@x", "GID_apus"), ("GID-1@@@a@@@b", "GID-1"), ("GID_apus@@@@", "GID_apus"),
        ("GID_apus@@@" + String(repeating: "d", count: 53), "GID_apus"), ("GID_apus@@@Gerät", "GID_apus"),
    ])
    func `the group is what stands before the first @@@`(clientID: String, group: String) throws {
        #expect(try ClientIDRule.group(of: clientID).get() == group)
    }

    @Test(arguments: [
        ("", "has no `@@@`: a client id here is `<GroupID>@@@<DeviceID>`"), ("GID_apus@@x", "has no `@@@`"),
        ("@@@x", "has no group id"), ("GID_apus@@@", "has no device id"),
        ("GID_apus@@@" + String(repeating: "d", count: 54), "has 65 characters; at most 64 are allowed"),
        (String(repeating: "d", count: 65_535), "has thousands of characters"),
        ("GID_apus@@@a\nb", "has characters that cannot be printed"), ("GID_apus@@@\u{7F}", "cannot be printed"),
        ("GID_apus@@@\u{202E}x", "cannot be printed"),
    ])
    func `what is wrong is said`(clientID: String, sentence: String) {
        guard case .failure(let violation) = ClientIDRule.group(of: clientID) else {
            Issue.record("taken")
            return
        }
        #expect(violation.sentence.contains(sentence))
        #expect(violation.sentence.utf8.count < 300)
    }

    @Test func `a client id of no group is refused, in a standard instance taken`() async throws {
        let service = try ServiceFixture()
        let outcome = await service.signIn("device")
        #expect(outcome.code == .clientIdentifierNotValid)
        #expect(outcome.told.contains("has no `@@@`"))
        #expect(
            await service.signIn("device", instanceID: "Plain-00001", instance: ServiceFixture.standard).principal
                != nil
        )
    }

    @Test func `a group must exist, which only those learn who have proven themselves`() async throws {
        let service = try ServiceFixture()
        let outcome = await service.signIn("GID_none@@@x")
        #expect(outcome.code == .notAuthorized)
        #expect(outcome.told.hasPrefix("group `GID_none` does not exist in instance `post-cn-apus00001`"))
        #expect(await service.signIn("GID_none@@@x", secret: "wrong").told.hasPrefix(wrongCredentials))
    }

    @Test func `a banned client is refused whatever it proves`() async throws {
        let ban = BannedClient(instance: ServiceFixture.apsaramq, clientID: ServiceFixture.clientID)
        let service = try ServiceFixture { $0.bans = [ban] }
        let outcome = await service.signIn()
        #expect(outcome.code == .banned)
        #expect(outcome.told == "this client id is banned")
        #expect(await service.signIn("GID_apus@@@other").principal != nil)
    }

    @Test func `a stopped or deleted instance takes nobody`() async throws {
        let service = try ServiceFixture()
        let stopped = await service.signIn(instanceID: "post-cn-stopped01", instance: ServiceFixture.stopped)
        #expect(stopped.explanation == "instance `post-cn-stopped01` is stopped; start it or use another")
        let deleted = await service.signIn(instanceID: "gone", instance: InstanceNumber(rawValue: 9))
        #expect(deleted.explanation == "the instance was deleted a moment ago")
    }
}

@Suite("Guessing at the service")
struct ServiceGuessTests {
    private func guess(
        _ service: ServiceFixture,
        _ clientID: String,
        _ address: String,
        _ password: String = "guess",
        now: Int64 = ServiceFixture.now,
    ) async -> AuthenticationOutcome {
        await service.connect(
            "Signature|LTAIexampleAK|post-cn-apus00001",
            password,
            clientID: clientID,
            address: address,
            now: now,
        )
    }

    @Test func `an address that keeps failing waits, longer each time, and neighbours that are known do not`()
        async throws
    {
        let service = try ServiceFixture(options: { $0.addressFailures.freeFailures = 2 })
        let (known, address) = ("GID_apus@@@known", "192.0.2.9:1")
        #expect(
            await guess(service, known, address, ServiceFixture.signature("apusSecretKey0001", known)).principal != nil
        )
        for index in 0..<3 {
            #expect(await guess(service, "GID_apus@@@\(index)", address).code == .badUserNameOrPassword)
        }
        let right = ServiceFixture.signature("apusSecretKey0001")
        let waiting = await guess(service, ServiceFixture.clientID, "192.0.2.9:77", right)
        #expect(waiting.code == .connectionRateExceeded)
        #expect(waiting.explanation == "too many failed logins from this address; try again in 1 s")
        #expect(
            await guess(service, known, address, ServiceFixture.signature("apusSecretKey0001", known)).principal != nil
        )
        #expect(await guess(service, ServiceFixture.clientID, "192.0.2.10:1", right).principal != nil)
        let later = ServiceFixture.now + 1000
        #expect(await guess(service, "GID_apus@@@x", address, now: later).code == .badUserNameOrPassword)
        #expect(await guess(service, "GID_apus@@@y", address, right, now: later).explanation.hasSuffix("in 2 s"))
    }

    @Test func `an identity that is tried from everywhere waits too`() async throws {
        let service = try ServiceFixture(options: { $0.identityFailures.freeFailures = 3 })
        for index in 0..<4 {
            #expect(
                await service.connect("origin", "guess", address: "192.0.2.\(index):1").code == .badUserNameOrPassword
            )
        }
        let waiting = await service.connect("origin", "originPassword", address: "198.51.100.1:1")
        #expect(waiting.explanation == "too many failed logins for this user name; try again in 1 s")
        #expect(await service.connect("both", "ofTheClient", address: "198.51.100.1:1").principal != nil)
        let later = await service.connect(
            "origin",
            "originPassword",
            address: "198.51.100.1:1",
            now: ServiceFixture.now + 1000,
        )
        #expect(later.principal != nil)
    }

    @Test func `guesses at one device do not keep the others of its key out`() async throws {
        let service = try ServiceFixture(options: { $0.identityFailures.freeFailures = 0 })
        _ = await guess(service, "GID_apus@@@victim", "192.0.2.1:1")
        let victim = "GID_apus@@@victim"
        let right = ServiceFixture.signature("apusSecretKey0001", victim)
        #expect(await guess(service, victim, "198.51.100.1:1", right).code == .connectionRateExceeded)
        #expect(
            await guess(
                service,
                ServiceFixture.clientID,
                "198.51.100.1:1",
                ServiceFixture.signature("apusSecretKey0001")
            )
            .principal != nil
        )
    }
}
