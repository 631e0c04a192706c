internal import ApusLocks
package import ApusMessage
package import ApusTopics
internal import Synchronization

/// An instance in the running broker: what its clients share and nobody else sees.
///
/// Made when the first client or message comes to it, since a catalog may hold many that nobody uses; kept until it is
/// deleted and no shard has anything of it.
package final class BrokerInstance: Sendable {
    package let number: InstanceNumber
    package let subscriptions: SubscriptionIndex
    /// The sessions by client id, for P2P messages (see ``DirectAddress``).
    let addresses: SubscriptionIndex
    package let retained: RetainedMessages
    /// Live connections, for the limit.
    let connectionCount = Atomic<Int>(0)
    /// Messages waiting for sessions that are away, for the limit.
    let waitingMessages = Atomic<Int>(0)
    /// PUBLISH packets that may still come this second.
    private let permits = Guarded(Permits())
    /// Subscriptions with wildcards by parent topic, for the limit.
    private let wildcards = Guarded<[String: Int]>([:])

    /// The shards that have nothing of it any more.
    private let goneFrom = Guarded<Set<Int>>([])

    private struct Permits {
        /// Since the Unix epoch.
        var second: Int64 = 0
        var left = 0
    }

    init(_ number: InstanceNumber, budget: RetainedBudget) {
        self.number = number
        // Two indexes for each instance go through the same cache.
        subscriptions = SubscriptionIndex(number: number.rawValue &* 2)
        addresses = SubscriptionIndex(number: number.rawValue &* 2 &+ 1)
        retained = RetainedMessages(budget: budget)
    }

    /// The instance was deleted, and a shard has nothing of it any more.
    ///
    /// - Returns: whether that holds for all shards now.
    func isGone(fromShard shard: Int, of shards: Int) -> Bool {
        goneFrom.withLock { gone in
            gone.insert(shard)
            return gone.count == shards
        }
    }

    // MARK: - Subscriptions

    /// - Returns: whether it is new, not another one's options.
    @discardableResult
    func subscribe(_ filter: TopicFilter, _ subscriber: Subscriber) -> Bool {
        let isNew = subscriptions.subscribe(filter, subscriber)
        if isNew, let parent = filter.parentOfWildcard { wildcards.withLock { $0[parent, default: 0] += 1 } }
        return isNew
    }

    func unsubscribe(_ filter: TopicFilter, target: UInt64) {
        guard subscriptions.unsubscribe(filter, target: target), let parent = filter.parentOfWildcard else { return }
        wildcards.withLock { counts in
            let left = (counts[parent] ?? 1) - 1
            counts[parent] = left > 0 ? left : nil
        }
    }

    /// Subscriptions with wildcards beneath the parent topic.
    func wildcardCount(beneath parent: String) -> Int { wildcards.withLock { $0[parent] ?? 0 } }

    // MARK: - Rate

    /// Takes a share of this second's PUBLISH packets for one shard.
    ///
    /// A shard takes many at once, so that shards meet here a few hundred times a second at most.
    /// - Returns: how many it got; 0 until the next second.
    func takePermits(limit: Int, shards: Int, now: Timestamp) -> Int {
        let second = now.milliseconds / 1000
        return permits.withLock { permits in
            if permits.second != second { permits = Permits(second: second, left: limit) }
            let share = min(permits.left, max(1, limit / (shards * 64)))
            permits.left -= share
            return share
        }
    }
}

extension TopicFilter {
    /// The parent topic of a filter with a wildcard; `nil` for one without, or whose first level is a wildcard.
    var parentOfWildcard: String? {
        guard hasWildcard, !startsWithWildcard else { return nil }
        return text.utf8.firstIndex(of: UInt8(ascii: "/")).map { String(text[..<$0]) }
    }
}
