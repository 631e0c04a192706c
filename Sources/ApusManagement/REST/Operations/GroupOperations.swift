internal import ApusResources
internal import HTTPTypes

/// Groups of an instance.
enum GroupOperations {
    static let all: [RESTOperation] = [
        RESTOperation(
            .get,
            "/instances/{instance}/groups",
            "listGroups",
            "Groups by id.",
            rights: .data,
            query: RESTCall.pageParameters,
            answer: .component("GroupList"),
        ) { call throws(RESTError) in
            try call.page(of: call.directory.groups(of: try call.instance().number), key: \.id, json: json)
        },
        RESTOperation(
            .post,
            "/instances/{instance}/groups",
            "createGroup",
            "Creates a group.",
            rights: .manager,
            body: .component("NewGroup"),
            status: .created,
            answer: .component("Group"),
        ) { call throws(RESTError) in
            let instance = try call.instance()
            let group = Group(instance: instance.number, id: call.text("id"), createdAt: call.now, updatedAt: call.now)
            try call.change { () throws(RESTError) in
                guard !call.directory.hasGroup(instance.number, group.id) else {
                    throw .exists("there is a group '\(group.id)' already")
                }
                return ChangeProposal([.putGroup(group)], in: instance.id, "group \(group.id)")
            }
            return json(group)
        },
        RESTOperation(
            .delete,
            "/instances/{instance}/groups/{group}",
            "deleteGroup",
            "Deletes a group; its clients are disconnected and cannot come back.",
            rights: .manager,
            status: .noContent,
        ) { call throws(RESTError) in
            let instance = try call.instance()
            let id = call.part("group")
            guard call.directory.hasGroup(instance.number, id) else { throw .notFound("there is no group '\(id)'") }
            try call.change([.deleteGroup(instance.number, id: id)], in: instance.id, "group \(id)")
            return .null
        },
    ]

    private static func json(_ group: Group) -> JSONValue {
        [
            "id": .string(group.id), "createdAt": .integer(group.createdAt), "updatedAt": .integer(group.updatedAt),
        ]
    }
}
