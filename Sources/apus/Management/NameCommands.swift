internal import ArgumentParser

struct TopicCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topic",
        abstract: "List, create and delete the parent topics of an instance.",
        subcommands: [List.self, Create.self, Delete.self],
        defaultSubcommand: List.self,
    )

    struct List: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "List the parent topics.")

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let columns = [Column("topic", "name"), Column.time("created", "createdAt"), Column("remark", "remark")]
            let topics = try client.list(["instances", instance.id(client), "topics"])
            try show(topics, as: columns, nothing: "there is no parent topic")
        }
    }

    struct Create: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Create parent topics: the first levels of topics.")

        @Argument(help: "Their names.")
        var names: [String]

        @Option(name: .long, help: "A note for people.")
        var remark: String?

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let id = try instance.id(client)
            try each(names, "topic") { name in
                let body = JSONValue.object(["name": .string(name), "remark": remark.map { .string($0) }])
                try done("topic \(name) is created", try client.call("POST", ["instances", id, "topics"], body: body))
            }
        }
    }

    struct Delete: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Delete parent topics.")

        @Argument(help: "Their names.")
        var names: [String]

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let id = try instance.id(client)
            try each(names, "topic") { name in
                _ = try client.call("DELETE", ["instances", id, "topics", name])
                try done("topic \(name) is deleted")
            }
        }
    }
}

struct GroupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "group",
        abstract: "List, create and delete the groups of an instance.",
        subcommands: [List.self, Create.self, Delete.self],
        defaultSubcommand: List.self,
    )

    struct List: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "List the groups.")

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let columns = [Column("group", "id"), Column.time("created", "createdAt")]
            let groups = try client.list(["instances", instance.id(client), "groups"])
            try show(groups, as: columns, nothing: "there is no group")
        }
    }

    struct Create: ManagementCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create groups, the first parts of client ids: GID_ or GID-, then letters, digits, - and _.",
        )

        @Argument(help: "Their ids.")
        var ids: [String]

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let place = try instance.id(client)
            try each(ids, "group") { id in
                let body = JSONValue.object(["id": .string(id)])
                try done("group \(id) is created", try client.call("POST", ["instances", place, "groups"], body: body))
            }
        }
    }

    struct Delete: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Delete groups; their clients cannot connect again.")

        @Argument(help: "Their ids.")
        var ids: [String]

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let place = try instance.id(client)
            try each(ids, "group") { id in
                _ = try client.call("DELETE", ["instances", place, "groups", id])
                try done("group \(id) is deleted")
            }
        }
    }
}
