internal import ArgumentParser

struct CredentialCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "credential",
        abstract: "Keep the credentials of single devices, and compute what a device logs in with.",
        subcommands: [
            List.self, Show.self, Register.self, Refresh.self, Remove.self, CredentialPasswordCommand.self,
        ],
        defaultSubcommand: List.self,
    )

    static let columns = [
        Column("client", "clientId"), Column("access key", "accessKeyId"), Column.time("created", "createdAt"),
        Column.time("updated", "updatedAt"),
    ]
    static let details = columns + [Column("secret", "accessKeySecret")]

    struct List: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "List credentials, without their secrets.")

        @Option(name: .long, help: "Only those of this group.")
        var group: String?

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let path = ["instances", try instance.id(client), "credentials"]
            let credentials = try client.list(path, query: [("group", group)])
            try show(credentials, as: CredentialCommand.columns, nothing: "there is no credential")
        }
    }

    struct Show: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Show a device's credential with its secret.")

        @Argument(help: "The full client id: GROUP@@@DEVICE.")
        var clientID: String

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let path = ["instances", try instance.id(client), "credentials", clientID]
            try show(try client.call("GET", path), as: CredentialCommand.details)
        }
    }

    struct Register: ManagementCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a device's credential; one that it has is replaced.",
        )

        @Argument(help: "The full client id: GROUP@@@DEVICE.")
        var clientID: String

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let body = JSONValue.object(["clientId": .string(clientID)])
            let path = ["instances", try instance.id(client), "credentials"]
            try show(try client.call("POST", path, body: body), as: CredentialCommand.details)
        }
    }

    struct Refresh: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Replace a device's credential by a new one.")

        @Argument(help: "The full client id: GROUP@@@DEVICE.")
        var clientID: String

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let path = ["instances", try instance.id(client), "credentials", clientID, "refresh"]
            try show(try client.call("POST", path), as: CredentialCommand.details)
        }
    }

    struct Remove: ManagementCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a device's credential; an open connection stays, the next one is refused.",
        )

        @Argument(help: "The full client id: GROUP@@@DEVICE.")
        var clientID: String

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            _ = try client.call("DELETE", ["instances", try instance.id(client), "credentials", clientID])
            try done("the credential of \(clientID) is removed")
        }
    }
}
