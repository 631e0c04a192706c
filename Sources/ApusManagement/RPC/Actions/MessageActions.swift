internal import ApusBroker
internal import ApusResources

/// Messages from servers (apsaramq-facts 4.4.44, 4.5.3).
///
/// QoS 1 and clean, as nothing else is documented.
enum MessageActions {
    private static let mostMessages = 100
    private static let mostTopics = 100

    static let all: [RPCAction] = [
        send([.v2020], []),
        // What a receipt id is for is not documented: it is taken and not used.
        send([.v2019], ["ReceiptId"]),
        RPCAction(
            "BatchSendMessages",
            versions: [.v2019],
            rights: .data,
            rate: 1_000,
            family: .check,
            parameters: ["Messages.n.Id", "Messages.n.Payload", "Messages.n.ReceiptId", "Messages.n.Topics.n"],
            body: .ofInstance(parameter: "InstanceId") { call, instance throws(RPCError) in
                let readers = try call.parameters.objects("Messages", most: mostMessages)
                guard !readers.isEmpty else {
                    throw call.parameters.refusal(
                        of: "Messages",
                        "it is missing; write 'Messages.1.Payload' and 'Messages.1.Topics.1'",
                    )
                }
                var messages: [Draft] = []
                for reader in readers {
                    messages.append(
                        Draft(
                            id: try reader.optionalInteger("Id", in: Int64(Int32.min)...Int64(Int32.max)),
                            payload: Array(try reader.textOrEmpty("Payload").utf8),
                            topics: try reader.nonEmptyList("Topics", most: mostTopics)
                        )
                    )
                }
                var responses: [JSONValue] = []
                for message in messages { responses.append(await answer(message, call, instance)) }
                return ["Responses": .array(responses)]
            },
        ),
    ]

    /// A message as it came.
    private struct Draft {
        var id: Int64?
        var payload: [UInt8]
        var topics: [String]
    }

    private static func send(_ versions: [RPCAction.Version], _ more: [String]) -> RPCAction {
        RPCAction(
            "SendMessage",
            versions: versions,
            rights: .data,
            rate: 1_000,
            family: .check,
            parameters: ["MqttTopic", "Payload"] + more,
            body: .ofInstance(parameter: "InstanceId") { call, instance throws(RPCError) in
                let topic = try call.parameters.text("MqttTopic", most: 65_535)
                let payload = Array(try call.parameters.textOrEmpty("Payload").utf8)
                do throws(PublishRefusal) {
                    try call.service.check(topic: topic, payloadBytes: payload.count, in: instance)
                    return ["MsgId": .string(try await publish(payload, to: topic, call, instance))]
                } catch { throw refusal(error, call) }
            },
        )
    }

    private static func publish(
        _ payload: [UInt8],
        to topic: String,
        _ call: RPCCall,
        _ instance: Instance,
    ) async throws(PublishRefusal) -> String {
        try await call.service.publish(
            ManagedPublish(
                instance: instance.number,
                topic: topic,
                payload: payload,
                sender: ManagedSender.text(call.caller.key.id)
            )
        ).messageID
    }

    /// One message to all its topics, or to none of them when a rule forbids one.
    ///
    /// The id of the answer is of the first.
    private static func answer(_ message: Draft, _ call: RPCCall, _ instance: Instance) async -> JSONValue {
        let id = message.id.map { JSONValue.integer($0) }
        do {
            for topic in message.topics {
                try call.service.check(topic: topic, payloadBytes: message.payload.count, in: instance)
            }
            var messageID = ""
            for topic in message.topics {
                let published = try await publish(message.payload, to: topic, call, instance)
                if messageID.isEmpty { messageID = published }
            }
            return ["Id": id, "ErrorCode": 0, "ErrorMessage": "", "MsgId": .string(messageID)]
        } catch {
            let error = refusal(error, call)
            return [
                "Id": id, "ErrorCode": .integer(Int64(error.status)),
                "ErrorMessage": .string("\(error.code): \(error.message)"),
            ]
        }
    }

    private static func refusal(_ error: PublishRefusal, _ call: RPCCall) -> RPCError {
        switch error {
        case .topic(.unknownParent(let message)): RPCError(400, "PermissionCheckFailed", message)
        case .topic(.malformed(let message)): call.parameters.refusal(of: "MqttTopic", message)
        case .payload(let message): call.parameters.refusal(of: "Payload", message)
        case .bound(let message): call.parameters.refusal(of: "MqttTopic", message)
        case .rate(let message): .throttled("SystemOverFlow", message)
        case .broker(let message): RPCError(500, "InternalError", message)
        }
    }
}
