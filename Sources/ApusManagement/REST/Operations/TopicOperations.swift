internal import ApusResources
internal import HTTPTypes

/// Parent topics of an instance.
enum TopicOperations {
    static let all: [RESTOperation] = [
        RESTOperation(
            .get,
            "/instances/{instance}/topics",
            "listTopics",
            "Parent topics by name.",
            rights: .data,
            query: RESTCall.pageParameters,
            answer: .component("TopicList"),
        ) { call throws(RESTError) in
            try call.page(of: call.directory.topics(of: try call.instance().number), key: \.name, json: json)
        },
        RESTOperation(
            .post,
            "/instances/{instance}/topics",
            "createTopic",
            "Creates a parent topic.",
            rights: .manager,
            body: .component("NewTopic"),
            status: .created,
            answer: .component("Topic"),
        ) { call throws(RESTError) in
            let instance = try call.instance()
            let topic = ParentTopic(
                instance: instance.number,
                name: call.text("name"),
                remark: call.text("remark"),
                createdAt: call.now,
            )
            try call.change { () throws(RESTError) in
                guard !call.directory.hasTopic(instance.number, topic.name) else {
                    throw .exists("there is a parent topic '\(topic.name)' already")
                }
                return ChangeProposal([.putTopic(topic)], in: instance.id, "topic \(topic.name)")
            }
            return json(topic)
        },
        RESTOperation(
            .delete,
            "/instances/{instance}/topics/{topic}",
            "deleteTopic",
            "Deletes a parent topic.",
            rights: .manager,
            status: .noContent,
        ) { call throws(RESTError) in
            let instance = try call.instance()
            let name = call.part("topic")
            guard call.directory.hasTopic(instance.number, name) else {
                throw .notFound("there is no parent topic '\(name)'")
            }
            try call.change([.deleteTopic(instance.number, name: name)], in: instance.id, "topic \(name)")
            return .null
        },
    ]

    private static func json(_ topic: ParentTopic) -> JSONValue {
        ["name": .string(topic.name), "remark": .string(topic.remark), "createdAt": .integer(topic.createdAt)]
    }
}
