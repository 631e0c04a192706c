internal import MQTTCodec

/// The topic names that the server has given aliases to; they end with the connection [MQTT-3.3.2-7].
struct TopicAliases: Sendable {
    private var names: [UInt16: String] = [:]
    private let maximum: UInt16

    /// - Parameter maximum: the highest alias that we announced; 0 for none.
    init(maximum: UInt16) { self.maximum = maximum }

    /// The topic of a message, remembering the alias that it brings.
    mutating func resolve(_ message: Publish) throws(ServerViolation) -> String {
        guard message.topicAlias != 0 else { return message.topic }
        guard message.topicAlias <= maximum else {
            throw ServerViolation(.topicAliasInvalid, "a topic alias is beyond the announced maximum [MQTT-3.1.2-26]")
        }
        guard message.topic.isEmpty else {
            names[message.topicAlias] = message.topic
            return message.topic
        }
        guard let name = names[message.topicAlias] else {
            throw ServerViolation(.protocolError, "a topic alias stands for no topic")
        }
        return name
    }
}

/// A rule that the server broke.
struct ServerViolation: Error {
    let reasonCode: ReasonCode
    let words: String

    init(_ reasonCode: ReasonCode, _ words: String) {
        self.reasonCode = reasonCode
        self.words = words
    }
}
