internal import ApusCrypto
internal import HTTPTypes

/// Reads the signature style of current SDKs (apsaramq-facts 5.2).
enum ACS3Signature {
    static let algorithm = "ACS3-HMAC-SHA256"

    /// What must be signed, so that nobody can change it on the way.
    private static let ofEachRequest = ["host", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce"]
    private static let ofActions = ["x-acs-action", "x-acs-version"]

    /// - Parameters:
    ///   - query: the pairs of the query.
    ///   - isAction: whether it is a call of the RPC API, which names its action in headers.
    static func read(
        _ request: APIRequest,
        query: FormParameters,
        isAction: Bool,
    ) throws(SignatureError) -> SignedText {
        let fields = try fields(of: request.headers[.authorization] ?? "")
        let signedHeaders = fields.signedHeaders.split(separator: ";").map(String.init)
        for name in ofEachRequest + (isAction ? ofActions : []) where !signedHeaders.contains(name) {
            throw SignatureError(.malformed, "SignedHeaders lacks '\(name)'; sign all of \(required(isAction))")
        }
        var lines: [String] = []
        for name in signedHeaders {
            guard let value = value(of: name, in: request) else {
                throw SignatureError(.malformed, "SignedHeaders names '\(excerpt(name))', which the request has not")
            }
            lines.append("\(name):\(value)\n")
        }
        if let token = request.header("x-acs-security-token"), !token.isEmpty {
            throw SignatureError(
                .temporaryKey,
                "x-acs-security-token belongs to a temporary key; this service has lasting access keys only",
            )
        }
        let bodyHash = Hex.encode(Digest.sha256(request.body))
        guard request.header("x-acs-content-sha256")?.lowercased() == bodyHash else {
            throw SignatureError(
                .mismatch,
                "x-acs-content-sha256 is not the SHA-256 of the body that came; the right value is \(bodyHash)",
            )
        }
        let date = request.header("x-acs-date") ?? ""
        guard let time = UTCTime.milliseconds(date) else {
            throw SignatureError(.malformed, "x-acs-date is '\(excerpt(date))'; write UTC as 2026-11-22T15:43:16Z")
        }
        let canonicalQuery = query.sorted.map { "\($0.name)=\(PercentEncoding.encode($0.value))" }
        let canonicalRequest = [
            request.method.rawValue, request.path.isEmpty ? "/" : request.path, canonicalQuery.joined(separator: "&"),
            lines.joined(), fields.signedHeaders, bodyHash,
        ].joined(separator: "\n")
        return SignedText(
            style: .acs3,
            keyID: fields.credential,
            signature: fields.signature,
            stringToSign: "\(algorithm)\n\(Hex.encode(Digest.sha256(Array(canonicalRequest.utf8))))",
            canonicalRequest: canonicalRequest,
            nonce: request.header("x-acs-signature-nonce") ?? "",
            time: time,
        )
    }

    private static func required(_ isAction: Bool) -> String {
        (ofEachRequest + (isAction ? ofActions : [])).joined(separator: ", ")
    }

    /// The parts of `ACS3-HMAC-SHA256 Credential=<id>,SignedHeaders=<a;b;c>,Signature=<hex>`.
    private static func fields(
        of header: String,
    ) throws(SignatureError) -> (credential: String, signedHeaders: String, signature: String) {
        var found: [String: String] = [:]
        for part in header.dropFirst(algorithm.count).split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2 else { continue }
            found[String(pair[0].filter { !$0.isWhitespace })] = String(pair[1].filter { !$0.isWhitespace })
        }
        guard let credential = found["Credential"], let headers = found["SignedHeaders"],
            let signature = found["Signature"]
        else {
            throw SignatureError(
                .malformed,
                "the Authorization header is not of the form "
                    + "'\(algorithm) Credential=<access key id>,SignedHeaders=<names>,Signature=<hex>'",
            )
        }
        return (credential, headers, signature)
    }

    private static func value(of name: String, in request: APIRequest) -> String? {
        if name == "host" { return request.host }
        guard let field = HTTPField.Name(name) else { return nil }
        let values = request.headers[values: field]
        return values.isEmpty ? nil : values.map(trimmed).joined(separator: ",")
    }

    private static func trimmed(_ value: String) -> String {
        let blank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        return String(value.drop(while: blank).reversed().drop(while: blank).reversed())
    }
}
