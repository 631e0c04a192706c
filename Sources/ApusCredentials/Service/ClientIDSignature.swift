internal import ApusCrypto

/// The password of the modes that sign: `Base64(HMAC-SHA1(secret, client id))` (apsaramq-facts 2.2).
enum ClientIDSignature {
    /// The password of a client.
    static func password(secret: String, clientID: String) -> [UInt8] {
        Array(Base64.encode(HMAC.sha1(key: Array(secret.utf8), Array(clientID.utf8))).utf8)
    }

    /// What is wrong with a password, for the log; `nil` when it is right.
    ///
    /// All comparisons take the same time whatever the bytes. What they find out about a wrong password are the mistakes
    /// that people make; the sentence holds neither the password nor anything of the secret.
    static func mistake(in password: [UInt8], secret: String, clientID: String) -> String? {
        if constantTimeEqual(password, self.password(secret: secret, clientID: clientID)) { return nil }
        return "the signature is wrong: expected Base64(HMAC-SHA1(secret, client id)), 28 characters; "
            + guess(password, Array(secret.utf8), Array(clientID.utf8))
    }

    private static func guess(_ password: [UInt8], _ secret: [UInt8], _ clientID: [UInt8]) -> String {
        let right = HMAC.sha1(key: secret, clientID)
        let text = Array(Base64.encode(right).utf8)
        let blanks: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D, 0x00]
        let trimmed = Array(
            password.prefix(200).drop { blanks.contains($0) }.reversed().drop { blanks.contains($0) }.reversed()
        )
        let urlSafe = text.map {
            $0 == UInt8(ascii: "+") ? UInt8(ascii: "-") : $0 == UInt8(ascii: "/") ? UInt8(ascii: "_") : $0
        }
        let hexadecimal = Hex.encode(right)
        let wrongForms: [([UInt8], String)] = [
            (secret, "this is the secret itself"),
            (text, "this is the signature with blanks or a line end around it"),
            (Array(text.dropLast()), "this is the signature without its padding `=`"),
            (urlSafe, "this is the signature in the URL-safe alphabet"),
            (Array(urlSafe.dropLast()), "this is the signature in the URL-safe alphabet without padding"),
            (Array(hexadecimal.utf8), "this is the signature in hexadecimal"),
            (Array(hexadecimal.uppercased().utf8), "this is the signature in hexadecimal"),
            (
                Array(Base64.encode(Array(hexadecimal.utf8)).utf8),
                "this is Base64 of hexadecimal text, not of the bytes"
            ),
            (right, "these are the bytes of the signature, not their Base64"),
        ]
        let wrongTexts: [([UInt8], String)] = [
            (groupID(of: clientID), "this signs the group id only"),
            (deviceID(of: clientID), "this signs the device id only"),
        ]
        // No early end: how long it takes says nothing about which mistake it is.
        var found: String?
        for (form, sentence) in wrongForms where constantTimeEqual(trimmed, form) { found = found ?? sentence }
        for (part, sentence) in wrongTexts {
            let other = Array(Base64.encode(HMAC.sha1(key: secret, part)).utf8)
            if constantTimeEqual(trimmed, other) { found = found ?? sentence }
        }
        let otherHash = Array(Base64.encode(HMAC.sha256(key: secret, clientID)).utf8)
        if constantTimeEqual(trimmed, otherHash) { found = found ?? "this is HMAC-SHA256" }
        if let found { return found }
        return password.count == text.count
            ? "this one has the right length, so another secret or client id was signed"
            : "this one has \(password.count) bytes"
    }

    private static func separator(in clientID: [UInt8]) -> Int? {
        clientID.indices.first { clientID[$0...].starts(with: "@@@".utf8) }
    }

    private static func groupID(of clientID: [UInt8]) -> [UInt8] {
        separator(in: clientID).map { Array(clientID[..<$0]) } ?? []
    }

    private static func deviceID(of clientID: [UInt8]) -> [UInt8] {
        separator(in: clientID).map { Array(clientID[($0 + 3)...]) } ?? []
    }
}
