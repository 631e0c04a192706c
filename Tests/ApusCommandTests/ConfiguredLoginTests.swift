import ApusConfiguration
import Foundation
import Testing

@testable import apus

@Suite("Logins that the configuration describes")
final class ConfiguredLoginTests {
    private let folder: String

    init() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "apus-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.folder = folder.path
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func write(_ text: String, to name: String, mode: Int = 0o600) throws {
        let path = "\(folder)/\(name)"
        try Data(text.utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    private func examination(_ authentication: String) throws -> Configuration.Examination {
        try write("api: {listen: http://127.0.0.1:0}\nauthentication: {\(authentication)}\n", to: "apus.yaml")
        return Configuration.Examination(file: "\(folder)/apus.yaml")
    }

    /// What `apus config check` says of the files.
    private func problems(_ authentication: String) throws -> [String] {
        let examination = try examination(authentication)
        #expect(examination.problems.isEmpty)
        return ConfigurationFileCheck.problems(of: examination).map(\.description)
    }

    private static let secret = String(repeating: "s", count: 32)

    @Test func `files that can be used are no problem`() throws {
        try write(Self.secret, to: "secret")
        #expect(try problems("jwt: [{keys: [{secretFile: \(folder)/secret}]}]").isEmpty)
    }

    @Test func `a check opens every key and says what to do`() throws {
        try write("short", to: "short")
        try write(Self.secret, to: "open", mode: 0o644)
        try write("no key", to: "none.pem")
        let found = try problems(
            """
            jwt: [{keys: [{secretFile: \(folder)/short}, {secretFile: \(folder)/open}, \
            {publicKeyFile: \(folder)/none.pem}, {publicKeyFile: \(folder)/missing}]}], \
            http: [{instance: a, url: 'https://a', caFile: \(folder)/none.pem}]
            """
        )
        let key = "\(folder)/apus.yaml:2: authentication.jwt[0].keys"
        let expected = [
            "\(key)[0].secretFile: \(folder)/short: the secret has 5 bytes; HS256 needs 32 at least",
            "\(key)[1].secretFile: \(folder)/open: everybody on this machine can read the key (mode 644)",
            "\(key)[2].publicKeyFile: \(folder)/none.pem: no public key was found",
            "\(key)[3].publicKeyFile: \(folder)/missing: there is no such file",
            "\(folder)/apus.yaml:2: authentication.http[0].caFile: certificate authorities \(folder)/none.pem",
        ]
        #expect(found.count == expected.count, "\(found)")
        for (problem, beginning) in zip(found, expected) { #expect(problem.hasPrefix(beginning), "\(problem)") }
    }

    @Test func `listeners without anonymous clients and with an instance are known by their names`() throws {
        let yaml = """
            api: {listen: http://127.0.0.1:0}
            listeners:
                - {url: "mqtt://127.0.0.1:1883", instance: a}
                - {url: "mqtt://127.0.0.1:1884", allowAnonymous: false}
            """
        try write(yaml, to: "apus.yaml")
        let configuration = try Configuration.load(file: "\(folder)/apus.yaml")
        #expect(configuration.instancesByListener == ["mqtt://127.0.0.1:1883": "a"])
        #expect(configuration.listenersWithoutAnonymous == ["mqtt://127.0.0.1:1884"])
    }
}
