internal import ApusMessage
internal import ApusResources

/// Users of custom authentication (apsaramq-facts 4.4.4, 4.4.12, 4.4.32, 4.4.49).
enum IdentityActions {
    private static let identity = ["IdentityType", "Username", "ClientId"]
    private static let proof = ["Secret", "SignMode"]

    static let all: [RPCAction] = [
        CustomAction.action("AddCustomAuthIdentity", .manager, identity + proof) { call, instance throws(RPCError) in
            try put(call, instance) { () throws(RPCError) in
                guard try Name(call).stored(call, instance) == nil else {
                    throw call.parameters.refusal(
                        of: "Username",
                        "it is stored already; UpdateCustomAuthIdentity changes it"
                    )
                }
            }
        },
        CustomAction.action("UpdateCustomAuthIdentity", .manager, identity + proof) { call, instance throws(RPCError) in
            try put(call, instance) { () throws(RPCError) in _ = try existing(Name(call), call, instance) }
        },
        CustomAction.action("DeleteCustomAuthIdentity", .manager, identity) { call, instance throws(RPCError) in
            let name = try Name(call)
            _ = try existing(name, call, instance)
            try call.change(
                [.deleteIdentity(instance.number, name.type, userName: name.userName, clientID: name.clientID)],
                in: instance.id,
            )
            return .success()
        },
        // Only for managers, as it shows secrets.
        CustomAction.action("QueryCustomAuthIdentity", .manager, identity + ["Size", "NextToken"]) {
            call,
            instance throws(RPCError) in
            let type = try call.parameters.optionalChoice("IdentityType", IdentityType.self)
            let userName = try call.parameters.optionalText("Username")
            let clientID = try call.parameters.optionalText("ClientId")
            let found = call.directory.identities(of: instance.number, userName: userName).filter { identity in
                (type.map { $0 == identity.type } ?? true)
                    && (clientID.map { ExactText($0) == identity.clientID.map(ExactText.init) } ?? true)
            }
            return try CustomAction.page(of: found, call, key: key, json: json)
        },
    ]

    /// What an identity is known by.
    private struct Name {
        var type: IdentityType
        var userName: String
        var clientID: String?

        init(_ call: RPCCall) throws(RPCError) {
            type = try call.parameters.choice("IdentityType", IdentityType.self)
            userName = try call.parameters.text("Username")
            guard userName.unicodeScalars.count <= 64 else {
                throw call.parameters.refusal(of: "Username", "it must have 1 to 64 characters")
            }
            clientID = try call.parameters.optionalText("ClientId")
            guard (clientID != nil) == (type == .client) else {
                throw call.parameters.refusal(of: "ClientId", "it belongs to IdentityType 'CLIENT', and only to it")
            }
        }

        func stored(_ call: RPCCall, _ instance: Instance) -> CustomIdentity? {
            call.directory.storedIdentity(instance.number, userName: userName, clientID: clientID)
        }
    }

    private static func existing(_ name: Name, _ call: RPCCall, _ instance: Instance) throws(RPCError) -> CustomIdentity
    {
        guard let found = name.stored(call, instance) else {
            throw call.parameters.refusal(of: "Username", "no such identity is stored; AddCustomAuthIdentity stores it")
        }
        return found
    }

    /// Stores the identity of the call.
    ///
    /// - Parameter check: throws where the action may not, and is asked while nobody changes anything.
    private static func put(
        _ call: RPCCall,
        _ instance: Instance,
        unless check: () throws(RPCError) -> Void,
    ) throws(RPCError) -> JSONValue {
        let name = try Name(call)
        let identity = CustomIdentity(
            instance: instance.number,
            type: name.type,
            userName: name.userName,
            clientID: name.clientID,
            secret: try call.parameters.text("Secret"),
            signMode: try call.parameters.choice("SignMode", CustomIdentity.SignMode.self),
        )
        try call.change(in: instance.id) { () throws(RPCError) in
            try check()
            return [.putIdentity(identity)]
        }
        return .success()
    }

    static func key(_ identity: CustomIdentity) -> String {
        [identity.userName, identity.type.rawValue, identity.clientID ?? ""]
            .joined(separator: CustomAction.separator)
    }

    private static func json(_ identity: CustomIdentity) -> JSONValue {
        [
            "IdentityType": .string(identity.type.rawValue), "Username": .string(identity.userName),
            "ClientId": identity.clientID.map { .string($0) }, "Secret": .string(identity.secret),
            "SignMode": .string(identity.signMode.rawValue),
        ]
    }
}
