import ApusCrypto
import HTTPTypes

@testable import ApusManagement

/// Signs as clients do (apsaramq-facts 5.2, 5.3); written apart from what checks it.
enum Signer {
    static func acs3(
        _ action: String,
        _ parameters: [String: String],
        _ key: Fixture.Key,
        version: String,
        method: HTTPRequest.Method,
        _ stamp: String,
        _ nonce: String,
        inForm: Bool,
    ) -> APIRequest {
        let pairs = encoded(parameters)
        let body = inForm ? Array(pairs.utf8) : []
        let hash = Hex.encode(Digest.sha256(body))
        var signed = [
            ("host", "localhost"), ("x-acs-action", action), ("x-acs-content-sha256", hash), ("x-acs-date", stamp),
            ("x-acs-signature-nonce", nonce), ("x-acs-version", version),
        ]
        if inForm { signed.insert(("content-type", "application/x-www-form-urlencoded"), at: 0) }
        var canonical = "\(method.rawValue)\n/\n\(inForm ? "" : pairs)\n"
        for (name, value) in signed { canonical += "\(name):\(value)\n" }
        let names = signed.map(\.0).joined(separator: ";")
        canonical += "\n\(names)\n\(hash)"
        let text = "ACS3-HMAC-SHA256\n" + Hex.encode(Digest.sha256(Array(canonical.utf8)))
        let signature = Hex.encode(HMAC.sha256(key: Array(key.secret.utf8), Array(text.utf8)))
        var headers: HTTPFields = [:]
        for (name, value) in signed.filter({ $0.0 != "host" }) { headers[HTTPField.Name(name)!] = value }
        headers[.authorization] = "ACS3-HMAC-SHA256 Credential=\(key.id),SignedHeaders=\(names),Signature=\(signature)"
        let target = inForm || pairs.isEmpty ? "/" : "/?\(pairs)"
        return APIRequest(method: method, target: target, headers: headers, body: body)
    }

    static func rpc(
        _ action: String,
        _ parameters: [String: String],
        _ key: Fixture.Key,
        version: String,
        method: HTTPRequest.Method,
        _ stamp: String,
        _ nonce: String,
        inForm: Bool,
    ) -> APIRequest {
        var all = parameters
        all["Action"] = action
        all["Version"] = version
        all["Format"] = "json"
        all["Timestamp"] = stamp
        all["SignatureNonce"] = nonce
        all["SignatureMethod"] = "HMAC-SHA1"
        all["SignatureVersion"] = "1.0"
        all["AccessKeyId"] = key.id
        let text = "\(method.rawValue)&%2F&\(PercentEncoding.encode(encoded(all)))"
        let signature = Base64.encode(HMAC.sha1(key: Array("\(key.secret)&".utf8), Array(text.utf8)))
        let common = all.filter { parameters[$0.key] == nil }
        let query = encoded(inForm ? common : all) + "&Signature=\(PercentEncoding.encode(signature))"
        var headers: HTTPFields = [:]
        if inForm { headers[.contentType] = "application/x-www-form-urlencoded" }
        let body = inForm ? Array(encoded(parameters).utf8) : []
        return APIRequest(method: method, target: "/?\(query)", headers: headers, body: body)
    }

    private static func encoded(_ parameters: [String: String]) -> String {
        parameters.sorted { $0.key < $1.key }
            .map { "\(PercentEncoding.encode($0.key))=\(PercentEncoding.encode($0.value))" }
            .joined(separator: "&")
    }
}
