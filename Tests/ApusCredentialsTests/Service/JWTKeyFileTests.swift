import ApusCrypto
import Foundation
import Testing

@testable import ApusCredentials

@Suite("Files of keys for JSON Web Tokens")
struct JWTKeyFileTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static let secret = String(repeating: "s", count: 32)

    @Test(arguments: [secret, secret + "\n", secret + "\r\n"])
    func `a secret is the file without a line break at its end`(text: String) throws {
        guard case .hs256(let bytes) = try JWTVerifier.Key.secret(file: try folder.write(text, to: "secret")) else {
            Issue.record("another kind")
            return
        }
        #expect(bytes == Array(Self.secret.utf8))
    }

    @Test func `a secret may have any bytes`() throws {
        let bytes = (0..<40).map { UInt8(truncatingIfNeeded: 0xE0 + $0) }
        let path = folder.file("secret")
        try Data(bytes).write(to: URL(filePath: path))
        guard case .hs256(let read) = try JWTVerifier.Key.secret(file: path) else {
            Issue.record("another kind")
            return
        }
        #expect(read == bytes)
    }

    @Test(arguments: [("", 0), ("short\n", 5), (String(repeating: "s", count: 31) + "\n", 31)])
    func `a short secret is refused`(text: String, count: Int) throws {
        let path = try folder.write(text, to: "secret")
        let words = explanation { () throws(CredentialError) in _ = try JWTVerifier.Key.secret(file: path) }
        #expect(words == "\(path): the secret has \(count) bytes; HS256 needs 32 at least")
    }

    @Test(arguments: JWTVectors.all)
    func `a public key of each kind is read`(vector: JWTVectors.Vector) throws {
        let path = try folder.write(vector.pem, to: "key.pem")
        guard case .publicKey(let key) = try JWTVerifier.Key.publicKey(file: path) else {
            Issue.record("another kind")
            return
        }
        #expect(key.algorithm == vector.algorithm)
    }

    @Test(arguments: [
        ("", "it must hold `-----BEGIN PUBLIC KEY-----`"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "this is a private key"),
    ])
    func `what is no public key is refused, with what to do`(text: String, advice: String) throws {
        let path = try folder.write(text, to: "key.pem")
        let words = explanation { () throws(CredentialError) in _ = try JWTVerifier.Key.publicKey(file: path) }
        #expect(words?.hasPrefix("\(path): no public key was found: \(advice)") == true, "\(words ?? "")")
    }

    @Test func `a file that is not there is named`() {
        let path = folder.file("none")
        let words = explanation { () throws(CredentialError) in _ = try JWTVerifier.Key.secret(file: path) }
        #expect(words == "\(path): does not exist")
    }
}
