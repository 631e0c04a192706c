internal import ApusBroker
internal import ApusResources

/// Traces of devices and messages, from what the broker remembers (apsaramq-facts 4.4.34 to 4.4.37).
enum TraceActions {
    private static let time = ["BeginTime", "EndTime", "MqttRegionId"]
    private static let page = ["CurrentPage", "PageSize", "Reverse"]

    static let all: [RPCAction] = [
        trace("QueryMqttTraceDevice", time + page + ["ClientId"]) { call, instance throws(RPCError) in
            var query = try query(call, instance, TraceWords.ofConnections)
            query.clientID = try call.parameters.text("ClientId", most: 65_535)
            return try await paged(query, call, list: "DeviceInfoList") { event, words in
                [
                    "Time": .string(UTCTime.traceText(event.time)), "Action": .string(words.action),
                    "ActionCode": .string(words.code), "ActionInfo": .string(words.info),
                    "ChannelId": .string(event.channelID),
                ]
            }
        },
        trace("QueryMqttTraceMessageOfClient", time + page + ["ClientId"]) { call, instance throws(RPCError) in
            var query = try query(call, instance, TraceWords.ofPublishing.union(TraceWords.ofDelivery))
            query.clientID = try call.parameters.text("ClientId", most: 65_535)
            return try await paged(query, call, list: "MessageOfClientList", item: message)
        },
        trace("QueryMqttTraceMessagePublish", time + ["MsgId"]) { call, instance throws(RPCError) in
            var query = try query(call, instance, TraceWords.ofPublishing)
            query.messageID = try call.parameters.text("MsgId", most: 64)
            query.limit = 1_000
            let found = await call.broker.trace(query)
            return ["MessageTraceLists": .array(items(found, message))]
        },
        trace("QueryMqttTraceMessageSubscribe", time + page + ["ClientId", "MsgId"]) {
            call,
            instance throws(RPCError) in
            var query = try query(call, instance, TraceWords.ofDelivery)
            query.messageID = try call.parameters.text("MsgId", most: 64)
            query.clientID = try call.parameters.optionalText("ClientId", most: 65_535)
            return try await paged(query, call, list: "MessageTraceLists", item: message)
        },
    ]

    private static func query(
        _ call: RPCCall,
        _ instance: Instance,
        _ kinds: Set<TraceEvent.Kind>,
    ) throws(RPCError) -> TraceQuery {
        let from = try call.parameters.integer("BeginTime", in: 0...Int64.max)
        let until = try call.parameters.integer("EndTime", in: 0...Int64.max)
        guard from <= until else {
            throw call.parameters.refusal(of: "EndTime", "it is \(until), before BeginTime, which is \(from)")
        }
        return TraceQuery(instance: instance.number, kinds: kinds, from: from, until: until, limit: 1)
    }

    private static func paged(
        _ query: TraceQuery,
        _ call: RPCCall,
        list: String,
        item: (TraceEvent, TraceWords) -> JSONValue,
    ) async throws(RPCError) -> JSONValue {
        let page = try call.parameters.integer("CurrentPage", in: 1...1_000_000_000)
        let size = try call.parameters.integer("PageSize", in: 1...100)
        var query = query
        query.offset = Int((page - 1) * size)
        query.limit = Int(size)
        query.newestFirst = try call.parameters.boolean("Reverse", default: false)
        let found = await call.broker.trace(query)
        return .object([
            .init(name: "CurrentPage", value: .integer(page)), .init(name: "PageSize", value: .integer(size)),
            .init(name: "Total", value: JSONValue(found.total)),
            .init(name: list, value: .array(items(found, item))),
        ])
    }

    private static func items(_ page: TracePage, _ item: (TraceEvent, TraceWords) -> JSONValue) -> [JSONValue] {
        page.events.compactMap { event in TraceWords(event).map { item(event, $0) } }
    }

    private static func message(_ event: TraceEvent, _ words: TraceWords) -> JSONValue {
        [
            "Time": .string(UTCTime.traceText(event.time)), "ClientId": .string(event.clientID),
            "MsgId": .string(event.messageID), "Action": .string(words.action), "ActionCode": .string(words.code),
            "ActionInfo": .string(words.info),
        ]
    }

    private static func trace(
        _ name: String,
        _ parameters: [String],
        _ perform: @escaping RPCAction.OfInstance,
    ) -> RPCAction {
        RPCAction(
            name,
            rights: .data,
            rate: 500,
            family: .check,
            parameters: parameters,
            body: .ofInstance(parameter: "InstanceId") { call, instance throws(RPCError) in
                // There is one region, whatever it is called; but the parameter is a required one.
                _ = try call.parameters.text("MqttRegionId", most: 64)
                return try await perform(call, instance)
            },
        )
    }
}
