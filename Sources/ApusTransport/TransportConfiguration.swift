package import ApusLoop

/// What the broker listens on, and how long it waits for whom.
package struct TransportConfiguration: Sendable {
    package var listeners: [ListenerConfiguration]
    /// Threads, each with its own sockets; must be the broker's own number of shards.
    package var shardCount: Int
    /// How long a PROXY header, a TLS handshake and a WebSocket upgrade may take together.
    ///
    /// The CONNECT has its own deadline in the shard; both count from the accept.
    package var handshakeTimeout: Duration = .seconds(10)
    /// How long a connection that the broker closes may take to read the last bytes.
    package var closeTimeout: Duration = .seconds(2)
    /// The size of the kernel's send buffer of each connection in bytes; nil leaves it to the kernel.
    ///
    /// For tests.
    package var sendBufferBytes: Int?

    package init(listeners: [ListenerConfiguration], shardCount: Int) {
        self.listeners = listeners
        self.shardCount = shardCount
    }
}

/// One endpoint.
package struct ListenerConfiguration: Sendable, Equatable {
    /// What is spoken above the socket.
    package enum Kind: String, Sendable, CaseIterable {
        case tcp
        case tls
        case webSocket
        case secureWebSocket

        package var isSecure: Bool { self == .tls || self == .secureWebSocket }
        package var isWebSocket: Bool { self == .webSocket || self == .secureWebSocket }

        /// The scheme of the endpoint's URL.
        package var scheme: String {
            switch self {
            case .tcp: "mqtt"
            case .tls: "mqtts"
            case .webSocket: "ws"
            case .secureWebSocket: "wss"
            }
        }
    }

    /// Where the listener is reached.
    package enum Address: Sendable, Hashable {
        /// An IP address (`0.0.0.0` and `::` are all of them) or a host name; port 0 lets the kernel choose.
        case internet(host: String, port: UInt16)
        /// A socket in the file system.
        case unix(path: String)
    }

    /// Which versions of the PROXY protocol's header a connection must start with.
    package enum ProxyProtocolMode: String, Sendable, CaseIterable {
        /// None; the socket's own address is the client's.
        case off
        case v1
        case v2
        case any
    }

    /// Stands in log lines and in `Peer.listener`.
    package var name: String
    package var kind: Kind
    package var address: Address
    /// Only for a port that nobody but the proxy can reach: the header is believed.
    package var proxyProtocol: ProxyProtocolMode = .off
    /// Needed by the secure kinds, not used by the others.
    package var tls: TLSServerConfiguration?
    /// The permissions of a unix socket's file.
    package var unixMode: UInt32 = 0o600
    /// Connections over all shards; more are closed at once.
    package var maximumConnections: Int = .max

    package init(name: String, kind: Kind, address: Address) {
        self.name = name
        self.kind = kind
        self.address = address
    }

    /// The URL of the endpoint, such as `mqtt://127.0.0.1:1883` or `unix:/run/apus.sock`.
    package var endpoint: String {
        switch address {
        case .unix(let path): kind == .tcp ? "unix:\(path)" : "\(kind.scheme)+unix:\(path)"
        case .internet(let host, let port):
            // A colon stands in IPv6 addresses only.
            host.utf8.contains(UInt8(ascii: ":"))
                ? "\(kind.scheme)://[\(host)]:\(port)" : "\(kind.scheme)://\(host):\(port)"
        }
    }
}
