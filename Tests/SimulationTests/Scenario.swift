import ApusMessage
import ApusStore
import ApusTopics
import MQTTCodec

@testable import ApusBroker

/// What a seed decides before the first step.
struct Scenario {
    let seed: UInt64
    let shardCount: Int
    let clientCount: Int
    let steps: Int
    /// Whether queues are so short that messages must be dropped.
    let isTight: Bool
    /// Whether authenticators answer later.
    let answersLater: Bool
    let limits: Limits

    init(seed: UInt64, random: inout SeededGenerator) {
        self.seed = seed
        shardCount = .random(in: 1...4, using: &random)
        clientCount = .random(in: 3...7, using: &random)
        steps = .random(in: 300...1_500, using: &random)
        isTight = Int.random(in: 0..<4, using: &random) == 0
        answersLater = Int.random(in: 0..<3, using: &random) == 0
        var limits = Limits()
        limits.receiveMaximum = 20
        limits.inFlightMessages = .random(in: 1...30, using: &random)
        limits.outputBytesPerConnection = .random(in: 60...4_000, using: &random)
        limits.queuedMessagesPerSession = isTight ? .random(in: 1...6, using: &random) : 100_000
        limits.shardBacklogBytes = Bool.random(using: &random) ? 200 : 1 << 20
        limits.topicAliases = .random(in: 0...3, using: &random)
        limits.connections = 1_000
        self.limits = limits
    }
}

/// A message that a client has published.
struct Published {
    let publisher: Int
    let topic: String
    let qos: QoS
    /// Whether the broker has taken it over: PUBACK or PUBREC came.
    var isAccepted = false
}

/// A store that can be looked into.
protocol WatchedStore: MessageStore {
    /// Deliveries that wait, for all sessions.
    var waitingCount: Int { get }
    /// The longest queue that there ever was.
    var longest: Int { get }
}

/// Counts what waits, and looks that no queue is longer than allowed.
final class CountingStore: ForwardingStore, WatchedStore, @unchecked Sendable {
    // Used by one simulation's thread only.
    private var waiting = 0
    var waitingCount: Int { waiting }
    private(set) var longest = 0

    override func enqueue(
        _ delivery: Delivery,
        for session: SessionHandle,
        _ number: SessionNumber,
        limits: QueueLimits,
    ) -> [MessageNumber] {
        let dropped = super.enqueue(delivery, for: session, number, limits: limits)
        waiting += 1 - dropped.count
        longest = max(longest, memory.backlog(of: session).messages)
        return dropped
    }

    override func dequeue(for session: SessionHandle) -> Dequeued {
        let next = super.dequeue(for: session)
        if case .delivery = next { waiting -= 1 }
        return next
    }

    override func takeShared(from session: SessionHandle, where condition: (SharedGroup) -> Bool) -> [Delivery] {
        let taken = super.takeShared(from: session, where: condition)
        waiting -= taken.count
        return taken
    }

    override func sessionEnded(
        _ session: SessionHandle,
        _ number: SessionNumber,
    ) -> (shared: [Delivery], others: [MessageNumber]) {
        let left = super.sessionEnded(session, number)
        waiting -= left.shared.count + left.others.count
        return left
    }
}
