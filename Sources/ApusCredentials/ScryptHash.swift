internal import ApusCrypto

/// A password as the password file keeps it: salted and hashed with scrypt (RFC 7914).
///
/// Written as `$scrypt$ln=15,r=8,p=1$<salt>$<hash>`, salt and hash in Base64 with padding.
struct ScryptHash: Sendable, Equatable {
    /// How much work a hash is; about `128 × blockSize × 2^logCost` bytes and as many steps.
    struct Cost: Sendable, Hashable {
        var logCost: Int
        var blockSize: Int
        var parallelism: Int

        /// 32 MiB and about a tenth of a second.
        static let standard = Cost(logCost: 15, blockSize: 8, parallelism: 1)

        /// The work in units of the smallest hash; for comparing only.
        var work: Int { blockSize * parallelism << logCost }

        /// From 1 MiB, because less protects nobody, to 256 MiB, because a login must not be an attack on ourselves.
        var isAcceptable: Bool {
            (4...20).contains(logCost) && (1...32).contains(blockSize) && (1...16).contains(parallelism)
                && (1 << 20...256 << 20).contains(128 * blockSize << logCost)
        }
    }

    static let prefix = "$scrypt$"

    var cost: Cost
    var salt: [UInt8]
    var hash: [UInt8]

    /// The hash of a new password under a fresh salt.
    init(password: [UInt8], cost: Cost = .standard) throws(CryptoError) {
        salt = try randomBytes(16)
        self.cost = cost
        hash = []
        hash = try derive(password)
    }

    /// A hash that no password has, for spending the time that a known user would cost.
    init(decoyWith cost: Cost, salt: [UInt8]) {
        self.cost = cost
        self.salt = salt
        hash = []
    }

    /// The hash that the text describes, or what is wrong with the text.
    init(text: Substring) throws(FormatError) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt" else {
            throw FormatError("a password hash is written $scrypt$ln=…,r=…,p=…$<salt>$<hash>")
        }
        let numbers = parts[2].split(separator: ",", omittingEmptySubsequences: false)
        guard
            numbers.count == 3,
            let logCost = smallNumber(numbers[0], after: "ln="),
            let blockSize = smallNumber(numbers[1], after: "r="),
            let parallelism = smallNumber(numbers[2], after: "p=")
        else { throw FormatError("the scrypt parameters are written ln=15,r=8,p=1") }
        cost = Cost(logCost: logCost, blockSize: blockSize, parallelism: parallelism)
        guard cost.isAcceptable else { throw FormatError("scrypt parameters must need from 1 MiB to 256 MiB") }
        guard let salt = Base64.decode(parts[3]), (8...64).contains(salt.count) else {
            throw FormatError("the salt is not Base64 of 8 to 64 bytes")
        }
        guard let hash = Base64.decode(parts[4]), hash.count == 32 else {
            throw FormatError("the hash is not Base64 of 32 bytes")
        }
        self.salt = salt
        self.hash = hash
    }

    /// The text of the password file.
    var text: String {
        "$scrypt$ln=\(cost.logCost),r=\(cost.blockSize),p=\(cost.parallelism)"
            + "$\(Base64.encode(salt))$\(Base64.encode(hash))"
    }

    /// Whether the password is the one; slow on purpose.
    func matches(_ password: [UInt8]) -> Bool {
        do {
            return constantTimeEqual(try derive(password), hash)
        } catch {
            // Parameters are checked when the file is read, so what failed is memory: then nobody gets in.
            return false
        }
    }

    private func derive(_ password: [UInt8]) throws(CryptoError) -> [UInt8] {
        try KeyDerivation.scrypt(
            password: password,
            salt: salt,
            logCost: cost.logCost,
            blockSize: cost.blockSize,
            parallelism: cost.parallelism,
        )
    }
}

/// What is wrong with one entry of a file; the reader of the file adds name and line.
struct FormatError: Error {
    var reason: String

    init(_ reason: String) { self.reason = reason }
}

/// The decimal number behind a name such as `ln=`: up to nine digits, nothing else.
func smallNumber(_ text: Substring, after name: String) -> Int? {
    guard text.hasPrefix(name) else { return nil }
    let digits = text.dropFirst(name.count)
    guard (1...9).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
        return nil
    }
    return Int(digits)
}
