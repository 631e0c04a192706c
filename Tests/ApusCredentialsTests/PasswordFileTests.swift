import ApusMessage
import Testing

@testable import ApusCredentials

@Suite("The password file")
struct PasswordFileTests {
    let folder: TemporaryFolder
    let file: PasswordFile

    init() throws {
        folder = try TemporaryFolder()
        file = PasswordFile(path: folder.file("passwords"))
    }

    @Test func `a password that was set is the only one that matches`() throws {
        try file.setPassword(user: "alice", password: "correct horse")
        let entry = try #require(try file.load().table.entries[ExactText("alice")])
        #expect(entry.scrypt?.cost == .standard)
        #expect(entry.scrypt?.matches(Array("correct horse".utf8)) == true)
        #expect(entry.scrypt?.matches(Array("correct horsf".utf8)) == false)
        #expect(entry.scrypt?.matches([]) == false)
        #expect(entry.scram?.iterations == ScramVerifier.standardIterations)
    }

    @Test func `the file is the owner's only, whatever it was before, and nothing else is left behind`() throws {
        _ = try folder.write("# old\n", to: "passwords", mode: 0o644)
        #expect(try file.load().warnings.count == 1)
        try file.setCheaply("alice", "secret")
        #expect(try folder.mode(of: "passwords") == 0o600)
        #expect(try file.load().warnings.isEmpty)
        #expect(try folder.names == ["passwords"])
    }

    @Test func `the file holds no password`() throws {
        try file.setCheaply("alice", "secret")
        #expect(!(try folder.text(of: "passwords")).contains("secret"))
    }

    @Test func `the same password gets another salt each time`() throws {
        try file.setCheaply("alice", "secret")
        let first = try folder.text(of: "passwords")
        try file.setCheaply("alice", "secret")
        #expect(try folder.text(of: "passwords") != first)
    }

    @Test func `comments and other users survive setting and removing`() throws {
        try file.setCheaply("alice", "a")
        let alice = try folder.text(of: "passwords")
        _ = try folder.write("# the first\r\n\(alice)\n# the second\n", to: "passwords")
        try file.setCheaply("bob", "b")
        #expect(try file.listUsers() == ["alice", "bob"])
        #expect(try file.removeUser("bob"))
        #expect(try folder.text(of: "passwords") == "# the first\n\(alice)\n# the second\n")
        #expect(try !file.removeUser("bob"))
        #expect(try file.removeUser("alice"))
        #expect(try file.listUsers() == [])
    }

    @Test func `a bad file is not rewritten`() throws {
        _ = try folder.write("this is none\n", to: "passwords")
        #expect(throws: CredentialError.self) { try file.setCheaply("alice", "a") }
        #expect(throws: CredentialError.self) { try file.removeUser("alice") }
        #expect(try folder.text(of: "passwords") == "this is none\n")
    }

    @Test(arguments: ["", "a:b", "#a", "a\nb", "a\u{0}", " a", "a ", "\u{7F}", String(repeating: "x", count: 1025)])
    func `a name that would break the file is refused`(name: String) throws {
        #expect(throws: CredentialError.self) { try file.setPassword(user: name, password: "x") }
        #expect(try folder.names == [])
    }

    @Test func `names may hold blanks and any language`() throws {
        try file.setCheaply("Zähler 7 $a", "x")
        #expect(try file.listUsers() == ["Zähler 7 $a"])
    }

    @Test func `an empty password and one that MQTT cannot carry are refused`() throws {
        #expect(throws: CredentialError.self) { try file.setPassword(user: "a", password: "") }
        let long = String(repeating: "x", count: 65_536)
        #expect(throws: CredentialError.self) { try file.setPassword(user: "a", password: long) }
    }

