internal import ApusBroker
internal import ApusMessage
internal import ApusResources
internal import HTTPTypes

/// Instances with their policies, limits and state.
enum InstanceOperations {
    static let all: [RESTOperation] = [
        RESTOperation(
            .get,
            "/instances",
            "listInstances",
            "The instances that the key is for, by id.",
            rights: .data,
            query: RESTCall.pageParameters,
            answer: .component("InstanceList"),
        ) { call throws(RESTError) in
            let own = call.directory.instances.filter { call.caller?.owns($0) ?? false }
            return try call.page(of: own, key: \.id) { json($0, call) }
        },
        RESTOperation(
            .post,
            "/instances",
            "createInstance",
            "Creates an instance.",
            rights: .administrator,
            body: .component("NewInstance"),
            status: .created,
            answer: .component("Instance"),
        ) { call throws(RESTError) in
            let id = call.text("id")
            let account = call.text("account")
            guard call.directory.account(account) != nil else { throw .notFound("there is no account '\(account)'") }
            var instance = Instance(
                id: id,
                name: call.body["name"]?.string,
                account: account,
                profile: call.body["profile"]?.string.flatMap(Profile.init) ?? .apsaramq,
                createdAt: call.now,
            )
            InstanceSettings.apply(call.body, to: &instance)
            try call.change([.putInstance(instance)], in: id, "instance \(id) of \(account)")
            return json(call.directory.instance(id: id) ?? instance, call)
        },
        RESTOperation(
            .get,
            "/instances/{instance}",
            "getInstance",
            "An instance.",
            rights: .data,
            answer: .component("Instance"),
        ) { call throws(RESTError) in json(try call.instance(), call) },
        RESTOperation(
            .patch,
            "/instances/{instance}",
            "changeInstance",
            "Changes name, profile, policies, limits or state; what is not named stays. Limits of topics and groups do not "
                + "come down to less than there are.",
            rights: .administrator,
            body: .component("InstanceChange"),
            answer: .component("Instance"),
        ) { call throws(RESTError) in
            let changed = try call.change { () throws(RESTError) in
                var instance = try call.instance()
                instance.name = call.body["name"]?.string ?? instance.name
                instance.profile = call.body["profile"]?.string.flatMap(Profile.init) ?? instance.profile
                instance.state = call.body["state"]?.string.flatMap(Instance.State.init) ?? instance.state
                InstanceSettings.apply(call.body, to: &instance)
                return ChangeProposal([.putInstance(instance)], in: instance.id, call.body.text, answer: instance)
            }
            return json(changed, call)
        },
        RESTOperation(
            .delete,
            "/instances/{instance}",
            "deleteInstance",
            "Deletes an instance with its topics, groups, credentials, sessions and messages.",
            rights: .administrator,
            query: [.init("force", .boolean, "Also while clients are connected; false when absent.")],
            status: .noContent,
        ) { call throws(RESTError) in
            let instance = try call.instance()
            if call.query["force"]?.bool != true {
                let connected = await call.broker.sessions(instance.number, after: "", limit: 1, connectedOnly: true)
                guard connected.isEmpty else {
                    throw RESTError(
                        .conflict,
                        "InUse",
                        "clients are connected to '\(instance.id)'; stop it first, or say force=true",
                    )
                }
            }
            try call.change([.deleteInstance(instance.number)], in: instance.id, "instance \(instance.id)")
            return .null
        },
    ]

    private static func json(_ instance: Instance, _ call: RESTCall) -> JSONValue {
        JSONValue.object([
            .init(name: "id", value: .string(instance.id)), .init(name: "name", value: .string(instance.name)),
            .init(name: "account", value: .string(instance.account)),
            .init(name: "profile", value: .string(instance.profile.rawValue)),
            .init(name: "state", value: .string(instance.state.rawValue)),
        ])
        .adding(InstanceSettings.json(instance))
        .adding([
            "createdAt": .integer(instance.createdAt),
            "endpoints": .array(call.service.configuration.endpoints.map { .string($0) }),
            "topics": JSONValue(call.directory.topics(of: instance.number).count),
            "groups": JSONValue(call.directory.groups(of: instance.number).count),
            "connections": JSONValue(call.broker.connectionCount(instance.number)),
            "isDefault": .bool(call.directory.isFirstRunning(instance.number)),
        ])
    }
}
