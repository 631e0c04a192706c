internal import ApusLoop
internal import FoundationEssentials
internal import MQTTClient
internal import MQTTCodec

/// Subscribes and prints what comes.
struct Subscriber: ClientTask {
    /// What the person wants.
    struct Wish {
        enum Retained {
            case all
            case only
            case none
        }

        enum Form {
            case plain(withTopic: Bool, lineFeed: Bool)
            case json
            case statistics(json: Bool)
        }

        var requests: [Subscribe.Request]
        var identifier: UInt32 = 0
        var userProperties: [UserProperty] = []
        var count: Int?
        var wait: Duration?
        var answerTimeout = Duration.seconds(10)
        var retained = Retained.all
        var form = Form.plain(withTopic: false, lineFeed: true)
    }

    private let wish: Wish
    private let voice: Voice
    var output = LineOutput()
    private(set) var ending: ClientEnding?

    private var meter = Meter()
    private var bytes = 0
    private var periodBytes = 0
    private var end: Duration?
    /// When the broker must have answered the SUBSCRIBE; nil when it has.
    private var answerDeadline: Duration?
    private var isSubscribed = false

    init(_ wish: Wish, voice: Voice) {
        self.wish = wish
        self.voice = voice
    }

    var wantsInput: Bool { false }
    var hasMore: Bool { false }
    var isComplete: Bool { wish.count == nil }
    var summary: String { "\(meter.count) messages received (\(bytes) bytes)" }

    var deadline: Duration? {
        [end, answerDeadline, isStatistics ? meter.nextShow : nil].compactMap(\.self).min()
    }

    private var isStatistics: Bool {
        if case .statistics = wish.form { true } else { false }
    }

    mutating func connected(_ packet: ConnAck, _ client: inout Client) {
        meter.start(client.now)
        if end == nil, let wait = wish.wait { end = client.now + wait }
        // A session that the broker has kept holds the subscriptions; asking again would bring retained messages again.
        guard !isSubscribed || !packet.sessionPresent else { return }
        isSubscribed = false
        answerDeadline = client.now + wish.answerTimeout
        do {
            try client.machine.subscribe(
                wish.requests,
                identifier: wish.identifier,
                userProperties: wish.userProperties,
                now: client.now,
                into: &client.actions,
            )
        } catch .notSupportedByServer(let code) {
            ending = .refused("the broker does not support this: \(code.description)")
        } catch {
            ending = .refused("cannot subscribe: \(error)")
        }
    }

    mutating func receive(_ input: AvailableInput, _ client: inout Client) {}

    mutating func proceed(_ client: inout Client) {
        if let answerDeadline, client.now >= answerDeadline {
            ending = .connectionFailed("the broker has not answered the subscription in time")
        }
        showStatistics(client.now)
        if let end, client.now >= end { ending = endOfWait }
    }

    private var endOfWait: ClientEnding {
        guard let count = wish.count else { return .success }
        return .refused("\(meter.count) of \(count) messages came in time")
    }

    // MARK: - What happens

    mutating func handle(_ event: ClientEvent, _ client: inout Client) {
        switch event {
        case .message(let message, let delivery):
            print(message)
            if let delivery { client.machine.acknowledge(delivery, now: client.now, into: &client.actions) }
        case .subscribed(_, let codes, let reasonString): subscribed(codes, reasonString)
        case .connected, .refused, .published, .unsubscribed, .abandoned, .authentication, .disconnected,
            .protocolViolation, .connectionLost:
            break
        }
    }

    /// Goes on when at least one filter was granted.
    private mutating func subscribed(_ codes: [ReasonCode], _ reasonString: String?) {
        answerDeadline = nil
        isSubscribed = true
        var refusals: [String] = []
        for (request, code) in zip(wish.requests, codes) {
            let filter = request.topicFilter
            if code.isError {
                refusals.append("the broker refused the subscription to \(filter): \(code.description(reasonString))")
            } else if code.rawValue < request.options.qos.rawValue {
                voice.say("the broker grants \(filter) only QoS \(code.rawValue)")
            }
        }
        guard refusals.count < codes.count else {
            ending = .refused(refusals.joined(separator: "\napus: "))
            return
        }
        for refusal in refusals { voice.say(refusal) }
    }

    private mutating func print(_ message: Publish) {
        switch wish.retained {
        case .all: break
        case .only: if !message.retain { return }
        case .none: if message.retain { return }
        }
        meter.count += 1
        bytes += message.payload.count
        periodBytes += message.payload.count
        switch wish.form {
        case .plain(let withTopic, let lineFeed):
            if withTopic { output.append(message.topic + " ") }
            output.append(message.payload)
            if lineFeed { output.append("\n") }
        case .json: output.append(MessageLine.json(message, at: Date()) + "\n")
        case .statistics: break
        }
        if meter.count == wish.count { ending = .success }
    }

    private mutating func showStatistics(_ now: Duration) {
        guard case .statistics(let json) = wish.form, let numbers = meter.show(now) else { return }
        defer { periodBytes = 0 }
        guard json else {
            let total = "\(numbers.total) messages (\(bytes) bytes)"
            output.append("\(total), \(numbers.perSecond)/s, \(periodBytes) bytes in the last second\n")
            return
        }
        var line = JSONLine()
        line.add("messages", numbers.total)
        line.add("messages_per_second", rate: numbers.perSecond)
        line.add("bytes", bytes)
        output.append(line.text + "\n")
    }
}
