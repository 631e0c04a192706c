import Testing

@testable import ApusTopics

@Suite("Match cache")
struct MatchCacheTests {
    let index = SubscriptionIndex()

    @Test func `a hit is the same match`() throws {
        var cache = MatchCache()
        index.subscribe(try TopicFilter("a/+"), member(1))
        let first = cache.match("a/b", in: index)
        #expect(cache.match("a/b", in: index) === first)
        #expect(cache.match("a/c", in: index) !== first)
        #expect(cache.count == 2)
    }

    @Test(arguments: ["a/b/c", "a/b/+", "a/b/#", "a/b/c/#", "a/+/c", "a/#", "+/b/c", "#", "+/#"])
    func `every kind of change shows at once`(text: String) throws {
        var cache = MatchCache()
        let filter = try TopicFilter(text)
        let shared = try TopicFilter("$share/g/\(text)")
        #expect(cache.match("a/b/c", in: index).isEmpty)
        index.subscribe(filter, member(1))
        #expect(cache.match("a/b/c", in: index).subscribers == [member(1)])
        index.subscribe(filter, member(1, identifier: 3))
        #expect(cache.match("a/b/c", in: index).subscribers == [member(1, identifier: 3)])
        index.subscribe(shared, member(2))
        #expect(cache.match("a/b/c", in: index).groups.first?.available == [member(2)])
        index.setMemberAvailable(shared, target: 2, available: false)
        #expect(cache.match("a/b/c", in: index).groups.first?.unavailable == [member(2)])
        index.unsubscribe(shared, target: 2)
        #expect(cache.match("a/b/c", in: index).groups.isEmpty)
        index.unsubscribe(filter, target: 1)
        #expect(cache.match("a/b/c", in: index).isEmpty)
        #expect(cache.count == 1)
    }

    @Test func `a remembered version tells whether a match still holds`() throws {
        let topic = Array("a/b".utf8)
        let key = index.key(of: topic.span)
        #expect(key.hash == index.hash(of: topic.span))
        for text in ["a/b", "a/+", "a/b/#", "#", "a/#"] {
            let version = index.version(of: key)
            #expect(index.version(of: key) == version)
            index.subscribe(try TopicFilter(text), member(1))
            #expect(index.version(of: key) != version, "\(text)")
        }
    }

    @Test func `changes below another name leave a match where it is`() throws {
        let index = SubscriptionIndex(hasher: TopicHasher(first: 1, second: 2))
        var cache = MatchCache()
        let first = cache.match("fleet/device-1/state", in: index)
        index.subscribe(try TopicFilter("fleet/device-2/command"), member(1))
        index.subscribe(try TopicFilter("fleet/device-2/#"), member(1))
        index.subscribe(try TopicFilter("other/#"), member(1))
        #expect(cache.match("fleet/device-1/state", in: index) === first)
    }

    @Test func `topics whose hashes are equal are never mixed up`() throws {
        let index = SubscriptionIndex(hasher: TopicHasher(first: 1, second: 2, mask: 0))
        var cache = MatchCache(capacity: 8)
        for number in 0..<20 as Range<UInt64> {
            index.subscribe(try TopicFilter("topic/\(number)"), member(number))
            index.subscribe(try TopicFilter("topic/\(number)/+"), member(number + 100))
        }
        for _ in 0..<3 {
            for number in 0..<20 as Range<UInt64> {
                #expect(cache.match("topic/\(number)", in: index).subscribers.map(\.target) == [number])
                #expect(cache.match("topic/\(number)/x", in: index).subscribers.map(\.target) == [number + 100])
            }
        }
        #expect(cache.count == 8)
    }

    @Test func `the table grows to its capacity and no further`() {
        var cache = MatchCache(capacity: 1000)
        #expect(cache.tableSize == 256)
        for number in 0..<5000 { _ = cache.match("topic/\(number)", in: index) }
        #expect(cache.tableSize == 1024)
        #expect(cache.count <= 1024)
        cache.removeAll()
        #expect(cache.count == 0)
    }

