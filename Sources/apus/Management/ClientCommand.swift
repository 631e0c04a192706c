internal import ArgumentParser

struct ClientCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client",
        abstract: "List, show and disconnect clients that are connected, and show what happened to one.",
        subcommands: [List.self, Show.self, Trace.self, Kick.self],
        defaultSubcommand: List.self,
    )

    static let columns = [
        Column("client", "clientId"), Column("address", "address"), Column("mqtt", "version"),
        Column.time("since", "connectedAt"), Column.subscriptions, Column("in flight", "inFlight", right: true),
        Column("waiting", "queuedMessages", right: true),
    ]

    struct List: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "List the connected clients.")

        @Option(name: .long, help: "At most so many.")
        var limit: Int?

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let clients = try client.list(["instances", try instance.id(client), "clients"], limit: limit)
            try show(clients, as: ClientCommand.columns, nothing: "no client is connected")
        }
    }

    struct Show: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Show a client: its connection and its session.")

        @Argument(help: "The client id.")
        var clientID: String

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let found = try client.call("GET", ["instances", try instance.id(client), "clients", clientID])
            let columns = [
                Column("client", "clientId"), Column("online", "online"), Column("address", "address"),
                Column("listener", "listener"), Column("mqtt", "version"), Column("user name", "userName"),
                Column("keep alive, s", "keepAliveSeconds"), Column.time("connected", "connectedAt"),
                Column.time("last seen", "lastSeenAt"), Column("channel", "channelId"), Column.filters,
                Column("in flight", "inFlight"), Column("waiting", "queuedMessages"),
                Column("waiting bytes", "queuedBytes"),
            ]
            try show(found, as: columns)
        }
    }

    struct Trace: ManagementCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what happened to a client's connections and messages, the latest first.",
            discussion: """
                As far as the service's trace remembers it: the last events of each shard (trace.events in all), until the \
                service ends. Also of clients that were refused; the reason in full is for keys with the right manager.
                """,
        )

        enum Subject: String, ExpressibleByArgument, CaseIterable {
            case connections, messages
        }

        @Argument(help: "The client id.")
        var clientID: String

        @Option(name: .long, help: "Only what happened to its connections, or to its messages.")
        var about: Subject?

        @Option(name: .long, help: "At most so many events.")
        var limit = 50

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func validate() throws {
            guard limit > 0 else { throw ValidationError("--limit must be at least 1") }
        }

        func run(_ client: APIClient) throws {
            let path = ["instances", try instance.id(client), "clients", clientID, "trace"]
            let events = try client.list(path, query: [("about", about?.rawValue)], limit: limit)
            let columns = [
                Column.time("time", "time"), Column("event", "kind"), Column("topic", "topic"),
                Column("message", "messageId"), Column("detail", "detail"), Column("explanation", "explanation"),
            ]
            try show(events, as: columns, nothing: "the trace knows nothing of the client")
        }
    }

    struct Kick: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Close a client's connection; it may come back.")

        @Argument(help: "The client id.")
        var clientID: String

        @Option(name: .long, help: "A sentence that the client is told (MQTT 5).")
        var reason: String?

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let path = ["instances", try instance.id(client), "clients", clientID]
            _ = try client.call("DELETE", path, query: [("reason", reason)])
            try done("\(clientID) is disconnected")
        }
    }
}

struct SessionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "session",
        abstract: "List, show and end sessions, of clients that are away too.",
        subcommands: [List.self, Show.self, End.self],
        defaultSubcommand: List.self,
    )

    static let columns = [
        Column("client", "clientId"), Column("online", "online"), Column("persistent", "persistent"),
        Column.time("away since", "disconnectedAt"), Column.subscriptions,
        Column("waiting", "queuedMessages", right: true), Column("bytes", "queuedBytes", right: true),
    ]

    struct List: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "List the sessions with what waits in them.")

        @Option(name: .long, help: "At most so many.")
        var limit: Int?

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let sessions = try client.list(["instances", try instance.id(client), "sessions"], limit: limit)
            try show(sessions, as: SessionCommand.columns, nothing: "there is no session")
        }
    }

    struct Show: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Show a session with its subscriptions.")

        @Argument(help: "The client id.")
        var clientID: String

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let found = try client.call("GET", ["instances", try instance.id(client), "sessions", clientID])
            let columns = [
                Column("client", "clientId"), Column("online", "online"), Column("persistent", "persistent"),
                Column("kept for, s", "expirySeconds"), Column.time("away since", "disconnectedAt"), Column.filters,
                Column("in flight", "inFlight"), Column("waiting", "queuedMessages"),
                Column("waiting bytes", "queuedBytes"),
            ]
            try show(found, as: columns)
        }
    }

    struct End: ManagementCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a session: its subscriptions and all that waits for it are gone.",
        )

        @Argument(help: "The client id.")
        var clientID: String

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            _ = try client.call("DELETE", ["instances", try instance.id(client), "sessions", clientID])
            try done("the session of \(clientID) is ended")
        }
    }
}

extension Column {
    fileprivate static let subscriptions = Column("subscriptions", right: true) {
        "\($0["subscriptions"]?.items.count ?? 0)"
    }

    fileprivate static let filters = Column("subscriptions") {
        let items = $0["subscriptions"]?.items ?? []
        return items.map { "\(plain($0["filter"])) (QoS \(plain($0["qos"])))" }.joined(separator: ", ")
    }
}
