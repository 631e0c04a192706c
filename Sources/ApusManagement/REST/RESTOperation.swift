internal import ApusResources
internal import HTTPTypes

/// One operation of the REST API, as data: where it is, what it takes and gives, who may call it, and what it does.
///
/// The OpenAPI document is made from these, and requests are checked against them.
struct RESTOperation: Sendable {
    struct QueryParameter: Sendable {
        var name: String
        var schema: Schema
        var description: String

        init(_ name: String, _ schema: Schema, _ description: String) {
            self.name = name
            self.schema = schema
            self.description = description
        }
    }

    typealias Perform = @Sendable (RESTCall) async throws(RESTError) -> JSONValue

    var method: HTTPRequest.Method
    /// Below the root, with parameters in braces: `/instances/{instance}/topics/{topic}`.
    var path: String
    /// Unique, `createTopic`; also the label of the metrics.
    var id: String
    var summary: String
    /// The least right that opens it; `nil` for everybody.
    var rights: AccessKey.Rights?
    var query: [QueryParameter] = []
    /// The schema of the body; `nil` when it takes none.
    var body: Schema?
    /// Whether it looks at the body's form itself, to tell all that is wrong and not only the first.
    var findsAllProblems: Bool
    /// The status when it has worked.
    var status: HTTPResponse.Status
    /// The schema of the answer; `nil` when it has none.
    var answer: Schema?
    var perform: Perform

    init(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ id: String,
        _ summary: String,
        rights: AccessKey.Rights?,
        query: [QueryParameter] = [],
        body: Schema? = nil,
        findsAllProblems: Bool = false,
        status: HTTPResponse.Status = .ok,
        answer: Schema? = nil,
        perform: @escaping Perform,
    ) {
        self.method = method
        self.path = path
        self.id = id
        self.summary = summary
        self.rights = rights
        self.query = query
        self.body = body
        self.findsAllProblems = findsAllProblems
        self.status = status
        self.answer = answer
        self.perform = perform
    }

    /// Whether it changes what the audit log is about; messages are in the trace, and tokens are not stored.
    var isAudited: Bool { method != .get && !["publish", "issueToken", "queryToken"].contains(id) }

    /// The names of the path's parameters.
    var pathParameters: [String] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }

    /// What the path's parameters of a name are.
    static func pathSchema(_ name: String) -> Schema {
        switch name {
        case "instance": Components.instanceID
        case "account": Components.accountName
        case "key": Components.keyID
        case "topic": Components.topicName
        case "group": Components.groupID
        case "type": .choice(IdentityType.self)
        case "message": .text(32...32, .name)
        default: .string(1...65_535)
        }
    }
}
