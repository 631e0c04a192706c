/// The values of the handshake; the hash between them is SHA-1, which the caller has to supply.
///
/// ```
/// let digest = sha1(Handshake.acceptInput(key: request.key))
/// let accept = Handshake.acceptValue(digest: digest)
/// ```
public enum Handshake {
    /// What to hash: the key as it came, and the identifier that RFC 6455 fixes.
    public static func acceptInput(key: [UInt8]) -> [UInt8] {
        key + Array("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)
    }

    /// The `Sec-WebSocket-Accept` value, from the 20 bytes of the hash of ``acceptInput(key:)``.
    public static func acceptValue(digest: [UInt8]) -> [UInt8] {
        Base64.encoded(digest)
    }

    /// The `Sec-WebSocket-Key` value of a client, from 16 random bytes.
    public static func key(nonce: [UInt8]) -> [UInt8] {
        precondition(nonce.count == 16, "a key is made of 16 bytes")
        return Base64.encoded(nonce)
    }
}
