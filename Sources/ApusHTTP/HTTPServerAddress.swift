package import ApusLoop

/// Where an HTTP server is, and how it proves who it is.
package struct HTTPServerAddress: Sendable {
    /// A name, or an IP address without brackets.
    package var host: String
    package var port: UInt16
    /// The rules of https; `nil` for http.
    package var tls: TLSContext?

    package init(host: String, port: UInt16, tls: TLSContext? = nil) {
        self.host = host
        self.port = port
        self.tls = tls
    }

    /// The field `Host` of requests (RFC 9110, section 7.2): the port only where it is not the scheme's own.
    var hostField: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (tls == nil ? 80 : 443) ? name : "\(name):\(port)"
    }
}
