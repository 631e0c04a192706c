internal import ApusResources
internal import HTTPTypes

/// The OpenAPI 3.1 description of the REST API, made from the tables that it runs by.
enum OpenAPIDocument {
    static let json: JSONValue = [
        "openapi": "3.1.0",
        "info": [
            "title": "Apus management",
            "version": "1",
            "description": """
            Resources of the message service that the vendor's RPC API has no actions for, and those that it has. \
            Times are Unix milliseconds. Right `administrator` opens everything; `manager` topics, groups, credentials, \
            tokens and clients of the account's instances; `data` messages and queries of them. HTTP Basic with access \
            key id and secret works over https and from the same machine; a signature of style ACS3-HMAC-SHA256 works from everywhere.
            """,
        ],
        "servers": [["url": .string(RESTService.root)]],
        "security": [["basic": []], ["acs3": []]],
        "paths": .object(paths),
        "components": [
            "schemas": .object(Components.all.map { .init(name: $0.name, value: $0.schema.json) }),
            "securitySchemes": [
                "basic": ["type": "http", "scheme": "basic"],
                "acs3": [
                    "type": "apiKey", "in": "header", "name": "Authorization",
                    "description": "ACS3-HMAC-SHA256 Credential=…,SignedHeaders=…,Signature=…",
                ],
            ],
        ],
    ]

    private static var paths: [JSONValue.Member] {
        var order: [String] = []
        var byPath: [String: [RESTOperation]] = [:]
        for operation in OperationTable.all {
            if byPath[operation.path] == nil { order.append(operation.path) }
            byPath[operation.path, default: []].append(operation)
        }
        return order.map { path in
            let operations = (byPath[path] ?? []).map { operation in
                JSONValue.Member(name: operation.method.rawValue.lowercased(), value: json(operation))
            }
            return .init(name: path, value: .object(operations))
        }
    }

    private static func json(_ operation: RESTOperation) -> JSONValue {
        var parameters = operation.pathParameters.map { name -> JSONValue in
            ["name": .string(name), "in": "path", "required": true, "schema": RESTOperation.pathSchema(name).json]
        }
        parameters += operation.query.map { parameter in
            [
                "name": .string(parameter.name), "in": "query", "schema": parameter.schema.json,
                "description": .string(parameter.description),
            ]
        }
        let right = operation.rights.map { " Right: \($0.rawValue)." } ?? ""
        return [
            "operationId": .string(operation.id), "summary": .string(operation.summary + right),
            "parameters": parameters.isEmpty ? nil : .array(parameters),
            "requestBody": operation.body.map {
                ["required": true, "content": ["application/json": ["schema": $0.json]]]
            },
            "security": operation.rights == nil ? [] : nil,
            "responses": .object(responses(operation)),
        ]
    }

    private static func responses(_ operation: RESTOperation) -> [JSONValue.Member] {
        var answers: [JSONValue.Member] = [
            .init(
                name: "\(operation.status.code)",
                value: [
                    "description": "Done.",
                    "content": operation.answer.map { ["application/json": ["schema": $0.json]] },
                ]
            )
        ]
        for (status, words) in refusals(operation) {
            answers.append(
                .init(
                    name: "\(status.code)",
                    value: [
                        "description": .string(words),
                        "content": ["application/json": ["schema": Schema.component("Error").json]],
                    ]
                )
            )
        }
        return answers
    }

    private static func refusals(_ operation: RESTOperation) -> [(HTTPResponse.Status, String)] {
        var found: [(HTTPResponse.Status, String)] = [
            (.badRequest, "The request is not of this form."), (.internalServerError, "It failed inside."),
        ]
        if operation.body != nil {
            found += [
                (.contentTooLarge, "The body is too large."),
                (.unsupportedMediaType, "The body is not application/json."),
                (.serviceUnavailable, "There is no memory for the body now."),
            ]
        }
        if operation.rights != nil {
            found += [
                (.unauthorized, "No access key is proven."), (.forbidden, "The key has not the right."),
                (.notFound, "There is no such thing for this key."),
                (.conflict, "What is there already does not allow it."),
                (.unprocessableContent, "The request is of this form, but its content is not possible."),
                (.tooManyRequests, "Too many wrong secrets, or too many calls a second."),
            ]
        }
        return found.sorted { $0.0.code < $1.0.code }
    }
}
