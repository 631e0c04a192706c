internal import ApusResources
internal import HTTPTypes

/// Users of custom authentication.
enum IdentityOperations {
    static let all: [RESTOperation] = [
        RESTOperation(
            .get,
            "/instances/{instance}/identities",
            "listIdentities",
            "Users of custom authentication with their secrets, by name.",
            rights: .manager,
            query: RESTCall.pageParameters + [.init("userName", .string(1...64), "Only those of this user name.")],
            answer: .component("IdentityList"),
        ) { call throws(RESTError) in
            let userName = call.query["userName"]?.string
            let all = call.directory.identities(of: try call.instance().number, userName: userName)
            return try call.page(of: all, key: IdentityActions.key, json: json)
        },
        RESTOperation(
            .put,
            "/instances/{instance}/identities",
            "putIdentity",
            "Stores a user of custom authentication; one of the same name and client id is replaced.",
            rights: .manager,
            body: .component("Identity"),
            answer: .component("Identity"),
        ) { call throws(RESTError) in
            let instance = try call.instance()
            let identity = CustomIdentity(
                instance: instance.number,
                type: IdentityType(rawValue: call.text("type")) ?? .user,
                userName: call.text("userName"),
                clientID: call.body["clientId"]?.string,
                secret: call.text("secret"),
                signMode: CustomIdentity.SignMode(rawValue: call.text("signMode")) ?? .signed,
            )
            try call.change([.putIdentity(identity)], in: instance.id, "identity \(excerpt(identity.userName))")
            return json(identity)
        },
        RESTOperation(
            .delete,
            "/instances/{instance}/identities/{userName}",
            "deleteIdentity",
            "Removes a user of custom authentication; its connections end.",
            rights: .manager,
            query: [.init("clientId", .string(1...64), "Of the entry for this client id; absent for the user's own.")],
            status: .noContent,
        ) { call throws(RESTError) in
            let instance = try call.instance()
            let clientID = call.query["clientId"]?.string
            try call.change(
                [
                    .deleteIdentity(
                        instance.number,
                        clientID == nil ? .user : .client,
                        userName: call.part("userName"),
                        clientID: clientID
                    )
                ],
                in: instance.id,
                "identity \(excerpt(call.part("userName")))",
            )
            return .null
        },
    ]

    private static func json(_ identity: CustomIdentity) -> JSONValue {
        [
            "type": .string(identity.type.rawValue), "userName": .string(identity.userName),
            "clientId": identity.clientID.map { .string($0) }, "secret": .string(identity.secret),
            "signMode": .string(identity.signMode.rawValue),
        ]
    }
}
