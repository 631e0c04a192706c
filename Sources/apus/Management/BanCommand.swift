internal import ArgumentParser

struct BanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ban",
        abstract: "List client ids that may not connect, ban some and lift bans.",
        subcommands: [List.self, Add.self, Lift.self],
        defaultSubcommand: List.self,
    )

    struct List: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "List the banned client ids.")

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let bans = try client.list(["instances", try instance.id(client), "bans"])
            try show(bans, as: [Column("client", "clientId")], nothing: "no client id is banned")
        }
    }

    struct Add: ManagementCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ban client ids: they cannot connect, and live connections end.",
        )

        @Argument(help: ArgumentHelp("The client ids, as GROUP@@@DEVICE.", valueName: "client-id"))
        var clientIDs: [String]

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let id = try instance.id(client)
            try each(clientIDs, "client id") { clientID in
                _ = try client.call("PUT", ["instances", id, "bans", clientID])
                try done("\(clientID) is banned")
            }
            let misshapen = clientIDs.compactMap { clientID in
                ClientIDShape.complaint(clientID).map { "\(StorageText.shown(clientID)): \($0)" }
            }
            guard !misshapen.isEmpty,
                try client.call("GET", ["instances", id])["policies"]?["requiresGroup"]?.bool == true
            else { return }
            for complaint in misshapen {
                Voice(level: .usual).say("warning: \(complaint); no such client can connect to \(id), banned or not")
            }
        }
    }

    struct Lift: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Lift bans; the clients may connect again.")

        @Argument(help: ArgumentHelp("The client ids.", valueName: "client-id"))
        var clientIDs: [String]

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let id = try instance.id(client)
            try each(clientIDs, "client id") { clientID in
                _ = try client.call("DELETE", ["instances", id, "bans", clientID])
                try done("the ban of \(clientID) is lifted")
            }
        }
    }
}
