/// What `http://HOST:PORT` says.
package struct HTTPEndpoint: Sendable, Hashable {
    /// A host name, an IPv4 address or an IPv6 address without brackets.
    package var host: String
    /// 0 lets the system choose.
    package var port: UInt16

    /// Without a port it is 18083.
    package init(_ url: String) throws(InvalidValue) {
        let prefix = "http://"
        guard url.hasPrefix(prefix) else {
            throw InvalidValue("`\(url)` is not written like http://127.0.0.1:18083")
        }
        // The rules of a listener, whose words fit here too.
        let address = try ListenerAddress("mqtt://" + url.dropFirst(prefix.count))
        host = address.host
        port = url.dropFirst(prefix.count).contains(":") ? address.port : Self.defaultPort
    }

    package static let defaultPort: UInt16 = 18_083
}
