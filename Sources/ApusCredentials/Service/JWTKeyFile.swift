internal import ApusCrypto

// Keys for JWTs in files; the configuration names the files.
extension JWTVerifier.Key {
    /// More than any key has.
    private static let maximumBytes = 64 << 10
    /// Of an HS256 secret (RFC 7518, section 3.2).
    private static let fewestBytes = 32

    /// The secret of HS256: the bytes of the file without a line break at its end.
    package static func secret(file path: String) throws(CredentialError) -> Self {
        var bytes = try CredentialFile.bytes(path, maximumBytes: maximumBytes)
        if bytes.last == UInt8(ascii: "\n") {
            bytes.removeLast()
            if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        }
        guard bytes.count >= fewestBytes else {
            let reason = "the secret has \(bytes.count) bytes; HS256 needs \(fewestBytes) at least"
            throw CredentialError(file: path, reason: reason)
        }
        return .hs256(bytes)
    }

    /// The key of a PEM file: RSA for RS256, P-256 for ES256.
    package static func publicKey(file path: String) throws(CredentialError) -> Self {
        let text = String(decoding: try CredentialFile.bytes(path, maximumBytes: maximumBytes), as: UTF8.self)
        if let key = PublicKey(pem: text) { return .publicKey(key) }
        let advice =
            text.contains("PRIVATE KEY-----")
            ? "this is a private key, which belongs to the issuer alone; `openssl pkey -pubout` writes its public half"
            : "it must hold `-----BEGIN PUBLIC KEY-----`, RSA of 2048 bits at least or P-256"
        throw CredentialError(file: path, reason: "no public key was found: \(advice)")
    }
}
