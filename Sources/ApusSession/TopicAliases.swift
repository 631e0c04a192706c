/// Topic aliases that a client has set on this connection [MQTT-3.3.2-8]; they end with it [MQTT-3.3.2-7].
package struct InboundTopicAliases: Sendable {
    private var topics: [[UInt8]] = []
    private let maximum: Int

    /// - Parameter maximum: the Topic Alias Maximum that the broker announced.
    package init(maximum: UInt16) { self.maximum = Int(maximum) }

    /// Whether the alias is within what the broker announced [MQTT-3.3.2-9].
    package func isAllowed(_ alias: UInt16) -> Bool { alias != 0 && Int(alias) <= maximum }

    /// Sets or replaces the alias's topic.
    ///
    /// Call only when `isAllowed`.
    package mutating func set(_ alias: UInt16, to topic: [UInt8]) {
        precondition(isAllowed(alias))
        while topics.count < Int(alias) { topics.append([]) }
        topics[Int(alias) - 1] = topic
    }

    /// The topic that the alias stands for, or `nil` when it was never set.
    package func topic(of alias: UInt16) -> [UInt8]? {
        guard alias != 0, Int(alias) <= topics.count, !topics[Int(alias) - 1].isEmpty else { return nil }
        return topics[Int(alias) - 1]
    }
}

/// Topic aliases that the broker uses towards a client that allows them [MQTT-3.1.2-27].
///
/// The first topics get one each; when all are given out, the one given out longest ago goes to the new topic.
package struct OutboundTopicAliases: Sendable {
    private var topics: [[UInt8]] = []
    private var aliases: [[UInt8]: UInt16] = [:]
    private var nextToReplace = 0
    private let maximum: Int

    /// - Parameter maximum: the smaller of the client's Topic Alias Maximum and the broker's own limit.
    package init(maximum: UInt16) { self.maximum = Int(maximum) }

    package enum Alias: Sendable, Equatable {
        /// Aliases are not allowed.
        case none
        /// The client knows the alias: the topic is sent empty.
        case known(UInt16)
        /// The topic is sent with its alias.
        case new(UInt16)
    }

    package mutating func alias(for topic: [UInt8]) -> Alias {
        guard maximum > 0 else { return .none }
        if let alias = aliases[topic] { return .known(alias) }
        if topics.count < maximum {
            topics.append(topic)
            aliases[topic] = UInt16(topics.count)
            return .new(UInt16(topics.count))
        }
        let slot = nextToReplace
        nextToReplace = (slot + 1) % maximum
        aliases[topics[slot]] = nil
        topics[slot] = topic
        aliases[topic] = UInt16(slot + 1)
        return .new(UInt16(slot + 1))
    }
}
