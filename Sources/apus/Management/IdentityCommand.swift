internal import ArgumentParser

struct IdentityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "identity",
        abstract: "Keep the users of custom authentication: names and secrets of an instance's own.",
        discussion: """
            A device logs in with the user name, and with the secret (sign mode ORIGIN) or its signature of the client id \
            (SIGNED); `apus credential password --mode custom` computes it. An identity may do nothing until \
            `apus permission set` allows it. Its user name says nothing of an instance: the listener does \
            (`instance:` in the configuration), or the host of TLS or WebSocket; else it is the first instance.
            """,
        subcommands: [List.self, Show.self, Set.self, Remove.self],
        defaultSubcommand: List.self,
    )

    static let columns = [
        Column("user", "userName"), Column("type", "type"), Column("client", "clientId"),
        Column("sign mode", "signMode"),
    ]
    static let details = columns + [Column("secret", "secret")]

    enum SignMode: String, ExpressibleByArgument, CaseIterable {
        case signed = "SIGNED"
        case origin = "ORIGIN"
    }

    struct List: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "List the identities, without their secrets.")

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let found = try client.list(["instances", try instance.id(client), "identities"])
            let identities = found.map { identity in JSONValue.object(identity.members.filter { $0.key != "secret" }) }
            try show(identities, as: IdentityCommand.columns, nothing: "there is no identity")
        }
    }

    struct Show: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Show an identity with its secret.")

        @Argument(help: "The user name.")
        var userName: String

        @Option(name: .long, help: IdentityCommand.clientHelp)
        var client: String?

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let all = try client.list(["instances", try instance.id(client), "identities"])
            let found = all.first { identity in
                // By bytes, as the service compares them.
                identity["userName"]?.string?.utf8.elementsEqual(userName.utf8) == true
                    && identity["clientId"]?.string.map { Array($0.utf8) } == self.client.map { Array($0.utf8) }
            }
            guard let found else {
                throw CommandFailure("there is no identity \(IdentityCommand.name(userName, self.client))")
            }
            try show(found, as: IdentityCommand.details)
        }
    }

    struct Set: ManagementCommand {
        static let configuration = CommandConfiguration(
            abstract: "Store an identity; one of the same user name and client id is replaced.",
            discussion:
                "The secret is asked for on a terminal and not shown; otherwise it is one line of standard input.",
        )

        @Argument(help: "The user name: 1 to 64 characters.")
        var userName: String

        @Option(name: .long, help: IdentityCommand.clientHelp)
        var client: String?

        @Option(name: .long, help: "What the password is: SIGNED the signature of the client id, ORIGIN the secret.")
        var signMode = SignMode.signed

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let place = try instance.id(client)
            let secret = try SecretPrompt.readNew("Secret: ", again: "Secret again: ")
            let body = JSONValue.object([
                "type": .string(self.client == nil ? "USER" : "CLIENT"), "userName": .string(userName),
                "clientId": self.client.map { .string($0) }, "secret": .string(secret),
                "signMode": .string(signMode.rawValue),
            ])
            let identity = try client.call("PUT", ["instances", place, "identities"], body: body)
            try done("identity \(IdentityCommand.name(userName, self.client)) is stored", identity)
            if secret.unicodeScalars.count < Self.advisedCharacters {
                Voice(level: .usual).say(
                    "warning: a secret of fewer than \(Self.advisedCharacters) characters is soon guessed"
                )
            }
            if try client.call("GET", ["instances", place])["isDefault"]?.bool == false {
                Voice(level: .usual).say(Self.hint(place))
            }
        }

        /// As an access key's secret has; the vendor's API demands 1 of an identity's.
        private static let advisedCharacters = 8

        /// The user name alone does not lead to the identity.
        static func hint(_ instance: String) -> String {
            "mind that a user name says nothing of an instance: connect by a listener with `instance: \(instance)` in the "
                + "configuration, or by the host \(instance).DOMAIN of TLS or WebSocket; else another instance, the first "
                + "that runs, is asked and knows no such user"
        }
    }

    struct Remove: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Remove an identity; its connections end.")

        @Argument(help: "The user name.")
        var userName: String

        @Option(name: .long, help: IdentityCommand.clientHelp)
        var client: String?

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let path = ["instances", try instance.id(client), "identities", userName]
            _ = try client.call("DELETE", path, query: [("clientId", self.client)])
            try done("identity \(IdentityCommand.name(userName, self.client)) is removed")
        }
    }

    private static let clientHelp = ArgumentHelp(
        "The identity of this user name and this client id, not that of the user name alone.",
        valueName: "client-id"
    )

    private static func name(_ userName: String, _ client: String?) -> String {
        userName + (client.map { " of client \($0)" } ?? "")
    }
}
