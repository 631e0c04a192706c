import ApusResources
import HTTPTypes
import Testing

@testable import ApusManagement

@Suite("Proof of who calls")
struct SignatureTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    @Test(arguments: [SignedText.Style.acs3, .rpc], [false, true])
    func `a signed request is answered, with parameters in query or form`(
        style: SignedText.Style,
        inForm: Bool,
    ) async {
        let answer = await fixture.call("ListGroupId", ["InstanceId": Fixture.first], style: style, inForm: inForm)
        #expect(answer.status == 200)
        #expect(answer.json["Data"]?.items?.first?["GroupId"] == "GID_apus")
    }

    @Test(arguments: [SignedText.Style.acs3, .rpc])
    func `GET works for every action`(style: SignedText.Style) async {
        let answer = await fixture.call("ListInstances", style: style, method: .get)
        #expect(answer.status == 200)
    }

    @Test(arguments: [SignedText.Style.acs3, .rpc])
    func `a wrong secret shows the string to sign and no secret`(style: SignedText.Style) async {
        let key = Fixture.Key(id: Fixture.admin.id, secret: "wrong-secret-1")
        let answer = await fixture.call("ListInstances", key: key, style: style)
        #expect(answer.status == 400)
        #expect(answer.code == "SignatureDoesNotMatch")
        #expect(answer.message.contains(style == .acs3 ? "ACS3-HMAC-SHA256\n" : "POST&%2F&AccessKeyId"))
        #expect(!answer.json.text.contains(Fixture.admin.secret))
        #expect(answer.json["HostId"] == "localhost")
    }

    @Test(arguments: [SignedText.Style.acs3, .rpc])
    func `an unknown key is named`(style: SignedText.Style) async {
        let answer = await fixture.call("ListInstances", key: .init(id: "LTAInobody", secret: "x"), style: style)
        #expect(answer.status == 404)
        #expect(answer.code == "InvalidAccessKeyId.NotFound")
        #expect(answer.message.contains("LTAInobody"))
    }

    @Test func `a disabled key opens nothing`() async throws {
        var key = try #require(fixture.manager.directory.accessKey(id: Fixture.data.id))
        key.isEnabled = false
        try fixture.manager.change([.putAccessKey(key)], by: .local, action: "x", instance: "", detail: "")
        let answer = await fixture.call("ListInstances", key: Fixture.data)
        #expect(answer.code == "InvalidAccessKeyId.Inactive")
    }

    @Test(arguments: [SignedText.Style.acs3, .rpc], [-901_000, 901_000, -86_400_000] as [Int64])
    func `a clock that is wrong by more than 15 minutes is refused`(style: SignedText.Style, skew: Int64) async {
        let request = fixture.request("ListInstances", style: style, time: fixture.now + skew)
        let answer = await fixture.send(request)
        #expect(answer.code == "InvalidTimeStamp.Expired")
        #expect(answer.message.contains("15 minutes"))
    }

    @Test(arguments: [-900_000, 0, 900_000] as [Int64])
    func `a clock that is wrong by less is not`(skew: Int64) async {
        #expect(await fixture.send(fixture.request("ListInstances", time: fixture.now + skew)).status == 200)
    }

    @Test(arguments: [SignedText.Style.acs3, .rpc])
    func `a request is answered once`(style: SignedText.Style) async {
        let request = fixture.request("ListInstances", style: style)
        #expect(await fixture.send(request).status == 200)
        let answer = await fixture.send(request)
        #expect(answer.status == 400)
        #expect(answer.code == "SignatureNonceUsed")
    }

    @Test func `a request of the farthest future is not answered again when its time comes`() async {
        let request = fixture.request("ListInstances", time: fixture.now + 900_000)
        #expect(await fixture.send(request).status == 200)
        fixture.now += 1_800_000
        #expect(await fixture.send(request).code == "SignatureNonceUsed")
        fixture.now += 1_000
        #expect(await fixture.send(request).code == "InvalidTimeStamp.Expired")
    }

    @Test func `a nonce of a wrong signature stays free`() async {
        var forged = fixture.request("ListInstances", nonce: "same")
        forged.headers[.authorization]?.removeLast()
        #expect(await fixture.send(forged).code == "SignatureDoesNotMatch")
        #expect(await fixture.send(fixture.request("ListInstances", nonce: "same")).status == 200)
    }

    @Test func `two keys may use the same nonce`() async {
        #expect(await fixture.send(fixture.request("ListInstances", nonce: "n")).status == 200)
        let other = fixture.request("ListInstances", key: Fixture.manager, nonce: "n")
        #expect(await fixture.send(other).status == 200)
    }

    @Test func `a changed body is noticed`() async {
        var request = fixture.request("ListGroupId", ["InstanceId": Fixture.first], inForm: true)
        request.body[3] ^= 1
        let answer = await fixture.send(request)
        #expect(answer.code == "SignatureDoesNotMatch")
        #expect(answer.message.contains("x-acs-content-sha256"))
    }

    @Test func `a changed query is noticed`() async {
        var request = fixture.request("ListGroupId", ["InstanceId": Fixture.first])
        request.query += "&Tags=x"
        #expect(await fixture.send(request).code == "SignatureDoesNotMatch")
    }

    @Test(arguments: ["x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"])
    func `a header that must be signed is`(name: String) async throws {
        var request = fixture.request("ListInstances")
        let header = try #require(request.headers[.authorization])
        request.headers[.authorization] = header.replacing("\(name);", with: "").replacing(";\(name),", with: ",")
        let answer = await fixture.send(request)
        #expect(answer.code == "IncompleteSignature")
        #expect(answer.message.contains(name))
    }

    @Test(arguments: ["Signature", "AccessKeyId", "SignatureNonce", "Timestamp", "SignatureMethod", "SignatureVersion"])
    func `a missing parameter of the signature is named`(name: String) async {
        var request = fixture.request("ListInstances", style: .rpc)
        request.query = request.query.split(separator: "&").filter { !$0.hasPrefix("\(name)=") }.joined(separator: "&")
        let answer = await fixture.send(request)
        #expect(answer.status == 400)
        #expect(answer.message.contains("'\(name)'"))
    }

    @Test(arguments: [
        "SignatureMethod=HMAC-SHA256", "SignatureVersion=2.0", "Timestamp=yesterday", "SecurityToken=sts",
    ])
    func `a signature of another kind is refused with what would be right`(pair: String) async {
        var request = fixture.request("ListInstances", style: .rpc)
        let name = pair.prefix { $0 != "=" }
        request.query = request.query.split(separator: "&").filter { !$0.hasPrefix("\(name)=") }.joined(separator: "&")
        request.query += "&\(pair)"
        let answer = await fixture.send(request)
        #expect(answer.status == 400)
        #expect(answer.message.contains(name))
    }

    @Test(arguments: ["", "Action=ListInstances&Version=2020-04-20"])
    func `a request without a signature learns how to sign`(query: String) async {
        let answer = await fixture.send(APIRequest(method: .post, target: "/?\(query)"))
        #expect(answer.status == 400)
        #expect(answer.code == "MissingParameter")
        #expect(answer.message.contains("ACS3-HMAC-SHA256"))
    }

    @Test(arguments: ["ACS3-HMAC-SHA256 nonsense", "ACS3-HMAC-SHA256", "ACS3-HMAC-SHA256 Credential=a,Signature=b"])
    func `an unreadable header is refused`(header: String) async {
        let request = APIRequest(method: .post, target: "/", headers: [.authorization: header])
        #expect(await fixture.send(request).code == "IncompleteSignature")
    }

    @Test(arguments: [SignedText.Style.acs3, .rpc])
    func `what is signed is the action that counts`(style: SignedText.Style) async {
        var request = fixture.request("ListInstances", style: style)
        // Of the other style: signed in neither.
        request.headers[HTTPField.Name("x-acs-trace")!] = "DeleteGroupId"
        #expect(await fixture.send(request).status == 200)
    }
}
