internal import ApusLocks

/// Who has subscribed to what, shared by all shards.
///
/// **Stripes.** Exact filters are spread over 64 hash tables by the hash of the whole topic, wildcard filters over 64
/// tries by the hash of their first level; filters that begin with a wildcard concern every topic and have a trie of
/// their own. Each has its lock, held only for the look-up or change itself. A match takes one lock for the exact
/// filters, and those of the two tries only if they are not empty.
///
/// **Versions.** A cached match is valid while the counters that its topic depends on stand still. Each change raises
/// one of them, after it is made and before its lock is given up: the counter of the topic's hash for an exact filter,
/// of the first two levels for a wildcard filter that has them in words, of the first level for another, or of the
/// root. So a fleet in which each device subscribes below its own name does not empty the caches again and again.
/// Counters only go up, hence their sum stands still exactly if each of them does, and the sum is the version.
///
/// Each instance has an index of its own, so that nothing of one can match in another.
package final class SubscriptionIndex: Sendable {
    /// Tells the indexes of a process apart in the caches that serve several.
    let number: UInt32
    private let hasher: TopicHasher
    private let exact: Stripes<64, ExactFilters>
    private let wildcard: Stripes<65, WildcardTrie>
    private let exactVersions = Counters<4096>()
    private let prefixVersions = Counters<4096>()
    /// One for each stripe of wildcard filters, the root last.
    private let stripeVersions = Counters<65>()
    /// Filters in each stripe of wildcard filters, the root last; an empty stripe is passed by without its lock.
    private let stripeSizes = Counters<65>()

    private static let root = 64

    /// - Parameter number: unlike that of every other index that is matched through the same ``MatchCache``.
    package convenience init(number: UInt32 = 0) { self.init(hasher: TopicHasher(), number: number) }

    init(hasher: TopicHasher, number: UInt32 = 0) {
        self.hasher = hasher
        self.number = number
        exact = Stripes { ExactFilters() }
        wildcard = Stripes { WildcardTrie(hasher: hasher) }
    }

    // MARK: - Changes

    /// Adds a subscription, or replaces the options of the same target at the same filter and group.
    ///
    /// A new member of a group is available; a replaced one stays as it was.
    /// - Returns: true if it was added, false if it replaced one.
    @discardableResult
    package func subscribe(_ filter: TopicFilter, _ subscriber: Subscriber) -> Bool {
        let place = place(of: filter)
        if !filter.hasWildcard {
            return exact.tables[place.stripe].withLock { table in
                defer { exactVersions.raise(place.slot) }
                return table.subscribe(filter, hash: place.hash, subscriber)
            }
        }
        return wildcard.tables[place.stripe].withLock { table in
            defer { wildcardChanged(place, table) }
            return table.subscribe(filter, hash: place.hash, subscriber)
        }
    }

    /// Ends a subscription; false if there was none.
    @discardableResult
    package func unsubscribe(_ filter: TopicFilter, target: UInt64) -> Bool {
        let place = place(of: filter)
        if !filter.hasWildcard {
            return exact.tables[place.stripe].withLock { table in
                defer { exactVersions.raise(place.slot) }
                return table.unsubscribe(filter, hash: place.hash, target: target)
            }
        }
        return wildcard.tables[place.stripe].withLock { table in
            defer { wildcardChanged(place, table) }
            return table.unsubscribe(filter, hash: place.hash, target: target)
        }
    }

    /// Says whether a member of a shared group is connected; without effect for others.
    ///
    /// - Returns: whether something changed.
    @discardableResult
    package func setMemberAvailable(_ filter: TopicFilter, target: UInt64, available: Bool) -> Bool {
        guard let group = filter.group else { return false }
        let place = place(of: filter)
        if !filter.hasWildcard {
            return exact.tables[place.stripe].withLock { table in
                defer { exactVersions.raise(place.slot) }
                return table.setAvailable(available, filter, hash: place.hash, group: group, target: target)
            }
        }
        return wildcard.tables[place.stripe].withLock { table in
            defer { wildcardChanged(place, table) }
            return table.setAvailable(available, filter, hash: place.hash, group: group, target: target)
        }
    }

    private func wildcardChanged(_ place: Place, _ table: borrowing WildcardTrie) {
        stripeSizes.set(place.stripe, UInt64(table.store.counts.filters))
        if let slot = place.prefixSlot { prefixVersions.raise(slot) } else { stripeVersions.raise(place.stripe) }
    }

    // MARK: - Matching

    /// Everyone who receives a message published to `topic`, past any cache.
    package func match(_ topic: Span<UInt8>) -> Match { match(topic, key: key(of: topic)) }

    func match(_ topic: Span<UInt8>, key: TopicKey) -> Match {
        var hits = MatchBuilder()
        exact.tables[Int(key.hash >> 58)].withLock { $0.match(topic, hash: key.hash, into: &hits) }
        let stripe = Int(key.stripe)
        if stripeSizes.value(stripe) > 0 {
            wildcard.tables[stripe].withLock { $0.match(topic, into: &hits) }
        }
        // All filters in the root begin with a wildcard, which topics with `$` do not match [MQTT-4.7.2-1].
        if stripeSizes.value(Self.root) > 0, topic.count == 0 || topic[0] != .dollar {
            wildcard.tables[Self.root].withLock { $0.match(topic, into: &hits) }
        }
        return hits.finish()
    }

    /// The members of a group now: where to send what a leaving member did not acknowledge.
    package func currentMembers(of group: SharedGroup) -> (available: [Subscriber], unavailable: [Subscriber]) {
        let members = members(of: group.filter, group: group.name)
        return (members?.available ?? [], members?.unavailable ?? [])
    }

    /// The group of a filter with a share name; `nil` when it has no members.
    package func group(of filter: TopicFilter) -> SharedGroup? {
        filter.group.flatMap { members(of: filter, group: $0)?.group }
    }

    private func members(of filter: TopicFilter, group: String) -> SharedGroupMatch? {
        let place = place(of: filter)
        return filter.hasWildcard
            ? wildcard.tables[place.stripe].withLock { $0.members(of: filter, hash: place.hash, group: group) }
            : exact.tables[place.stripe].withLock { $0.members(of: filter, hash: place.hash, group: group) }
    }

    // MARK: - Keys and versions

    /// The hash of a topic, the cheap half of ``key(of:)``.
    @inline(__always)
    package func hash(of topic: Span<UInt8>) -> UInt64 { hasher.hash(topic) }

    /// What ``version(of:)`` needs to know of a topic; to be kept with a remembered match.
    package func key(of topic: Span<UInt8>) -> TopicKey { key(of: topic, hash: hasher.hash(topic)) }

    func key(of topic: Span<UInt8>, hash: UInt64) -> TopicKey {
        let end = topic.endOfLevel(from: 0)
        // A topic of one level has no filter with two levels in words; any counter will do.
        let prefixEnd = end == topic.count ? end : topic.endOfLevel(from: end + 1)
        return TopicKey(
            hash: hash,
            stripe: UInt8(truncatingIfNeeded: hasher.hash(topic.extracting(0..<end)) >> 58),
            prefix: UInt16(truncatingIfNeeded: hasher.hash(topic.extracting(0..<prefixEnd)) >> 52),
        )
    }

    /// The version of a topic's match: to be read before the match, which is valid while it stays the same.
    @inline(__always)
    package func version(of key: TopicKey) -> UInt64 {
        exactVersions.value(Int(key.hash >> 52)) &+ prefixVersions.value(Int(key.prefix))
            &+ stripeVersions.value(Int(key.stripe)) &+ stripeVersions.value(Self.root)
    }

    /// The version of a topic's match, for who remembers none.
    package func version(of topic: Span<UInt8>) -> UInt64 { version(of: key(of: topic)) }

    /// How much the index holds; takes each lock in turn, so it is for statistics.
    package var counts: SubscriptionCounts {
        var sum = SubscriptionCounts()
        exact.forEach { sum.add($0.store.counts) }
        wildcard.forEach { sum.add($0.store.counts) }
        return sum
    }

    /// What all structures have grown to; tests watch it under churn.
    var footprint: Int {
        var sum = 0
        exact.forEach { sum += $0.footprint }
        wildcard.forEach { sum += $0.footprint }
        return sum
    }

    /// Nodes of all tries.
    var nodeCount: Int {
        var sum = 0
        wildcard.forEach { sum += $0.nodeCount }
        return sum
    }

    /// Where a filter belongs.
    private struct Place {
        var hash: UInt64
        var stripe: Int
        /// Counter for an exact filter.
        var slot = 0
        /// Counter for a wildcard filter with two levels in words.
        var prefixSlot: Int?
    }

    private func place(of filter: TopicFilter) -> Place {
        let text = filter.bytes.span
        let hash = hasher.hash(text)
        if !filter.hasWildcard { return Place(hash: hash, stripe: Int(hash >> 58), slot: Int(hash >> 52)) }
        if filter.startsWithWildcard { return Place(hash: hash, stripe: Self.root) }
        let end = text.endOfLevel(from: 0)
        let stripe = Int(hasher.hash(text.extracting(0..<end)) >> 58)
        let prefixEnd = text.endOfLevel(from: end + 1)
        let second = text.extracting(end + 1..<prefixEnd)
        if second.isOnly(.singleLevelWildcard) || second.isOnly(.multiLevelWildcard) {
            return Place(hash: hash, stripe: stripe)
        }
        let prefixSlot = Int(hasher.hash(text.extracting(0..<prefixEnd)) >> 52)
        return Place(hash: hash, stripe: stripe, prefixSlot: prefixSlot)
    }
}

extension SubscriptionCounts {
    fileprivate mutating func add(_ other: Self) {
        filters += other.filters
        subscriptions += other.subscriptions
        shared += other.shared
    }
}
