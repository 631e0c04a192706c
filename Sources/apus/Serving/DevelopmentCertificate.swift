internal import ApusBroker
internal import ApusConfiguration
internal import ApusCrypto
internal import ApusLoop
internal import FoundationEssentials

/// The certificate of `apus serve --dev` for this machine's own names, made when none is configured.
///
/// It is kept in the data directory, so that clients that were given it trust the next start too.
enum DevelopmentCertificate {
    static let certificateName = "dev-cert.pem"
    static let keyName = "dev-key.pem"

    private static let yearSeconds: Int64 = 365 * 86_400
    /// A certificate that ends while one is working is renewed before.
    private static let remainingSeconds: Int64 = 86_400

    /// The configuration with this certificate where a TLS listener has none.
    ///
    /// The data directory is touched only when there is such a listener.
    static func fill(into configuration: Configuration, _ log: EventLog) throws(CommandFailure) -> Configuration {
        let isNeeded = configuration.listeners.contains { configuration.effectiveTLS(of: $0)?.hasNoCertificate == true }
        guard isNeeded else { return configuration }
        let folder: PrivateFolder
        let isNew: Bool
        do {
            folder = try PrivateFolder(creating: configuration.data.directory)
            isNew = try renew(in: folder, now: Int64(Date().timeIntervalSince1970))
        } catch {
            throw CommandFailure("the certificate for development: \(error)")
        }
        let certificate = folder.path(of: certificateName)
        log.record(
            BrokerEvent(
                .notice,
                isNew ? "tls.development_certificate_made" : "tls.development_certificate_found",
                [("certificate", certificate), ("advice", "give it to clients as the file of their authorities")],
            ),
        )
        func filled(_ tls: TLS) -> TLS {
            guard tls.hasNoCertificate else { return tls }
            var tls = tls
            tls.certificate = certificate
            tls.key = folder.path(of: keyName)
            return tls
        }
        var configuration = configuration
        configuration.tls = filled(configuration.tls)
        for index in configuration.listeners.indices {
            configuration.listeners[index].tls = configuration.listeners[index].tls.map(filled)
        }
        return configuration
    }

    /// Makes the files unless they are there and hold; whether it did.
    private static func renew(in folder: PrivateFolder, now: Int64) throws -> Bool {
        if let certificate = try folder.read(certificateName), let key = try folder.read(keyName) {
            let isUsable = { SelfSignedCertificate.isUsable(certificate: certificate, key: key, at: $0) }
            if isUsable(now), isUsable(now + remainingSeconds) { return false }
        }
        let made = try SelfSignedCertificate(
            commonName: "Apus development",
            hostNames: ["localhost", "*.localhost"],
            addresses: ["127.0.0.1", "::1"],
            // Clocks differ a little, at least between this machine and a container on it.
            validity: now - 3600..<now + yearSeconds,
        )
        // When this ends half-way the two do not fit, and the next start makes both anew.
        try folder.write(made.key, to: keyName)
        try folder.write(made.certificate, to: certificateName)
        return true
    }
}

extension TLS {
    fileprivate var hasNoCertificate: Bool { certificate == nil && key == nil }
}
