internal import ApusMemory
internal import ApusMessage
internal import ApusTopics
internal import MQTTCodec

/// Retained messages on their way to a new subscription.
struct RetainedReplay: Sendable {
    let filter: TopicFilter
    let scan: RetainedMessageScan
    let qos: QoS
    let subscriptionIdentifier: UInt32

    /// Work without a message that is sent, in topics looked at, after which other work comes first: some milliseconds.
    static let fruitlessWork = 65_536
    /// What to begin a page costs besides, and what a message that is not sent costs.
    static let pageWork = 32
    /// Small, because a page goes out whole: what it adds to the output at most.
    static let pageSize = 16
}

/// What a connection has yet to get of retained messages, at most once for each filter; owned by the connection's shard.
final class RetainedReplays {
    private struct Waiting {
        let replay: RetainedReplay
        let turn: UInt64
    }

    /// In order; some may have ended, the first has not.
    private var queue = RingBuffer<Waiting>()
    /// The turn of each filter's replay: what waits with another has ended.
    private var turns: [TopicFilter: UInt64] = [:]
    private var lastTurn: UInt64 = 0

    var first: RetainedReplay? { queue.first?.replay }

    /// Puts a replay behind the others; one of the same filter that is under way ends.
    func append(_ replay: RetainedReplay) {
        lastTurn += 1
        turns[replay.filter] = lastTurn
        queue.append(Waiting(replay: replay, turn: lastTurn))
        dropEnded()
    }

    /// Ends the replay of a filter, if there is one.
    func remove(_ filter: TopicFilter) {
        guard turns.removeValue(forKey: filter) != nil else { return }
        dropEnded()
    }

    func removeFirst() {
        guard let first = queue.popFirst() else { return }
        turns[first.replay.filter] = nil
        dropEnded()
    }

    private func isUnderWay(_ waiting: Waiting) -> Bool { turns[waiting.replay.filter] == waiting.turn }

    /// A client may end thousands, one by one: those between others are taken out when they are the most.
    private func dropEnded() {
        while let first = queue.first, !isUnderWay(first) { _ = queue.popFirst() }
        guard queue.count > 2 * turns.count + 16 else { return }
        for _ in 0..<queue.count {
            if let waiting = queue.popFirst(), isUnderWay(waiting) { queue.append(waiting) }
        }
    }
}
