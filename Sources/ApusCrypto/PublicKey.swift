internal import COpenSSL

/// A key that checks signatures of others.
package final class PublicKey: @unchecked Sendable {
    /// What signatures look like (RFC 7518, section 3.1).
    package enum Algorithm: String, Sendable {
        /// RSASSA-PKCS1-v1_5 with SHA-256, 2,048 bits at least.
        case rs256 = "RS256"
        /// ECDSA on P-256 with SHA-256; both numbers of 32 bytes, one after the other.
        case es256 = "ES256"
    }

    package let algorithm: Algorithm
    // Unchecked: a key is not changed after its making, and libcrypto's verification only reads it.
    private let key: OpaquePointer

    /// The key of a PEM text, `-----BEGIN PUBLIC KEY-----`; `nil` when it is none of the two kinds.
    package init?(pem: String) {
        defer { ERR_clear_error() }
        let memory = Owned.copy(of: pem)
        guard let key = PEM_read_bio_PUBKEY(memory.pointer, nil, { _, _, _, _ in -1 }, nil) else { return nil }
        if EVP_PKEY_is_a(key, "RSA") == 1, EVP_PKEY_get_bits(key) >= 2048 {
            algorithm = .rs256
        } else if EVP_PKEY_is_a(key, "EC") == 1, Self.isP256(key) {
            algorithm = .es256
        } else {
            EVP_PKEY_free(key)
            return nil
        }
        self.key = key
    }

    deinit { EVP_PKEY_free(key) }

    /// Whether the signature of the message was made with the private half.
    package func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        defer { ERR_clear_error() }
        guard let signature = algorithm == .es256 ? Self.derSignature(signature) : signature else { return false }
        let context = Owned(EVP_MD_CTX_new(), EVP_MD_CTX_free)
        guard EVP_DigestVerifyInit(context.pointer, nil, EVP_sha256(), nil, key) == 1 else { return false }
        return EVP_DigestVerify(context.pointer, signature, signature.count, message, message.count) == 1
    }

    private static func isP256(_ key: OpaquePointer) -> Bool {
        var name = [CChar](repeating: 0, count: 64)
        var count = 0
        guard EVP_PKEY_get_group_name(key, &name, name.count, &count) == 1 else { return false }
        return name.prefix(count).elementsEqual("prime256v1".utf8.map(CChar.init(bitPattern:)))
    }

    /// An ECDSA signature as libcrypto wants it: a sequence of two integers (RFC 3279, section 2.2.3).
    private static func derSignature(_ numbers: [UInt8]) -> [UInt8]? {
        guard numbers.count == 64 else { return nil }
        let parts = [numbers[..<32], numbers[32...]].map { number -> [UInt8] in
            var digits = Array(number.drop { $0 == 0 })
            // An integer that begins with a set bit would be negative; zero has one digit.
            if digits.first.map({ $0 >= 0x80 }) ?? true { digits.insert(0, at: 0) }
            return [0x02, UInt8(digits.count)] + digits
        }
        return [0x30, UInt8(parts[0].count + parts[1].count)] + parts[0] + parts[1]
    }
}
