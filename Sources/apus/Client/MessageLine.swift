internal import FoundationEssentials
internal import MQTTCodec

/// A received message as one JSON object.
enum MessageLine {
    static func json(_ message: Publish, at time: Date) -> String {
        var line = JSONLine()
        line.add("time", time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
        line.add("topic", message.topic)
        line.add("payload", bytes: message.payload)
        line.add("qos", message.qos.rawValue)
        line.add("retain", message.retain)
        line.add("dup", message.dup)
        let properties = properties(message)
        if !properties.isEmpty { line.add("properties", properties) }
        return line.text
    }

    private static func properties(_ message: Publish) -> JSONLine {
        let properties = message.properties
        var line = JSONLine()
        if let format = properties.payloadFormat { line.add("payload_format", format == .utf8 ? "utf8" : "bytes") }
        if let seconds = message.messageExpiryInterval { line.add("message_expiry_seconds", seconds) }
        if let type = properties.contentType { line.add("content_type", type) }
        if let topic = properties.responseTopic { line.add("response_topic", topic) }
        if let data = properties.correlationData { line.add("correlation_data", bytes: data) }
        if !message.subscriptionIdentifiers.isEmpty {
            line.add("subscription_identifiers", message.subscriptionIdentifiers)
        }
        if !properties.userProperties.isEmpty {
            line.add("user_properties", properties.userProperties.map(pair))
        }
        return line
    }

    /// An object each, because names may repeat and their order counts.
    private static func pair(_ property: UserProperty) -> JSONLine {
        var line = JSONLine()
        line.add("name", property.name)
        line.add("value", property.value)
        return line
    }
}
