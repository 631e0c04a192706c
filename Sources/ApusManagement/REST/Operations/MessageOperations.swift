internal import ApusBroker
internal import ApusCrypto
internal import ApusResources
internal import HTTPTypes
internal import MQTTCodec

/// Publishing, and what became of a message.
enum MessageOperations {
    private static let mostEvents = 1_000

    static let all: [RESTOperation] = [
        RESTOperation(
            .post,
            "/instances/{instance}/publish",
            "publish",
            "Publishes a message; answers when it is as safe as an acknowledgement promises.",
            rights: .data,
            body: .component("NewMessage"),
            answer: .component("PublishReport"),
        ) { call throws(RESTError) in
            let instance = try call.instance()
            let payload: [UInt8]
            if call.text("encoding") == "base64" {
                guard let bytes = Base64.decode(call.text("payload")) else {
                    throw .impossible("payload", "it is no Base64 (RFC 4648, section 4, with padding)")
                }
                payload = bytes
            } else {
                payload = Array(call.text("payload").utf8)
            }
            let message = ManagedPublish(
                instance: instance.number,
                topic: call.text("topic"),
                payload: payload,
                qos: QoS(rawValue: UInt8(call.body["qos"]?.integer ?? 1)) ?? .atLeastOnce,
                retain: call.body["retain"]?.bool ?? false,
                isCleanSession: call.body["cleanSession"]?.bool ?? true,
                sender: ManagedSender.text(call.caller?.key.id ?? ""),
            )
            do throws(PublishRefusal) {
                try call.service.check(topic: message.topic, payloadBytes: payload.count, in: instance)
                let report = try await call.service.publish(message)
                return [
                    "messageId": .string(report.messageID),
                    "outcome": .string(report.outcome == .nobody ? "nobody" : "accepted"),
                ]
            } catch { throw refusal(error) }
        },
        RESTOperation(
            .get,
            "/instances/{instance}/messages/{message}",
            "getMessageTrace",
            "What happened to a message, as far as the trace remembers it.",
            rights: .data,
            answer: .component("MessageTrace"),
        ) { call throws(RESTError) in
            let found = try await trace(call)
            return [
                "messageId": .string(call.part("message")),
                "events": .array(inOrder(found.events).map(TraceOperations.json)),
            ]
        },
        RESTOperation(
            .get,
            "/instances/{instance}/messages/{message}/receipt",
            "getReceipt",
            "What became of a message for each receiver, as far as the trace remembers it.",
            rights: .data,
            answer: .component("Receipt"),
        ) { call throws(RESTError) in
            let found = try await trace(call)
            let receipt = DeliveryReceipt(found.events)
            return [
                "messageId": .string(call.part("message")),
                "sender": receipt.published.map { .string($0.clientID) },
                "topic": receipt.published.map { .string($0.topic) },
                "publishedAt": receipt.published.map { .integer($0.time) },
                "receivers": .array(receipt.receivers.map(json)),
                "hasMore": .bool(found.total > found.events.count),
            ]
        },
    ]

    /// A message that is delivered at once goes out before its publication is noted, within the same millisecond.
    private static func inOrder(_ events: [TraceEvent]) -> [TraceEvent] {
        func place(_ event: TraceEvent) -> (Int64, Int) {
            (event.time, TraceWords.ofPublishing.contains(event.kind) ? 0 : 1)
        }
        return events.enumerated().sorted { one, another in
            let (first, second) = (place(one.element), place(another.element))
            return first == second ? one.offset < another.offset : first < second
        }
        .map(\.element)
    }

    private static func trace(_ call: RESTCall) async throws(RESTError) -> TracePage {
        let instance = try call.instance()
        let id = call.part("message")
        let query = TraceQuery(
            instance: instance.number,
            kinds: Set(TraceEvent.Kind.allCases),
            messageID: id,
            from: 0,
            until: .max,
            limit: mostEvents,
        )
        let found = await call.broker.trace(query)
        guard !found.events.isEmpty else {
            let words =
                "the trace knows no message '\(excerpt(id, 64))': there was none, or it is not remembered any more"
            throw .notFound(words)
        }
        return found
    }

    private static func refusal(_ error: PublishRefusal) -> RESTError {
        switch error {
        case .topic(.unknownParent(let message)): RESTError(.forbidden, "Forbidden", message, field: "topic")
        case .topic(.malformed(let message)): .impossible("topic", message)
        case .payload(let message): .impossible("payload", message)
        case .bound(let message): .impossible("topic", message)
        case .rate(let message): tooMany(message)
        case .broker(let message): RESTError(.conflict, "Refused", message)
        }
    }

    private static func tooMany(_ message: String) -> RESTError {
        var error = RESTError(.tooManyRequests, "Throttled", message)
        error.headers[.retryAfter] = "1"
        return error
    }

    private static func json(_ receiver: DeliveryReceipt.Receiver) -> JSONValue {
        [
            "clientId": .string(receiver.clientID), "state": .string(receiver.state.rawValue),
            "time": .integer(receiver.time), "storedAt": receiver.storedAt.map { .integer($0) },
            "deliveredAt": receiver.deliveredAt.map { .integer($0) },
            "acknowledgedAt": receiver.acknowledgedAt.map { .integer($0) },
            "reason": receiver.reason.isEmpty ? nil : .string(receiver.reason),
        ]
    }
}
