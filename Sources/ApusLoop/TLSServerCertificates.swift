internal import ApusLocks

/// Server certificates by server name that come and go while sessions are made.
///
/// Looked at in each handshake whose name the listener has no certificate of its own for; sessions that stand keep theirs.
package final class TLSServerCertificates: Sendable {
    private let table = Guarded(TLSHostNames<TLSServerCertificate>())
    private let exceptions: Set<String>

    /// - Parameter exceptions: names that no certificate counts for, also none with a wildcard; in lower case.
    package init(exceptions: Set<String> = []) { self.exceptions = exceptions }

    /// - Parameter certificates: with the names that each is for, as in ``TLSIdentity/hostNames``; of several for one
    ///   name the first counts.
    package func replace(with certificates: [(hostNames: [String], certificate: TLSServerCertificate)]) {
        var new = TLSHostNames<TLSServerCertificate>()
        for (names, certificate) in certificates {
            for name in names { new.add(name, certificate) }
        }
        let table = new
        self.table.withLock { $0 = table }
    }

    func certificate(for name: String) -> TLSServerCertificate? {
        guard !exceptions.contains(name.lowercased()) else { return nil }
        return table.withLock { $0.value(for: name) }
    }
}

extension TLSServerCertificates: Equatable {
    package static func == (one: TLSServerCertificates, other: TLSServerCertificates) -> Bool { one === other }
}