    @Test func `a file that is missing, a folder or no text is an error that names it`() throws {
        #expect(explanation { () throws(CredentialError) in _ = try file.load() } == "\(file.path): does not exist")
        let asFolder = PasswordFile(path: folder.path)
        #expect(
            explanation { () throws(CredentialError) in _ = try asFolder.load() }
                == "\(folder.path): is not a regular file"
        )
        #expect(throws: CredentialError.self) { try file.removeUser("alice") }
    }

    static let salt = "AAECAwQFBgcICQoLDA0ODw=="
    static let hash = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    static let scrypt = "$scrypt$ln=15,r=8,p=1$\(salt)$\(hash)"
    static let scram = "$scram-sha-256$i=4096$\(salt)$\(hash)$\(hash)"

    @Test func `the documented format is read and written again`() throws {
        for line in ["a:\(Self.scrypt)", "a:\(Self.scram)", "a:\(Self.scrypt):\(Self.scram)"] {
            let table = try PasswordTable(parsing: "# comment\n\n\(line)\r\n", file: "passwords")
            let entry = try #require(table.entries[ExactText("a")])
            #expect(PasswordTable.text(of: entry, userName: "a") == line)
        }
    }

    @Test(arguments: [
        ("alice", "no `:` between the user name and its password hash"),
        ("alice:", "neither a $scrypt$ nor a $scram-sha-256$ entry; use `apus password`"),
        (":\(scrypt)", "the user name is empty"),
        ("alice:secret", "neither a $scrypt$ nor a $scram-sha-256$ entry; use `apus password`"),
        ("alice:$6$x$y", "this is a hash of mosquitto_passwd; set the password anew with `apus password`"),
        ("alice:\(scrypt):\(scrypt)", "the same kind of entry stands in the line twice"),
        ("alice:\(scrypt)\nalice:\(scram)", "user `alice` stands in the file twice"),
        ("alice:$scrypt$ln=15,r=8$\(salt)$\(hash)", "the scrypt parameters are written ln=15,r=8,p=1"),
        ("alice:$scrypt$ln=+5,r=8,p=1$\(salt)$\(hash)", "the scrypt parameters are written ln=15,r=8,p=1"),
        ("alice:$scrypt$ln=9,r=8,p=1$\(salt)$\(hash)", "scrypt parameters must need from 1 MiB to 256 MiB"),
        ("alice:$scrypt$ln=20,r=8,p=1$\(salt)$\(hash)", "scrypt parameters must need from 1 MiB to 256 MiB"),
        ("alice:$scrypt$ln=999999999,r=8,p=1$\(salt)$\(hash)", "scrypt parameters must need from 1 MiB to 256 MiB"),
        ("alice:$scrypt$ln=15,r=8,p=1$AAA$\(hash)", "the salt is not Base64 of 8 to 64 bytes"),
        ("alice:$scrypt$ln=15,r=8,p=1$\(salt)$\(salt)", "the hash is not Base64 of 32 bytes"),
        ("alice:$scram-sha-256$i=4095$\(salt)$\(hash)$\(hash)", "SCRAM iterations must be from 4096 to 1000000"),
        (
            "alice:$scram-sha-256$i=4096$\(salt)$\(hash)",
            "a SCRAM entry is written $scram-sha-256$i=…$<salt>$<StoredKey>$<ServerKey>"
        ),
        ("alice:$scram-sha-256$i=4096$\(salt)$\(hash)$\(salt)", "a SCRAM key is not Base64 of 32 bytes"),
    ])
    func `an error names file, line and reason`(text: String, reason: String) {
        let line = text.split(separator: "\n").count + 1
        let found = explanation { () throws(CredentialError) in
            _ = try PasswordTable(parsing: "\n\(text)\n", file: "passwords")
        }
        #expect(found == "passwords:\(line): \(reason)")
    }

    @Test func `all faults of a file are told, and its good lines are users`() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("bob\nalice:\(Self.scrypt)\nalice:\(Self.scrypt)\n:x\n", to: "passwords")
        let (faults, warnings) = try PasswordFile(path: file).examine()
        #expect(faults.first.map(\.line) == [1, 3, 4])
        #expect(faults.count == 3)
        #expect(warnings.count <= 1)
    }

    @Test func `a line cut anywhere is refused or read, and never traps`() {
        let line = "alice:\(Self.scrypt):\(Self.scram)"
        for count in 0..<line.count {
            let table = try? PasswordTable(parsing: String(line.prefix(count)), file: "passwords")
            // Whole are only the empty line and the line without its SCRAM entry.
            #expect((table == nil) == (count != 0 && count != "alice:\(Self.scrypt)".count))
        }
    }
}