    @Test func `topics that come once do not drive out what comes often`() throws {
        // A known hash, so that each of the eight sets has room for those that come often.
        let index = SubscriptionIndex(hasher: TopicHasher(first: 0x9E37_79B9_7F4A_7C15, second: 0xBF58_476D_1CE4_E5B9))
        var cache = MatchCache(capacity: 64)
        index.subscribe(try TopicFilter("often/#"), member(1))
        index.subscribe(try TopicFilter("once/#"), member(2))
        let often = (0..<16).map { "often/\($0)" }
        let matches = often.map { cache.match($0, in: index) }
        try #require(cache.count == often.count)
        for number in 0..<2_000 { #expect(cache.match("once/\(number)", in: index).subscribers == [member(2)]) }
        #expect(cache.count == 64)
        for (topic, match) in zip(often, matches) { #expect(cache.match(topic, in: index) === match) }
    }

    @Test func `a topic that comes again finds a place in a full cache`() throws {
        var cache = MatchCache(capacity: 8)
        index.subscribe(try TopicFilter("#"), member(1))
        for number in 0..<8 { _ = cache.match("first/\(number)", in: index) }
        #expect(cache.count == 8)
        let once = cache.match("later", in: index)
        let again = cache.match("later", in: index)
        #expect(once !== again)
        #expect(cache.match("later", in: index) === again)
        #expect(cache.count == 8)
    }

    @Test func `topics that come in turns find places in a cache full of what comes no more`() throws {
        var cache = MatchCache(capacity: 8)
        index.subscribe(try TopicFilter("#"), member(1))
        for number in 0..<8 { _ = cache.match("once/\(number)", in: index) }
        let turns = ["a", "b", "c"]
        for _ in 0..<20 { for topic in turns { _ = cache.match(topic, in: index) } }
        let matches = turns.map { cache.match($0, in: index) }
        for (topic, match) in zip(turns, matches) { #expect(cache.match(topic, in: index) === match) }
    }

    @Test func `a large match that comes once does not empty a full cache`() throws {
        // A known hash, since few of its bits are remembered of topics that found no place.
        let index = SubscriptionIndex(hasher: TopicHasher(first: 0x9E37_79B9_7F4A_7C15, second: 0xBF58_476D_1CE4_E5B9))
        var cache = MatchCache(capacity: 8, subscriberLimit: 20)
        index.subscribe(try TopicFilter("small/#"), member(1))
        for target in 0..<30 as Range<UInt64> { index.subscribe(try TopicFilter("large/#"), member(target)) }
        let kept = (0..<8).map { cache.match("small/\($0)", in: index) }
        for number in 0..<100 { #expect(cache.match("large/\(number)", in: index).subscribers.count == 30) }
        for (number, match) in kept.enumerated() { #expect(cache.match("small/\(number)", in: index) === match) }
        let again = cache.match("large/99", in: index)
        #expect(cache.match("large/99", in: index) === again)
        #expect(cache.cachedSubscribers == 30)
    }

    @Test(arguments: 0...20)
    func `topics of any length are kept whole`(length: Int) throws {
        var cache = MatchCache(capacity: 8)
        index.subscribe(try TopicFilter("#"), member(1))
        let topic = String("abcdefghijklmnopqrstuvwxyz".prefix(length))
        let match = cache.match(topic, in: index)
        #expect(cache.match(topic, in: index) === match)
        for at in 0..<length {
            var other = Array(topic)
            other[at] = "-"
            #expect(cache.match(String(other), in: index) !== match)
        }
    }

    @Test func `long topics are matched and not cached`() throws {
        var cache = MatchCache()
        index.subscribe(try TopicFilter("#"), member(1))
        let longest = String(repeating: "x", count: MatchCache.longestTopic)
        #expect(cache.match(longest, in: index).subscribers == [member(1)])
        #expect(cache.count == 1)
        #expect(cache.match(longest + "y", in: index).subscribers == [member(1)])
        #expect(cache.count == 1)
        #expect(cache.match("", in: index).subscribers == [member(1)])
    }

    @Test func `the subscribers in all cached matches are bounded`() throws {
        var cache = MatchCache(subscriberLimit: 100)
        for target in 0..<30 as Range<UInt64> { index.subscribe(try TopicFilter("wide/#"), member(target)) }
        for number in 0..<50 {
            #expect(cache.match("wide/\(number)", in: index).subscribers.count == 30)
            #expect(cache.cachedSubscribers <= 100)
        }
        // A single match beyond the bound is kept, alone.
        for target in 0..<200 as Range<UInt64> { index.subscribe(try TopicFilter("wide/#"), member(target)) }
        let large = cache.match("wide/0", in: index)
        #expect(cache.match("wide/0", in: index) === large)
        #expect(cache.count == 1)
        #expect(cache.cachedSubscribers == 200)
    }
}

extension MatchCache {
    mutating func match(_ topic: String, in index: SubscriptionIndex) -> Match {
        let bytes = Array(topic.utf8)
        return match(bytes.span, in: index)
    }
}
