/// One shard's memory of recent matches.
///
/// A hit takes no lock and allocates nothing: hash of the topic, comparison of hash and bytes, four loads for the
/// version. Two entries share a set; a new one takes the place of the older.
///
/// **Bounds.** At most `capacity` entries (the table starts with 256 and doubles when it gets crowded) of about 170
/// bytes; topics longer than 128 bytes are not cached, so that all lie in one flat buffer; the matches together hold at most `subscriberLimit` subscribers (16 bytes each), or
/// one single larger match. When that is exceeded, the cache is emptied: building that many subscribers has cost far
/// more than forgetting them.
package struct MatchCache: ~Copyable {
    private var entries: [Entry]
    /// The topics of the entries, ``longestTopic`` bytes for each.
    private var topics: [UInt8]
    private var used = 0
    private var weight = 0
    private let capacity: Int
    private let subscriberLimit: Int

    package static let longestTopic = 128

    private struct Entry {
        var version: UInt64 = 0
        var key = TopicKey(hash: 0, stripe: 0, prefix: 0)
        var topicCount: UInt32 = 0
        var weight = 0
        var match: Match?
    }

    /// - Parameters:
    ///   - capacity: entries at most; rounded up to a power of two, at least 2.
    ///   - subscriberLimit: subscribers in all cached matches together.
    package init(capacity: Int = 16_384, subscriberLimit: Int = 1_000_000) {
        var rounded = 2
        while rounded < capacity { rounded *= 2 }
        self.capacity = rounded
        self.subscriberLimit = subscriberLimit
        entries = Array(repeating: Entry(), count: min(256, rounded))
        topics = Array(repeating: 0, count: entries.count * Self.longestTopic)
    }

    /// Everyone who receives a message published to `topic`.
    package mutating func match(_ topic: Span<UInt8>, in index: SubscriptionIndex) -> Match {
        let hash = index.hash(of: topic)
        let set = Int(truncatingIfNeeded: hash) & (entries.count &- 2)
        for at in set...(set &+ 1) where entries[at].key.hash == hash {
            guard holds(topic, at), let match = entries[at].match else { continue }
            if entries[at].version == index.version(of: entries[at].key) { return match }
            return replace(at, topic, in: index)
        }
        return add(topic, hash: hash, in: index)
    }

    @inline(__always)
    private func holds(_ topic: Span<UInt8>, _ at: Int) -> Bool {
        guard Int(entries[at].topicCount) == topic.count else { return false }
        let start = at &* Self.longestTopic
        return topics.span.extracting(start..<start &+ topic.count).bytes.holdsSameBytes(as: topic.bytes)
    }

    /// Subscribers and members in all cached matches.
    package var cachedSubscribers: Int { weight }
    /// Entries in use.
    package var count: Int { used }
    /// Entries that there is room for now.
    package var tableSize: Int { entries.count }

    /// Forgets everything.
    package mutating func removeAll() {
        entries = Array(repeating: Entry(), count: entries.count)
        used = 0
        weight = 0
    }

    // MARK: - Misses

    /// Computes an outdated entry again.
    private mutating func replace(_ at: Int, _ topic: Span<UInt8>, in index: SubscriptionIndex) -> Match {
        let key = entries[at].key
        let version = index.version(of: key)
        let match = index.match(topic, key: key)
        if weight - entries[at].weight + match.weight > subscriberLimit {
            removeAll()
            put(key, version, match, topic)
            return match
        }
        weight += match.weight - entries[at].weight
        entries[at].version = version
        entries[at].match = match
        entries[at].weight = match.weight
        return match
    }

    private mutating func add(_ topic: Span<UInt8>, hash: UInt64, in index: SubscriptionIndex) -> Match {
        let key = index.key(of: topic, hash: hash)
        // Before the match: a change in between makes the entry outdated, not wrong.
        let version = index.version(of: key)
        let match = index.match(topic, key: key)
        guard topic.count <= Self.longestTopic else { return match }
        if weight + match.weight > subscriberLimit { removeAll() }
        if used * 2 >= entries.count, entries.count < capacity { grow() }
        put(key, version, match, topic)
        return match
    }

    /// Enters a match in front of its set; what was there moves back and pushes the older one out.
    private mutating func put(_ key: TopicKey, _ version: UInt64, _ match: Match, _ topic: Span<UInt8>) {
        let front = Int(truncatingIfNeeded: key.hash) & (entries.count - 2)
        if entries[front].match != nil {
            let back = front + 1
            weight -= entries[back].weight
            if entries[back].match == nil { used += 1 }
            entries[back] = entries[front]
            for at in 0..<Int(entries[back].topicCount) {
                topics[back * Self.longestTopic + at] = topics[front * Self.longestTopic + at]
            }
        } else {
            used += 1
        }
        for at in 0..<topic.count { topics[front * Self.longestTopic + at] = topic[at] }
        weight += match.weight
        entries[front] = Entry(
            version: version,
            key: key,
            topicCount: UInt32(topic.count),
            weight: match.weight,
            match: match,
        )
    }

    private mutating func grow() {
        let oldEntries = entries
        let oldTopics = topics
        entries = Array(repeating: Entry(), count: oldEntries.count * 2)
        topics = Array(repeating: 0, count: entries.count * Self.longestTopic)
        used = 0
        weight = 0
        for (at, entry) in oldEntries.enumerated() {
            guard let match = entry.match else { continue }
            let start = at * Self.longestTopic
            let topic = oldTopics.span.extracting(start..<start + Int(entry.topicCount))
            put(entry.key, entry.version, match, topic)
        }
    }
}
