internal import COpenSSL

/// Bytes that nobody can foretell, for salts, nonces and process keys.
///
/// - Throws: `CryptoError.noRandomness`; the caller must give up rather than go on with a weaker source.
package func randomBytes(_ count: Int) throws(CryptoError) -> [UInt8] {
    precondition(count >= 0 && count <= 1 << 20)
    var bytes = [UInt8](repeating: 0, count: count)
    guard RAND_bytes(&bytes, Int32(count)) == 1 else { throw .noRandomness }
    return bytes
}

/// Whether both arrays are equal, in a time that depends on their lengths only.
package func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
}
