internal import HTTPTypes

/// An answer, whole.
struct APIResponse: Sendable {
    var status: HTTPResponse.Status
    var headers: HTTPFields
    var body: [UInt8]

    init(_ status: HTTPResponse.Status, headers: HTTPFields = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    init(_ status: HTTPResponse.Status, json: JSONValue) {
        self.init(status, headers: [.contentType: "application/json"], body: Array(json.text.utf8))
    }

    init(_ status: HTTPResponse.Status, text: String, type: String = "text/plain; charset=utf-8") {
        self.init(status, headers: [.contentType: type], body: Array(text.utf8))
    }
}
