internal import ApusBroker
internal import ApusConfiguration
internal import ApusCrypto
internal import ApusLoop

/// What a reload did, for the one line in the log that tells it.
struct ReloadReport {
    /// Files that were read again and could be used.
    var reread: [String]
    /// Settings whose new values count.
    var changed: [String] = []
    /// Settings whose new values count after the next start.
    var needRestart: [String] = []
    /// What became of users and of rights; empty when there is no such file.
    var users = ""
    var rights = ""
    /// Certificates and keys with another content than before.
    private var newCertificates = ""
    var problems: [String] = []

    init(_ file: String?) { reread = file.map { [$0] } ?? [] }

    mutating func certificates(_ files: (read: [String], changed: [String])) {
        guard !files.read.isEmpty else { return }
        reread += files.read
        newCertificates = files.changed.isEmpty ? "unchanged" : "changed: \(files.changed.joined(separator: " "))"
    }

    var event: BrokerEvent {
        BrokerEvent(
            problems.isEmpty ? .notice : .warning,
            "configuration.reloaded",
            [
                ("reread", reread.joined(separator: " ")),
                ("changed", changed.isEmpty ? "no setting" : changed.joined(separator: " ")),
                ("users", users),
                ("rights", rights),
                ("certificates", newCertificates),
                ("needs_restart", needRestart.joined(separator: " ")),
                ("problems", problems.joined(separator: "; ")),
            ],
        )
    }
}

/// Remembers what files held, to tell whether they hold something else.
struct FileDigests {
    private var digests: [String: [UInt8]] = [:]

    /// Looks at the files again; one that cannot be read counts as empty.
    mutating func refresh(_ paths: [String]) -> (read: [String], changed: [String]) {
        var new: [String: [UInt8]] = [:]
        for path in paths { new[path] = Digest.sha256(Self.content(of: path)) }
        defer { digests = new }
        return (paths, paths.filter { digests[$0] != new[$0] })
    }

    private static func content(of path: String) -> [UInt8] {
        do {
            return try StandardStream.readAll(file: path, limit: 1 << 20) ?? []
        } catch {
            return []
        }
    }
}

extension Configuration {
    /// The files that TLS listeners and the API use, each once, in the order of the listeners.
    var certificateFiles: [String] {
        var files: [String] = []
        for tls in listeners.compactMap({ effectiveTLS(of: $0) }) {
            let own = [tls.certificate, tls.key, tls.clientCA].compactMap(\.self)
            for path in own + tls.hosts.flatMap({ [$0.certificate, $0.key] }) where !files.contains(path) {
                files.append(path)
            }
        }
        if let (certificate, key) = apiCertificate {
            for path in [certificate, key] where !files.contains(path) { files.append(path) }
        }
        return files
    }
}
