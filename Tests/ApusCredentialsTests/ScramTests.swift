import ApusBroker
import ApusCrypto
import MQTTCodec
import Testing

@testable import ApusCredentials

@Suite("SCRAM-SHA-256")
struct ScramTests {
    /// The exchange of RFC 7677, section 3.
    enum Vector {
        static let clientNonce = "rOprNGfwEbeRWgbNEkqO"
        static let serverNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
        static let clientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
        static let serverFirst =
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        static let clientFinal =
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        static let serverFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    }

    static func server(_ user: String = "user", password: String = "pencil") throws -> ScramServer {
        let salt = try #require(Base64.decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
        let verifier = try ScramVerifier(password: Array(password.utf8), salt: salt, iterations: 4096)
        let table = try PasswordTable(
            parsing: "\(user):\(verifier.text)\nhashed:\(PasswordFileTests.scrypt)",
            file: "passwords"
        )
        return ScramServer(table: table, clientID: "c", decoyKey: [1, 2, 3], serverNonce: Vector.serverNonce)
    }

    private func text(_ step: EnhancedAuthenticationStep) -> String? {
        switch step {
        case .challenge(let data): String(decoding: data, as: UTF8.self)
        case .accepted(_, let data): String(decoding: data, as: UTF8.self)
        case .refused: nil
        }
    }

    private func reason(_ step: EnhancedAuthenticationStep) -> String? {
        switch step {
        case .refused(.notAuthorized, let explanation, _), .refused(.badUserNameOrPassword, let explanation, _):
            explanation
        default: nil
        }
    }

