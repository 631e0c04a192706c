import ApusBroker
import ApusMessage
import Testing

@testable import ApusCredentials

/// é as one character, and as e with a combining accent: for Swift the same text, for MQTT two.
private let composed = "jos\u{E9}"
private let decomposed = "jose\u{301}"

@Suite("Names are compared by their bytes")
struct ExactNameTests {
    @Test func `two users may differ in their bytes only, and each has a password of his own`() async throws {
        #expect(composed == decomposed)
        let folder = try TemporaryFolder()
        let file = PasswordFile(path: folder.file("passwords"))
        try file.setCheaply(composed, "one")
        try file.setCheaply(decomposed, "two")
        #expect(try file.listUsers().count == 2)
        var options = PasswordAuthenticator.Options()
        options.passwordFile = file.path
        let authenticator = try PasswordAuthenticator(options: options)
        func isAccepted(_ user: String, _ password: String) async -> Bool {
            // Of different addresses, so that failures do not count.
            let address = "192.0.2.\(user.utf8.count):\(password.utf8.count)"
            if case .accepted(let principal) = await authenticator.outcome(
                of: request(user, password, address: address)
            ) {
                return principal.userName?.utf8.elementsEqual(user.utf8) == true
            }
            return false
        }
        #expect(await isAccepted(composed, "one"))
        #expect(await isAccepted(decomposed, "two"))
        // The first answers came from the file, these may come from memory.
        #expect(await isAccepted(composed, "one"))
        #expect(await !isAccepted(decomposed, "one"))
        #expect(await !isAccepted(composed, "two"))
        #expect(try file.removeUser(decomposed))
        #expect(try file.listUsers().map { Array($0.utf8) } == [Array(composed.utf8)])
    }

    @Test func `the rights of one are not those of the other`() throws {
        let text = "user \(composed)\ntopic write a\nclient-id \(composed)\ntopic write b\n"
        let rights = ACLAuthorizer(try ACLFile(parsing: text, file: "acl"))
        #expect(rights.mayPublish(Principal(clientID: "c", userName: composed), topic: "a"))
        #expect(!rights.mayPublish(Principal(clientID: "c", userName: decomposed), topic: "a"))
        #expect(rights.mayPublish(Principal(clientID: composed, userName: nil), topic: "b"))
        #expect(!rights.mayPublish(Principal(clientID: decomposed, userName: nil), topic: "b"))
    }

    @Test func `a remembered password is not the other's`() {
        var cache = VerifiedPasswords(capacity: 4)
        cache.insert(composed, tag: [1])
        #expect(cache.contains(composed, tag: [1]))
        #expect(!cache.contains(decomposed, tag: [1]))
    }

    @Test func `a group in a rule is refused even when its slash bears an accent`() {
        for filter in ["$share/g/a", "$share/\u{301}g/a"] {
            #expect(throws: CredentialError.self) { try ACLFile(parsing: "topic read \(filter)\n", file: "acl") }
        }
    }
}

@Suite("The salts of users that do not exist")
struct DecoySaltTests {
    let folder: TemporaryFolder
    let file: PasswordFile

    init() throws {
        folder = try TemporaryFolder()
        file = PasswordFile(path: folder.file("passwords"))
        try file.setCheaply("alice", "a")
        try file.setCheaply("bob", "b")
    }

    /// What a broker that has just started answers to a name.
    private func salt(of user: String) throws -> Substring {
        var options = PasswordAuthenticator.Options()
        options.passwordFile = file.path
        let authenticator = try PasswordAuthenticator(options: options)
        let client = ScramClient(userName: user, password: [1], nonce: "abc")
        var exchange = try #require(
            authenticator.enhancedAuthentication(method: ScramServer.method, request: request())
        )
        guard case .challenge(let data) = exchange.received(client.first) else {
            Issue.record("no challenge")
            return ""
        }
        let fields = String(decoding: data, as: UTF8.self).split(separator: ",")
        return try #require(fields.first { $0.hasPrefix("s=") })
    }

    @Test func `they stay over restarts and changes of other users, as those of users that exist`() throws {
        let (unknown, known) = (try salt(of: "nobody"), try salt(of: "alice"))
        #expect(try salt(of: "nobody") == unknown)
        #expect(try salt(of: "noone") != unknown)
        try file.setCheaply("carol", "c")
        try file.setCheaply("bob", "another")
        #expect(try file.removeUser("carol"))
        #expect(try salt(of: "nobody") == unknown)
        #expect(try salt(of: "alice") == known)
    }

    @Test func `they differ from one password file to the next`() throws {
        let unknown = try salt(of: "nobody")
        #expect(try file.removeUser("alice"))
        #expect(try salt(of: "nobody") != unknown)
    }

    @Test func `a table whose users have SCRAM entries only leaves the choice to the process`() throws {
        let text = "a:\(PasswordFileTests.scram)\n"
        #expect(try PasswordTable(parsing: text, file: "passwords").decoyKey == nil)
        #expect(try PasswordTable(parsing: "b:\(PasswordFileTests.scrypt)\n\(text)", file: "passwords").decoyKey != nil)
    }
}
