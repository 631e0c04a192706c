internal import ApusResources
internal import HTTPTypes

/// Tokens.
enum TokenOperations {
    static let all: [RESTOperation] = [
        RESTOperation(
            .post,
            "/instances/{instance}/tokens",
            "issueToken",
            "Issues a token that lets its bearer read or write topics for a while.",
            rights: .manager,
            body: .component("NewToken"),
            status: .created,
            answer: .component("Token"),
        ) { call throws(RESTError) in
            let instance = try call.instance()
            guard let caller = call.caller else { throw .notFound("there is no caller") }
            let actions = call.text("actions")
            let desk = TokenDesk(service: call.service, now: call.now)
            let text: String
            do throws(TokenRefusal) {
                text = try desk.issue(
                    actions,
                    on: (call.body["resources"]?.items ?? []).compactMap(\.string),
                    until: call.body["expiresAt"]?.integer ?? 0,
                    in: instance,
                    by: caller,
                )
            } catch { throw refusal(error) }
            return [
                "token": .string(text), "type": .string(actions == "R,W" ? "RW" : actions),
                "expiresAt": .integer(desk.find(text, in: instance).token?.expiresAt ?? 0),
            ]
        },
        RESTOperation(
            .post,
            "/instances/{instance}/tokens/query",
            "queryToken",
            "Says whether a token holds, and what it allows.",
            rights: .data,
            body: .component("TokenText"),
            answer: .component("TokenFinding"),
        ) { call throws(RESTError) in
            let found = TokenDesk(service: call.service, now: call.now).find(
                call.text("token"),
                in: try call.instance()
            )
            let actions = [found.token?.mayRead == true ? "R" : "", found.token?.mayWrite == true ? "W" : ""]
            return [
                "valid": .bool(found.problem.isEmpty), "reason": found.problem.isEmpty ? nil : .string(found.problem),
                "actions": found.token.map { _ in .string(actions.filter { !$0.isEmpty }.joined(separator: ",")) },
                "resources": found.token.map { .array($0.resources.map { .string($0) }) },
                "issuedAt": found.token.map { .integer($0.issuedAt) },
                "expiresAt": found.token.map { .integer($0.expiresAt) },
            ]
        },
        RESTOperation(
            .post,
            "/instances/{instance}/tokens/revoke",
            "revokeToken",
            "Takes a token back; connections that use it are told and closed. Never refused for want of room.",
            rights: .manager,
            body: .component("TokenText"),
            status: .noContent,
        ) { call throws(RESTError) in
            let instance = try call.instance()
            let desk = TokenDesk(service: call.service, now: call.now)
            try call.change { () throws(RESTError) in
                do throws(TokenRefusal) {
                    let changes = try desk.revocation(of: call.text("token"), in: instance)
                    return ChangeProposal(changes, in: instance.id, "a token")
                } catch { throw refusal(error) }
            }
            return .null
        },
    ]

    private static func refusal(_ error: TokenRefusal) -> RESTError {
        switch error {
        case .invalid(let field, let message):
            let name =
                switch field {
                case .actions: "actions"
                case .resources: "resources"
                case .expireTime: "expiresAt"
                case .token: "token"
                }
            return .impossible(name, message)
        case .notPermitted(let message): return .impossible("resources", message)
        case .failed(let error): return RESTError(error)
        }
    }
}
