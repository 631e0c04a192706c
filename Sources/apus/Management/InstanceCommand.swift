internal import ArgumentParser

struct InstanceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "instance",
        abstract: "List, show, create, change and delete instances.",
        subcommands: [List.self, Show.self, Create.self, Change.self, Delete.self],
        defaultSubcommand: List.self,
    )

    static let columns = [
        Column("instance", "id"), Column("name", "name"), Column("account", "account"), Column("profile", "profile"),
        Column("state", "state"), Column("topics", "topics", right: true), Column("groups", "groups", right: true),
        Column("connections", "connections", right: true),
    ]
    static let details =
        columns + [
            Column("default", "isDefault"), Column("endpoints", "endpoints"), Column.time("created", "createdAt"),
            Column("policies", "policies"), Column("limits", "limits"),
        ]

    struct List: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "List the instances that the key may see.")

        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            try show(try client.list(["instances"]), as: InstanceCommand.columns, nothing: "there is no instance")
        }
    }

    struct Show: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Show an instance with its policies and limits.")

        @Argument(help: "The instance.")
        var id: String

        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            try show(try client.call("GET", ["instances", id]), as: InstanceCommand.details)
        }
    }

    struct Create: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Create an instance.")

        @Argument(help: "The new instance's id: 3 to 64 letters, digits, - and _.")
        var id: String

        @Option(name: .long, help: "The account that owns it.")
        var account: String

        @OptionGroup var settings: InstanceSettingOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let members: [JSONValue.Member] = [
                .init(key: "id", value: .string(id)), .init(key: "account", value: .string(account)),
            ]
            let made = try client.call("POST", ["instances"], body: .object(members + settings.members))
            try done("instance \(id) is created", made)
        }
    }

    struct Change: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Change an instance; what is not named stays.")

        @Argument(help: "The instance.")
        var id: String

        @Option(name: .long, help: "running or stopped: whether clients can connect.")
        var state: State?

        enum State: String, ExpressibleByArgument, CaseIterable {
            case running, stopped
        }

        @OptionGroup var settings: InstanceSettingOptions
        @OptionGroup var options: APIOptions

        func validate() throws {
            guard state != nil || !settings.members.isEmpty else {
                throw ValidationError("say what to change, as with --name, --state, --policy or --limit")
            }
        }

        func run(_ client: APIClient) throws {
            let state = self.state.map { [JSONValue.Member(key: "state", value: .string($0.rawValue))] } ?? []
            let changed = try client.call("PATCH", ["instances", id], body: .object(settings.members + state))
            try done("instance \(id) is changed", changed)
        }
    }

    struct Delete: ManagementCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete an instance with its topics, groups, credentials, sessions and messages.",
        )

        @Argument(help: "The instance.")
        var id: String

        @Flag(name: .long, help: "Also while clients are connected.")
        var force = false

        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            _ = try client.call("DELETE", ["instances", id], query: [("force", force ? "true" : nil)])
            try done("instance \(id) is deleted")
        }
    }
}

/// What can be said of an instance when it is created, and later.
struct InstanceSettingOptions: ParsableArguments {
    @Option(name: .long, help: "A name for people (default: the id).")
    var name: String?

    @Option(name: .long, help: "apsaramq (default) or standard: where policies and limits begin.")
    var profile: Profile?

    enum Profile: String, ExpressibleByArgument, CaseIterable {
        case apsaramq, standard
    }

    @Option(
        name: .long,
        help: ArgumentHelp(
            "A policy, as duplicateClientId=takeover, onDenied=refuse; NAME=default takes the profile's. May be repeated.",
            valueName: "name=value"
        ),
        transform: SettingText.policy,
    )
    var policy: [JSONValue.Member] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "A limit, as connections=1000; 0 is none, NAME=default takes the profile's. May be repeated.",
            valueName: "name=number"
        ),
        transform: SettingText.limit,
    )
    var limit: [JSONValue.Member] = []

    var members: [JSONValue.Member] {
        var members: [JSONValue.Member] = []
        if let name { members.append(.init(key: "name", value: .string(name))) }
        if let profile { members.append(.init(key: "profile", value: .string(profile.rawValue))) }
        if !policy.isEmpty { members.append(.init(key: "policies", value: .object(policy))) }
        if !limit.isEmpty { members.append(.init(key: "limits", value: .object(limit))) }
        return members
    }
}
