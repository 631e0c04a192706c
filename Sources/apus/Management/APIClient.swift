internal import ApusCrypto
internal import ApusLoop
internal import ApusTransport
internal import ArgumentParser

/// Calls the management API, one connection for each call.
///
/// The tools' own sockets and TLS carry it: a library for HTTP would bring a second TLS implementation, or libcurl, for
/// requests that are a head and a body.
struct APIClient {
    private let endpoint: ClientEndpoint
    private let tls: TLSClientConfiguration
    private let authorization: String
    private let timeout: Duration

    init(_ options: APIOptions) throws {
        let access = try options.access()
        do {
            endpoint = try ClientEndpoint(api: access.url)
        } catch {
            throw CommandFailure(error.description)
        }
        guard options.caFile == nil || endpoint.kind.isSecure else {
            throw CommandFailure("--ca-file is for https; \(endpoint) is a connection without TLS")
        }
        guard endpoint.kind.isSecure || endpoint.staysOnThisMachine else {
            throw CommandFailure("\(endpoint) would show the access key's secret to everybody on the way: use https")
        }
        tls = TLSClientConfiguration(authorityFile: options.caFile, applicationProtocols: ["http/1.1"])
        authorization = "Basic " + Base64.encode(Array("\(access.keyID):\(access.secret)".utf8))
        timeout = options.timeout
    }

    /// A call below `/api/v1`.
    ///
    /// - Parameters:
    ///   - path: its parts; each is percent-encoded.
    ///   - query: those without a value are left out.
    /// - Returns: the answer's JSON; null when it has none.
    /// - Throws: `APIFailure`, `APIUnreachable`.
    func call(
        _ method: String,
        _ path: [String],
        query: [(name: String, value: String?)] = [],
        body: JSONValue? = nil,
    ) throws -> JSONValue {
        let pairs = query.compactMap { name, value in value.map { "\(name)=\(HTTPRequest.encoded($0))" } }
        let target = (["", "api", "v1"] + path.map(HTTPRequest.encoded)).joined(separator: "/")
        var request = HTTPRequest(
            method: method,
            target: endpoint.path + target + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&")),
            host: endpoint.hostField,
        )
        request.fields = [
            ("Authorization", authorization), ("Accept", "application/json"),
            ("User-Agent", "apus/\(ApusVersion.text)"),
        ]
        if let body {
            request.fields.append(("Content-Type", "application/json"))
            request.body = Array(body.text.utf8)
        }
        let response = try exchange(request)
        guard (200...299).contains(response.status) else { throw APIFailure(response) }
        guard !response.body.isEmpty else { return .null }
        do {
            return try JSONReader.read(response.body)
        } catch {
            throw APIUnreachable("\(endpoint): the answer is not JSON (\(error)); is this the API of Apus?")
        }
    }

    /// All pages of a list, or its first items.
    func list(
        _ path: [String],
        query: [(name: String, value: String?)] = [],
        cursor: String = "after",
        limit: Int? = nil,
    ) throws -> [JSONValue] {
        var items: [JSONValue] = []
        var next: String?
        var last: String?
        repeat {
            last = next
            let size = min(limit.map { $0 - items.count } ?? Self.pageSize, Self.pageSize)
            var pairs = query
            pairs += [("limit", "\(size)"), (cursor, next)]
            let page = try call("GET", path, query: pairs)
            items += page["items"]?.items ?? []
            next = page["next"].map { $0.string ?? $0.text }
            // A cursor that stays where it is would lead on for ever.
        } while next != nil && next != last && items.count < limit ?? .max
        return items
    }

    private static let pageSize = 1000

    private func exchange(_ request: HTTPRequest) throws -> HTTPResponse {
        do {
            let connection = try ClientConnection(endpoint, tls: tls, timeout: timeout)
            defer { connection.close(timeout: .zero) }
            try connection.send(request.bytes)
            let deadline = Clock.monotonicNanoseconds() + Int64(timeout / .nanoseconds(1))
            var reader = HTTPResponseReader()
            while true {
                let rest = deadline - Clock.monotonicNanoseconds()
                switch try connection.receive(timeout: .nanoseconds(max(0, rest))) {
                case .bytes(let bytes): if let response = try reader.received(bytes) { return response }
                case .closed: return try reader.closed()
                case .timedOut: throw APIUnreachable("\(endpoint): no answer in \(timeout)")
                case .woken, .inputReady, .sent: break
                }
            }
        } catch let error as ApusTransport.ClientError {
            let hint = PortProbe.certificateHint(error.description, tls, nameOption: "--api https://NAME:PORT")
            throw APIUnreachable(error.description + (hint.map { "; \($0)" } ?? ""))
        } catch let error as HTTPError {
            throw APIUnreachable("\(endpoint): \(error.description); is this the API of Apus?")
        }
    }
}

/// The service said no.
struct APIFailure: Error, CustomStringConvertible {
    let status: Int
    let code: String
    /// The part of the request that is wrong.
    let field: String?
    private(set) var message: String
    /// All that is wrong with a resources document.
    let problems: [ResourceFile.Problem]

    init(_ response: HTTPResponse) {
        status = response.status
        let body: JSONValue?
        do {
            body = try JSONReader.read(response.body)
        } catch {
            body = nil
        }
        let error = body?["error"]
        code = error?["code"]?.string ?? "HTTP \(response.status)"
        field = error?["field"]?.string
        let words = error?["message"]?.string ?? "the service answered with status \(response.status)"
        message = (field.map { "\($0): " } ?? "") + words
        problems = (error?["problems"]?.items ?? []).map {
            ResourceFile.Problem(field: $0["field"]?.string ?? "", message: $0["message"]?.string ?? "")
        }
    }

    var description: String { "\(message) (\(code))" }

    /// The same about one of several things.
    func about(_ thing: String) -> APIFailure {
        var failure = self
        failure.message = "\(thing): \(message)"
        return failure
    }
}

/// No connection, no answer, or one that makes no sense; another attempt may help.
struct APIUnreachable: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
