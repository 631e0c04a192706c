internal import HTTPTypes

/// A request as far as the API reads it: its whole body is there.
struct APIRequest: Sendable {
    /// Who asks, and how.
    struct Peer: Sendable {
        /// The remote address with port: `127.0.0.1:50123`, `[::1]:50123`.
        var address: String
        /// Whether what it sends does not leave this machine.
        var isLoopback: Bool
        /// Whether it came by TLS.
        var isSecure = false
    }

    var method: HTTPRequest.Method
    /// As sent: percent-encoded, without query.
    var path: String
    /// As sent, without the question mark; empty for none.
    var query: String
    /// The Host header or `:authority`.
    var host: String
    var headers: HTTPFields
    var body: [UInt8]
    var peer: Peer

    init(
        method: HTTPRequest.Method,
        target: String,
        host: String = "localhost",
        headers: HTTPFields = [:],
        body: [UInt8] = [],
        peer: Peer = Peer(address: "127.0.0.1:1", isLoopback: true),
    ) {
        self.method = method
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = parts.first.map(String.init) ?? ""
        query = parts.count > 1 ? String(parts[1]) : ""
        self.host = host
        self.headers = headers
        self.body = body
        self.peer = peer
    }

    /// The value of a header; several are joined by `, ` as HTTP allows.
    func header(_ name: String) -> String? {
        HTTPField.Name(name).flatMap { headers[$0] }
    }

    /// The media type of the body without its parameters, in lower case; `nil` when none is given.
    var mediaType: String? {
        headers[.contentType].map { value in
            let type = value.prefix { $0 != ";" }
            return type.filter { !$0.isWhitespace }.lowercased()
        }
    }
}
