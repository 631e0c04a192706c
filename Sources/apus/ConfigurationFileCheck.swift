internal import ApusConfiguration
internal import ApusCredentials
internal import ApusCrypto
internal import ApusLoop
internal import FoundationEssentials

/// Opens every file that a configuration names and says what is wrong with it, and what to do.
///
/// Reads as whoever runs it: a service under another user may be allowed more or less.
struct ConfigurationFileCheck {
    private let examination: Configuration.Examination
    private var problems: [ConfigurationProblem] = []

    /// All problems, in the order of the configuration's keys.
    static func problems(of examination: Configuration.Examination) -> [ConfigurationProblem] {
        var check = ConfigurationFileCheck(examination: examination)
        check.lookAtDataDirectory()
        for file in examination.configuration.namedFiles { check.look(at: file) }
        return check.problems
    }

    private init(examination: Configuration.Examination) { self.examination = examination }

    private mutating func report(_ key: String, _ reason: String) {
        problems.append(ConfigurationProblem(source: examination.origin(of: key), key: key, reason: reason))
    }

    private mutating func report(_ file: NamedFile, _ faults: CredentialFaults) {
        for fault in faults.first { report(file.key, fault.description) }
        let others = faults.count - faults.first.count
        if others > 0 {
            report(file.key, "\(file.path): and \(others) more line\(others == 1 ? " is" : "s are") wrong")
        }
    }

    /// A data directory that is not there yet will be made; one that is no folder cannot be.
    private mutating func lookAtDataDirectory() {
        let data = examination.configuration.data
        guard data.durability != .memory || examination.configuration.api.listen != nil else { return }
        var folder = URL(filePath: data.directory).path
        var isFolder = false
        while !FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder) {
            let above = URL(filePath: folder).deletingLastPathComponent().path
            guard above.utf8.count < folder.utf8.count else { return }
            folder = above
        }
        guard !isFolder else { return }
        report("data.directory", "\(folder): is a file; name a folder, which is made if it is not there")
    }

    private mutating func look(at file: NamedFile) {
        switch file.content {
        case .users:
            guard read(file.key, file.path, ifMissing: "make it with `apus password \(file.path) NAME`") != nil else {
                return
            }
            do throws(CredentialError) {
                let (faults, warnings) = try PasswordFile(path: file.path).examine()
                report(file, faults)
                for warning in warnings { report(file.key, warning) }
            } catch {
                report(file.key, error.description)
            }
        case .rights:
            let advice = "write it, or leave the key out: then whoever may connect may do everything"
            guard read(file.key, file.path, ifMissing: advice) != nil else { return }
            do throws(CredentialError) {
                report(file, try ACLFile.faults(path: file.path))
            } catch {
                report(file.key, error.description)
            }
        case .certificate(let key, let keyPath):
            lookAtPair(file.key, file.path, key, keyPath)
        case .halfOfPair:
            _ = read(file.key, file.path)
            // For a listener that needs the pair the configuration's own rules have said it.
            guard examination.problems.isEmpty else { return }
            report(file.key, "`certificate` and `key` belong together; one of them is missing")
        case .authorities:
            guard read(file.key, file.path) != nil else { return }
            do throws(TLSError) {
                _ = try TLSContext(client: TLSClientConfiguration(authorityFile: file.path))
            } catch {
                report(file.key, "\(error); it must hold the authorities' certificates as PEM")
            }
        case .tokenSecret:
            guard read(file.key, file.path) != nil else { return }
            reportOpenKey(file.key, file.path)
            report(file) { () throws(CredentialError) in _ = try JWTVerifier.Key.secret(file: file.path) }
        case .tokenKey:
            guard read(file.key, file.path) != nil else { return }
            report(file) { () throws(CredentialError) in _ = try JWTVerifier.Key.publicKey(file: file.path) }
        case .socket:
            let folder = URL(filePath: file.path).deletingLastPathComponent().path
            var isFolder = false
            guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder else {
                return report(file.key, "\(folder): there is no such folder for the socket; make it")
            }
        }
    }

    private mutating func lookAtPair(_ name: String, _ path: String, _ keyName: String, _ keyPath: String) {
        let certificate = read(name, path)
        guard read(keyName, keyPath) != nil else { return }
        reportOpenKey(keyName, keyPath)
        guard let certificate else { return }
        do throws(TLSError) {
            let identity = TLSIdentity(certificateFile: path, keyFile: keyPath)
            _ = try TLSContext(server: TLSServerConfiguration(identities: [identity]))
        } catch {
            // OpenSSL's words begin with what they are about.
            report(error.description.hasPrefix("key ") ? keyName : name, "\(error)")
        }
        guard let validity = SelfSignedCertificate.validity(of: certificate) else { return }
        if validity.ends <= 0 {
            report(name, "\(path): the certificate has expired \(Self.days(-validity.ends)) ago; renew it")
        } else if validity.begins > 0 {
            let days = Self.days(validity.begins)
            report(name, "\(path): the certificate holds in \(days) only; is the clock of this machine right?")
        }
    }

    private mutating func report(_ file: NamedFile, _ look: () throws(CredentialError) -> Void) {
        do throws(CredentialError) {
            try look()
        } catch {
            report(file.key, error.description)
        }
    }

    /// A key is nobody's business but its owner's and the service's.
    private mutating func reportOpenKey(_ key: String, _ path: String) {
        guard let mode = mode(of: path), mode & 0o004 != 0 else { return }
        let octal = String(mode, radix: 8)
        report(key, "\(path): everybody on this machine can read the key (mode \(octal)); run `chmod 640` on it")
    }

    /// The file's text, any bytes; `nil` when it cannot be read, which is reported.
    private mutating func read(_ key: String, _ path: String, ifMissing advice: String? = nil) -> String? {
        var isFolder = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            report(key, "\(path): there is no such file; \(advice ?? "correct the path")")
            return nil
        }
        guard !isFolder else {
            report(key, "\(path): is a folder; name a file in it")
            return nil
        }
        do throws(SystemError) {
            return String(decoding: try StandardStream.readAll(file: path, limit: 64 << 20) ?? [], as: UTF8.self)
        } catch {
            report(key, "\(path): cannot be read: \(error.reason); mind the rights of the user that runs the broker")
            return nil
        }
    }

    private func mode(of path: String) -> Int? {
        do {
            return try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        } catch {
            return nil
        }
    }

    private static func days(_ seconds: Int64) -> String {
        let days = seconds / 86_400
        return days == 0 ? "less than a day" : days == 1 ? "1 day" : "\(days) days"
    }
}
