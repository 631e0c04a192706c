internal import ApusResources
internal import HTTPTypes

/// The REST API: finds the operation, checks the caller's right and the request's form, and performs it.
struct RESTService: Sendable {
    struct Outcome {
        var response: APIResponse
        /// The operation's id, for the metrics.
        var operation: String
        var code: String
    }

    static let root = "/api/v1"

    static func owns(path: String) -> Bool { path == root || path.hasPrefix("\(root)/") }

    /// A resources file may be larger than other bodies.
    static func largestBody(path: String) -> Int { path == "\(root)/apply" ? 16 << 20 : 1 << 20 }

    /// Calls of one operation by all keys of one account, so that none keeps the others from theirs.
    static let callsPerSecond = 1_000

    let service: ManagementService
    let access: RESTAccess
    private let throttle = ActionThrottle()

    init(service: ManagementService, access: RESTAccess) {
        self.service = service
        self.access = access
    }

    func respond(to request: APIRequest, requestID: String) async -> Outcome {
        var operation = "unknown"
        do throws(RESTError) {
            let response = try await perform(request, &operation)
            return Outcome(response: response, operation: operation, code: "OK")
        } catch {
            return Outcome(response: error.response(requestID), operation: operation, code: error.code)
        }
    }

    private func perform(_ request: APIRequest, _ id: inout String) async throws(RESTError) -> APIResponse {
        let segments = request.path.dropFirst(Self.root.count).split(separator: "/", omittingEmptySubsequences: false)
            .dropFirst().map(String.init)
        let matches = OperationTable.all.filter { Self.matches($0, segments) }
        guard !matches.isEmpty else {
            throw .notFound(
                "nothing is at '\(excerpt(request.path, 128))'; \(Self.root)/openapi.json shows what there is"
            )
        }
        guard let operation = matches.first(where: { $0.method == request.method }) else {
            throw .methodNotAllowed(request, Array(Set(matches.map(\.method.rawValue))).sorted())
        }
        id = operation.id
        // A browser sends the login that it remembers, whatever page makes it send a request.
        guard operation.method == .get || request.header("Sec-Fetch-Site") != "cross-site" else {
            throw RESTError(
                .forbidden,
                "CrossSite",
                "a page of another site made the browser send this (Sec-Fetch-Site is cross-site); changes are taken from "
                    + "programs and from pages of this address only",
            )
        }
        var caller: Caller?
        if operation.rights != nil {
            let known = try access.caller(of: request)
            try checkRate(operation, known)
            caller = known
        }
        var call = RESTCall(operation: operation, caller: caller, service: service, now: service.clock())
        let answer: JSONValue
        do throws(RESTError) {
            call.path = try Self.pathValues(operation, segments)
            if let rights = operation.rights, let caller, !caller.has(rights) {
                throw RESTError(
                    .forbidden,
                    "Forbidden",
                    "this needs a key with the right '\(rights.rawValue)'; '\(caller.key.id)' has '\(caller.key.rights.rawValue)'",
                )
            }
            call.query = try Self.queryValues(operation, request)
            call.body = try Self.body(operation, request)
            answer = try await operation.perform(call)
        } catch {
            if operation.isAudited, !error.isRecorded { call.recordRefusal(error) }
            throw error
        }
        return operation.answer == nil ? APIResponse(operation.status) : APIResponse(operation.status, json: answer)
    }

    private func checkRate(_ operation: RESTOperation, _ caller: Caller) throws(RESTError) {
        let rate = Self.callsPerSecond
        guard
            service.configuration.isThrottled,
            !throttle.take(operation.id, account: caller.key.account, rate: rate, now: service.clock())
        else { return }
        var error = RESTError(
            .tooManyRequests,
            "Throttled",
            "'\(operation.id)' may be called \(rate) times a second by the keys of an account; try again in a second"
        )
        error.headers[.retryAfter] = "1"
        throw error
    }

    private static func matches(_ operation: RESTOperation, _ segments: [String]) -> Bool {
        let pattern = operation.path.split(separator: "/")
        return pattern.count == segments.count
            && zip(pattern, segments).allSatisfy { $0.hasPrefix("{") ? !$1.isEmpty : $0 == $1 }
    }

    private static func pathValues(
        _ operation: RESTOperation,
        _ segments: [String],
    ) throws(RESTError) -> [String: String] {
        var values: [String: String] = [:]
        for (part, segment) in zip(operation.path.split(separator: "/"), segments) where part.hasPrefix("{") {
            let name = String(part.dropFirst().dropLast())
            guard let value = PercentEncoding.decode(segment, plusIsSpace: false) else {
                throw .invalid(name, "it is not percent-encoded UTF-8 (RFC 3986)")
            }
            _ = try RESTOperation.pathSchema(name).parse(value, at: name)
            values[name] = value
        }
        return values
    }

    private static func queryValues(
        _ operation: RESTOperation,
        _ request: APIRequest,
    ) throws(RESTError) -> [String: JSONValue] {
        var query = FormParameters()
        do {
            try query.add(request.query)
        } catch { throw RESTError(error) }
        var values: [String: JSONValue] = [:]
        for (name, value) in query.sorted {
            guard let parameter = operation.query.first(where: { $0.name == name }) else {
                let known = operation.query.map { "'\($0.name)'" }.joined(separator: ", ")
                throw .invalid(
                    excerpt(name),
                    "it is unknown here; known parameters are \(known.isEmpty ? "none" : known)",
                )
            }
            values[name] = try parameter.schema.parse(value, at: name)
        }
        return values
    }

    private static func body(_ operation: RESTOperation, _ request: APIRequest) throws(RESTError) -> JSONValue {
        guard let schema = operation.body else {
            // An empty object says nothing, and some clients send one always.
            guard request.body.isEmpty || request.body.elementsEqual("{}".utf8) else {
                throw .invalid("body", "this operation takes none")
            }
            return [:]
        }
        guard request.mediaType == "application/json" else {
            throw RESTError(
                .unsupportedMediaType,
                "UnsupportedMediaType",
                "the body is of type '\(excerpt((request.mediaType ?? "")))'; it must be application/json",
            )
        }
        let value: JSONValue
        do {
            value = try JSONReader.read(request.body)
        } catch {
            throw .invalid("body", "it is not JSON: \(error.reason), at byte \(error.offset)")
        }
        if !operation.findsAllProblems { try schema.check(value, at: "") }
        return value
    }
}
