/// A broker's address as a person writes it: `mqtt://host:1883`, `mqtts:`, `ws://host/path`, `wss:`, `unix:/path`.
package struct ClientEndpoint: Sendable, Hashable, CustomStringConvertible {
    /// What is spoken above the socket.
    package let kind: ListenerConfiguration.Kind
    package let address: ListenerConfiguration.Address
    /// The path of a WebSocket URL.
    package let path: String
    private let text: String

    package var description: String { text }

    /// Whether the URL itself says that what is sent stays on this machine: a unix socket, a loopback address, or a name
    /// beneath `localhost` (RFC 6761, section 6.3).
    package var staysOnThisMachine: Bool {
        guard case .internet(let host, _) = address else { return true }
        let name = host.lowercased()
        let isIPv4 = name.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }
        return name == "localhost" || name.hasSuffix(".localhost") || name == "::1" || isIPv4 && name.hasPrefix("127.")
    }

    /// Reads a URL; without a port the scheme's own counts: 1883, 8883, 80, 443.
    package init(_ text: String) throws(ClientError) {
        self.text = text
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty, path.utf8.count < 108 else {
                throw ClientError("\(text): the path of a unix socket has 1 to 107 bytes")
            }
            (kind, address, self.path) = (.tcp, .unix(path: path), "")
            return
        }
        let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let (kind, defaultPort) = Self.schemes[parts[0].lowercased()] else {
            throw ClientError("\(text): a URL starts with mqtt://, mqtts://, ws://, wss:// or unix:")
        }
        let rest = parts[1]
        let authority = rest.prefix { $0 != "/" }
        let path = String(rest[authority.endIndex...])
        guard kind.isWebSocket || path.isEmpty || path == "/" else {
            throw ClientError("\(text): only WebSocket URLs have a path")
        }
        guard !authority.contains("@") else {
            throw ClientError("\(text): user name and password are options, they do not stand in the URL")
        }
        let (host, port) = try Self.hostAndPort(authority, text)
        self.kind = kind
        self.path = path.isEmpty ? "/mqtt" : path
        address = .internet(host: host, port: port ?? defaultPort)
    }

    /// Reads the URL of an HTTP server, `http://host:port` or `https:`; without a port the scheme's own counts: 80, 443.
    ///
    /// A path, as of a proxy that serves several services, stands in `path` without its last slash.
    package init(api text: String) throws(ClientError) {
        self.text = text
        let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        let kinds: [String: (ListenerConfiguration.Kind, UInt16)] = ["http": (.tcp, 80), "https": (.tls, 443)]
        guard parts.count == 2, let (kind, defaultPort) = kinds[parts[0].lowercased()] else {
            throw ClientError("\(text): the URL of an API starts with http:// or https://")
        }
        let authority = parts[1].prefix { $0 != "/" }
        var path = parts[1][authority.endIndex...]
        while path.last == "/" { path.removeLast() }
        guard !authority.contains("@"), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "?") })
        else {
            throw ClientError("\(text): the URL of an API is a scheme, a host, a port and perhaps a path")
        }
        let (host, port) = try Self.hostAndPort(authority, text)
        self.kind = kind
        self.path = String(path)
        address = .internet(host: host, port: port ?? defaultPort)
    }

    private static let schemes: [String: (ListenerConfiguration.Kind, UInt16)] = [
        "mqtt": (.tcp, 1883), "tcp": (.tcp, 1883),
        "mqtts": (.tls, 8883), "ssl": (.tls, 8883),
        "ws": (.webSocket, 80), "wss": (.secureWebSocket, 443),
    ]

    private static func hostAndPort(_ authority: Substring, _ text: String) throws(ClientError) -> (String, UInt16?) {
        var host = authority
        var port: UInt16?
        let isBracketed = authority.hasPrefix("[")
        let colon = isBracketed && authority.hasSuffix("]") ? nil : authority.lastIndex(of: ":")
        if let colon {
            host = authority[..<colon]
            port = UInt16(authority[authority.index(after: colon)...])
            guard let port, port > 0 else { throw ClientError("\(text): the port is a number from 1 to 65535") }
        }
        if isBracketed {
            guard host.hasSuffix("]") else { throw ClientError("\(text): the bracket of the address is not closed") }
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw ClientError("\(text): an IPv6 address stands in brackets, as in mqtt://[::1]:1883")
        }
        guard !host.isEmpty else { throw ClientError("\(text): the host is missing") }
        return (String(host), port)
    }

    /// The value of the HTTP field `Host`.
    package var hostField: String {
        switch address {
        case .unix: "localhost"
        case .internet(let host, let port):
            host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }
}

/// Why a client cannot connect or go on, for the person who runs it.
package struct ClientError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
