/// One address that the broker listens on.
package struct Listener: Sendable, Equatable {
    /// Whether connections begin with the PROXY protocol's header, and in which version.
    package enum ProxyProtocol: String, Sendable, CaseIterable {
        case off, v1, v2, any
    }

    package var address: ListenerAddress
    package var proxyProtocol = ProxyProtocol.off
    /// `nil`: only `limits.connections` bounds it.
    package var maximumConnections: Int?
    /// `nil`: `tls` of the configuration holds.
    package var tls: TLS?
    /// Narrows `authentication.anonymous`, never widens it.
    package var allowAnonymous = true
    /// The id of the instance of clients that name no other; `nil`: the first one that runs.
    package var instance: String?

    package init(address: ListenerAddress) { self.address = address }

    /// The listener's name in logs and for authentication: its URL.
    package var name: String { address.description }

    /// What is listened on without configuration: this machine only.
    package static let defaults = [
        Listener(address: ListenerAddress(scheme: .mqtt, host: "127.0.0.1", port: 1883)),
        Listener(address: ListenerAddress(scheme: .ws, host: "127.0.0.1", port: 8083)),
    ]
}

/// Files and rules of TLS.
///
/// Paths only: keys stay in their files.
package struct TLS: Sendable, Equatable {
    /// Whether a client must show a certificate.
    package enum ClientCertificate: String, Sendable, CaseIterable {
        case none, optional, required
    }

    /// Another certificate for clients that ask for this server name.
    package struct Host: Sendable, Equatable {
        package var name: String
        package var certificate: String
        package var key: String
    }

    /// PEM: the server's certificate, then the intermediate ones.
    package var certificate: String?
    /// PEM.
    package var key: String?
    /// PEM: the authorities that sign client certificates.
    package var clientCA: String?
    package var clientCertificate = ClientCertificate.none
    package var hosts: [Host] = []

    package init() {}
}
