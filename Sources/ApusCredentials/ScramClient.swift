internal import ApusCrypto

/// Why a client gives up a SCRAM exchange.
package enum ScramClientError: Error, Equatable {
    /// The server's message breaks the protocol; the text says how.
    case malformed(String)
    /// The server reports an error (`e=` of its last message).
    case serverReported(String)
    /// The server does not know the password either: it is not the one that we meant.
    case serverNotAuthentic
}

/// The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding.
///
/// `first` goes into CONNECT, the answer of `challenged` into AUTH, and `finished` must not throw before anything that
/// the server says is believed.
package struct ScramClient: Sendable {
    private enum State {
        case sentFirst
        case sentFinal(serverSignature: [UInt8])
        case ended
    }

    private let password: [UInt8]
    private let nonce: String
    private let bare: String
    private var state = State.sentFirst

    /// - Parameter nonce: Fresh random text, printable and without commas.
    package init(userName: String, password: [UInt8], nonce: String) {
        precondition(ScramMessage.isNonce(nonce[...]))
        self.password = password
        self.nonce = nonce
        bare = "n=\(ScramMessage.encodedName(userName)),r=\(nonce)"
    }

    /// The client's first message.
    package var first: [UInt8] { Array("n,,\(bare)".utf8) }

    /// Answers the server's challenge; slow, because this is where the password is hashed.
    package mutating func challenged(_ data: [UInt8]) throws(ScramClientError) -> [UInt8] {
        guard case .sentFirst = state else { throw .malformed("a second challenge") }
        state = .ended
        guard var message = ScramMessage(data) else { throw .malformed("the challenge is too long or not UTF-8") }
        guard let fullNonce = message.next("r"), ScramMessage.isNonce(fullNonce), fullNonce.hasPrefix(nonce),
            fullNonce.utf8.count > nonce.utf8.count
        else { throw .malformed("the challenge does not continue our nonce") }
        guard let saltText = message.next("s"), let salt = Base64.decode(saltText), !salt.isEmpty else {
            throw .malformed("the challenge has no salt")
        }
        // The upper bound keeps a hostile server from holding us for hours.
        guard let iterations = smallNumber(message.nextField(), after: "i="),
            ScramVerifier.acceptableIterations.contains(iterations)
        else { throw .malformed("the challenge has no acceptable iteration count") }
        let keys: ScramKeys
        do {
            keys = try ScramKeys(password: password, salt: salt, iterations: iterations)
        } catch {
            throw .malformed("\(error)")
        }
        let withoutProof = "c=biws,r=\(fullNonce)"
        let signed = Array("\(bare),\(message.text),\(withoutProof)".utf8)
        let proof = exclusiveOr(keys.clientKey, HMAC.sha256(key: keys.storedKey, signed))
        state = .sentFinal(serverSignature: HMAC.sha256(key: keys.serverKey, signed))
        return Array("\(withoutProof),p=\(Base64.encode(proof))".utf8)
    }

    /// Checks the server's last message.
    package mutating func finished(_ data: [UInt8]) throws(ScramClientError) {
        guard case .sentFinal(let expected) = state else { throw .malformed("the server ended the exchange too early") }
        state = .ended
        guard var message = ScramMessage(data) else { throw .malformed("the last message is too long or not UTF-8") }
        let field = message.nextField()
        if field.hasPrefix("e=") { throw .serverReported(String(field.dropFirst(2))) }
        guard field.hasPrefix("v="), let signature = Base64.decode(field.dropFirst(2)) else {
            throw .malformed("the last message has no signature")
        }
        guard constantTimeEqual(signature, expected) else { throw .serverNotAuthentic }
    }
}
