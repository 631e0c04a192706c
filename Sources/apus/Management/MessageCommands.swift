internal import ApusCrypto
internal import ApusLoop
internal import ArgumentParser
internal import MQTTCodec

struct RetainedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retained",
        abstract: "List and remove retained messages.",
        subcommands: [List.self, Remove.self],
        defaultSubcommand: List.self,
    )

    struct List: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "List retained messages.")

        @Argument(help: "Only those of topics that match this filter.")
        var filter = "#"

        @Option(name: .long, help: "At most so many.")
        var limit: Int?

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func validate() throws { try OptionText.checkTopicFilter(filter, option: "the filter") }

        func run(_ client: APIClient) throws {
            let path = ["instances", try instance.id(client), "retained"]
            let messages = try client.list(path, query: [("filter", filter)], limit: limit)
            let columns = [
                Column("topic", "topic"), Column("qos", "qos", right: true), Column("bytes", "bytes", right: true),
                Column.time("expires", "expiresAt"), Column("message", MessagePreview.text),
            ]
            try show(messages, as: columns, nothing: "there is no retained message below \(filter)")
        }
    }

    struct Remove: ManagementCommand {
        static let configuration = CommandConfiguration(abstract: "Remove the retained message of a topic.")

        @Argument(help: "The topic.")
        var topic: String

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            _ = try client.call("DELETE", ["instances", try instance.id(client), "retained", topic])
            try done("the retained message of \(topic) is removed")
        }
    }
}

enum MessagePreview {
    /// The beginning of a Base64 payload as text, or its kind.
    static func text(_ message: JSONValue) -> String {
        guard let bytes = message["payload"]?.string.flatMap({ Base64.decode($0) }) else { return "" }
        guard let text = String(validating: bytes, as: UTF8.self) else { return "(no text)" }
        return StorageText.shown(text)
    }
}

struct PublishCommand: ManagementCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish",
        abstract: "Publish a message through the management API, to a topic or to one client (PARENT/p2p/CLIENT).",
        discussion: "`apus pub` does the same as an MQTT client.",
    )

    @Argument(help: "The topic.")
    var topic: String

    @Option(name: .shortAndLong, help: "The message; without it and --file it is all of standard input.")
    var message: String?

    @Option(name: .shortAndLong, help: "A file that is the message.", completion: .file())
    var file: String?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Quality of service: 0, 1 or 2 (default: 1).", valueName: "qos"),
        transform: OptionText.qos,
    )
    var qos = QoS.atLeastOnce

    @Flag(name: .shortAndLong, help: "Let the broker keep the message for later subscribers.")
    var retain = false

    @Flag(name: .long, help: "To one client that is away: keep the message until it connects.")
    var keep = false

    @OptionGroup var instance: InstanceOptions
    @OptionGroup var options: APIOptions

    func validate() throws {
        try OptionText.checkTopicName(topic, option: "the topic")
        guard message == nil || file == nil else { throw ValidationError("--message and --file contradict each other") }
    }

    func run(_ client: APIClient) throws {
        let payload = try payload()
        let text = String(validating: payload, as: UTF8.self)
        let body = JSONValue.object([
            "topic": .string(topic), "payload": .string(text ?? Base64.encode(payload)),
            "encoding": text == nil ? .string("base64") : nil, "qos": .number(qos.rawValue), "retain": .bool(retain),
            "cleanSession": .bool(!keep),
        ])
        let report = try client.call("POST", ["instances", try instance.id(client), "publish"], body: body)
        let outcome = report["outcome"]?.string == "nobody" ? nobody : "accepted"
        try done("message \(Column.plain(report["messageId"])): \(outcome)", report)
    }

    private var nobody: String {
        let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
        let isDirect = levels.count == 3 && levels[1] == "p2p"
        return "nobody was there to get it"
            + (isDirect && !keep ? "; with --keep it waits for a client that has a session and is away" : "")
    }

    private func payload() throws -> [UInt8] {
        if let message { return Array(message.utf8) }
        do {
            let limit = FrameDecoder.largestPacket
            let bytes =
                try file.map { path throws(SystemError) in try StandardStream.readAll(file: path, limit: limit) }
                ?? StandardStream.readAll(StandardStream.input, limit: limit)
            guard let bytes else { throw CommandFailure("the message is larger than MQTT allows (256 MiB)") }
            return bytes
        } catch let error as SystemError {
            throw CommandFailure(error.description)
        }
    }
}

struct ReceiptCommand: ManagementCommand {
    static let configuration = CommandConfiguration(
        commandName: "receipt",
        abstract: "Show what became of a message for each receiver: stored, delivered, acknowledged, expired, dropped.",
        discussion: """
            As far as the service's trace remembers it: the last events of each shard (trace.events in all), until the service ends. \
            `apus publish` prints the message's id.
            """,
    )

    @Argument(help: "The message's id, 32 hexadecimal digits.")
    var message: String

    @OptionGroup var instance: InstanceOptions
    @OptionGroup var options: APIOptions

    func run(_ client: APIClient) throws {
        let path = ["instances", try instance.id(client), "messages", message, "receipt"]
        let receipt = try client.call("GET", path)
        if options.json { return try write(receipt.indented + "\n") }
        if receipt["publishedAt"] == nil {
            Voice(level: .usual).say("when and by whom it was published is not remembered any more")
        }
        let publication = [
            Column("topic", "topic"), Column("sender", "sender"), Column.time("published", "publishedAt"),
        ]
        try write(Column.sheet(receipt, publication))
        let columns = [
            Column("receiver", "clientId"), Column("state", "state"), Column.time("time", "time"),
            Column("reason", "reason"),
        ]
        try show(receipt["receivers"]?.items ?? [], as: columns, nothing: "no receiver is known")
    }
}

struct AuditCommand: ManagementCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Show who changed what, the latest first.",
    )

    @Option(name: [.customShort("I"), .long], help: "Only what concerns this instance.")
    var instance: String?

    @Option(name: .long, help: "At most so many entries.")
    var limit = 50

    @OptionGroup var options: APIOptions

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit must be at least 1") }
    }

    func run(_ client: APIClient) throws {
        let query: [(name: String, value: String?)] = [("instance", instance)]
        let entries = try client.list(["audit"], query: query, cursor: "before", limit: limit)
        let columns = [
            Column.time("time", "time"), Column("who", "actor"), Column("from", "source"), Column("action", "action"),
            Column("instance", "instance"), Column("outcome", "outcome"),
            Column("detail") { AuditText.plain($0["detail"]?.string ?? "") },
        ]
        try show(entries, as: columns, nothing: "there is no entry")
    }
}

/// What an entry of the audit log says of a change.
enum AuditText {
    /// A request's body, which is JSON, as `policies.p2p = no, limits.groups = 5`; other words as they are.
    static func plain(_ detail: String) -> String {
        guard detail.hasPrefix("{"), let value = try? JSONReader.read(Array(detail.utf8)) else { return detail }
        return settings(value, "").joined(separator: ", ")
    }

    private static func settings(_ value: JSONValue, _ path: String) -> [String] {
        guard case .object(let members) = value, !members.isEmpty else {
            // As null takes a setting back.
            return [path.isEmpty ? "" : "\(path) = \(value == .null ? "default" : Column.plain(value))"]
        }
        return members.flatMap { settings($0.value, path.isEmpty ? $0.key : "\(path).\($0.key)") }
    }
}
