internal import ApusMessage
internal import ApusResources
internal import HTTPTypes

/// A refusal of the REST API: `{"error":{"code","message","field","limit","problems","requestId"}}`.
struct RESTError: Error, Equatable {
    struct Problem: Equatable {
        var field: String
        var message: String
    }

    var status: HTTPResponse.Status
    var code: String
    /// What is wrong and what would be right.
    var message: String
    /// The part of the request that is wrong, `topics[3]`; empty for none.
    var field = ""
    /// The limit that was reached; empty for none.
    var limit = ""
    /// All that is wrong, where more than the first thing is looked for; otherwise empty.
    var problems: [Problem] = []
    var headers: HTTPFields = [:]
    /// Whether the audit log has it already.
    var isRecorded = false

    init(_ status: HTTPResponse.Status, _ code: String, _ message: String, field: String = "") {
        self.status = status
        self.code = code
        self.message = message
        self.field = field
    }

    func response(_ requestID: String) -> APIResponse {
        var response = APIResponse(
            status,
            json: [
                "error": [
                    "code": .string(code), "message": .string(message),
                    "field": field.isEmpty ? nil : .string(field), "limit": limit.isEmpty ? nil : .string(limit),
                    "problems": problems.isEmpty ? nil : .array(problems.map(\.json)),
                    "requestId": .string(requestID),
                ]
            ]
        )
        response.headers.append(contentsOf: headers)
        return response
    }

    /// The request breaks what the OpenAPI document says.
    static func invalid(_ field: String, _ message: String) -> RESTError {
        RESTError(.badRequest, "Invalid", message, field: field)
    }

    /// The request is of the right form, but its content is not possible.
    static func impossible(_ field: String, _ message: String) -> RESTError {
        RESTError(.unprocessableContent, "Invalid", message, field: field)
    }

    static func notFound(_ message: String) -> RESTError { RESTError(.notFound, "NotFound", message) }

    static func exists(_ message: String) -> RESTError { RESTError(.conflict, "Exists", message) }

    static func methodNotAllowed(_ request: APIRequest, _ allowed: [String]) -> RESTError {
        var error = RESTError(
            .methodNotAllowed,
            "MethodNotAllowed",
            "'\(excerpt(request.path, 128))' takes \(allowed.joined(separator: ", ")), not \(request.method.rawValue)",
        )
        error.headers[.allow] = allowed.joined(separator: ", ")
        return error
    }

    init(_ error: FormError) {
        switch error {
        case .malformed(let name): self = .invalid(name, "it is not percent-encoded UTF-8 (RFC 3986)")
        case .duplicate(let name): self = .invalid(name, "it comes twice")
        case .tooMany: self = .invalid("query", "it has more than \(FormParameters.mostPairs) parameters")
        }
    }

    init(_ error: ResourceError) {
        switch error.kind {
        case .invalid(let field): self = .impossible(field, error.message)
        case .exists: self = .exists(error.message)
        case .notFound: self = .notFound(error.message)
        case .inUse: self.init(.conflict, "InUse", error.message)
        case .storage: self.init(.internalServerError, "Internal", error.message)
        case .overLimit(let name):
            self.init(.conflict, "OverLimit", error.message)
            limit = name.rawValue
        }
    }

    init(_ error: DocumentError) {
        self.init(error.first.error)
        field = Self.field(error.first)
        guard error.first.error.kind != .storage else { return }
        problems = error.problems.map { Problem(field: Self.field($0), message: $0.error.message) }
    }

    /// The body is the document.
    private static func field(_ problem: DocumentError.Problem) -> String {
        problem.place.isEmpty ? "body" : problem.place
    }
}

extension RESTError.Problem {
    fileprivate var json: JSONValue { ["field": .string(field), "message": .string(message)] }
}
