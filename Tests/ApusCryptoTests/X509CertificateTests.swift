import ApusCrypto
import Testing

@Suite("What a certificate says")
struct X509CertificateTests {
    private static let validity: Range<Int64> = 1_700_000_000..<1_800_000_000

    private func make(_ name: String) throws -> SelfSignedCertificate {
        try SelfSignedCertificate(commonName: name, hostNames: ["a"], addresses: [], validity: Self.validity)
    }

    @Test func `its names, times and number can be read`() throws {
        let made = try make("Prüfung, 1")
        let certificate = try #require(X509Certificate(pem: made.certificate))
        #expect(certificate.pem == made.certificate)
        #expect(certificate.commonName == "Prüfung, 1")
        #expect(certificate.subject.hasPrefix("CN="))
        #expect(certificate.validity?.from == 1_700_000_000_000)
        #expect(certificate.validity?.until == 1_800_000_000_000)
        #expect(certificate.isAuthority)
        #expect(!certificate.serialNumber.isEmpty)
        #expect(certificate.serialNumber.allSatisfy { "0123456789ABCDEF".contains($0) })
    }

    @Test func `it is issued by whose key has signed it, not by a namesake`() throws {
        let certificate = try #require(X509Certificate(pem: make("a").certificate))
        let namesake = try #require(X509Certificate(pem: make("a").certificate))
        let other = try #require(X509Certificate(pem: make("b").certificate))
        #expect(certificate.isIssued(by: certificate))
        #expect(!certificate.isIssued(by: namesake))
        #expect(!certificate.isIssued(by: other))
    }

    @Test(arguments: ["", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
    func `what is no certificate is none`(text: String) {
        #expect(X509Certificate(pem: text) == nil)
        #expect(X509Certificate(der: Array(text.utf8)) == nil)
    }
}
