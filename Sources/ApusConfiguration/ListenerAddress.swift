/// What a listener URL says: protocol, host and port, or the path of a unix socket.
package struct ListenerAddress: Sendable, Hashable, CustomStringConvertible {
    package enum Scheme: String, Sendable, CaseIterable {
        case mqtt, mqtts, ws, wss, unix

        package var isTLS: Bool { self == .mqtts || self == .wss }
        package var isWebSocket: Bool { self == .ws || self == .wss }

        /// The port of a URL that names none.
        var defaultPort: UInt16 {
            switch self {
            case .mqtt: 1883
            case .mqtts: 8883
            case .ws: 8083
            case .wss: 8084
            case .unix: 0
            }
        }
    }

    package var scheme: Scheme
    /// A host name, an IPv4 address or an IPv6 address without brackets; empty for a unix socket.
    package var host: String
    /// 0 lets the system choose.
    package var port: UInt16
    /// The path of a unix socket; empty otherwise.
    package var path: String

    package init(scheme: Scheme, host: String, port: UInt16) {
        self.scheme = scheme
        self.host = host
        self.port = port
        path = ""
    }

    package init(unixPath: String) {
        scheme = .unix
        host = ""
        port = 0
        path = unixPath
    }

    /// Reads `mqtt://127.0.0.1:1883`, `wss://[::1]`, `unix:/run/apus.sock`.
    package init(_ url: String) throws(InvalidValue) {
        guard let colon = url.utf8.firstIndex(of: UInt8(ascii: ":")) else {
            throw InvalidValue("a listener is written like mqtt://127.0.0.1:1883 or unix:/run/apus.sock")
        }
        let name = String(url[..<colon])
        guard let scheme = Scheme(rawValue: name) else {
            let schemes = Scheme.allCases.map(\.rawValue)
            throw InvalidValue(
                "unknown protocol `\(name)`; there are \(schemes.joined(separator: ", "))",
                suggestion: nearestName(to: name, among: schemes),
            )
        }
        var rest = url[url.utf8.index(after: colon)...]
        if scheme == .unix {
            if rest.hasPrefix("//") { rest = rest.dropFirst(2) }
            self.init(unixPath: try Self.unixPath(String(rest)))
            return
        }
        guard rest.hasPrefix("//") else { throw InvalidValue("`//` is missing after `\(name):`") }
        rest = rest.dropFirst(2)
        // Not repeated in the message: it may hold a password.
        guard !rest.contains("@") else { throw InvalidValue("a listener has no user name or password") }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard !rest.contains(where: { "/?#".contains($0) }) else {
            throw InvalidValue(
                scheme.isWebSocket
                    ? "a listener has no path; WebSocket clients may use any" : "a listener has no path"
            )
        }
        let (host, port) = try Self.hostAndPort(rest)
        self.init(scheme: scheme, host: host, port: port ?? scheme.defaultPort)
    }

    package var description: String {
        if scheme == .unix { return "unix:\(path)" }
        return "\(scheme.rawValue)://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }

    /// Whether only this machine can reach the address.
    package var isLoopback: Bool {
        if scheme == .unix || host == "localhost" { return true }
        if let address = IPAddress(v4: host[...]) { return address.isLoopback }
        return IPAddress(v6: host[...])?.isLoopback ?? false
    }

    private static func unixPath(_ path: String) throws(InvalidValue) -> String {
        guard !path.isEmpty else { throw InvalidValue("the path of the unix socket is missing") }
        // What fits into `sockaddr_un` with its closing zero.
        guard path.utf8.count <= 107 else { throw InvalidValue("a unix socket's path has at most 107 bytes") }
        guard !path.utf8.contains(0) else { throw InvalidValue("a path cannot hold a zero byte") }
        return path
    }

    private static func hostAndPort(_ text: Substring) throws(InvalidValue) -> (String, UInt16?) {
        let host: Substring
        let rest: Substring
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else {
                throw InvalidValue("`]` is missing after the IPv6 address")
            }
            host = text[text.index(after: text.startIndex)..<end]
            rest = text[text.index(after: end)...]
            guard IPAddress(v6: host) != nil else { throw InvalidValue("`\(host)` is not an IPv6 address") }
        } else {
            let colon = text.firstIndex(of: ":") ?? text.endIndex
            host = text[..<colon]
            rest = text[colon...]
            guard rest.dropFirst().allSatisfy({ $0 != ":" }) else {
                throw InvalidValue("an IPv6 address stands in brackets, as in mqtt://[::1]:1883")
            }
            try check(hostName: host)
        }
        guard !rest.isEmpty else { return (String(host), nil) }
        let digits = rest.dropFirst()
        guard rest.hasPrefix(":"), (1...5).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits)
        else { throw InvalidValue("the port must be a number from 0 to 65535") }
        return (String(host), port)
    }

    private static func check(hostName host: Substring) throws(InvalidValue) {
        guard !host.isEmpty else { throw InvalidValue("the host is missing; all addresses are 0.0.0.0 or [::]") }
        guard host != "*" else { throw InvalidValue("`*` is not a host; all addresses are 0.0.0.0 or [::]") }
        let isNumeric = host.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }
        guard !isNumeric || IPAddress(v4: host) != nil else { throw InvalidValue("`\(host)` is not an IPv4 address") }
        let isName =
            host.utf8.count <= 253
            && host.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || [0x2D, 0x2E, 0x5F].contains(byte)
            }
        guard isName else { throw InvalidValue("`\(host)` is not a host name") }
    }
}
