/// What `http://HOST:PORT` or `https://HOST:PORT` says.
package struct HTTPEndpoint: Sendable, Hashable {
    package var isSecure: Bool
    /// A host name, an IPv4 address or an IPv6 address without brackets.
    package var host: String
    /// 0 lets the system choose.
    package var port: UInt16

    /// Without a port it is 18083.
    package init(_ url: String) throws(InvalidValue) {
        guard let (scheme, rest) = HTTPURL.split(url) else {
            throw InvalidValue("`\(url)` is not written like http://127.0.0.1:18083")
        }
        isSecure = scheme == "https"
        (host, port) = try HTTPURL.hostAndPort(rest, defaultPort: Self.defaultPort)
    }

    package static let defaultPort: UInt16 = 18_083
}
