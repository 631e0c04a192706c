import ApusLoop
import Foundation

struct OpenSSLFailed: Error {
    let words: [String]
}

/// A certificate authority in a folder of its own, made at run time and removed at the end.
final class TestAuthority: Sendable {
    let folder: String
    var certificate: String { "\(folder)/authority.pem" }
    private var key: String { "\(folder)/authority.key" }

    /// Made once for all tests of this process.
    static let shared: Result<TestAuthority, any Error> = Result {
        // What a static holds has no end of its own.
        atexit { try? TestAuthority.remove(TestAuthority.shared.get().folder) }
        return try TestAuthority()
    }
    static let brokerIdentity = Result { try shared.get().issue("/CN=broker") }

    static func makeFolder() throws -> String {
        let folder = NSTemporaryDirectory() + "apus-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return folder
    }

    static func remove(_ folder: String) { try? FileManager.default.removeItem(atPath: folder) }

    /// Puts an identity's files in the place of others.
    static func copy(_ identity: TLSIdentity, to other: TLSIdentity) throws {
        for (from, to) in [(identity.certificateFile, other.certificateFile), (identity.keyFile, other.keyFile)] {
            remove(to)
            try FileManager.default.copyItem(atPath: from, toPath: to)
        }
    }

    init() throws {
        folder = try Self.makeFolder()
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
            throw OpenSSLFailed(words: words)
        }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        guard status == 0 else { throw OpenSSLFailed(words: words) }
    }
}
