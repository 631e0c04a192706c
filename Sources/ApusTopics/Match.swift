/// All that a topic hit in the index at one moment; immutable, shared between shards and caches.
package final class Match: Sendable {
    /// One run of ``subscribers`` on the same shard.
    package struct ShardRange: Sendable, Equatable {
        package let shard: UInt8
        package let range: Range<Int>
    }

    /// Sorted by target: grouped by shard, and several subscriptions of one session stand side by side.
    package let subscribers: [Subscriber]
    /// The runs of ``subscribers`` by shard, ascending.
    package let shardRanges: [ShardRange]
    /// Shared groups hit; one member of each receives the message.
    package let groups: [SharedGroupMatch]
    /// Whether a session that outlives its connection is among those hit.
    package let hasPersistent: Bool

    package static let empty = Match(MatchBuilder())

    init(_ hits: consuming MatchBuilder) {
        subscribers = hits.subscribers
        groups = hits.groups
        var ranges: [ShardRange] = []
        var start = 0
        while start < subscribers.count {
            let shard = subscribers[start].shard
            let end = subscribers.endOfShard(shard, from: start)
            ranges.append(ShardRange(shard: UInt8(truncatingIfNeeded: shard), range: start..<end))
            start = end
        }
        shardRanges = ranges
        hasPersistent =
            subscribers.contains { $0.isPersistent }
            || groups.contains {
                $0.available.contains { $0.isPersistent } || $0.unavailable.contains { $0.isPersistent }
            }
    }

    /// Those who are in a later match of the topic and not in this one, groups aside; `nil` when there are none.
    package func newcomers(in later: Match) -> Match? {
        let known = Set(subscribers.map(\.target))
        let new = later.subscribers.filter { !known.contains($0.target) }
        return new.isEmpty ? nil : Match(MatchBuilder(subscribers: new))
    }

    /// Whether nobody receives the message.
    @inlinable
    package var isEmpty: Bool { subscribers.isEmpty && groups.isEmpty }

    /// The shards that ``subscribers`` live on, ascending; allocates, so a loop takes ``shardRanges``.
    package var shards: [UInt8] { shardRanges.map(\.shard) }

    /// The part of ``subscribers`` on one shard.
    @inlinable
    package func range(ofShard shard: Int) -> Range<Int> {
        for part in shardRanges where Int(part.shard) == shard { return part.range }
        return 0..<0
    }

    /// Members of groups and subscribers together: what it weighs in a cache.
    var weight: Int {
        groups.reduce(subscribers.count + groups.count) { $0 + $1.available.count + $1.unavailable.count }
    }
}

/// What the stripes collect for a ``Match``.
struct MatchBuilder: Sendable {
    var subscribers: [Subscriber] = []
    var groups: [SharedGroupMatch] = []

    consuming func finish() -> Match {
        if subscribers.isEmpty, groups.isEmpty { return .empty }
        if subscribers.count > 1 {
            subscribers.sort {
                $0.target != $1.target
                    ? $0.target < $1.target : $0.subscriptionIdentifier < $1.subscriptionIdentifier
            }
        }
        return Match(self)
    }
}

extension [Subscriber] {
    /// The index behind the last subscriber of a shard, by bisection: the array is sorted.
    fileprivate func endOfShard(_ shard: Int, from start: Int) -> Int {
        var low = start
        var high = count
        while low < high {
            let middle = low + (high - low) / 2
            if self[middle].shard > shard { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
