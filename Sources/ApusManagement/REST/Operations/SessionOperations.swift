internal import ApusBroker
internal import ApusResources
internal import HTTPTypes

/// Sessions, of clients that are away too, and what waits in them.
enum SessionOperations {
    static let all: [RESTOperation] = [
        RESTOperation(
            .get,
            "/instances/{instance}/sessions",
            "listSessions",
            "Sessions by client id.",
            rights: .data,
            query: RESTCall.pageParameters,
            answer: .component("SessionList"),
        ) { call throws(RESTError) in try await page(call, connectedOnly: false, json: json) },
        RESTOperation(
            .get,
            "/instances/{instance}/sessions/{clientId}",
            "getSession",
            "A session.",
            rights: .data,
            answer: .component("Session"),
        ) { call throws(RESTError) in json(try await existing(call)) },
        RESTOperation(
            .delete,
            "/instances/{instance}/sessions/{clientId}",
            "endSession",
            "Ends a session, with its connection, subscriptions and waiting messages.",
            rights: .manager,
            status: .noContent,
        ) { call throws(RESTError) in
            let instance = try call.instance()
            let clientID = call.part("clientId")
            let reason = "the session was ended by the management API"
            guard await call.broker.endSession(instance.number, clientID: clientID, explanation: reason) else {
                throw .notFound("'\(excerpt(clientID))' has no session")
            }
            try call.record(in: instance.id, "session of \(excerpt(clientID, 128))")
            return .null
        },
    ]

    static func page(
        _ call: RESTCall,
        connectedOnly: Bool,
        json: (SessionDetails) -> JSONValue,
    ) async throws(RESTError) -> JSONValue {
        let instance = try call.instance()
        let after = try call.cursorKey()
        let limit = call.limit
        let found = await call.broker.sessions(
            instance.number,
            after: after,
            limit: limit,
            connectedOnly: connectedOnly,
        )
        // A full page may be the last one; the next is empty then.
        let next = found.count == limit ? found.last.map { PageCursor.text($0.clientID) } ?? "" : ""
        return RESTCall.page(found.map(json), next: next)
    }

    static func existing(_ call: RESTCall) async throws(RESTError) -> SessionDetails {
        let instance = try call.instance()
        let clientID = call.part("clientId")
        guard let found = await call.broker.session(instance.number, clientID: clientID) else {
            throw .notFound("'\(excerpt(clientID))' has no session")
        }
        return found
    }

    static func load(_ session: SessionDetails) -> JSONValue {
        [
            "subscriptions": .array(
                session.subscriptions.map { subscription in
                    [
                        "filter": .string(subscription.filter), "qos": JSONValue(subscription.qos),
                        "noLocal": .bool(subscription.noLocal),
                        "retainAsPublished": .bool(subscription.retainAsPublished),
                    ]
                }
            ),
            "inFlight": JSONValue(session.inFlight), "queuedMessages": JSONValue(session.queuedMessages),
            "queuedBytes": JSONValue(session.queuedBytes),
        ]
    }

    private static func json(_ session: SessionDetails) -> JSONValue {
        JSONValue.object([
            .init(name: "clientId", value: .string(session.clientID)),
            .init(name: "online", value: .bool(session.connection != nil)),
            .init(name: "persistent", value: .bool(session.isPersistent)),
            .init(name: "expirySeconds", value: .integer(Int64(session.expirySeconds))),
        ])
        .adding(["disconnectedAt": session.disconnectedAt.map { .integer($0) }])
        .adding(load(session))
    }
}