    @Test func `the server gives the messages of RFC 7677`() throws {
        var server = try Self.server()
        #expect(text(server.received(Array(Vector.clientFirst.utf8))) == Vector.serverFirst)
        #expect(
            server.received(Array(Vector.clientFinal.utf8))
                == .accepted(Principal(clientID: "c", userName: "user"), data: Array(Vector.serverFinal.utf8))
        )
    }

    @Test func `the client gives the messages of RFC 7677`() throws {
        var client = ScramClient(userName: "user", password: Array("pencil".utf8), nonce: Vector.clientNonce)
        #expect(client.first == Array(Vector.clientFirst.utf8))
        #expect(try client.challenged(Array(Vector.serverFirst.utf8)) == Array(Vector.clientFinal.utf8))
        try client.finished(Array(Vector.serverFinal.utf8))
    }

    @Test func `a CONNECT without data is asked for the first message, once`() throws {
        var server = try Self.server()
        #expect(server.received([]) == .challenge([]))
        var again = server
        #expect(reason(again.received([])) == "SCRAM: no channel binding flag")
        #expect(text(server.received(Array(Vector.clientFirst.utf8))) == Vector.serverFirst)
    }

    @Test(arguments: ["user", "a,b=c", "=2C", "Zähler"])
    func `client and server agree for any name`(name: String) throws {
        var server = try Self.server(name, password: "pässwörd")
        var client = ScramClient(userName: name, password: Array("pässwörd".utf8), nonce: "abc")
        let challenge = try #require(text(server.received(client.first)))
        let last = server.received(try client.challenged(Array(challenge.utf8)))
        guard case .accepted(let principal, let data) = last else {
            Issue.record("refused: \(last)")
            return
        }
        #expect(principal.userName == name)
        try client.finished(data)
    }

    @Test(arguments: [
        ("y,,n=user,r=abc", "c=eSws,"), ("n,a=user,n=user,r=abc", "c=bixhPXVzZXIs,"),
        ("n,,n=user,r=abc,x=1", "c=biws,"),
    ])
    func `other permitted first messages are challenged`(first: String, binding: String) throws {
        var server = try Self.server()
        #expect(text(server.received(Array(first.utf8)))?.hasPrefix("r=abc\(Vector.serverNonce),") == true)
        let wrong = "\(binding)r=abc\(Vector.serverNonce),p=\(PasswordFileTests.hash)"
        #expect(reason(server.received(Array(wrong.utf8))) == "wrong password (user `user`)")
    }

    @Test(arguments: [
        ("p=tls-unique,,n=user,r=abc", "channel binding is not supported"),
        ("x,,n=user,r=abc", "no channel binding flag"),
        ("n,a=admin,n=user,r=abc", "acting for another user is not supported"),
        ("n,,m=1,n=user,r=abc", "an extension that must be understood is not"),
        ("n,,r=abc", "client-first has no user name"),
        ("n,,n=,r=abc", "client-first has no user name"),
        ("n,,n=a=b,r=abc", "client-first has no user name"),
        ("n,,n=a=2,r=abc", "client-first has no user name"),
        ("n,,n=user", "client-first has no nonce"),
        ("n,,n=user,r=", "client-first has no nonce"),
        ("n,,n=user,r=a b", "client-first has no nonce"),
        ("n,,n=us\0er,r=abc", "client-first is too long or not UTF-8"),
        ("n,,n=\(String(repeating: "x", count: 5000)),r=abc", "client-first is too long or not UTF-8"),
    ])
    func `a bad first message is refused`(first: String, why: String) throws {
        var server = try Self.server()
        #expect(reason(server.received(Array(first.utf8))) == "SCRAM: \(why)")
        #expect(
            reason(server.received(Array(Vector.clientFirst.utf8))) == "SCRAM: a message after the end of the exchange"
        )
    }

    @Test func `every truncated message is refused, and the exchange is over`() throws {
        for count in 1..<Vector.clientFirst.utf8.count {
            var server = try Self.server()
            let step = server.received(Array(Vector.clientFirst.utf8.prefix(count)))
            // A shorter nonce is a nonce.
            #expect((reason(step) != nil) == (count <= "n,,n=user,r=".utf8.count))
        }
        var challenged = try Self.server()
        _ = challenged.received(Array(Vector.clientFirst.utf8))
        for count in 0..<Vector.clientFinal.utf8.count {
            var server = challenged
            #expect(reason(server.received(Array(Vector.clientFinal.utf8.prefix(count)))) != nil)
            #expect(reason(server.received(Array(Vector.clientFinal.utf8))) != nil)
        }
    }

    @Test func `every flipped bit of the last message is refused`() throws {
        var challenged = try Self.server()
        _ = challenged.received(Array(Vector.clientFirst.utf8))
        let final = Array(Vector.clientFinal.utf8)
        for index in final.indices {
            var server = challenged
            var changed = final
            changed[index] ^= 1
            #expect(reason(server.received(changed)) != nil, "byte \(index)")
        }
    }

    @Test func `a message that arrives twice is refused the second time`() throws {
        var server = try Self.server()
        _ = server.received(Array(Vector.clientFirst.utf8))
        _ = server.received(Array(Vector.clientFinal.utf8))
        #expect(
            reason(server.received(Array(Vector.clientFinal.utf8))) == "SCRAM: a message after the end of the exchange"
        )
    }

    @Test func `an unknown user sees the same exchange with the same salt every time, and fails`() throws {
        var challenges: Set<String> = []
        for _ in 0..<2 {
            var server = try Self.server()
            var client = ScramClient(userName: "nobody", password: [1], nonce: "abc")
            let challenge = try #require(text(server.received(client.first)))
            challenges.insert(challenge)
            let last = server.received(try client.challenged(Array(challenge.utf8)))
            #expect(
                last
                    == .refused(
                        .badUserNameOrPassword,
                        explanation: "unknown user (user `nobody`)",
                        clientExplanation: "the user name or password is wrong",
                    )
            )
        }
        #expect(challenges.count == 1)
        #expect(challenges.first?.hasSuffix(",i=4096") == true)
        #expect(challenges.first?.contains("W22ZaJ0SNY7soEsUEjb6gQ==") == false)
    }

    @Test func `whom the client says to be is known from its first message on`() throws {
        var server = try Self.server()
        #expect(server.claimedUserName == nil)
        let client = ScramClient(userName: "nobody", password: [1], nonce: "abc")
        _ = server.received(client.first)
        #expect(server.claimedUserName == "nobody")
    }

    @Test func `a user without a SCRAM entry looks unknown to the client only`() throws {
        var server = try Self.server()
        var client = ScramClient(userName: "hashed", password: [1], nonce: "abc")
        let challenge = try #require(text(server.received(client.first)))
        let last = server.received(try client.challenged(Array(challenge.utf8)))
        #expect(reason(last) == "the user has no SCRAM entry; set the password anew (user `hashed`)")
    }

    @Test(arguments: [
        "", "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "r=abc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=abcd,s=,i=4096", "r=abcd,s=!,i=4096", "r=abcd,s=AAAA,i=4095", "r=abcd,s=AAAA,i=1000001", "r=abcd,s=AAAA",
        "r=abcd,s=AAAA,i=-1", "m=x,r=abcd,s=AAAA,i=4096",
    ])
    func `the client refuses a bad challenge`(challenge: String) {
        var client = ScramClient(userName: "user", password: [1], nonce: "abc")
        #expect(throws: ScramClientError.self) { try client.challenged(Array(challenge.utf8)) }
        #expect(throws: ScramClientError.self) { try client.challenged(Array("r=abcd,s=AAAA,i=4096".utf8)) }
    }

    @Test func `the client does not believe a server that does not know the password`() throws {
        var challenged = ScramClient(userName: "user", password: Array("pencil".utf8), nonce: Vector.clientNonce)
        #expect(throws: ScramClientError.malformed("the server ended the exchange too early")) {
            var client = challenged
            try client.finished(Array(Vector.serverFinal.utf8))
        }
        _ = try challenged.challenged(Array(Vector.serverFirst.utf8))
        let cases: [(String, ScramClientError)] = [
            ("v=\(PasswordFileTests.hash)", .serverNotAuthentic),
            ("e=invalid-proof", .serverReported("invalid-proof")),
            ("", .malformed("the last message has no signature")),
        ]
        for (message, error) in cases {
            var client = challenged
            #expect(throws: error) { try client.finished(Array(message.utf8)) }
        }
    }
}
