internal import ApusCrypto

/// What is wrong with a login as far as its form shows it (apsaramq-facts 2.2); no sentence repeats a secret.
struct LoginDiagnosis {
    var clientID: String
    var userName: String?
    var password: String?
    /// The instance that the broker has looked in, where it has told that and the user name does not.
    var decidedInstance: String?

    /// The modes of the service, as a user name begins.
    private static let modes = ["Signature", "Token", "DeviceCredential"]

    /// Sentences about user name and password, the most telling first; empty when their form is right.
    ///
    /// None about the client id: a broker that minds its form looks at it first, and gives another reason.
    var complaints: [String] { [userNameComplaint, passwordComplaint].compactMap(\.self) }

    /// What to look at when the form is right and the broker finds user name or password wrong all the same.
    var suspicions: [String] {
        switch mode {
        case "Signature":
            [
                "the form is right, so the password was made with another secret or for another client id, or there is "
                    + "no such key: compute it anew with `apus credential password --mode signature`"
            ]
        case "DeviceCredential":
            [
                "the form is right; perhaps the credential was refreshed or removed, or is of another client id: "
                    + "`apus credential show`, then `apus credential password --mode device`"
            ]
        case "Token":
            ["the form is right, so a token is cut, or was not issued by this service: `apus token query`"]
        default:
            [
                "a user name without '|' is one of the custom identities of the instance (`apus identity list`), or of the "
                    + "password file where the profile is standard; the instance that was asked knows no such one, or with "
                    + "another secret",
                "with sign mode SIGNED the password of a custom identity is Base64(HMAC-SHA1(secret, client id))",
            ]
        }
    }

    /// The parts of a user name of the service's own modes; nil when it is another or not complete.
    var ofService: (accessKeyID: String, instance: String)? {
        guard let mode, Self.modes.contains(mode), parts.count == 3, !parts[1].isEmpty, !parts[2].isEmpty else {
            return nil
        }
        return (String(parts[1]), String(parts[2]))
    }

    private var parts: [Substring] {
        (userName ?? "").split(separator: "|", omittingEmptySubsequences: false)
    }

    private var mode: String? { parts.count > 1 ? String(parts[0]) : nil }

    // MARK: - User name

    private var userNameComplaint: String? {
        let form = "MODE|ACCESS_KEY_ID|INSTANCE_ID, as Signature|LTAI…|post-cn-…"
        guard let userName, !userName.isEmpty else { return "there is no user name; give \(form) with --username" }
        if userName.contains(where: \.isWhitespace) { return "the user name holds a space or a line end" }
        guard let mode else {
            let prefix = Self.modes.first { userName.lowercased().hasPrefix($0.lowercased()) }
            return prefix.map { "the user name begins with \($0), but its parts are not separated by '|': \(form)" }
        }
        guard Self.modes.contains(mode) else {
            if let meant = Self.modes.first(where: { $0.lowercased() == mode.lowercased() }) {
                return "the mode in the user name is spelt \(meant), with its capital letters"
            }
            return "the user name begins with '\(mode)|', which is none of \(Self.modes.joined(separator: ", "))"
        }
        guard parts.count == 3 else {
            return "the user name has \(parts.count) parts between '|', and 3 are needed: \(form)"
        }
        if parts[1].isEmpty { return "the access key id in the user name is empty: \(form)" }
        if parts[2].isEmpty { return "the instance id in the user name is empty: \(form)" }
        if mode == "Signature", parts[1].hasPrefix("DC.") {
            return "the key id begins with DC. as those of devices do; then the mode is DeviceCredential"
        }
        return nil
    }

    // MARK: - Password

    private var passwordComplaint: String? {
        guard let password, !password.isEmpty else { return "there is no password" }
        switch mode {
        case "Signature", "DeviceCredential": return digestComplaint(password)
        case "Token": return tokenComplaint(password)
        default: return nil
        }
    }

    /// Base64 of 20 bytes is 28 characters, the last of them '='.
    private func digestComplaint(_ password: String) -> String? {
        let needed = "the password is Base64(HMAC-SHA1(secret, client id)), 28 characters that end with '='"
        if password.contains(where: \.isWhitespace) { return "the password holds a space or a line end; \(needed)" }
        if password.utf8.count == 40, password.allSatisfy(\.isHexDigit) {
            return "the password is hexadecimal; encode the 20 bytes of the HMAC as Base64 instead"
        }
        if password.contains("-") || password.contains("_") {
            let standard = String(password.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
            if Base64.decode(standard)?.count == 20 {
                return "the password is in the URL-safe alphabet of Base64; the standard one, with + and /, is needed"
            }
        }
        switch Base64.decode(password)?.count {
        case 20: return nil
        case 16: return "the password is a digest of 16 bytes, as of MD5; HMAC-SHA1 is needed"
        case 32: return "the password is a digest of 32 bytes, as of SHA-256; HMAC-SHA1 is needed"
        case 40: return "the password is Base64 of the hexadecimal text; encode the 20 bytes of the HMAC themselves"
        default:
            if Base64.decode(password + "=")?.count == 20 { return "the '=' at the end of the password is missing" }
            return "\(needed); this looks like something else, perhaps the secret itself"
        }
    }

    private func tokenComplaint(_ password: String) -> String? {
        let form = "the password of the mode Token is TYPE|TOKEN, or R|TOKEN|W|TOKEN"
        let parts = password.split(separator: "|", omittingEmptySubsequences: false)
        guard parts.count.isMultiple(of: 2), !parts.contains("") else { return form }
        var types: Set<Substring> = []
        for index in stride(from: 0, to: parts.count, by: 2) {
            let type = parts[index]
            if type == "R,W" { return "in a password the type of a token for both is RW, not R,W" }
            guard ["R", "W", "RW"].contains(type) else { return "\(form), where TYPE is R, W or RW" }
            guard types.insert(type).inserted else { return "\(form); type \(type) comes twice" }
        }
        return nil
    }
}
