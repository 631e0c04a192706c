package import ApusCrypto

/// What a server keeps of a password for SCRAM-SHA-256 (RFC 5802, section 3); it cannot be used to log in.
///
/// Written as `$scram-sha-256$i=10000$<salt>$<StoredKey>$<ServerKey>`, the last three in Base64 with padding.
/// Passwords are taken as their UTF-8 bytes: ASCII is what SASLprep leaves as it is, and other text must reach both
/// sides in the same form.
package struct ScramVerifier: Sendable, Equatable {
    /// What a new password gets: the lower bound of RFC 7677 is 4096.
    package static let standardIterations = 10_000
    static let acceptableIterations = 4096...1_000_000
    static let prefix = "$scram-sha-256$"

    package var iterations: Int
    package var salt: [UInt8]
    package var storedKey: [UInt8]
    package var serverKey: [UInt8]

    /// The verifier of a password.
    package init(password: [UInt8], salt: [UInt8], iterations: Int = standardIterations) throws(CryptoError) {
        let keys = try ScramKeys(password: password, salt: salt, iterations: iterations)
        self.iterations = iterations
        self.salt = salt
        storedKey = keys.storedKey
        serverKey = keys.serverKey
    }

    /// A verifier that nobody can satisfy, for users that do not exist.
    ///
    /// - Parameter key: The same key gives a user name the same salt every time, as a real user has.
    init(decoyFor userName: String, key: [UInt8], iterations: Int) {
        self.iterations = iterations
        salt = Array(HMAC.sha256(key: key, Array(userName.utf8)).prefix(16))
        storedKey = HMAC.sha256(key: key, Array("stored \(userName)".utf8))
        serverKey = HMAC.sha256(key: key, Array("server \(userName)".utf8))
    }

    /// The verifier that the text describes, or what is wrong with the text.
    init(text: Substring) throws(FormatError) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard
            parts.count == 6, parts[0].isEmpty, parts[1] == "scram-sha-256",
            let iterations = smallNumber(parts[2], after: "i=")
        else { throw FormatError("a SCRAM entry is written $scram-sha-256$i=…$<salt>$<StoredKey>$<ServerKey>") }
        guard Self.acceptableIterations.contains(iterations) else {
            throw FormatError("SCRAM iterations must be from 4096 to 1000000")
        }
        guard let salt = Base64.decode(parts[3]), (8...64).contains(salt.count) else {
            throw FormatError("the SCRAM salt is not Base64 of 8 to 64 bytes")
        }
        guard
            let storedKey = Base64.decode(parts[4]), storedKey.count == 32,
            let serverKey = Base64.decode(parts[5]), serverKey.count == 32
        else { throw FormatError("a SCRAM key is not Base64 of 32 bytes") }
        self.iterations = iterations
        self.salt = salt
        self.storedKey = storedKey
        self.serverKey = serverKey
    }

    /// The text of the password file.
    var text: String {
        "$scram-sha-256$i=\(iterations)$\(Base64.encode(salt))$\(Base64.encode(storedKey))$\(Base64.encode(serverKey))"
    }
}

/// The keys that SCRAM derives from a password (RFC 5802, section 3).
struct ScramKeys {
    var clientKey: [UInt8]
    var storedKey: [UInt8]
    var serverKey: [UInt8]

    init(password: [UInt8], salt: [UInt8], iterations: Int) throws(CryptoError) {
        let salted = try KeyDerivation.pbkdf2SHA256(password: password, salt: salt, iterations: iterations)
        clientKey = HMAC.sha256(key: salted, Array("Client Key".utf8))
        storedKey = Digest.sha256(clientKey)
        serverKey = HMAC.sha256(key: salted, Array("Server Key".utf8))
    }
}
