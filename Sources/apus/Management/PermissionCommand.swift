internal import ArgumentParser

struct PermissionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "permission",
        abstract: "Say which topics identities of custom authentication may publish and subscribe to.",
        discussion: """
            A permission is of a user name, or with --client of a client id. What no permission allows is forbidden, and one that \
            denies counts more than one that allows.
            """,
        subcommands: [List.self, Set.self, Remove.self],
        defaultSubcommand: List.self,
    )

    enum Effect: String, EnumerableFlag {
        case allow = "ALLOW"
        case deny = "DENY"

        static func help(for value: Effect) -> ArgumentHelp? {
            value == .allow ? "Allow it." : "Deny it, whatever else allows it."
        }
    }

    enum Action: String, ExpressibleByArgument, CaseIterable {
        case publish = "PUB"
        case subscribe = "SUB"
        case both = "PUB_SUB"
    }

    struct List: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "List the permissions.")

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let permissions = try client.list(["instances", try instance.id(client), "permissions"])
            let columns = [
                Column("identity", "identity"), Column("type", "type"), Column("effect", "effect"),
                Column("action", "action"), Column("topic", "topic"),
            ]
            try show(permissions, as: columns, nothing: "there is no permission")
        }
    }

    struct Set: ManagementCommand {
        static let configuration = CommandConfiguration(
            abstract: "Allow or deny a topic to an identity; an earlier entry for both is replaced.",
            usage: "apus permission set <identity> <topic> (--allow | --deny) [--action <action>] [--client] [options]",
        )

        @Argument(help: "The user name; with --client the client id.")
        var identity: String

        @Argument(help: "The topic or filter, beneath a parent topic of the instance.")
        var topic: String

        @Flag var effect: Effect

        @Option(name: .long, help: "PUB to publish, SUB to subscribe, PUB_SUB for both.")
        var action = Action.both

        @Flag(name: .long, help: "The identity is a client id.")
        var client = false

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func validate() throws { try OptionText.checkTopicFilter(topic, option: "the topic") }

        func run(_ client: APIClient) throws {
            let body = JSONValue.object([
                "type": .string(PermissionCommand.type(self.client)), "identity": .string(identity),
                "topic": .string(topic), "action": .string(action.rawValue), "effect": .string(effect.rawValue),
            ])
            let place = ["instances", try instance.id(client)]
            let permission = try client.call("PUT", place + ["permissions"], body: body)
            let verb = effect == .allow ? "is allowed" : "is denied"
            try done("\(topic) \(verb) to \(identity) (\(action.rawValue))", permission)
            // Any identity may come with the client id.
            guard !self.client else { return }
            let stored = try client.list(place + ["identities"], query: [("userName", identity)], limit: 1)
            guard stored.isEmpty else { return }
            Voice(level: .usual).say(
                "warning: no identity \(StorageText.shown(identity)) is stored; the permission counts once `apus identity set` "
                    + "stores it"
            )
        }
    }

    struct Remove: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Remove a permission.")

        @Argument(help: "The user name; with --client the client id.")
        var identity: String

        @Argument(help: "The topic or filter, as `apus permission list` shows it.")
        var topic: String

        @Flag(name: .long, help: "The identity is a client id.")
        var client = false

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let type = PermissionCommand.type(self.client)
            let path = ["instances", try instance.id(client), "permissions", type, identity, topic]
            _ = try client.call("DELETE", path)
            try done("the permission of \(identity) on \(topic) is removed")
        }
    }

    private static func type(_ isClient: Bool) -> String { isClient ? "CLIENT" : "USER" }
}
