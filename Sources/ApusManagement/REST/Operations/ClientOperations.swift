internal import ApusBroker
internal import ApusResources
internal import HTTPTypes

/// Connected clients.
enum ClientOperations {
    static let all: [RESTOperation] = [
        RESTOperation(
            .get,
            "/instances/{instance}/clients",
            "listClients",
            "Connected clients by client id.",
            rights: .data,
            query: RESTCall.pageParameters,
            answer: .component("ClientList"),
        ) { call throws(RESTError) in
            try await SessionOperations.page(call, connectedOnly: true, json: json)
        },
        RESTOperation(
            .get,
            "/instances/{instance}/clients/{clientId}",
            "getClient",
            "A client: its connection, and its session.",
            rights: .data,
            answer: .component("Client"),
        ) { call throws(RESTError) in json(try await SessionOperations.existing(call)) },
        RESTOperation(
            .delete,
            "/instances/{instance}/clients/{clientId}",
            "disconnectClient",
            "Closes a client's connection; it may come back.",
            rights: .manager,
            query: [.init("reason", .string(1...1_024), "A sentence that the client is told (MQTT 5.0).")],
            status: .noContent,
        ) { call throws(RESTError) in
            let instance = try call.instance()
            let clientID = call.part("clientId")
            let reason = call.query["reason"]?.string ?? "disconnected by the management API"
            guard await call.broker.disconnect(instance.number, clientID: clientID, explanation: reason) else {
                throw .notFound("'\(excerpt(clientID))' is not connected")
            }
            try call.record(in: instance.id, "client \(excerpt(clientID, 128))")
            return .null
        },
    ]

    private static func json(_ session: SessionDetails) -> JSONValue {
        let connection = session.connection
        return JSONValue.object([
            .init(name: "clientId", value: .string(session.clientID)),
            .init(name: "online", value: .bool(connection != nil)),
        ])
        .adding([
            "address": connection.map { .string($0.address) }, "listener": connection.map { .string($0.listener) },
            "version": connection.map { .string($0.version) },
            "userName": connection.flatMap { $0.userName.map { .string($0) } },
            "keepAliveSeconds": connection.map { JSONValue($0.keepAliveSeconds) },
            "connectedAt": connection.map { .integer($0.connectedAt) },
            "lastSeenAt": connection.map { .integer($0.lastSeenAt) },
            "channelId": connection.map { .string($0.channelID) },
        ])
        .adding(SessionOperations.load(session))
    }
}
