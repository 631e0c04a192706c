internal import ApusMemory
internal import ApusMessage
internal import ApusTopics
internal import MQTTCodec

/// Retained messages on their way to a new subscription.
struct RetainedReplay: Sendable {
    let filter: TopicFilter
    let scan: RetainedScan<Message>
    let qos: QoS
    let subscriptionIdentifier: UInt32

    /// Pages without a message after which other work comes first; each is at most 4,096 topics looked at.
    static let fruitlessPages = 16
    /// Small, because a page goes out whole: what it adds to the output at most.
    static let pageSize = 16
}

/// What a connection has yet to get of retained messages, at most once for each filter; owned by the connection's shard.
final class RetainedReplays {
    private var queue = RingBuffer<RetainedReplay>()
    private var filters: Set<TopicFilter> = []

    var first: RetainedReplay? { queue.first }

    /// Puts a replay behind the others; one of the same filter that is under way ends.
    func append(_ replay: RetainedReplay) {
        remove(replay.filter)
        filters.insert(replay.filter)
        queue.append(replay)
    }

    /// Ends the replay of a filter, if there is one.
    func remove(_ filter: TopicFilter) {
        guard filters.remove(filter) != nil else { return }
        for _ in 0..<queue.count {
            if let replay = queue.popFirst(), replay.filter != filter { queue.append(replay) }
        }
    }

    func removeFirst() {
        if let replay = queue.popFirst() { filters.remove(replay.filter) }
    }
}
