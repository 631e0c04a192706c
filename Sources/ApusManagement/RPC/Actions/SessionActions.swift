internal import ApusBroker
internal import ApusResources

/// Online state of clients, and closing connections (apsaramq-facts 4.4.7, 4.4.8, 4.4.38).
enum SessionActions {
    /// Client ids of one query (apsaramq-facts 7).
    private static let mostClients = 10

    static let all: [RPCAction] = [
        RPCAction(
            "QuerySessionByClientId",
            versions: [.v2020, .v2019],
            rights: .data,
            rate: 500,
            family: .check,
            parameters: ["ClientId"],
            body: .ofInstance(parameter: "InstanceId") { call, instance throws(RPCError) in
                let clientID = try call.parameters.text("ClientId", most: 65_535)
                let states = await call.broker.areConnected(instance.number, clientIDs: [clientID])
                return ["OnlineStatus": .bool(states.first ?? false)]
            },
        ),
        RPCAction(
            "BatchQuerySessionByClientIds",
            versions: [.v2020, .v2019],
            rights: .data,
            rate: 100,
            family: .check,
            parameters: ["ClientIdList.n"],
            body: .ofInstance(parameter: "InstanceId") { call, instance throws(RPCError) in
                let clientIDs = try call.parameters.nonEmptyList("ClientIdList", most: mostClients)
                let states = await call.broker.areConnected(instance.number, clientIDs: clientIDs)
                return [
                    "OnlineStatusList": .array(
                        zip(clientIDs, states).map { clientID, isOnline in
                            ["ClientId": .string(clientID), "OnlineStatus": .bool(isOnline)]
                        }
                    )
                ]
            },
        ),
        RPCAction(
            "CloseConnection",
            rights: .manager,
            family: .named,
            parameters: ["ClientId"],
            body: .ofInstance(parameter: "InstanceId") { call, instance throws(RPCError) in
                let clientID = try call.parameters.text("ClientId", most: 65_535)
                let explanation = "closed by the management API"
                guard
                    await call.broker.disconnect(instance.number, clientID: clientID, explanation: explanation)
                else {
                    throw call.parameters.refusal(of: "ClientId", "'\(excerpt(clientID))' is not connected")
                }
                try call.record(in: instance.id)
                return .success()
            },
        ),
    ]
}
