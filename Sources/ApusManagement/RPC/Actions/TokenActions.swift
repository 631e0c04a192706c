internal import ApusResources

/// Tokens (apsaramq-facts 4.4.6, 4.4.39, 4.4.43).
enum TokenActions {
    static let all: [RPCAction] = [
        token("ApplyToken", .manager, 100, ["Actions", "ExpireTime", "Resources"]) { call, instance throws(RPCError) in
            let actions = try call.parameters.text("Actions", most: 64)
            let expireTime = try call.parameters.integer("ExpireTime", in: 0...Int64.max)
            let resources = try call.parameters.text("Resources", most: 65_536)
            do throws(TokenRefusal) {
                return [
                    "Token": .string(
                        try TokenDesk(service: call.service, now: call.now).issue(
                            actions,
                            on: resources.split(separator: ",", omittingEmptySubsequences: false).map(String.init),
                            until: expireTime,
                            in: instance,
                            by: call.caller,
                        )
                    )
                ]
            } catch { throw refusal(error, call) }
        },
        token("QueryToken", .data, 100, ["Token"]) { call, instance throws(RPCError) in
            let text = try call.parameters.text("Token", most: 65_536)
            let finding = TokenDesk(service: call.service, now: call.now).find(text, in: instance)
            return ["TokenStatus": .bool(finding.problem.isEmpty)]
        },
        token("RevokeToken", .manager, 5, ["Token"]) { call, instance throws(RPCError) in
            let text = try call.parameters.text("Token", most: 65_536)
            let desk = TokenDesk(service: call.service, now: call.now)
            try call.change(in: instance.id) { () throws(RPCError) in
                do throws(TokenRefusal) {
                    return try desk.revocation(of: text, in: instance)
                } catch { throw refusal(error, call) }
            }
            return [:]
        },
    ]

    private static func refusal(_ error: TokenRefusal, _ call: RPCCall) -> RPCError {
        switch error {
        case .invalid(let field, let message):
            let name =
                switch field {
                case .actions: "Actions"
                case .resources: "Resources"
                case .expireTime: "ExpireTime"
                case .token: "Token"
                }
            return call.parameters.refusal(of: name, message)
        case .notPermitted(let message): return RPCError(400, "PermissionCheckFailed", message)
        case .failed(let error): return call.refusal(error)
        }
    }

    private static func token(
        _ name: String,
        _ rights: AccessKey.Rights,
        _ rate: Int,
        _ parameters: [String],
        _ perform: @escaping RPCAction.OfInstance,
    ) -> RPCAction {
        RPCAction(
            name,
            versions: [.v2020, .v2019],
            rights: rights,
            rate: rate,
            family: .check,
            parameters: parameters,
            throttleCode: "ApplyTokenOverFlow",
            body: .ofInstance(parameter: "InstanceId", perform),
        )
    }
}
