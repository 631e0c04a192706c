internal import ArgumentParser

struct TraceCommand: ManagementCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Show what happened to a message, event by event; `apus receipt` sums it up by receiver.",
        discussion: """
            As far as the service's trace remembers it: the last events of each shard (trace.events in all), until the service \
            ends. `apus publish` prints the message's id, and `apus client trace` those of a device's messages.
            """,
    )

    @Argument(help: "The message's id, 32 hexadecimal digits.")
    var message: String

    @OptionGroup var instance: InstanceOptions
    @OptionGroup var options: APIOptions

    func run(_ client: APIClient) throws {
        let trace = try client.call("GET", ["instances", try instance.id(client), "messages", message])
        if options.json { return try write(trace.indented + "\n") }
        let columns = [
            Column.time("time", "time"), Column("event", "kind"), Column("client", "clientId"),
            Column("topic", "topic"), Column("detail", "detail"),
        ]
        try show(trace["events"]?.items ?? [], as: columns, nothing: "nothing is known of the message")
    }
}
