internal import ApusBroker
internal import ApusResources
internal import HTTPTypes

/// What happened to a client, as far as the trace remembers it.
enum TraceOperations {
    /// What events a page is made of.
    private enum Subject: String, CaseIterable {
        case connections, messages

        var kinds: Set<TraceEvent.Kind> {
            switch self {
            case .connections: TraceWords.ofConnections
            case .messages: Set(TraceEvent.Kind.allCases).subtracting(TraceWords.ofConnections)
            }
        }
    }

    static let all: [RESTOperation] = [
        RESTOperation(
            .get,
            "/instances/{instance}/clients/{clientId}/trace",
            "listClientEvents",
            "What happened to a client's connections and messages, the latest first, as far as the trace remembers it; "
                + "empty for a client that it does not know. Explanations are for managers.",
            rights: .data,
            query: RESTCall.pageParameters + [
                .init("about", .choice(Subject.self), "Only what happened to the one of them.")
            ],
            answer: .component("EventList"),
        ) { call throws(RESTError) in
            let instance = try call.instance()
            guard let cursor = TraceCursor(key: try call.cursorKey()) else {
                throw .impossible("after", "it is no `next` of a page before")
            }
            let subject = call.query["about"]?.string.flatMap(Subject.init(rawValue:))
            let query = TraceQuery(
                instance: instance.number,
                kinds: subject?.kinds ?? Set(TraceEvent.Kind.allCases),
                clientID: call.part("clientId"),
                from: 0,
                until: cursor.time,
                offset: cursor.passed,
                limit: call.limit,
                newestFirst: true,
            )
            let found = await call.broker.trace(query)
            let hasMore = found.total > cursor.passed + found.events.count
            let next = hasMore ? cursor.behind(found.events.map(\.time)) : nil
            // What a refused client is not told is not for every device's key either.
            let isManager = call.caller?.has(.manager) ?? false
            let events = found.events.map { event in
                var event = event
                if !isManager { event.explanation = "" }
                return json(event)
            }
            return RESTCall.page(events, next: next.map { PageCursor.text($0.key) } ?? "")
        }
    ]

    static func json(_ event: TraceEvent) -> JSONValue {
        func text(_ value: String) -> JSONValue? { value.isEmpty ? nil : .string(value) }
        return [
            "kind": .string(event.kind.rawValue), "time": .integer(event.time),
            "timeText": .string(UTCTime.traceText(event.time)), "clientId": .string(event.clientID),
            "channelId": text(event.channelID), "messageId": text(event.messageID), "topic": text(event.topic),
            "detail": text(event.detail), "explanation": text(event.explanation),
        ]
    }
}
