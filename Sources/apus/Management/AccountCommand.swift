internal import ArgumentParser

struct AccountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account",
        abstract: "List, create and delete accounts, which own instances and access keys.",
        discussion: "All of it needs a key with the right administrator.",
        subcommands: [List.self, Create.self, Delete.self],
        defaultSubcommand: List.self,
    )

    struct List: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "List the accounts.")

        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let columns = [Column("account", "name"), Column.time("created", "createdAt")]
            try show(try client.list(["accounts"]), as: columns, nothing: "there is no account")
        }
    }

    struct Create: ManagementCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create accounts; `apus key create` gives them keys, `apus instance create` instances.",
        )

        @Argument(help: "Their names: 1 to 64 letters, digits, - and _.")
        var names: [String]

        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            try each(names, "account") { name in
                let body = JSONValue.object(["name": .string(name)])
                try done("account \(name) is created", try client.call("POST", ["accounts"], body: body))
            }
        }
    }

    struct Delete: ManagementCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete accounts with their keys; none of them may own an instance.",
        )

        @Argument(help: "Their names.")
        var names: [String]

        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            try each(names, "account") { name in
                _ = try client.call("DELETE", ["accounts", name])
                try done("account \(name) is deleted")
            }
        }
    }
}
