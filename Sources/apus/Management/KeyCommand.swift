internal import ArgumentParser

struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "List, create, change and delete access keys.",
        discussion: """
            A key's secret is shown once, when the key is created. Rights: administrator everything; manager the \
            topics, groups, credentials, tokens and clients of its account's instances; data messages only.
            """,
        subcommands: [List.self, Create.self, Change.self, Delete.self],
        defaultSubcommand: List.self,
    )

    static let columns = [
        Column("key", "id"), Column("account", "account"), Column("rights", "rights"), Column("enabled", "enabled"),
        Column.time("created", "createdAt"),
    ]

    enum Rights: String, ExpressibleByArgument, CaseIterable {
        case administrator, manager, data
    }

    struct List: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "List the keys, without their secrets.")

        @Option(name: .long, help: "Only those of this account.")
        var account: String?

        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let keys = try client.list(["keys"], query: [("account", account)])
            try show(keys, as: KeyCommand.columns, nothing: "there is no key")
        }
    }

    struct Create: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Create a key and show its secret, this once.")

        @Option(name: .long, help: "The account that it belongs to.")
        var account: String

        @Option(name: .long, help: "administrator, manager or data.")
        var rights: Rights

        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let body = JSONValue.object(["account": .string(account), "rights": .string(rights.rawValue)])
            let key = try client.call("POST", ["keys"], body: body)
            try show(key, as: KeyCommand.columns + [Column("secret", "secret")])
        }
    }

    struct Change: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Change a key's rights, disable or enable it.")

        @Argument(help: "The key's id.")
        var id: String

        @Option(name: .long, help: "administrator, manager or data.")
        var rights: Rights?

        @Flag(inversion: .prefixedEnableDisable, help: "A disabled key opens nothing; live connections end.")
        var key: Bool?

        @OptionGroup var options: APIOptions

        func validate() throws {
            guard rights != nil || key != nil else {
                throw ValidationError("say what to change: --rights, --enable-key or --disable-key")
            }
        }

        func run(_ client: APIClient) throws {
            let body = JSONValue.object([
                "rights": rights.map { .string($0.rawValue) }, "enabled": key.map { .bool($0) },
            ])
            try done("key \(id) is changed", try client.call("PATCH", ["keys", id], body: body))
        }
    }

    struct Delete: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Delete a key.")

        @Argument(help: "The key's id.")
        var id: String

        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            _ = try client.call("DELETE", ["keys", id])
            try done("key \(id) is deleted")
        }
    }
}
