import ApusCrypto
import Foundation
import Testing

private let day: Int64 = 86_400
private let start: Int64 = 1_700_000_000

private func make(validity: Range<Int64> = start..<(start + 365 * day)) throws -> SelfSignedCertificate {
    try SelfSignedCertificate(
        commonName: "Test – Prüfung",
        hostNames: ["localhost", "*.localhost"],
        addresses: ["127.0.0.1", "::1"],
        validity: validity,
    )
}

@Suite("A certificate that vouches for itself")
struct SelfSignedCertificateTests {
    @Test(arguments: [
        (["-verify_hostname", "localhost"], true),
        // OpenSSL takes no wildcard in front of a single label; other libraries do.
        (["-verify_hostname", "broker.localhost"], false),
        (["-verify_hostname", "example.org"], false),
        (["-verify_ip", "127.0.0.1"], true),
        (["-verify_ip", "::1"], true),
        (["-verify_ip", "127.0.0.2"], false),
        (["-purpose", "sslserver"], true),
        (["-purpose", "sslclient"], false),
    ])
    func `openssl trusts it for its own names when it is given as the authority`(
        words: [String],
        isTrusted: Bool,
    ) throws {
        let file = NSTemporaryDirectory() + "apus-certificate-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: file) }
        try Data(make().certificate.utf8).write(to: URL(filePath: file))
        let strict = ["verify", "-x509_strict", "-check_ss_sig", "-attime", "\(start + day)", "-CAfile", file]
        #expect(try openssl(strict + words + [file]) == isTrusted)
    }

    @Test func `two of them share neither key nor serial number`() throws {
        let (first, second) = (try make(), try make())
        #expect(first.key != second.key)
        #expect(first.certificate != second.certificate)
        #expect(first.key.hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
        #expect(first.certificate.hasPrefix("-----BEGIN CERTIFICATE-----\n"))
    }

    @Test(
        arguments: [
            (-1, false), (1, true), (364 * day, true), (365 * day - 1, true), (365 * day + 1, false),
        ] as [(Int64, Bool)]
    )
    func `it is usable between its start and its end`(seconds: Int64, isUsable: Bool) throws {
        let made = try make()
        let found = SelfSignedCertificate.isUsable(
            certificate: made.certificate,
            key: made.key,
            at: start + seconds,
        )
        #expect(found == isUsable)
    }

    @Test func `another certificate's key is of no use`() throws {
        let (first, second) = (try make(), try make())
        #expect(!SelfSignedCertificate.isUsable(certificate: first.certificate, key: second.key, at: start + day))
    }

    @Test(arguments: 0..<20)
    func `a text that was cut off is of no use`(twentieths: Int) throws {
        let made = try make()
        func cut(_ text: String) -> String { String(text.prefix(text.count * twentieths / 20)) }
        let time = start + day
        #expect(!SelfSignedCertificate.isUsable(certificate: cut(made.certificate), key: made.key, at: time))
        #expect(!SelfSignedCertificate.isUsable(certificate: made.certificate, key: cut(made.key), at: time))
    }

    @Test(arguments: [-7, -1, 0, 1, 400])
    func `how long a certificate holds is told in seconds from now`(days: Int64) throws {
        let now = Int64(time(nil))
        let (from, until) = (now + days * day - 500, now + days * day + 500)
        let made = try SelfSignedCertificate(
            commonName: "x",
            hostNames: ["localhost"],
            addresses: [],
            validity: from..<until,
        )
        let found = try #require(SelfSignedCertificate.validity(of: made.certificate))
        // A slow test may come a little later.
        #expect((-60...0).contains(found.begins - (days * day - 500)))
        #expect((-60...0).contains(found.ends - (days * day + 500)))
        #expect(SelfSignedCertificate.validity(of: made.key) == nil)
        #expect(SelfSignedCertificate.validity(of: "") == nil)
    }

    @Test func `an impossible name is refused with a reason`() {
        #expect(throws: CryptoError.self) {
            try SelfSignedCertificate(
                commonName: "x",
                hostNames: [],
                addresses: ["300.0.0.1"],
                validity: start..<(start + day),
            )
        }
    }
}

/// Whether the program succeeds; Foundation's `Process` leaks, which the address sanitizer would report.
private func openssl(_ arguments: [String]) throws -> Bool {
    var vector: [UnsafeMutablePointer<CChar>?] = (["openssl"] + arguments).map { strdup($0) } + [nil]
    defer { for word in vector { free(word) } }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for descriptor: Int32 in 1...2 {
        posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
    }
    var child: pid_t = 0
    try #require(posix_spawnp(&child, "openssl", &actions, nil, &vector, environ) == 0)
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    return status == 0
}
