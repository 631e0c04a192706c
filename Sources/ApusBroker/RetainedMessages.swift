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

    package func update(_ message: Message) -> Change {
        let content = message.bytes
        let topic = content.span.extracting(0..<message.topicEnd)
        guard message.payloadCount > 0 else {
            if let old = index.remove(topic) { bytes.subtract(old.footprint, ordering: .relaxed) }
            return .removed
        }
        let limits = limits.withLock { $0 }
        let replaced = index.value(for: topic)
        if replaced == nil, index.count >= limits.retainedMessages { return .full }
        let growth = message.footprint - (replaced?.footprint ?? 0)
        if growth > 0, bytes.load(ordering: .relaxed) + growth > limits.retainedBytes { return .full }
        bytes.add(message.footprint, ordering: .relaxed)
        if let old = index.set(topic, message) { bytes.subtract(old.footprint, ordering: .relaxed) }
        return .kept
    }

    /// Removes a message that has expired, unless its topic has a newer one by now.
    func forget(_ message: Message) {
        let content = message.bytes
        let topic = content.span.extracting(0..<message.topicEnd)
        guard let current = index.value(for: topic), current === message else { return }
        if let old = index.remove(topic) { bytes.subtract(old.footprint, ordering: .relaxed) }
    }

    package var count: Int { index.count }
    package var byteCount: Int { bytes.load(ordering: .relaxed) }

    func apply(_ new: Limits) { limits.withLock { $0 = new } }
}
