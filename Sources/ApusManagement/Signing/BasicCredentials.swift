internal import ApusCrypto

/// An access key id and secret in clear, as HTTP Basic brings them (RFC 7617).
struct BasicCredentials {
    var keyID: String
    var secret: String

    /// `nil` when the header is none of this scheme, or unreadable.
    init?(_ header: String) {
        let scheme = "basic "
        guard header.prefix(scheme.count).lowercased() == scheme,
            let bytes = Base64.decode(header.dropFirst(scheme.count).filter { !$0.isWhitespace }),
            let text = String(validating: bytes, as: UTF8.self), let colon = text.firstIndex(of: ":")
        else { return nil }
        keyID = String(text[..<colon])
        secret = String(text[text.index(after: colon)...])
    }
}
