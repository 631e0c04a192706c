internal import COpenSSL

/// Keys from passwords; slow on purpose, so never on a shard's thread.
package enum KeyDerivation {
    /// PBKDF2 with HMAC-SHA-256 (RFC 8018).
    ///
    /// - Throws: `CryptoError.keyDerivationFailed` when `iterations` or `count` is not positive.
    package static func pbkdf2SHA256(
        password: [UInt8],
        salt: [UInt8],
        iterations: Int,
        count: Int = 32,
    ) throws(CryptoError) -> [UInt8] {
        guard
            iterations > 0, count > 0,
            let rounds = Int32(exactly: iterations),
            let length = Int32(exactly: count),
            let passwordLength = Int32(exactly: password.count),
            let saltLength = Int32(exactly: salt.count)
        else { throw .keyDerivationFailed("PBKDF2") }
        var key = [UInt8](repeating: 0, count: count)
        let status = password.withUnsafeBytes { password in
            PKCS5_PBKDF2_HMAC(
                // libcrypto takes a null pointer for "no password" whatever the length, which is what an empty one is.
                password.baseAddress?.assumingMemoryBound(to: CChar.self),
                passwordLength,
                salt,
                saltLength,
                rounds,
                EVP_sha256(),
                length,
                &key,
            )
        }
        guard status == 1 else { throw .keyDerivationFailed("PBKDF2") }
        return key
    }

    /// scrypt (RFC 7914) with N = 2^`logCost`; takes about `128 × blockSize × 2^logCost` bytes while it runs.
    ///
    /// - Throws: `CryptoError.keyDerivationFailed` for parameters outside RFC 7914, or that need over 512 MiB.
    package static func scrypt(
        password: [UInt8],
        salt: [UInt8],
        logCost: Int,
        blockSize: Int,
        parallelism: Int,
        count: Int = 32,
    ) throws(CryptoError) -> [UInt8] {
        guard (1...30).contains(logCost), (1...1024).contains(blockSize), (1...1024).contains(parallelism), count > 0
        else { throw .keyDerivationFailed("scrypt") }
        var key = [UInt8](repeating: 0, count: count)
        let status = password.withUnsafeBytes { password in
            EVP_PBE_scrypt(
                password.baseAddress?.assumingMemoryBound(to: CChar.self),
                password.count,
                salt,
                salt.count,
                UInt64(1) << UInt64(logCost),
                UInt64(blockSize),
                UInt64(parallelism),
                512 << 20,
                &key,
                count,
            )
        }
        // A refusal leaves an entry in the thread's error queue, where the next TLS call would find it.
        ERR_clear_error()
        guard status == 1 else { throw .keyDerivationFailed("scrypt") }
        return key
    }
}
