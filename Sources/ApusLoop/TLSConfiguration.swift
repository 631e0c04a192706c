/// A certificate chain with its key, in PEM files.
package struct TLSIdentity: Sendable, Equatable {
    /// The own certificate first, then those that lead to the root.
    package var certificateFile: String
    package var keyFile: String
    /// The server names it is for.
    ///
    /// Exact, or `*.example.org` for one label in front. Empty: for every name.
    package var hostNames: [String]

    package init(certificateFile: String, keyFile: String, hostNames: [String] = []) {
        self.certificateFile = certificateFile
        self.keyFile = keyFile
        self.hostNames = hostNames
    }
}

/// What a server wants to see of its clients' certificates.
package enum TLSClientCertificates: Sendable, Equatable {
    case none
    /// Asked for while there are registered authorities; none is refused here.
    ///
    /// `TLSSession.certificateFault` tells whether it verifies, and who reads the certificate decides.
    case whileRegistered
    /// A client may come without one; one that does not verify is refused.
    case optional
    case required
}

package struct TLSServerConfiguration: Sendable, Equatable {
    /// At least one; the first is for clients that name no host, or an unknown one.
    package var identities: [TLSIdentity]
    package var clientCertificates: TLSClientCertificates
    /// The authorities of client certificates; `optional` and `required` need them, or registered ones.
    package var clientAuthorityFile: String?
    /// Further authorities of client certificates, as they are at each handshake.
    package var registeredAuthorities: TLSAuthorities?
    /// Certificates for names that none of `identities` is for, as they are at each handshake.
    package var registeredCertificates: TLSServerCertificates?
    /// TLS 1.3 only instead of 1.2 and later.
    package var requiresTLS13: Bool

    package init(
        identities: [TLSIdentity],
        clientCertificates: TLSClientCertificates = .none,
        clientAuthorityFile: String? = nil,
        requiresTLS13: Bool = false,
    ) {
        self.identities = identities
        self.clientCertificates = clientCertificates
        self.clientAuthorityFile = clientAuthorityFile
        self.requiresTLS13 = requiresTLS13
    }
}

package struct TLSClientConfiguration: Sendable, Equatable {
    /// The authorities of servers; nil takes those of the system.
    package var authorityFile: String?
    /// Neither chain nor name is verified: for experiments only.
    package var isInsecure: Bool
    package var identity: TLSIdentity?
    /// Offered by ALPN, most wanted first; empty offers nothing.
    package var applicationProtocols: [String]
    /// Offers nothing newer, so that tests see how the server speaks it.
    var isLimitedToTLS12 = false

    package init(
        authorityFile: String? = nil,
        isInsecure: Bool = false,
        identity: TLSIdentity? = nil,
        applicationProtocols: [String] = [],
    ) {
        self.authorityFile = authorityFile
        self.isInsecure = isInsecure
        self.identity = identity
        self.applicationProtocols = applicationProtocols
    }
}
