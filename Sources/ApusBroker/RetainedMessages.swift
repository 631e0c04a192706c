package import ApusMessage
package import ApusTopics
internal import Synchronization

/// The retained message of each topic [MQTT-3.3.1-5], bounded in number and bytes.
package final class RetainedMessages: Sendable {
    package let index = RetainedIndex<Message>()
    private let bytes = Atomic<Int>(0)
    private let limits: Mutex<Limits>

    init(limits: Limits) { self.limits = Mutex(limits) }

    /// What became of a retained PUBLISH.
    package enum Change: Equatable, Sendable {
        case kept
        /// An empty payload removes the topic's message [MQTT-3.3.1-6].
        case removed
        /// The bounds are reached; the topic keeps what it had.
        case full
    }

    /// The bytes that a message takes, with those of the index: each level of its topic may be a node of its own.
    private static func cost(of message: Message) -> Int {
        let levels = message.bytes[..<message.topicEnd].count { $0 == UInt8(ascii: "/") } + 1
        return message.footprint + levels * 48
    }

    /// - Returns: what became of it, and the message that had the topic before and has it no more.
    package func update(_ message: Message) -> (change: Change, replaced: Message?) {
        let content = message.bytes
        let topic = content.span.extracting(0..<message.topicEnd)
        guard message.payloadCount > 0 else {
            let old = index.remove(topic)
            if let old { bytes.subtract(Self.cost(of: old), ordering: .relaxed) }
            return (.removed, old)
        }
        let limits = limits.withLock { $0 }
        let replaced = index.value(for: topic)
        if replaced == nil, index.count >= limits.retainedMessages { return (.full, nil) }
        let growth = Self.cost(of: message) - (replaced.map(Self.cost) ?? 0)
        if growth > 0, bytes.load(ordering: .relaxed) + growth > limits.retainedBytes { return (.full, nil) }
        bytes.add(Self.cost(of: message), ordering: .relaxed)
        let old = index.set(topic, message)
        if let old { bytes.subtract(Self.cost(of: old), ordering: .relaxed) }
        return (.kept, old)
    }

    /// Removes a message that has expired, unless its topic has a newer one by now.
    ///
    /// - Returns: whether it was there.
    func forget(_ message: Message) -> Bool {
        let content = message.bytes
        let topic = content.span.extracting(0..<message.topicEnd)
        guard let old = index.remove(topic, where: { $0 === message }) else { return false }
        bytes.subtract(Self.cost(of: old), ordering: .relaxed)
        return true
    }

    /// Begins to walk over all of them.
    func scanAll() -> RetainedScan<Message> { index.scanAll() }

    package var count: Int { index.count }
    package var byteCount: Int { bytes.load(ordering: .relaxed) }

    func apply(_ new: Limits) { limits.withLock { $0 = new } }
}
