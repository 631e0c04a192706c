import ApusCrypto
import ApusResources
import HTTPTypes
import Testing

@testable import ApusManagement

/// Requests of the vendor's SDKs as they went over the wire, with the signatures that they carried (apsaramq-facts 5.2, 5.3).
@Suite("Signatures of the vendor's SDKs")
struct SignatureVectorTests {
    private static let secret = Array("exampleSecret123".utf8)
    private static let userAgent = "AlibabaCloud (Linux; x86_64) Python/3.11.7 Core/0.4.3 TeaDSL/2"
    private static let resources =
        "Actions=R%2CW&ExpireTime=1893456000000&InstanceId=post-cn-apus00001&Resources=TopicA%2F%23%2CTopicB"
    private static let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    private func request(
        action: String,
        query: String,
        body: String,
        hash: String,
        nonce: String,
        signature: String,
    ) throws -> APIRequest {
        var names =
            "accept;host;user-agent;x-acs-action;x-acs-content-sha256;x-acs-credentials-provider;x-acs-date;x-acs-signature-nonce;x-acs-version"
        if !body.isEmpty { names = names.replacing("accept;", with: "accept;content-type;") }
        var headers: HTTPFields = [
            .accept: "application/json", .userAgent: Self.userAgent,
            .authorization: "ACS3-HMAC-SHA256 Credential=LTAIexampleAK,SignedHeaders=\(names),Signature=\(signature)",
        ]
        if !body.isEmpty { headers[.contentType] = "application/x-www-form-urlencoded" }
        for (name, value) in [
            ("x-acs-action", action), ("x-acs-version", "2020-04-20"), ("x-acs-date", "2026-11-22T15:43:16Z"),
            ("x-acs-signature-nonce", nonce), ("x-acs-content-sha256", hash),
            ("x-acs-credentials-provider", "static_ak"),
        ] {
            headers[try #require(HTTPField.Name(name))] = value
        }
        return APIRequest(
            method: .post,
            target: query.isEmpty ? "/" : "/?\(query)",
            host: "127.0.0.1:18091",
            headers: headers,
            body: Array(body.utf8),
        )
    }

    @Test func `ACS3 with parameters in the query`() throws {
        let signature = "ddec57f6fb4769cadc8a579698c0f84ae41649fd0d73ba602b5cd59826ad1456"
        let request = try request(
            action: "ApplyToken",
            query: Self.resources,
            body: "",
            hash: Self.emptyHash,
            nonce: "8582f2398d95c6c2794d1388b423868c",
            signature: signature,
        )
        var query = FormParameters()
        try query.add(request.query)
        let signed = try ACS3Signature.read(request, query: query, isAction: true)
        #expect(
            signed.stringToSign
                == "ACS3-HMAC-SHA256\nfd7424c141e182436b70e59c8f9ea69911d542c0d07e158f6fb578545d99bf0a"
        )
        #expect(signed.signature == signature)
        #expect(Hex.encode(HMAC.sha256(key: Self.secret, Array(signed.stringToSign.utf8))) == signature)
        #expect(signed.keyID == "LTAIexampleAK")
        #expect(signed.time == 1_795_362_196_000)
    }

    @Test func `ACS3 with parameters in a form`() throws {
        let signature = "9c317cdcf7760acb25b42df7eb7bd4623e5ae62b757a53aa2eb728bbc29f67e9"
        let request = try request(
            action: "AddCustomAuthIdentity",
            query: "",
            body: "IdentityType=USER&InstanceId=post-cn-apus00001&Secret=s%261+x&SignMode=ORIGIN&Username=u1",
            hash: "bd6a16ac6f008c50d31031b63a2a00e97221dee10b0bb75f2657e5cdd6a22a7a",
            nonce: "eb3e86e17174506878a0e399cfb7d30c",
            signature: signature,
        )
        let signed = try ACS3Signature.read(request, query: FormParameters(), isAction: true)
        #expect(
            signed.stringToSign
                == "ACS3-HMAC-SHA256\n2e258813fdd85ba10031fe1ddb8b205f450e5e0033d05b9374517a78850d3928"
        )
        #expect(Hex.encode(HMAC.sha256(key: Self.secret, Array(signed.stringToSign.utf8))) == signature)
    }

    private static let common =
        "Action=ApplyToken&Version=2020-04-20&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0&AccessKeyId=LTAIexampleAK"

    @Test(arguments: [
        (
            "\(common)&Format=json&SignatureNonce=2ba96789a7733225c70c13dbc07ab423&Timestamp=2026-11-22T15%3A44%3A05Z&\(resources)",
            "", "ySxg5ZsVW1SKd5w8P/PklY3tAOk="
        ),
        (
            "Action=AddCustomAuthIdentity&Version=2020-04-20&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0&AccessKeyId=LTAIexampleAK&Format=json&SignatureNonce=e0d2c48877e80be0fcc18f382997a6f4&Timestamp=2026-11-22T15%3A44%3A05Z",
            "IdentityType=USER&InstanceId=post-cn-apus00001&Secret=s%261+x&SignMode=ORIGIN&Username=u1",
            "bAc7Vr2LkLt6Wj0LVOW4xMUgn6M="
        ),
        (
            "\(common)&RegionId=cn-hangzhou&Format=JSON&SignatureType=&SignatureNonce=d01735d519caae2ff197d75c76de0869&Timestamp=2026-11-22T15%3A50%3A08Z&\(resources)",
            "", "nunQhDsFGcTcqu0dNChhsT5D92s="
        ),
    ])
    func `RPC 1_0 over query and form together`(query: String, form: String, signature: String) throws {
        var parameters = FormParameters()
        try parameters.add(query)
        try parameters.add(form)
        try parameters.add("Signature=\(PercentEncoding.encode(signature))")
        let signed = try RPCSignature.read(.post, parameters)
        #expect(signed.signature == signature)
        let key = Array("exampleSecret123&".utf8)
        #expect(Base64.encode(HMAC.sha1(key: key, Array(signed.stringToSign.utf8))) == signature)
    }

    @Test func `the string to sign of RPC 1_0 is the documented one`() throws {
        var parameters = FormParameters()
        try parameters.add(
            "\(Self.common)&Format=json&SignatureNonce=2ba96789a7733225c70c13dbc07ab423&Timestamp=2026-11-22T15%3A44%3A05Z&\(Self.resources)&Signature=x"
        )
        #expect(
            try RPCSignature.read(.post, parameters).stringToSign
                == "POST&%2F&AccessKeyId%3DLTAIexampleAK%26Action%3DApplyToken%26Actions%3DR%252CW%26ExpireTime%3D1893456000000%26Format%3Djson%26InstanceId%3Dpost-cn-apus00001%26Resources%3DTopicA%252F%2523%252CTopicB%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3D2ba96789a7733225c70c13dbc07ab423%26SignatureVersion%3D1.0%26Timestamp%3D2026-11-22T15%253A44%253A05Z%26Version%3D2020-04-20"
        )
    }
}
