internal import COpenSSL

/// Hashes of whole byte arrays.
package enum Digest {
    /// SHA-1, 20 bytes: only where a protocol demands it (the WebSocket handshake).
    package static func sha1(_ bytes: [UInt8]) -> [UInt8] {
        hash(bytes, EVP_sha1(), count: 20)
    }

    /// SHA-256, 32 bytes.
    package static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        hash(bytes, EVP_sha256(), count: 32)
    }

    private static func hash(_ bytes: [UInt8], _ algorithm: OpaquePointer?, count: Int) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: count)
        let status = EVP_Digest(bytes, bytes.count, &digest, nil, algorithm, nil)
        // A fixed algorithm over bytes that are there fails only when libcrypto itself is broken.
        precondition(status == 1, "libcrypto has lost a digest")
        return digest
    }
}

/// Keyed hashes (RFC 2104).
package enum HMAC {
    /// HMAC-SHA-1, 20 bytes.
    package static func sha1(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        authenticate(message, key: key, EVP_sha1(), count: 20)
    }

    /// HMAC-SHA-256, 32 bytes.
    package static func sha256(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        authenticate(message, key: key, EVP_sha256(), count: 32)
    }

    private static func authenticate(
        _ message: [UInt8],
        key: [UInt8],
        _ algorithm: OpaquePointer?,
        count: Int,
    ) -> [UInt8] {
        precondition(key.count <= Int(Int32.max), "a key of gigabytes is none of ours")
        var code = [UInt8](repeating: 0, count: count)
        let result = COpenSSL.HMAC(algorithm, key, Int32(key.count), message, message.count, &code, nil)
        precondition(result != nil, "libcrypto has lost a digest")
        return code
    }
}
