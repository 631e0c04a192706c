import ArgumentParser
import MQTTCodec
import Testing

@testable import apus

@Suite("Advice of the doctor")
struct LoginAdviceTests {
    private static let signed = LoginDiagnosis(
        clientID: "GID_shop@@@1",
        userName: "Signature|LTAIkey|post-cn-1",
        password: "TTUDnFAGAWvlbA0Q6lx26lLGch8="
    )

    private func lines(_ code: ReasonCode, _ sentence: String?, _ login: LoginDiagnosis = signed) -> String {
        LoginAdvice(login: login, code: code, sentence: sentence).lines.joined(separator: "\n")
    }

    /// The sentences that the broker tells a client whose proof is right.
    @Test(arguments: [
        (
            ReasonCode.notAuthorized,
            "group `GID_shop` does not exist in instance `post-cn-1`; create it with CreateGroupId or use a client id of another group",
            "apus group create GID_shop -I post-cn-1"
        ),
        (
            .notAuthorized, "access key `LTAIkey` is disabled; enable it or use another",
            "apus key change LTAIkey --enable-key"
        ),
        (.notAuthorized, "access key `LTAIkey` is of another account than instance `post-cn-1`", "key of the account"),
        (.notAuthorized, "the instance takes no connections", "apus instance change post-cn-1 --state running"),
        (.notAuthorized, "instance `post-cn-1` is stopped; start it or use another", "--state running"),
        (
            .notAuthorized, "the RW token expired at 1 (Unix ms); apply for a new one with ApplyToken",
            "apus token issue TOPIC"
        ),
        (.notAuthorized, "the R token was revoked; apply for a new one with ApplyToken", "apus token issue TOPIC"),
        (
            .notAuthorized, "device access key `DC.1` is bound to client id `a`, not `b`",
            "apus credential show GID_shop@@@1"
        ),
        (.notAuthorized, "instance `post-cn-1` demands a client certificate, and there is none", "--cert"),
        (.banned, "this client id is banned", "apus ban lift GID_shop@@@1 -I post-cn-1"),
        (.clientIdentifierNotValid, "the client id is in use since 3 s by another connection", "apus client show"),
        (.clientIdentifierNotValid, "the client id belongs to a session of another user", "apus session end"),
        (.quotaExceeded, "the instance is at its limit connections of 3", "apus instance show post-cn-1"),
        (.connectionRateExceeded, "too many failed logins from this address; try again in 4 s", "wait"),
    ])
    func `advice follows from the reason`(code: ReasonCode, sentence: String, expected: String) {
        let found = lines(code, sentence)
        #expect(found.contains(expected))
        #expect(!found.contains("another secret") && !found.contains("client trace"))
    }

    @Test(arguments: [
        (ReasonCode.notAuthorized, "the client certificate does not verify: expired"),
        (.notAuthorized, "a sentence of another broker"), (.quotaExceeded, "so it is"),
        (.useAnotherServer, "over there"),
    ])
    func `there is none where nothing can be told`(code: ReasonCode, sentence: String) {
        #expect(lines(code, sentence).isEmpty)
    }

    @Test func `a password that is wrong is doubted, and the trace knows more`() {
        let found = lines(.badUserNameOrPassword, "the user name or password is wrong")
        #expect(found.contains("another secret") && found.contains("apus client trace GID_shop@@@1 -I post-cn-1"))
        var login = Self.signed
        login.userName = "signature|LTAIkey|post-cn-1"
        let other = lines(.badUserNameOrPassword, "the user name or password is wrong", login)
        #expect(other.contains("spelt Signature") && !other.contains("another secret"))
    }

    @Test func `the instance that has decided is named, with the way to another`() {
        var login = Self.signed
        login.userName = "alice"
        let told = "the user name or password is wrong; instance `local` has decided"
        let found = lines(.badUserNameOrPassword, told, login)
        #expect(found.contains("instance local was asked") && found.contains("`instance: ID`"))
        #expect(found.contains("apus client trace GID_shop@@@1 -I local"))
        let required = lines(
            .notAuthorized,
            "a user name and password are required; instance `local` has decided",
            login
        )
        #expect(required.contains("instance local was asked"))
        #expect(!lines(.badUserNameOrPassword, "the user name or password is wrong").contains("was asked"))
    }

    @Test func `a client id that the broker does not mind is no matter`() {
        let login = LoginDiagnosis(clientID: "till-1", userName: "alice", password: "x")
        #expect(!lines(.badUserNameOrPassword, "the user name or password is wrong", login).contains("@@@"))
        let refused = lines(.clientIdentifierNotValid, "client id `till-1` has no `@@@`", login)
        #expect(refused.contains("GID_shop@@@till-1"))
    }

    @Test(arguments: [ReasonCode.badUserNameOrPassword, .notAuthorized, .clientIdentifierNotValid, .serverUnavailable])
    func `without a sentence MQTT 5 is the first advice`(code: ReasonCode) {
        let found = lines(code, nil)
        #expect(found.contains("-V 5") || code == .badUserNameOrPassword)
        #expect(found.contains("another secret") == (code == .badUserNameOrPassword))
    }

    @Test func `what a shell would read is quoted`() {
        #expect(CommandWord.text("GID_shop@@@1") == "GID_shop@@@1")
        #expect(CommandWord.text("a b") == "'a b'")
        #expect(CommandWord.text("it's $x") == #"'it'\''s $x'"#)
        #expect(CommandWord.text("") == "''")
    }

    @Test(arguments: [
        ("HTTP/1.1 400 Bad Request\r\n", 400), ("HTTP/1.0 200\r\n", 200), ("HTTP/1.1", nil), ("\u{20}\u{2}", nil),
        ("", nil),
    ])
    func `an answer by HTTP is known by its first line`(text: String, status: Int?) {
        #expect(BrokerProbe.httpStatus(Array(text.utf8)) == status)
    }

    // MARK: - Options

    @Test(
        arguments: [
            (["--url", "wss://h:1/x"], "h", 1, true, true, "/x"), (["--url", "ws://h"], "h", 80, false, true, "/mqtt"),
            (["--url", "mqtts://[::1]:9"], "::1", 9, true, false, "/mqtt"),
            (["--url", "mqtt://h"], "h", 1883, false, false, "/mqtt"),
            (["--host", "h", "--port", "7", "--websocket", "--path", "/y"], "h", 7, false, true, "/y"),
            ([], "127.0.0.1", nil, false, false, "/mqtt"),
        ] as [([String], String, UInt16?, Bool, Bool, String)]
    )
    func `the place is a URL or its parts`(
        arguments: [String],
        host: String,
        port: UInt16?,
        usesTLS: Bool,
        usesWebSocket: Bool,
        path: String,
    ) throws {
        let place = try DoctorCommand.Connect.parse(["-i", "c"] + arguments).place()
        #expect(place.host == host && place.port == port && place.path == path)
        #expect(place.usesTLS == usesTLS && place.usesWebSocket == usesWebSocket)
    }

    @Test(arguments: [
        ["--url", "mqtt://h", "--port", "1"], ["--url", "mqtt://h", "--tls"], ["--url", "http://h"],
        ["--url", "unix:/x"], ["--url", "mqtt://h", "--insecure"], ["--path", "x"],
    ])
    func `options that contradict each other are refused`(arguments: [String]) {
        #expect(throws: (any Error).self) { try DoctorCommand.Connect.parse(["-i", "c"] + arguments) }
    }
}
