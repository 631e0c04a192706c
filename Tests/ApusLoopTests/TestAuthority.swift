import Foundation

@testable import ApusLoop

/// A certificate authority in a folder of its own, made at run time and removed at the end.
final class TestAuthority: Sendable {
    let folder: String
    var certificate: String { "\(folder)/authority.pem" }
    private var key: String { "\(folder)/authority.key" }

    init() throws {
        folder = NSTemporaryDirectory() + "apus-tls-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Self.openssl(
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=Test authority",
            "-keyout",
            key,
            "-out",
            certificate,
            "-addext",
            "keyUsage=critical,keyCertSign",
        )
    }

    /// An authority that this one issued.
    private init(issuedBy parent: TestAuthority) throws {
        folder = NSTemporaryDirectory() + "apus-tls-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Self.openssl(
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=Test authority in the middle",
            "-keyout",
            key,
            "-out",
            certificate,
            "-CA",
            parent.certificate,
            "-CAkey",
            parent.key,
        )
    }

    func intermediate() throws -> TestAuthority { try TestAuthority(issuedBy: self) }

    /// The certificate as text.
    var pem: String { get throws { try String(contentsOfFile: certificate, encoding: .utf8) } }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// A certificate for a subject such as `/CN=broker`, valid for some names.
    func issue(_ subject: String, names: String = "DNS:localhost,IP:127.0.0.1") throws -> TLSIdentity {
        let base = "\(folder)/\(UUID().uuidString)"
        try Self.openssl(
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            subject,
            "-keyout",
            "\(base).key",
            "-out",
            "\(base).pem",
            "-CA",
            certificate,
            "-CAkey",
            key,
            "-addext",
            "subjectAltName=\(names)",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        )
        return TLSIdentity(certificateFile: "\(base).pem", keyFile: "\(base).key")
    }

    /// The same key behind a password.
    func encryptedKey(of identity: TLSIdentity) throws -> String {
        let file = "\(folder)/\(UUID().uuidString).key"
        try Self.openssl("ec", "-in", identity.keyFile, "-aes128", "-passout", "pass:secret", "-out", file)
        return file
    }

    /// Runs the program and waits; Foundation's `Process` leaks, which the address sanitizer would report.
    private static func openssl(_ arguments: String...) throws {
        let words = ["openssl"] + arguments
        var vector: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for word in vector { free(word) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor: Int32 in 1...2 {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
        }
        var child: pid_t = 0
        guard posix_spawnp(&child, "openssl", &actions, nil, &vector, environ) == 0 else {
            throw TLSError("openssl does not start")
        }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        guard status == 0 else { throw TLSError("openssl \(arguments)") }
    }
}
