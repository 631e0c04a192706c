internal import ArgumentParser
internal import MQTTClient
internal import MQTTCodec

struct SubCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sub",
        abstract: "Subscribe to topics and print the messages.",
        usage: "apus sub -t FILTER [-t FILTER …] [options]",
        discussion: """
            A filter may hold + for one level and # for all that follow; $share/GROUP/FILTER shares the messages among \
            the group. Ctrl-C ends it properly. Exit codes: 0 done, 1 the broker refused something or fewer messages \
            than --count came, 2 a mistake in the options, 3 no connection or no answer. -h names the host; --help \
            gives help.
            """,
        helpNames: .long,
    )

    @Option(name: .shortAndLong, help: ArgumentHelp("The topic filter; may be repeated.", valueName: "filter"))
    var topic: [String]

    @Flag(name: [.customShort("v"), .long], help: "Print the topic before each message.")
    var topics = false

    @Flag(name: .long, help: "Print one JSON object for each message, with properties.")
    var json = false

    @Option(name: [.customShort("C"), .long], help: "End after so many messages.")
    var count: Int?

    @Option(
        name: [.customShort("W"), .long],
        help: ArgumentHelp("End after this time.", valueName: "seconds"),
        transform: OptionText.seconds,
    )
    var wait: Duration?

    @Flag(name: .long, help: "Print retained messages only.")
    var retainedOnly = false

    @Flag(name: .long, help: "Print no retained messages, and in MQTT 5 do not ask for them.")
    var noRetained = false

    @Flag(name: .long, help: "Leave out what this client publishes itself (MQTT 5).")
    var noLocal = false

    @Flag(name: .long, help: "Let live messages keep their retain flag (MQTT 5).")
    var retainAsPublished = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Send retained messages: 0 always, 1 if the subscription is new, 2 never (MQTT 5).",
            valueName: "0|1|2"
        ),
        transform: OptionText.retainHandling,
    )
    var retainHandling: RetainHandling?

    @Option(
        name: .long,
        help: ArgumentHelp("A number that the broker marks the messages with (MQTT 5).", valueName: "number"),
    )
    var subscriptionID: UInt32?

    @Flag(name: [.customShort("N"), .long], help: "Print no line feed after each message.")
    var noNewline = false

    @Flag(name: .long, help: "Print counts and rate once a second instead of messages.")
    var stats = false

    @OptionGroup var options: ClientOptions

    mutating func validate() throws {
        for filter in topic {
            try OptionText.checkTopicFilter(filter, option: "--topic")
            guard !noLocal || !filter.hasPrefix("$share/") else {
                throw ValidationError("--no-local is not for shared subscriptions")
            }
        }
        guard count ?? 1 > 0 else { throw ValidationError("--count must be at least 1") }
        guard !retainedOnly || !noRetained else {
            throw ValidationError("--retained-only and --no-retained leave nothing")
        }
        guard !noRetained || retainHandling == nil else {
            throw ValidationError("--no-retained and --retain-handling say the same thing twice; take one")
        }
        guard !topics || !json else { throw ValidationError("--json prints topics anyway; leave --topics out") }
        if let subscriptionID, !(1...268_435_455).contains(subscriptionID) {
            throw ValidationError("--subscription-id is from 1 to 268435455")
        }
        try options.require5("--no-local", noLocal)
        try options.require5("--retain-as-published", retainAsPublished)
        try options.require5("--retain-handling", retainHandling != nil)
        try options.require5("--subscription-id", subscriptionID != nil)
    }

    func run() throws {
        var plan = try ClientPlan(options, role: "sub")
        plan.client.acknowledgesManually = true
        // What the broker sends beyond the count would only have to be sent again to somebody else.
        if let count { plan.client.connect.receiveMaximum = UInt16(clamping: count) }
        let subscriber = Subscriber(wish, voice: plan.voice)
        var runner = try ClientRunner(plan, subscriber)
        try runner.run()
    }

    private var wish: Subscriber.Wish {
        let subscription = SubscriptionOptions(
            qos: options.qos,
            noLocal: noLocal,
            retainAsPublished: retainAsPublished,
            retainHandling: noRetained ? .doNotSend : retainHandling ?? .sendAtSubscribe,
        )
        return Subscriber.Wish(
            requests: topic.map { Subscribe.Request($0, subscription) },
            identifier: subscriptionID ?? 0,
            userProperties: options.userProperty,
            count: count,
            wait: wait,
            answerTimeout: options.timeout,
            retained: retainedOnly ? .only : noRetained && !retainAsPublished ? .none : .all,
            form: stats
                ? .statistics(json: json) : json ? .json : .plain(withTopic: topics, lineFeed: !noNewline),
        )
    }
}
