internal import ApusLoop
internal import MQTTClient
internal import MQTTCodec

/// Publishes messages and follows each of them to its end.
struct Publisher: ClientTask {
    private let template: Publish
    private var source: MessageSource
    private let interval: Duration
    private let answerTimeout: Duration
    private let printsJSON: Bool
    private let voice: Voice
    var output = LineOutput()

    private struct Pending {
        let since: Duration
        let bytes: Int
    }

    private var pending: [ClientToken: Pending] = [:]
    /// When the next message may go out.
    private var nextTime: Duration?
    private var lastAnswer = Duration.zero
    private var meter = Meter()
    private var bytesDone = 0
    private var refused = 0
    private var unknown = 0
    private var firstRefusal: String?
    private(set) var ending: ClientEnding?

    /// Messages under way at a time; enough for any latency, little to repeat after a loss.
    private static let window = 1000

    init(
        _ template: Publish,
        _ source: MessageSource,
        interval: Duration,
        answerTimeout: Duration,
        printsJSON: Bool,
        voice: Voice,
    ) {
        self.template = template
        self.source = source
        self.interval = interval
        self.answerTimeout = answerTimeout
        self.printsJSON = printsJSON
        self.voice = voice
    }

    var wantsInput: Bool { source.wantsInput && pending.count < Self.window }
    var hasMore: Bool { nextTime == nil && canPublish }
    var isComplete: Bool { false }
    private var canPublish: Bool { pending.count < Self.window && source.hasNext }

    var summary: String {
        let more =
            (refused > 0 ? ", \(refused) refused" : "") + (unknown > 0 ? ", \(unknown) with an unknown fate" : "")
        return "\(meter.count) published (\(bytesDone) bytes)\(more)"
    }

    var deadline: Duration? {
        let answer = pending.isEmpty ? nil : lastAnswer + answerTimeout
        let show = voice.showsProgress && !printsJSON ? meter.nextShow : nil
        return [answer, canPublish ? nextTime : nil, show].compactMap(\.self).min()
    }

    mutating func connected(_ packet: ConnAck, _ client: inout Client) {
        lastAnswer = client.now
        meter.start(client.now)
    }

    mutating func receive(_ input: AvailableInput, _ client: inout Client) { source.receive(input) }

    mutating func proceed(_ client: inout Client) {
        publish(&client)
        if source.isEmpty, pending.isEmpty {
            ending = refused + unknown > 0 ? .refused(failures) : .success
        } else if !pending.isEmpty, client.now >= lastAnswer + answerTimeout {
            ending = .connectionFailed("the broker has not acknowledged \(pending.count) messages in time")
        }
        if !printsJSON, let numbers = meter.show(client.now) {
            let all = source.left.map { " of \(meter.count + refused + unknown + pending.count + $0)" } ?? ""
            voice.progress("\(meter.count)\(all) published, \(numbers.perSecond)/s")
        }
    }

    /// What goes beyond the sentence that was said about the first failure.
    private var failures: String? {
        let all = meter.count + refused + unknown
        return all > 1 ? "\(refused + unknown) of \(all) messages were not published" : nil
    }

    private mutating func publish(_ client: inout Client) {
        // QoS 0 is answered in the same turn, hence the look at the bytes.
        while pending.count < Self.window, !client.isCongested {
            if let nextTime, client.now < nextTime { return }
            guard let payload = source.next() else { return }
            var message = template
            message.payload = payload
            do {
                let token = try client.machine.publish(message, now: client.now, into: &client.actions)
                if pending.isEmpty { lastAnswer = client.now }
                pending[token] = Pending(since: client.now, bytes: payload.count)
            } catch {
                ending = .refused("cannot publish: \(error)")
                return
            }
            if interval > .zero { nextTime = max((nextTime ?? client.now) + interval, client.now) }
        }
    }

    // MARK: - Answers

    mutating func handle(_ event: ClientEvent, _ client: inout Client) {
        switch event {
        case .published(let token, let code, let reasonString):
            guard let message = pending.removeValue(forKey: token) else { return }
            lastAnswer = client.now
            let time = client.now - message.since
            done(code, reasonString, message.bytes, time)
        case .abandoned(let token):
            guard let message = pending.removeValue(forKey: token) else { return }
            unknown += 1
            let words = "the broker has lost the session; whether it has a message of \(message.bytes) bytes is unknown"
            complain(words)
        case .connected, .refused, .message, .subscribed, .unsubscribed, .authentication, .disconnected,
            .protocolViolation, .connectionLost:
            break
        }
    }

    private mutating func done(_ code: ReasonCode, _ reasonString: String?, _ bytes: Int, _ time: Duration) {
        if code.isError {
            refused += 1
            complain("the broker refused the message to \(template.topic): \(code.description(reasonString))")
        } else {
            meter.count += 1
            bytesDone += bytes
            if code != .success { voice.detail("\(template.topic): \(code.description(reasonString))") }
        }
        guard printsJSON else { return }
        var line = JSONLine()
        line.add("topic", template.topic)
        line.add("qos", template.qos.rawValue)
        line.add("reason_code", code.rawValue)
        line.add("reason", code.words)
        if let reasonString { line.add("reason_string", reasonString) }
        line.add("bytes", bytes)
        line.add("ms", milliseconds: time)
        output.append(line.text + "\n")
    }

    /// Says the first of equal complaints; the rest is counted.
    private mutating func complain(_ words: String) {
        guard words != firstRefusal else { return }
        if firstRefusal == nil { firstRefusal = words }
        voice.say(words)
    }
}
