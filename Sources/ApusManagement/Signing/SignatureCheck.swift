internal import ApusCrypto
internal import ApusResources

/// Decides whether a signed request comes from whom it says, and for the first time.
struct SignatureCheck: Sendable {
    private static let shownCharacters = 4_096

    let directory: ResourceDirectory
    let nonces = NonceTable()
    /// Wrong secrets in whatever form: devices log in with the same ones.
    let guesses = GuessTable()

    /// The key that signed the text.
    ///
    /// - Parameter address: who sent it, with port.
    func key(of signed: SignedText, from address: String, now: Int64) throws(SignatureError) -> AccessKey {
        let pause = guesses.pause(for: address, keyID: signed.keyID, now: now)
        guard pause == 0 else {
            let seconds = (pause + 999) / 1_000
            throw SignatureError(.slowed(seconds: seconds), GuessTable.message(seconds))
        }
        guard let key = directory.accessKey(id: signed.keyID) else {
            throw SignatureError(.unknownKey, "there is no access key '\(excerpt(signed.keyID))'")
        }
        guard key.isEnabled else {
            throw SignatureError(.disabledKey, "the access key '\(key.id)' is disabled; an administrator can enable it")
        }
        guard verifies(signed, secret: key.secret) else {
            guesses.recordFailure(of: address, keyID: key.id, now: now)
            throw mismatch(signed)
        }
        guard abs(signed.time - now) <= NonceTable.window else {
            throw SignatureError(
                .expired,
                "the request is of \(UTCTime.text(signed.time)), here it is \(UTCTime.text(now)); "
                    + "at most 15 minutes may lie between them, so check the clock",
            )
        }
        guard !signed.nonce.isEmpty, signed.nonce.utf8.count <= 256 else {
            throw SignatureError(.malformed, "the signature nonce must have 1 to 256 characters")
        }
        switch nonces.use(signed.nonce, of: key.id, time: signed.time, now: now) {
        case .new: return key
        case .used:
            throw SignatureError(
                .replayed,
                "the signature nonce '\(excerpt(signed.nonce))' was used before; each request needs a new one",
            )
        case .lost:
            throw SignatureError(
                .overflow,
                "the access key '\(key.id)' has signed more requests within 15 minutes than the server keeps nonces of, so "
                    + "the request of \(UTCTime.text(signed.time)) cannot be told from a replay; slow down",
            )
        }
    }

    private func verifies(_ signed: SignedText, secret: String) -> Bool {
        let text = Array(signed.stringToSign.utf8)
        switch signed.style {
        case .acs3:
            guard let given = Hex.decode(signed.signature) else { return false }
            return constantTimeEqual(HMAC.sha256(key: Array(secret.utf8), text), given)
        case .rpc:
            guard let given = Base64.decode(signed.signature) else { return false }
            return constantTimeEqual(HMAC.sha1(key: Array("\(secret)&".utf8), text), given)
        }
    }

    private func mismatch(_ signed: SignedText) -> SignatureError {
        var message = "the signature is not the one of this request under the secret of the access key; "
        message += "the server's string to sign is:\n\(Self.shown(signed.stringToSign))"
        if !signed.canonicalRequest.isEmpty {
            message += "\nwhich is of the canonical request:\n\(Self.shown(signed.canonicalRequest))"
        }
        return SignatureError(.mismatch, message)
    }

    private static func shown(_ text: String) -> String {
        text.utf8.count <= shownCharacters ? text : "\(text.prefix(shownCharacters))… (cut)"
    }
}
