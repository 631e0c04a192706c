internal import ApusConfiguration
internal import ApusLoop

extension Management {
    /// Certificate and key of the API; `nil` when it speaks http, or there is none.
    static func tls(_ configuration: Configuration) throws(CommandFailure) -> TLSContext? {
        guard let (certificate, key) = configuration.apiCertificate else { return nil }
        do {
            let identity = TLSIdentity(certificateFile: certificate, keyFile: key)
            return try TLSContext(server: TLSServerConfiguration(identities: [identity]))
        } catch {
            throw CommandFailure("management API: \(error.description)")
        }
    }

    /// Takes another certificate for connections from now on, or keeps the one that it has.
    ///
    /// - Returns: whether the configuration's files are in use.
    func reloadTLS(_ configuration: Configuration, _ report: inout ReloadReport) -> Bool {
        guard let tls else { return true }
        do {
            if let context = try Self.tls(configuration) { tls.replace(with: context) }
            return true
        } catch {
            report.problems.append("certificate unchanged: \(error.description)")
            report.changed.removeAll { ["api.certificate", "api.key"].contains($0) }
            return false
        }
    }
}
