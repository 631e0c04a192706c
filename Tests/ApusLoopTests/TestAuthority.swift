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

    private static func openssl(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw TLSError("openssl \(arguments)") }
    }
}
