internal import ApusResources
internal import HTTPTypes

/// What identities of custom authentication may do.
enum PermissionOperations {
    static let all: [RESTOperation] = [
        RESTOperation(
            .get,
            "/instances/{instance}/permissions",
            "listPermissions",
            "Permissions of custom authentication, by identity.",
            rights: .data,
            query: RESTCall.pageParameters,
            answer: .component("PermissionList"),
        ) { call throws(RESTError) in
            let all = call.directory.permissions(of: try call.instance().number)
            return try call.page(of: all, key: PermissionActions.key, json: json)
        },
        RESTOperation(
            .put,
            "/instances/{instance}/permissions",
            "putPermission",
            "Allows or denies a topic to an identity; an earlier entry for both is replaced.",
            rights: .manager,
            body: .component("Permission"),
            answer: .component("Permission"),
        ) { call throws(RESTError) in
            let instance = try call.instance()
            let permission = CustomPermission(
                instance: instance.number,
                type: IdentityType(rawValue: call.text("type")) ?? .user,
                identity: call.text("identity"),
                topic: call.text("topic"),
                effect: CustomPermission.Effect(rawValue: call.text("effect")) ?? .deny,
                action: CustomPermission.Action(rawValue: call.text("action")) ?? .both,
            )
            do throws(TopicRefusal) {
                try TopicRule(directory: call.directory, instance: instance).check(filter: permission.topic)
            } catch { throw .impossible("topic", error.message) }
            try call.change(
                [.putPermission(permission)],
                in: instance.id,
                "\(permission.effect.rawValue) \(permission.action.rawValue) \(excerpt(permission.identity)) "
                    + excerpt(permission.topic, 128),
            )
            return json(permission)
        },
        RESTOperation(
            .delete,
            "/instances/{instance}/permissions/{type}/{identity}/{filter}",
            "deletePermission",
            "Removes a permission; the topic or filter is one percent-encoded part of the path.",
            rights: .manager,
            status: .noContent,
        ) { call throws(RESTError) in
            let instance = try call.instance()
            try call.change(
                [
                    .deletePermission(
                        instance.number,
                        IdentityType(rawValue: call.part("type")) ?? .user,
                        identity: call.part("identity"),
                        topic: call.part("filter")
                    )
                ],
                in: instance.id,
                "permission of \(excerpt(call.part("identity"))) on \(excerpt(call.part("filter"), 128))",
            )
            return .null
        },
    ]

    private static func json(_ permission: CustomPermission) -> JSONValue {
        [
            "type": .string(permission.type.rawValue), "identity": .string(permission.identity),
            "topic": .string(permission.topic), "action": .string(permission.action.rawValue),
            "effect": .string(permission.effect.rawValue),
        ]
    }
}
