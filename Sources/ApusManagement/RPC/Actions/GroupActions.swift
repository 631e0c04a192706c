internal import ApusResources

/// Groups (apsaramq-facts 4.4.9, 4.4.15, 4.4.28).
enum GroupActions {
    static let all: [RPCAction] = [create([.v2020], ["Tags"]), create([.v2019], []), delete] + lists

    private static func create(_ versions: [RPCAction.Version], _ more: [String]) -> RPCAction {
        group("CreateGroupId", versions, .manager, ["GroupId"] + more) { call, instance throws(RPCError) in
            let id = try call.parameters.text("GroupId", most: 4_096)
            let tags = try TagText.read(call.parameters)
            var changes = [
                CatalogChange.putGroup(
                    Group(instance: instance.number, id: id, createdAt: call.now, updatedAt: call.now)
                )
            ]
            for (key, value) in tags {
                changes.append(
                    .putTag(Tag(instance: instance.number, kind: .group, resource: id, key: key, value: value))
                )
            }
            let new = changes
            try call.change(in: instance.id) { () throws(RPCError) in
                guard !call.directory.hasGroup(instance.number, id) else {
                    throw RPCError(
                        400,
                        "GroupIdAlreadyExsited",
                        "the group '\(id)' exists in '\(instance.id)' already"
                    )
                }
                return new
            }
            return [:]
        }
    }

    private static let delete = group(
        "DeleteGroupId",
        [.v2020, .v2019],
        .manager,
        ["GroupId"],
        permissionCode: "ResourcePermissionCheckFailed",
    ) { call, instance throws(RPCError) in
        let id = try call.parameters.text("GroupId", most: 4_096)
        guard call.directory.hasGroup(instance.number, id) else {
            throw call.parameters.refusal(of: "GroupId", "there is no group '\(excerpt(id))' in '\(instance.id)'")
        }
        try call.change([.deleteGroup(instance.number, id: id)], in: instance.id)
        return [:]
    }

    private static let lists = [
        group("ListGroupId", [.v2020], .data, ["Tags"]) { call, instance throws(RPCError) in
            let wanted = try TagText.read(call.parameters)
            let tags = TagIndex(call.directory.tags(of: instance.number))
            let groups = call.directory.groups(of: instance.number).filter { tags.has(wanted, .group, $0.id) }
            return ["Data": .array(groups.map { item($0, instance, tags.json(.group, $0.id)) })]
        },
        group("ListGroupId", [.v2019], .data, []) { call, instance throws(RPCError) in
            let groups = call.directory.groups(of: instance.number)
            return ["Data": .array(groups.map { item($0, instance, nil) })]
        },
    ]

    private static func item(_ group: Group, _ instance: Instance, _ tags: JSONValue?) -> JSONValue {
        [
            "InstanceId": .string(instance.id), "GroupId": .string(group.id), "IndependentNaming": true,
            "CreateTime": .integer(group.createdAt), "UpdateTime": .integer(group.updatedAt), "Tags": tags,
        ]
    }

    private static func group(
        _ name: String,
        _ versions: [RPCAction.Version],
        _ rights: AccessKey.Rights,
        _ parameters: [String],
        permissionCode: String = "PermissionCheckFailed",
        _ perform: @escaping RPCAction.OfInstance,
    ) -> RPCAction {
        RPCAction(
            name,
            versions: versions,
            rights: rights,
            family: .field,
            parameters: parameters,
            permissionCode: permissionCode,
            unknownInstanceCode: "InstanceNotFound",
            body: .ofInstance(parameter: "InstanceId", perform),
        )
    }
}
