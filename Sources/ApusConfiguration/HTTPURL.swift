/// The URL of an HTTP service: `https://auth.example.org/mqtt?v=1`.
package struct HTTPURL: Sendable, Hashable, CustomStringConvertible {
    package var isSecure: Bool
    /// A host name, an IPv4 address or an IPv6 address without brackets.
    package var host: String
    package var port: UInt16
    /// Path and query, beginning with a slash.
    package var target: String

    package init(_ url: String) throws(InvalidValue) {
        guard let (scheme, rest) = Self.split(url) else {
            // Not repeated in the message: it may hold a password.
            throw InvalidValue("a URL of a service begins with http:// or https://")
        }
        isSecure = scheme == "https"
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let tail = rest[authority.endIndex...]
        let isPlain = tail.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }
        guard isPlain else { throw InvalidValue("a path has neither blanks nor `#`; such letters are written as %20") }
        target = tail.hasPrefix("/") ? String(tail) : "/\(tail)"
        (host, port) = try Self.hostAndPort(authority, defaultPort: isSecure ? 443 : 80)
        guard port != 0 else { throw InvalidValue("the port must be a number from 1 to 65535") }
    }

    /// Without the query, which may hold a secret.
    package var description: String {
        let name = host.contains(":") ? "[\(host)]" : host
        let isDefault = port == (isSecure ? 443 : 80)
        let path = target.prefix { $0 != "?" }
        let query = path.endIndex == target.endIndex ? "" : "?…"
        return "\(isSecure ? "https" : "http")://\(name)\(isDefault ? "" : ":\(port)")\(path)\(query)"
    }

    /// `http` or `https`, and what follows `://`.
    static func split(_ url: String) -> (scheme: String, rest: Substring)? {
        for scheme in ["http", "https"] where url.hasPrefix("\(scheme)://") {
            return (scheme, url.dropFirst(scheme.utf8.count + 3))
        }
        return nil
    }

    /// The host without brackets, and the port.
    static func hostAndPort(
        _ authority: Substring,
        defaultPort: UInt16,
    ) throws(InvalidValue) -> (host: String, port: UInt16) {
        // Not repeated in the message: it may hold a password.
        guard !authority.contains("@") else { throw InvalidValue("a URL has no user name or password here") }
        // The rules of a listener, whose words fit here too.
        let address = try ListenerAddress("mqtt://\(authority)")
        let hasPort =
            authority.drop { $0 != "]" }.dropFirst().hasPrefix(":")
            || (!authority.hasPrefix("[") && authority.contains(":"))
        return (address.host, hasPort ? address.port : defaultPort)
    }
}
