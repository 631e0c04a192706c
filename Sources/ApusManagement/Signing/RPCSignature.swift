internal import HTTPTypes

/// Reads the signature style of earlier SDKs, RPC 1.0 (apsaramq-facts 5.3).
enum RPCSignature {
    /// The parameters of the style itself; the rest are the action's.
    static let parameterNames: Set<String> = [
        "AccessKeyId", "Action", "Format", "RegionId", "SecurityToken", "Signature", "SignatureMethod",
        "SignatureNonce", "SignatureType", "SignatureVersion", "Timestamp", "Version",
    ]

    /// - Parameter parameters: those of query and form together.
    static func read(
        _ method: HTTPRequest.Method,
        _ parameters: FormParameters,
    ) throws(SignatureError) -> SignedText {
        func value(_ name: String) throws(SignatureError) -> String {
            guard let value = parameters[name], !value.isEmpty else {
                throw SignatureError(.malformed, "the parameter '\(name)' is missing, which a signed request has")
            }
            return value
        }
        for (name, wanted) in [("SignatureMethod", "HMAC-SHA1"), ("SignatureVersion", "1.0")] {
            let given = try value(name)
            guard given == wanted else {
                throw SignatureError(.malformed, "\(name) is '\(excerpt(given))'; only \(wanted) is known")
            }
        }
        if let token = parameters["SecurityToken"], !token.isEmpty {
            throw SignatureError(
                .temporaryKey,
                "SecurityToken belongs to a temporary key; this service has lasting access keys only",
            )
        }
        let timestamp = try value("Timestamp")
        guard let time = UTCTime.milliseconds(timestamp) else {
            throw SignatureError(
                .malformed,
                "Timestamp is '\(excerpt(timestamp))'; write UTC as 2026-11-22T15:43:16Z",
            )
        }
        let canonical = parameters.sorted
            .filter { $0.name != "Signature" }
            .map { "\(PercentEncoding.encode($0.name))=\(PercentEncoding.encode($0.value))" }
            .joined(separator: "&")
        return SignedText(
            style: .rpc,
            keyID: try value("AccessKeyId"),
            signature: try value("Signature"),
            stringToSign: "\(method.rawValue)&%2F&\(PercentEncoding.encode(canonical))",
            canonicalRequest: "",
            nonce: try value("SignatureNonce"),
            time: time,
        )
    }
}
