/// One shard's memory of recent matches, in any number of indexes.
///
/// A hit takes no lock and allocates nothing: hash of the topic, comparison of tag and bytes, four loads for the
/// version. Eight entries share a set, with their tags side by side; when a set is full, the table doubles, and at its
/// largest some entry of the set makes room: for a topic that comes again before four others of the set. So topics that
/// come once, as when there are far more of them than entries, neither cost an entry nor drive out what comes often.
///
/// **Bounds.** At most `capacity` entries (the table starts with 256) of about 170 bytes; topics longer than 128 bytes
/// are not cached, so that all lie in one flat buffer; the matches together hold at most `subscriberLimit` subscribers
/// (16 bytes each), or one single larger match. When that is exceeded, the cache is emptied: building that many
/// subscribers has cost far more than forgetting them.
package struct MatchCache: ~Copyable {
    /// The upper half of the hash of each entry, 0 for a free one.
    private var tags: [UInt32]
    private var entries: [Entry]
    /// The topics of the entries, ``longestTopic`` bytes for each.
    private var topics: [UInt8]
    /// Of each set, 16 bits of the hash of each of the last four topics that found no place; 0 for none.
    ///
    /// More than one, as those that come in turns would never come twice in a row.
    private var passedOver: [UInt64] = []
    private var used = 0
    private var weight = 0
    private var victim = 0
    private let capacity: Int
    private let subscriberLimit: Int

    package static let longestTopic = 128
    private static let ways = 8

    private struct Entry {
        var version: UInt64 = 0
        var key = TopicKey(hash: 0, stripe: 0, prefix: 0)
        var topicCount: UInt32 = 0
        var weight: UInt32 = 0
        /// The index that was asked.
        var index: UInt32 = 0
        var match = Match.empty
    }

    /// - Parameters:
    ///   - capacity: entries at most; rounded up to a power of two, at least 8.
    ///   - subscriberLimit: subscribers in all cached matches together.
    package init(capacity: Int = 16_384, subscriberLimit: Int = 1_000_000) {
        var rounded = Self.ways
        while rounded < capacity { rounded *= 2 }
        self.capacity = rounded
        self.subscriberLimit = subscriberLimit
        let size = min(256, rounded)
        tags = Array(repeating: 0, count: size)
        entries = Array(repeating: Entry(), count: size)
        topics = Array(repeating: 0, count: size * Self.longestTopic)
    }

    /// Everyone who receives a message published to `topic`.
    package mutating func match(_ topic: Span<UInt8>, in index: SubscriptionIndex) -> Match {
        let hash = index.hash(of: topic)
        let tag = Self.tag(hash)
        let set = set(hash)
        for at in set..<(set &+ Self.ways) where tags[at] == tag && holds(topic, at, of: index.number) {
            if entries[at].version == index.version(of: entries[at].key) { return entries[at].match }
            return replace(at, topic, in: index)
        }
        return add(topic, hash: hash, in: index)
    }

    @inline(__always)
    private static func tag(_ hash: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: hash >> 32) | 1 }

    @inline(__always)
    private func holds(_ topic: Span<UInt8>, _ at: Int, of index: UInt32) -> Bool {
        guard Int(entries[at].topicCount) == topic.count, entries[at].index == index else { return false }
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
        tags = Array(repeating: 0, count: tags.count)
        entries = Array(repeating: Entry(), count: entries.count)
        passedOver = []
        used = 0
        weight = 0
    }

    // MARK: - Misses

    /// Computes an outdated entry again.
    private mutating func replace(_ at: Int, _ topic: Span<UInt8>, in index: SubscriptionIndex) -> Match {
        let key = entries[at].key
        let version = index.version(of: key)
        let match = index.match(topic, key: key)
        let others = weight - Int(entries[at].weight)
        if others > 0, others + match.weight > subscriberLimit {
            removeAll()
            put(key, version, match, topic, index.number)
            return match
        }
        weight = others + match.weight
        entries[at].version = version
        entries[at].match = match
        entries[at].weight = UInt32(match.weight)
        return match
    }

    private mutating func add(_ topic: Span<UInt8>, hash: UInt64, in index: SubscriptionIndex) -> Match {
        let key = index.key(of: topic, hash: hash)
        // Before the match: a change in between makes the entry outdated, not wrong.
        let version = index.version(of: key)
        let match = index.match(topic, key: key)
        guard topic.count <= Self.longestTopic else { return match }
        // First: what is not entered must not empty the cache.
        guard entries.count < capacity || freePlace(hash) != nil || hasComeBefore(hash) else { return match }
        if weight + match.weight > subscriberLimit { removeAll() }
        put(key, version, match, topic, index.number)
        return match
    }

    /// Enters a match into its set: at a free place, after growing if there is none, or in the place of another.
    private mutating func put(
        _ key: TopicKey,
        _ version: UInt64,
        _ match: Match,
        _ topic: Span<UInt8>,
        _ index: UInt32,
    ) {
        var place = freePlace(key.hash)
        while place == nil, entries.count < capacity {
            grow()
            place = freePlace(key.hash)
        }
        let at: Int
        if let place {
            at = place
            used += 1
        } else {
            victim = (victim + 1) % Self.ways
            at = set(key.hash) + victim
            weight -= Int(entries[at].weight)
        }
        tags[at] = Self.tag(key.hash)
        keep(topic, at)
        weight += match.weight
        entries[at] = Entry(
            version: version,
            key: key,
            topicCount: UInt32(topic.count),
            weight: UInt32(match.weight),
            index: index,
            match: match,
        )
    }

    @inline(__always)
    private func set(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (tags.count &- Self.ways) }

    private func freePlace(_ hash: UInt64) -> Int? {
        let set = set(hash)
        return (set..<set + Self.ways).first { tags[$0] == 0 }
    }

    /// Whether the topic is one of those that its set passed over last; if not, it is now.
    private mutating func hasComeBefore(_ hash: UInt64) -> Bool {
        if passedOver.isEmpty { passedOver = Array(repeating: 0, count: tags.count / Self.ways) }
        let at = set(hash) / Self.ways
        let mark = hash >> 48 | 1
        var marks = passedOver[at]
        while marks != 0 {
            if marks & 0xFFFF == mark { return true }
            marks >>= 16
        }
        passedOver[at] = passedOver[at] << 16 | mark
        return false
    }

    private mutating func keep(_ topic: Span<UInt8>, _ at: Int) {
        var kept = topics.mutableSpan
        kept.copyBytes(of: topic, to: at * Self.longestTopic)
    }

    private mutating func grow() {
        let oldTags = tags
        let oldEntries = entries
        let oldTopics = topics
        tags = Array(repeating: 0, count: oldTags.count * 2)
        entries = Array(repeating: Entry(), count: tags.count)
        topics = Array(repeating: 0, count: tags.count * Self.longestTopic)
        used = 0
        weight = 0
        for (at, entry) in oldEntries.enumerated() where oldTags[at] != 0 {
            let start = at * Self.longestTopic
            let topic = oldTopics.span.extracting(start..<start + Int(entry.topicCount))
            put(entry.key, entry.version, entry.match, topic, entry.index)
        }
    }
}
