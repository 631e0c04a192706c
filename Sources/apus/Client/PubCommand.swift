internal import ApusLoop
internal import ArgumentParser
internal import MQTTCodec

struct PubCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pub",
        abstract: "Publish messages to a broker.",
        usage: "apus pub -t TOPIC (-m MESSAGE | -f FILE | -l | -s | -n) [options]",
        discussion: """
            With QoS 0, the default, a message has no answer: no broker can say that it refused it. Publish with \
            -q 1 to know; MQTT 5 also tells why. Exit codes: 0 all messages are done, 1 the broker refused something, \
            2 a mistake in the options, 3 no connection or no answer. -h names the host; --help gives help.
            """,
        helpNames: .long,
    )

    @Option(name: .shortAndLong, help: "The topic.")
    var topic: String

    // As mosquitto_pub does: `-m -5` is the message -5.
    @Option(name: .shortAndLong, parsing: .unconditional, help: "The message.")
    var message: String?

    @Option(name: .shortAndLong, help: "A file that is the message.")
    var file: String?

    @Flag(name: [.customShort("l"), .customLong("stdin-lines")], help: "Each line of standard input is a message.")
    var stdinLines = false

    @Flag(name: [.customShort("s"), .customLong("stdin")], help: "All of standard input is the message.")
    var stdin = false

    @Flag(name: [.customShort("n"), .customLong("empty")], help: "An empty message; with -r it ends a retained one.")
    var empty = false

    @Flag(name: .shortAndLong, help: "Let the broker keep the message for later subscribers.")
    var retain = false

    @Option(name: .long, help: ArgumentHelp("How many times to publish it (default: 1).", valueName: "count"))
    var `repeat`: Int?

    @Option(
        name: .long,
        help: ArgumentHelp("The time from one message to the next.", valueName: "seconds"),
        transform: OptionText.seconds,
    )
    var interval = Duration.zero

    @Option(name: .long, help: ArgumentHelp("After this time nobody wants the message (MQTT 5).", valueName: "seconds"))
    var expiry: UInt32?

    @Option(name: .long, help: ArgumentHelp("What the message is, as text/plain (MQTT 5).", valueName: "type"))
    var contentType: String?

    @Option(name: .long, help: ArgumentHelp("Where an answer is expected (MQTT 5).", valueName: "topic"))
    var responseTopic: String?

    @Option(name: .long, help: ArgumentHelp("What an answer shall bring along (MQTT 5).", valueName: "text"))
    var correlationData: String?

    @Flag(name: .customLong("payload-format-utf8"), help: "Declare the message to be UTF-8 text (MQTT 5).")
    var payloadFormatUTF8 = false

    @Flag(name: .long, help: "Print one JSON object for each message: how it went, and how long it took.")
    var json = false

    @OptionGroup var options: ClientOptions

    mutating func validate() throws {
        try OptionText.checkTopicName(topic, option: "--topic")
        let sources = [message != nil, file != nil, stdinLines, stdin, empty].filter(\.self).count
        guard sources == 1 else {
            throw ValidationError("say what to publish by one of -m MESSAGE, -f FILE, -l, -s and -n")
        }
        if let count = self.repeat {
            guard count > 0 else { throw ValidationError("--repeat must be at least 1") }
            guard !stdinLines else { throw ValidationError("--repeat is not for -l, which publishes each line once") }
        }
        if let responseTopic { try OptionText.checkTopicName(responseTopic, option: "--response-topic") }
        try options.require5("--expiry", expiry != nil)
        try options.require5("--content-type", contentType != nil)
        try options.require5("--response-topic", responseTopic != nil)
        try options.require5("--correlation-data", correlationData != nil)
        try options.require5("--payload-format-utf8", payloadFormatUTF8)
        let longest = [contentType, correlationData].compactMap { $0?.utf8.count }.max() ?? 0
        guard longest <= Int(UInt16.max) else { throw ValidationError("a property has at most 65535 bytes") }
    }

    func run() throws {
        let plan = try ClientPlan(options, role: "pub")
        let source: MessageSource = stdinLines ? .lines(LineSplitter()) : .one(try payload(), left: self.repeat ?? 1)
        let template = Publish(
            topic: topic,
            payload: [],
            qos: options.qos,
            retain: retain,
            messageExpiryInterval: expiry,
            properties: MessageProperties(
                payloadFormat: payloadFormatUTF8 ? .utf8 : nil,
                contentType: contentType,
                responseTopic: responseTopic,
                correlationData: correlationData.map { Array($0.utf8) },
                userProperties: options.userProperty,
            ),
        )
        let publisher = Publisher(
            template,
            source,
            interval: interval,
            answerTimeout: options.timeout,
            printsJSON: json,
            voice: plan.voice,
        )
        var runner = try ClientRunner(plan, publisher)
        try runner.run()
    }

    private func payload() throws -> [UInt8] {
        if let message { return Array(message.utf8) }
        if empty { return [] }
        let limit = FrameDecoder.largestPacket
        do {
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
