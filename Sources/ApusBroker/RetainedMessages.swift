package import ApusMessage
internal import ApusTopics
internal import Synchronization

/// How many retained messages all instances together may have, and how many bytes.
package final class RetainedBudget: Sendable {
    fileprivate let messages = Atomic<Int>(0)
    fileprivate let bytes = Atomic<Int>(0)
    fileprivate let mostMessages: Atomic<Int>
    fileprivate let mostBytes: Atomic<Int>

    init(_ limits: Limits) {
        mostMessages = Atomic(limits.retainedMessages)
        mostBytes = Atomic(limits.retainedBytes)
    }

    func apply(_ new: Limits) {
        mostMessages.store(new.retainedMessages, ordering: .relaxed)
        mostBytes.store(new.retainedBytes, ordering: .relaxed)
    }

    /// The first bound that so much more would break; `nil` for none.
    fileprivate func reachedLimit(messages more: Int, bytes growth: Int) -> String? {
        let mostMessages = mostMessages.load(ordering: .relaxed)
        if more > 0, count + more > mostMessages { return "the broker's limits.retainedMessages of \(mostMessages)" }
        let mostBytes = mostBytes.load(ordering: .relaxed)
        if growth > 0, byteCount + growth > mostBytes { return "the broker's limits.retainedBytes of \(mostBytes)" }
        return nil
    }

    package var count: Int { messages.load(ordering: .relaxed) }
    package var byteCount: Int { bytes.load(ordering: .relaxed) }
}

/// The retained message of each topic of an instance [MQTT-3.3.1-5], bounded in number and bytes.
package final class RetainedMessages: Sendable {
    /// Of ``Message``.
    private let index = RetainedIndex()
    private let budget: RetainedBudget
    /// Of this instance, with what the index needs.
    private let bytes = Atomic<Int>(0)

    init(budget: RetainedBudget) { self.budget = budget }

    /// What became of a retained PUBLISH.
    package enum Change: Equatable, Sendable {
        case kept
        /// An empty payload removes the topic's message [MQTT-3.3.1-6].
        case removed
        /// The bound of this name is reached; the topic keeps what it had.
        case full(limit: String)
    }

    /// The bytes that a message takes, with those of the index: each level of its topic may be a node of its own.
    private static func cost(of message: Message) -> Int {
        let levels = message.bytes[..<message.topicEnd].count { $0 == UInt8(ascii: "/") } + 1
        return message.footprint + levels * 48
    }

    /// - Parameter own: the bounds of the instance; `nil` for a message that was kept before, which no bound takes away.
    /// - Returns: what became of it, and the message that had the topic before and has it no more.
    package func update(_ message: Message, own: InstanceLimits?) -> (change: Change, replaced: Message?) {
        let content = message.bytes
        let topic = content.span.extracting(0..<message.topicEnd)
        guard message.payloadCount > 0 else {
            let old = index.remove(topic).map(Self.message)
            if let old { released(old) }
            return (.removed, old)
        }
        let cost = Self.cost(of: message)
        if let own, let limit = reachedLimit(topic, cost, own) { return (.full(limit: limit), nil) }
        budget.messages.add(1, ordering: .relaxed)
        budget.bytes.add(cost, ordering: .relaxed)
        bytes.add(cost, ordering: .relaxed)
        let old = index.set(topic, message).map(Self.message)
        if let old { released(old) }
        return (.kept, old)
    }

    /// The bound that keeps a message from becoming its topic's retained one now; `nil` when none does.
    func reachedLimit(for message: Message, own: InstanceLimits) -> String? {
        guard message.payloadCount > 0 else { return nil }
        let content = message.bytes
        return reachedLimit(content.span.extracting(0..<message.topicEnd), Self.cost(of: message), own)
    }

    /// The bound that another message of this cost would break.
    private func reachedLimit(_ topic: Span<UInt8>, _ cost: Int, _ own: InstanceLimits) -> String? {
        // Most are far from any bound, whether or not they replace another.
        guard reachedLimit(messages: 1, bytes: cost, own) != nil else { return nil }
        let replaced = index.value(for: topic).map(Self.message)
        return reachedLimit(
            messages: replaced == nil ? 1 : 0,
            bytes: cost - (replaced.map(Self.cost) ?? 0),
            own,
        )
    }

    private func reachedLimit(messages more: Int, bytes growth: Int, _ own: InstanceLimits) -> String? {
        if more > 0, own.retainedMessages > 0, count + more > own.retainedMessages {
            return "the instance's limit retainedMessages of \(own.retainedMessages)"
        }
        if growth > 0, own.retainedBytes > 0, bytes.load(ordering: .relaxed) + growth > own.retainedBytes {
            return "the instance's limit retainedBytes of \(own.retainedBytes)"
        }
        return budget.reachedLimit(messages: more, bytes: growth)
    }

    private func released(_ message: Message) {
        let cost = Self.cost(of: message)
        budget.messages.subtract(1, ordering: .relaxed)
        budget.bytes.subtract(cost, ordering: .relaxed)
        bytes.subtract(cost, ordering: .relaxed)
    }

    /// Removes a message that has expired, unless its topic has a newer one by now.
    ///
    /// - Returns: whether it was there.
    func forget(_ message: Message) -> Bool {
        let content = message.bytes
        let topic = content.span.extracting(0..<message.topicEnd)
        guard index.remove(topic, where: { $0 === message }) != nil else { return false }
        released(message)
        return true
    }

    /// Begins to walk over all of them.
    func scanAll() -> RetainedMessageScan { RetainedMessageScan(index.scanAll()) }

    /// Begins to walk over those whose topic the filter matches.
    func scan(_ filter: TopicFilter) -> RetainedMessageScan { RetainedMessageScan(index.scan(filter)) }

    /// Whether a filter may match anything, see `RetainedIndex.mayHold`.
    func mayHold(_ filter: TopicFilter) -> Bool { index.mayHold(filter) }

    fileprivate static func message(_ value: any RetainedValue) -> Message {
        guard let message = value as? Message else { preconditionFailure("only messages are set") }
        return message
    }

    package var count: Int { index.count }
}

/// A walk over the retained messages of an instance, page by page: see ``RetainedScan``.
struct RetainedMessageScan: Sendable {
    private let scan: RetainedScan

    fileprivate init(_ scan: RetainedScan) { self.scan = scan }

    var isFinished: Bool { scan.isFinished }
    func next(limit: Int) -> [Message] { page(limit: limit).messages }
    func page(limit: Int) -> (messages: [Message], visited: Int) {
        let page = scan.page(limit: limit)
        return (page.values.map(RetainedMessages.message), page.visited)
    }
}

/// A walk over the retained messages of all instances, a part at a time.
struct RetainedWalk {
    private var scan: RetainedMessageScan?
    /// The instance that `scan` is in.
    private var instance = InstanceNumber.none
    private var hasBegun = false

    /// The next messages, some of which may have gone in the meantime; `nil` at the end, after which it begins anew.
    mutating func next(of broker: Broker, limit: Int) -> [Message]? {
        if let scan, !scan.isFinished { return scan.next(limit: limit) }
        let next = broker.liveInstances.first { !hasBegun || $0.number > instance }
        hasBegun = next != nil
        guard let next else {
            scan = nil
            return nil
        }
        instance = next.number
        let scan = next.retained.scanAll()
        self.scan = scan
        return scan.next(limit: limit)
    }
}
