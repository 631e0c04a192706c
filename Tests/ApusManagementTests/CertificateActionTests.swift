import ApusResources
import Testing

@testable import ApusManagement

@Suite("Actions of certificates")
struct CertificateActionTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func call(_ action: String, _ parameters: [String: String] = [:]) async -> Fixture.Answer {
        await fixture.call(action, parameters.merging(["MqttInstanceId": Fixture.first]) { $1 })
    }

    private static let registration = [
        "CaName": "mine", "CaContent": CertificateSamples.authority,
        "VerificationContent": CertificateSamples.verification,
    ]

    @Test func `an authority is registered by one who has its key, switched off and on, and removed`() async {
        let code = await call("GetRegisterCode").json["RegisterCode"]
        #expect(await call("RegisterCaCertificate", Self.registration).json["Sn"] == "0A1B2C3D")
        let data = await call("GetCaCertificate", ["Sn": "0A1B2C3D"]).json["Data"]
        #expect(data?["Status"] == "1" && data?["CaName"] == "mine" && data?["RegistrationCode"] == code)
        #expect(data?["CaContent"] == .string(CertificateSamples.authority))
        let begin = data?["ValidBegin"]?.string.flatMap { Int64($0) } ?? 0
        let end = data?["ValidEnd"]?.string.flatMap { Int64($0) } ?? 0
        #expect(begin > 0 && end - begin > 99 * 365 * 86_400_000)
        #expect(await call("InactivateCaCertificate", ["Sn": "0A1B2C3D"]).json["Sn"] == "0A1B2C3D")
        #expect(await call("GetCaCertificate", ["Sn": "0A1B2C3D"]).json["Data"]?["Status"] == "0")
        #expect(await call("ActiveCaCertificate", ["Sn": "0A1B2C3D"]).status == 200)
        let page = await call("ListCaCertificate", ["PageNo": "1", "PageSize": "9"]).json["Data"]
        #expect(page?["Total"] == 1 && page?["CaCertificateVOS"]?.items?.first?["Status"] == "1")
        let beyond = await call("ListCaCertificate", ["PageNo": "2", "PageSize": "9"]).json["Data"]
        #expect(beyond?["Total"] == 1 && beyond?["CaCertificateVOS"] == [])
        #expect(await call("DeleteCaCertificate", ["Sn": "0A1B2C3D"]).status == 200)
        for action in ["GetCaCertificate", "ActiveCaCertificate", "InactivateCaCertificate", "DeleteCaCertificate"] {
            #expect(await call(action, ["Sn": "0A1B2C3D"]).code == "ParameterFieldCheckFailed")
        }
    }

    @Test func `an authority that is registered again stays as it is switched`() async {
        #expect(await call("RegisterCaCertificate", Self.registration).status == 200)
        #expect(await call("InactivateCaCertificate", ["Sn": "0A1B2C3D"]).status == 200)
        let again = ["CaName": "renamed", "CaContent": "a note\n" + CertificateSamples.authority]
        #expect(await call("RegisterCaCertificate", Self.registration.merging(again) { $1 }).status == 200)
        let data = await call("GetCaCertificate", ["Sn": "0A1B2C3D"]).json["Data"]
        #expect(data?["Status"] == "0" && data?["CaName"] == "renamed")
    }

    @Test func `another authority of the same serial number is refused and changes nothing`() async throws {
        let other = CACertificate(
            instance: try fixture.number(),
            serialNumber: "0A1B2C3D",
            name: "other",
            content: CertificateSamples.stranger,
            verificationContent: "",
            registrationCode: "",
            validFrom: 0,
            validUntil: .max,
        )
        try fixture.manager.change([.putCACertificate(other)], by: .local, action: "", instance: "", detail: "")
        let answer = await call("RegisterCaCertificate", Self.registration)
        #expect(answer.code == "ParameterFieldCheckFailed")
        #expect(answer.message.hasPrefix("CaContent: ") && answer.message.contains("'0A1B2C3D'"))
        #expect(fixture.manager.directory.caCertificates(of: try fixture.number()) == [other])
    }

    @Test(arguments: [
        (["VerificationContent": CertificateSamples.otherName], 500, "RegisterCodeError"),
        (["VerificationContent": CertificateSamples.stranger], 400, "ParameterFieldCheckFailed"),
        (["VerificationContent": "no certificate"], 400, "ParameterFieldCheckFailed"),
        (["CaContent": "no certificate"], 400, "ParameterFieldCheckFailed"),
        // No authority: it may not sign.
        (["CaContent": CertificateSamples.otherName], 400, "ParameterFieldCheckFailed"),
        (["CaName": ""], 400, "ParameterFieldCheckFailed"),
    ])
    func `who cannot show that the key is theirs is refused`(
        change: [String: String],
        status: Int,
        code: String,
    ) async {
        let answer = await call("RegisterCaCertificate", Self.registration.merging(change) { $1 })
        #expect(answer.status == status)
        #expect(answer.code == code)
    }

    @Test func `each instance has a code of its own, always the same`() async {
        let first = await call("GetRegisterCode").json["RegisterCode"]
        #expect(await call("GetRegisterCode").json["RegisterCode"] == first)
        let other = await fixture.call("GetRegisterCode", ["MqttInstanceId": Fixture.second]).json["RegisterCode"]
        #expect(other != first)
    }

    @Test(arguments: [
        "no hashes here", "a#b", "#b#c", "a##c", "a.example#c1#;A.EXAMPLE#c2#",
    ])
    func `server names have a form`(text: String) async {
        let answer = await call("SetSniConfig", ["DefaultCertificate": "c", "SniConfig": text])
        #expect(answer.code == "ParameterFieldCheckFailed")
    }

    @Test(arguments: [
        ("mqtt.example", true), ("MQTT.example", true), ("*.mqtt.example", true), ("x.y.mqtt.example", true),
        ("\(Fixture.second).mqtt.example", true), ("\(Fixture.first).mqtt.example", false),
        ("\(Fixture.first).other.example", false), ("notmqtt.example", false), ("example", false),
    ])
    func `names of the service are no instance's to set`(name: String, isRefused: Bool) async throws {
        let fixture = try Fixture { $0.domains = ServiceDomains("Mqtt.example other.example") }
        let parameters = [
            "MqttInstanceId": Fixture.first, "DefaultCertificate": "c", "SniConfig": "a.b#c1#;\(name)#c2#",
        ]
        let answer = await fixture.call("SetSniConfig", parameters)
        #expect(answer.code == (isRefused ? "ParameterFieldCheckFailed" : nil))
        #expect(answer.message.contains("'\(name.lowercased())' is one of the service's own names") == isRefused)
        #expect((try fixture.manager.directory.serverNames(of: fixture.number()) == nil) == isRefused)
    }

    @Test func `server names are stored, and their passwords not told`() async throws {
        let text = "a.example#c1#hunter2;b.example#c2#"
        _ = await call("SetSniConfig", ["DefaultCertificate": "c", "SniConfig": text])
        let names = try #require(try fixture.manager.directory.serverNames(of: fixture.number()))
        #expect(names.entries.map(\.domain) == ["a.example", "b.example"])
        #expect(names.entries.first?.password == "hunter2")
        #expect(try fixture.lastAudit()?.detail == "DefaultCertificate=c")
    }
}
