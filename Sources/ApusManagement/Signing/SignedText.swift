/// A signature as it came, and the text that it must be of.
struct SignedText: Equatable {
    enum Style: Equatable {
        /// `ACS3-HMAC-SHA256`, in headers (apsaramq-facts 5.2).
        case acs3
        /// RPC signature 1.0, HMAC-SHA1, in parameters (apsaramq-facts 5.3).
        case rpc
    }

    var style: Style
    var keyID: String
    /// As sent: hexadecimal digits or Base64.
    var signature: String
    var stringToSign: String
    /// What the string to sign is a hash of; empty for the RPC style.
    var canonicalRequest: String
    var nonce: String
    /// Unix milliseconds.
    var time: Int64
}
