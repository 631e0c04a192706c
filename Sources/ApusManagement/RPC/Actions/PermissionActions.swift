internal import ApusMessage
internal import ApusResources

/// What identities of custom authentication may do (apsaramq-facts 4.4.5, 4.4.13, 4.4.33, 4.4.50).
enum PermissionActions {
    private static let subject = ["IdentityType", "Identity", "Topic"]

    static let all: [RPCAction] = [
        CustomAction.action("AddCustomAuthPermission", .manager, subject + ["PermitAction", "Effect"]) {
            call,
            instance throws(RPCError) in
            let permission = try permission(call, instance)
            try call.change(in: instance.id) { () throws(RPCError) in
                guard stored(permission.type, permission.identity, permission.topic, call, instance) == nil else {
                    throw call.parameters.refusal(
                        of: "Topic",
                        "it is granted already; UpdateCustomAuthPermission changes it"
                    )
                }
                return [.putPermission(permission)]
            }
            return .success()
        },
        CustomAction.action("UpdateCustomAuthPermission", .manager, subject + ["PermitAction", "Effect"]) {
            call,
            instance throws(RPCError) in
            let permission = try permission(call, instance)
            try call.change(in: instance.id) { () throws(RPCError) in
                try mustExist(permission.type, permission.identity, permission.topic, call, instance)
                return [.putPermission(permission)]
            }
            return .success()
        },
        CustomAction.action("DeleteCustomAuthPermission", .manager, subject) { call, instance throws(RPCError) in
            let type = try call.parameters.choice("IdentityType", IdentityType.self)
            let identity = try call.parameters.text("Identity")
            let topic = try call.parameters.text("Topic", most: 65_535)
            try mustExist(type, identity, topic, call, instance)
            try call.change(
                [.deletePermission(instance.number, type, identity: identity, topic: topic)],
                in: instance.id,
            )
            return .success()
        },
        CustomAction.action("QueryCustomAuthPermission", .data, subject + ["Size", "NextToken"]) {
            call,
            instance throws(RPCError) in
            let type = try call.parameters.optionalChoice("IdentityType", IdentityType.self)
            let identity = try call.parameters.optionalText("Identity")
            let topic = try call.parameters.optionalText("Topic", most: 65_535)
            let found = call.directory.permissions(of: instance.number, type, identity: identity).filter { permission in
                topic.map { ExactText($0) == ExactText(permission.topic) } ?? true
            }
            return try CustomAction.page(of: found, call, key: key, json: json)
        },
    ]

    private static func permission(_ call: RPCCall, _ instance: Instance) throws(RPCError) -> CustomPermission {
        let topic = try call.parameters.text("Topic", most: 65_535)
        do throws(TopicRefusal) {
            try TopicRule(directory: call.directory, instance: instance).check(filter: topic)
        } catch { throw call.parameters.refusal(of: "Topic", error.message) }
        return CustomPermission(
            instance: instance.number,
            type: try call.parameters.choice("IdentityType", IdentityType.self),
            identity: try call.parameters.text("Identity"),
            topic: topic,
            effect: try call.parameters.choice("Effect", CustomPermission.Effect.self),
            action: try call.parameters.choice("PermitAction", CustomPermission.Action.self),
        )
    }

    private static func stored(
        _ type: IdentityType,
        _ identity: String,
        _ topic: String,
        _ call: RPCCall,
        _ instance: Instance,
    ) -> CustomPermission? {
        call.directory.permission(instance.number, type, identity: identity, topic: topic)
    }

    private static func mustExist(
        _ type: IdentityType,
        _ identity: String,
        _ topic: String,
        _ call: RPCCall,
        _ instance: Instance,
    ) throws(RPCError) {
        guard stored(type, identity, topic, call, instance) != nil else {
            throw call.parameters.refusal(of: "Topic", "'\(identity)' has no permission on '\(excerpt(topic))'")
        }
    }

    static func key(_ permission: CustomPermission) -> String {
        [permission.identity, permission.type.rawValue, permission.topic].joined(separator: CustomAction.separator)
    }

    private static func json(_ permission: CustomPermission) -> JSONValue {
        [
            "IdentityType": .string(permission.type.rawValue), "Identity": .string(permission.identity),
            "Topic": .string(permission.topic), "PermitAction": .string(permission.action.rawValue),
            "Effect": .string(permission.effect.rawValue),
        ]
    }
}
