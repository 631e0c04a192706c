internal import ApusBroker
internal import ApusCrypto
internal import ApusResources
internal import ApusTopics
internal import HTTPTypes

/// Retained messages.
enum RetainedOperations {
    /// The page ends early when its payloads are larger, so that one answer needs no unbounded memory.
    private static let mostPayloadBytes = 16 << 20

    static let all: [RESTOperation] = [
        RESTOperation(
            .get,
            "/instances/{instance}/retained",
            "listRetained",
            "Retained messages by topic.",
            rights: .data,
            query: RESTCall.pageParameters + [
                .init("filter", .string(1...65_535), "Only those whose topics match the filter; # when absent.")
            ],
            answer: .component("RetainedList"),
        ) { call throws(RESTError) in
            let instance = try call.instance()
            let filter = call.query["filter"]?.string ?? "#"
            do {
                _ = try TopicFilter(filter)
            } catch { throw .impossible("filter", "'\(excerpt(filter))' is no topic filter: \(error)") }
            let found = await call.broker.retained(
                instance.number,
                filter: filter,
                after: try call.cursorKey(),
                limit: call.limit,
                bytes: mostPayloadBytes,
            )
            let last = found.hasMore ? found.messages.last?.topic : nil
            return RESTCall.page(found.messages.map(json), next: last.map(PageCursor.text) ?? "")
        },
        RESTOperation(
            .delete,
            "/instances/{instance}/retained/{name}",
            "removeRetained",
            "Removes a retained message; the topic is one percent-encoded part of the path.",
            rights: .manager,
            status: .noContent,
        ) { call throws(RESTError) in
            let instance = try call.instance()
            let topic = call.part("name")
            guard await call.broker.removeRetained(instance.number, topic: topic) else {
                throw .notFound("no message is retained for '\(excerpt(topic))'")
            }
            try call.record(in: instance.id, "retained message of \(excerpt(topic, 128))")
            return .null
        },
    ]

    private static func json(_ message: RetainedDetails) -> JSONValue {
        [
            "topic": .string(message.topic), "payload": .string(Base64.encode(message.payload)),
            "bytes": JSONValue(message.payload.count), "qos": JSONValue(message.qos),
            "expiresAt": message.expiresAt.map { .integer($0) },
        ]
    }
}
