internal import ApusResources

/// Client ids that may not connect (apsaramq-facts 4.4.3, 4.4.11, 4.4.31).
enum BanActions {
    static let all: [RPCAction] = [
        // Banning twice changes nothing and is no mistake.
        CustomAction.action("AddCustomAuthConnectBlack", .manager, ["ClientId"]) { call, instance throws(RPCError) in
            try call.change([.putBan(try ban(call, instance))], in: instance.id)
            return .success()
        },
        CustomAction.action("DeleteCustomAuthConnectBlack", .manager, ["ClientId"]) { call, instance throws(RPCError) in
            let ban = try ban(call, instance)
            guard call.directory.isBanned(instance.number, clientID: ban.clientID) else {
                throw call.parameters.refusal(of: "ClientId", "'\(excerpt(ban.clientID))' is not banned")
            }
            try call.change([.deleteBan(ban)], in: instance.id)
            return .success()
        },
        CustomAction.action("QueryCustomAuthConnectBlack", .data, ["ClientId", "Size", "NextToken"]) {
            call,
            instance throws(RPCError) in
            let clientID = try call.parameters.optionalText("ClientId")
            let found =
                clientID.map { clientID in
                    call.directory.isBanned(instance.number, clientID: clientID)
                        ? [BannedClient(instance: instance.number, clientID: clientID)] : []
                } ?? call.directory.bans(of: instance.number)
            return try CustomAction.page(of: found, call, key: \.clientID) { ban in
                // What the list shows there is not documented; this is what a ban is.
                ["ClientId": .string(ban.clientID), "PermitAction": "CONNECT", "Effect": "DENY"]
            }
        },
    ]

    private static func ban(_ call: RPCCall, _ instance: Instance) throws(RPCError) -> BannedClient {
        BannedClient(instance: instance.number, clientID: try call.parameters.text("ClientId"))
    }
}
