internal import ApusResources
internal import HTTPTypes

/// Client ids that may not connect.
enum BanOperations {
    static let all: [RESTOperation] = [
        RESTOperation(
            .get,
            "/instances/{instance}/bans",
            "listBans",
            "Client ids that may not connect.",
            rights: .data,
            query: RESTCall.pageParameters,
            answer: .component("BanList"),
        ) { call throws(RESTError) in
            let all = call.directory.bans(of: try call.instance().number)
            return try call.page(of: all, key: \.clientID) { ["clientId": .string($0.clientID)] }
        },
        RESTOperation(
            .put,
            "/instances/{instance}/bans/{clientId}",
            "banClient",
            "Forbids a client id to connect; a live connection ends.",
            rights: .manager,
            status: .noContent,
        ) { call throws(RESTError) in
            let (instance, ban) = try ban(call)
            try call.change([.putBan(ban)], in: instance.id, "ban of \(excerpt(ban.clientID))")
            return .null
        },
        RESTOperation(
            .delete,
            "/instances/{instance}/bans/{clientId}",
            "liftBan",
            "Lifts a ban.",
            rights: .manager,
            status: .noContent,
        ) { call throws(RESTError) in
            let (instance, ban) = try ban(call)
            try call.change([.deleteBan(ban)], in: instance.id, "ban of \(excerpt(ban.clientID))")
            return .null
        },
    ]

    private static func ban(_ call: RESTCall) throws(RESTError) -> (Instance, BannedClient) {
        let instance = try call.instance()
        return (instance, BannedClient(instance: instance.number, clientID: call.part("clientId")))
    }
}
