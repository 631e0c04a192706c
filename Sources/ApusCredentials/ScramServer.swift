package import ApusBroker
internal import ApusCrypto
internal import ApusMessage
internal import MQTTCodec

/// The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding.
///
///     idle ──client-first──▶ challenged ──client-final──▶ ended
///
/// A user that does not exist is led through the same two steps, with a salt that stays the same for the name, and
/// fails at the end like a wrong password does. Costs three keyed hashes: the slow derivation is the client's.
package struct ScramServer: EnhancedAuthentication {
    /// The authentication method of CONNECT and AUTH.
    package static let method = "SCRAM-SHA-256"

    private struct Exchange {
        var userName: String
        var verifier: ScramVerifier
        /// Why the exchange cannot succeed although it goes on; `nil` for a known user.
        var hopeless: (sentence: String, result: LoginResult)?
        var header: String
        var nonce: String
        /// `client-first-bare,server-first`, the beginning of the text that both sides sign.
        var signedSoFar: String
    }

    private enum State {
        case idle
        case askedForFirst
        case challenged(Exchange)
        case ended
    }

    private let table: PasswordTable
    private let decoyKey: [UInt8]
    private let clientID: String
    private let serverNonce: String
    private var state = State.idle
    package private(set) var claimedUserName: String?
    /// Why it has ended with a refusal; `nil` before.
    private(set) var refusal: LoginResult?

    /// - Parameters:
    ///   - decoyKey: The salts of users that do not exist come from it.
    ///   - serverNonce: Fresh random text, at least 18 bytes' worth, printable and without commas.
    package init(table: PasswordTable, clientID: String, decoyKey: [UInt8], serverNonce: String) {
        precondition(ScramMessage.isNonce(serverNonce[...]))
        self.table = table
        self.clientID = clientID
        self.decoyKey = decoyKey
        self.serverNonce = serverNonce
    }

    package mutating func received(_ data: [UInt8]) -> EnhancedAuthenticationStep {
        switch state {
        case .idle where data.isEmpty:
            // CONNECT named the method only; an empty challenge asks for the client's first message.
            state = .askedForFirst
            return .challenge([])
        case .idle, .askedForFirst:
            return receivedFirst(data)
        case .challenged(let exchange):
            state = .ended
            return receivedFinal(data, exchange)
        case .ended:
            return malformed("a message after the end of the exchange")
        }
    }

    private mutating func receivedFirst(_ data: [UInt8]) -> EnhancedAuthenticationStep {
        state = .ended
        guard var message = ScramMessage(data) else { return malformed("client-first is too long or not UTF-8") }
        let binding = message.nextField()
        guard binding == "n" || binding == "y" else {
            return malformed(binding.hasPrefix("p=") ? "channel binding is not supported" : "no channel binding flag")
        }
        let identity = message.nextField()
        let bare = message.remainder
        guard !bare.hasPrefix("m=") else { return malformed("an extension that must be understood is not") }
        guard let name = message.next("n"), let userName = ScramMessage.decodedName(name) else {
            return malformed("client-first has no user name")
        }
        claimedUserName = userName
        guard let clientNonce = message.next("r"), ScramMessage.isNonce(clientNonce) else {
            return malformed("client-first has no nonce")
        }
        guard identity.isEmpty || identity == "a=\(name)" else {
            return malformed("acting for another user is not supported")
        }
        let (verifier, hopeless) = verifier(of: userName)
        let nonce = clientNonce + serverNonce
        let challenge = "r=\(nonce),s=\(Base64.encode(verifier.salt)),i=\(verifier.iterations)"
        state = .challenged(
            Exchange(
                userName: userName,
                verifier: verifier,
                hopeless: hopeless,
                header: "\(binding),\(identity),",
                nonce: String(nonce),
                signedSoFar: "\(bare),\(challenge)",
            )
        )
        return .challenge(Array(challenge.utf8))
    }

    private mutating func receivedFinal(_ data: [UInt8], _ exchange: Exchange) -> EnhancedAuthenticationStep {
        guard var message = ScramMessage(data) else { return malformed("client-final is too long or not UTF-8") }
        guard let binding = message.next("c"), binding == Base64.encode(Array(exchange.header.utf8)) else {
            return malformed("client-final repeats another channel binding")
        }
        guard message.next("r") == exchange.nonce[...] else { return malformed("client-final repeats another nonce") }
        // Extensions that need not be understood may stand before the proof, which is always last.
        var proofText = message.nextField()
        while !message.remainder.isEmpty { proofText = message.nextField() }
        guard proofText.hasPrefix("p="), let proof = Base64.decode(proofText.dropFirst(2)), proof.count == 32 else {
            return malformed("client-final has no proof")
        }
        let withoutProof = message.text.utf8.dropLast(proofText.utf8.count + 1)
        let signed = Array(exchange.signedSoFar.utf8) + Array(",".utf8) + withoutProof
        let signature = HMAC.sha256(key: exchange.verifier.storedKey, signed)
        let clientKey = exclusiveOr(proof, signature)
        let isRight = constantTimeEqual(Digest.sha256(clientKey), exchange.verifier.storedKey)
        guard isRight, exchange.hopeless == nil else {
            refusal = exchange.hopeless?.result ?? .badPassword
            return refused("\(exchange.hopeless?.sentence ?? "wrong password") (user `\(exchange.userName)`)")
        }
        let serverSignature = HMAC.sha256(key: exchange.verifier.serverKey, signed)
        return .accepted(
            Principal(clientID: clientID, userName: exchange.userName),
            data: Array("v=\(Base64.encode(serverSignature))".utf8),
        )
    }

    private func verifier(of userName: String) -> (ScramVerifier, hopeless: (String, LoginResult)?) {
        let entry = table.entries[ExactText(userName)]
        if let scram = entry?.scram { return (scram, nil) }
        let decoy = ScramVerifier(decoyFor: userName, key: decoyKey, iterations: table.decoyIterations)
        guard entry == nil else {
            return (decoy, ("the user has no SCRAM entry; set the password anew", .badPassword))
        }
        return (decoy, ("unknown user", .unknownUser))
    }

    private mutating func malformed(_ reason: String) -> EnhancedAuthenticationStep {
        refusal = .malformed
        return .refused(.notAuthorized, explanation: "SCRAM: \(reason)")
    }

    private func refused(_ reason: String) -> EnhancedAuthenticationStep {
        .refused(.badUserNameOrPassword, explanation: reason, clientExplanation: PasswordAuthenticator.wrongCredentials)
    }
}
