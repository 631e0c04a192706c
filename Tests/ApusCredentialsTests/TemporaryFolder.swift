import Foundation

@testable import ApusCredentials

/// A folder of one test, removed with the last reference to it.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "apus-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func write(_ text: String, to name: String, mode: Int = 0o600) throws -> String {
        let path = file(name)
        try Data(text.utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        return path
    }

    func text(of name: String) throws -> String { try String(contentsOfFile: file(name), encoding: .utf8) }

    func mode(of name: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: file(name))[.posixPermissions] as? Int
    }

    var names: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() } }
}

extension ScryptHash.Cost {
    /// The cheapest that a password file may hold: a few milliseconds.
    static let cheap = ScryptHash.Cost(logCost: 10, blockSize: 8, parallelism: 1)
}

extension PasswordFile {
    func setCheaply(_ user: String, _ password: String) throws {
        try setPassword(user: user, password: Array(password.utf8), cost: .cheap)
    }
}

/// What the thrown error says; `nil` when none was thrown.
func explanation(of work: () throws(CredentialError) -> Void) -> String? {
    do throws(CredentialError) {
        try work()
        return nil
    } catch {
        return error.description
    }
}
