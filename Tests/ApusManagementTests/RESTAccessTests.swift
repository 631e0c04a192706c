import ApusCrypto
import ApusResources
import HTTPTypes
import Testing

@testable import ApusManagement

/// Who is let in to the REST API.
@Suite("Access to the REST API")
struct RESTAccessTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    @Test(arguments: ["Basic", "Basic ###", "Basic YQ==", "Bearer x", "ACS3-HMAC-SHA256 x"])
    func `a header that makes no sense is refused`(header: String) async {
        let request = APIRequest(method: .get, target: "/api/v1/instances", headers: [.authorization: header])
        #expect(await fixture.send(request).status == 401)
    }

    @Test func `a secret in clear is not taken from afar`() async {
        var headers: HTTPFields = [:]
        headers[.authorization] = "Basic " + Base64.encode(Array("\(Fixture.admin.id):\(Fixture.admin.secret)".utf8))
        var request = APIRequest(method: .get, target: "/api/v1/instances", headers: headers)
        request.peer = .init(address: "192.0.2.1:5000", isLoopback: false)
        let answer = await fixture.send(request)
        #expect(answer.status == 401)
        #expect(answer.message.contains("ACS3-HMAC-SHA256"))
    }

    /// A GET with an ACS3 signature.
    private func signed(_ target: String, _ key: Fixture.Key, nonce: String) -> APIRequest {
        var request = APIRequest(method: .get, target: target)
        let hash = Hex.encode(Digest.sha256([]))
        let signed = [
            ("host", "localhost"), ("x-acs-content-sha256", hash), ("x-acs-date", UTCTime.text(fixture.now)),
            ("x-acs-signature-nonce", nonce),
        ]
        let lines = signed.map { "\($0.0):\($0.1)\n" }.joined()
        let names = signed.map(\.0).joined(separator: ";")
        let canonical = "GET\n\(request.path)\n\(request.query)\n\(lines)\n\(names)\n\(hash)"
        let text = "ACS3-HMAC-SHA256\n" + Hex.encode(Digest.sha256(Array(canonical.utf8)))
        let signature = Hex.encode(HMAC.sha256(key: Array(key.secret.utf8), Array(text.utf8)))
        for (name, value) in signed.dropFirst() { request.headers[HTTPField.Name(name)!] = value }
        request.headers[.authorization] =
            "ACS3-HMAC-SHA256 Credential=\(key.id),SignedHeaders=\(names),Signature=\(signature)"
        return request
    }

    @Test func `a signature works from everywhere, once`() async throws {
        var request = signed("/api/v1/instances?limit=1", Fixture.data, nonce: "n1")
        request.peer = .init(address: "192.0.2.1:5000", isLoopback: false)
        #expect(await fixture.send(request).status == 200)
        #expect(await fixture.send(request).status == 401)
    }

    @Test func `guessing a secret becomes slow, for that key and address only`() async {
        let wrong = Fixture.Key(id: Fixture.admin.id, secret: "wrong")
        for _ in 0..<11 { #expect(await fixture.rest(.get, "/instances", key: wrong).status == 401) }
        let slowed = await fixture.rest(.get, "/instances")
        #expect(slowed.status == 429)
        #expect(slowed.headers[.retryAfter] == "1")
        #expect(await fixture.rest(.get, "/instances", key: Fixture.manager).status == 200)
        fixture.now += 1_000
        #expect(await fixture.rest(.get, "/instances").status == 200)
    }

    @Test func `wrong signatures slow their address down too, for REST and RPC and Basic together`() async {
        func status(_ secret: String, from address: String = "192.0.2.1:5000") async -> Int {
            let key = Fixture.Key(id: Fixture.admin.id, secret: secret)
            var request = signed("/api/v1/instances", key, nonce: "\(secret) \(address) \(fixture.now)")
            request.peer = .init(address: address, isLoopback: false)
            return await fixture.send(request).status
        }
        for _ in 0..<11 { #expect(await status("wrong") == 401) }
        #expect(await status(Fixture.admin.secret) == 429)
        // Another address is let in all the same.
        #expect(await status(Fixture.admin.secret, from: "192.0.2.2:5000") == 200)
        fixture.now += 1_000
        #expect(await status(Fixture.admin.secret) == 200)
    }

    @Test func `Basic is for this machine and for TLS`() async {
        for (isSecure, status) in [(true, 200), (false, 401)] {
            var request = APIRequest(method: .get, target: "/api/v1/instances")
            let basic = Base64.encode(Array("\(Fixture.admin.id):\(Fixture.admin.secret)".utf8))
            request.headers[.authorization] = "Basic \(basic)"
            request.peer = .init(address: "192.0.2.1:5000", isLoopback: false, isSecure: isSecure)
            #expect(await fixture.send(request).status == status)
        }
    }

    @Test func `what is refused before it is tried stands in the audit log too`() async {
        let path = "/instances/\(Fixture.first)/topics"
        #expect(await fixture.rest(.post, path, ["name": "x1y"], key: Fixture.data).status == 403)
        #expect(await fixture.rest(.post, path, ["nome": "x1y"]).status == 400)
        #expect(await fixture.rest(.post, "\(path)?a=b", ["name": "x1y"]).status == 400)
        let entries = await fixture.rest(.get, "/audit").json["items"]?.items ?? []
        let refused = entries.filter { $0["outcome"]?.string != "ok" }.compactMap { $0["outcome"]?.string }
        #expect(refused.sorted() == ["Forbidden", "Invalid", "Invalid"])
    }

    @Test(arguments: ["cross-site", "same-origin", "none", nil])
    func `a page of another site cannot use the login that a browser remembers`(site: String?) async throws {
        var headers: HTTPFields = [.contentType: "application/json"]
        headers[.authorization] = "Basic " + Base64.encode(Array("\(Fixture.admin.id):\(Fixture.admin.secret)".utf8))
        if let site { headers[try #require(HTTPField.Name("Sec-Fetch-Site"))] = site }
        let path = "/api/v1/instances/\(Fixture.first)/groups"
        let body = Array(#"{"id":"GID_fetched"}"#.utf8)
        let answer = await fixture.send(APIRequest(method: .post, target: path, headers: headers, body: body))
        let isRefused = site == "cross-site"
        #expect(answer.status == (isRefused ? 403 : 201))
        #expect(answer.code == (isRefused ? "CrossSite" : nil))
        #expect(answer.message.contains("Sec-Fetch-Site") == isRefused)
        #expect(try fixture.manager.directory.hasGroup(fixture.number(), "GID_fetched") == !isRefused)
        headers[.contentType] = nil
        // What a link leads to is only shown, and no page of another site may read it.
        #expect(await fixture.send(APIRequest(method: .get, target: path, headers: headers)).status == 200)
    }
}
