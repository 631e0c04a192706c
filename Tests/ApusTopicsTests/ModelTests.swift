import Testing

@testable import ApusTopics

/// The index and the cache against a list of subscriptions searched with ``TopicFilter/matches(topic:)``.
@Suite("Subscription index against a model")
struct ModelTests {
    /// The plain truth: every subscription by filter text and target.
    struct Model {
        struct Key: Hashable {
            var filter: TopicFilter
            var target: UInt64
        }

        var subscribers: [Key: Subscriber] = [:]
        var unavailable: Set<Key> = []

        func matches(_ topic: String) -> [Subscriber] {
            subscribers.filter { $0.key.filter.group == nil && $0.key.filter.matches(topic: topic) }.map(\.value)
                .sorted { $0.order < $1.order }
        }

        func groups(_ topic: String) -> [String: [Bool: Set<Subscriber>]] {
            var groups: [String: [Bool: Set<Subscriber>]] = [:]
            for (key, subscriber) in subscribers where key.filter.group != nil && key.filter.matches(topic: topic) {
                groups[key.filter.fullText, default: [:]][!unavailable.contains(key), default: []].insert(subscriber)
            }
            return groups
        }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64], [UInt64.max, 0xC000_0000_0000_0007])
    func `random churn gives what the model gives, from index and cache`(seed: UInt64, hashMask: UInt64) throws {
        var random = SplitMix(seed: seed)
        let index = SubscriptionIndex(hasher: TopicHasher(first: random.next(), second: random.next(), mask: hashMask))
        var cache = MatchCache(capacity: 64, subscriberLimit: 500)
        var model = Model()
        for _ in 0..<400 {
            try change(index, &model, &random)
            for _ in 0..<2 {
                let topic = random.topic()
                let bytes = Array(topic.utf8)
                check(index.match(bytes.span), topic, model)
                check(cache.match(bytes.span, in: index), topic, model)
            }
        }
        #expect(index.counts.subscriptions == model.subscribers.count)
        #expect(index.counts.shared == model.subscribers.count { $0.key.filter.group != nil })
        #expect(index.counts.filters == Set(model.subscribers.keys.map(\.filter.text)).count)
        for key in model.subscribers.keys { #expect(index.unsubscribe(key.filter, target: key.target)) }
        #expect(index.counts == SubscriptionCounts())
        #expect(index.nodeCount == 0)
    }

    private func change(_ index: SubscriptionIndex, _ model: inout Model, _ random: inout SplitMix) throws {
        let filter = try TopicFilter(random.filter())
        let target = UInt64(random.below(3)) << 56 | UInt64(random.below(4))
        let key = Model.Key(filter: filter, target: target)
        switch random.below(10) {
        case 0..<5:
            let subscriber = Subscriber(
                target: target,
                subscriptionIdentifier: UInt32(random.below(5)),
                qos: UInt8(random.below(3)),
                noLocal: random.below(2) == 0,
                retainAsPublished: random.below(2) == 0,
            )
            let isNew = model.subscribers.updateValue(subscriber, forKey: key) == nil
            #expect(index.subscribe(filter, subscriber) == isNew)
        case 5..<8:
            // Half of the time something that exists, or the index would only ever fill.
            let victim = random.below(2) == 0 ? model.subscribers.keys.randomElement(using: &random) ?? key : key
            model.unavailable.remove(victim)
            let existed = model.subscribers.removeValue(forKey: victim) != nil
            #expect(index.unsubscribe(victim.filter, target: victim.target) == existed)
        default:
            let available = random.below(2) == 0
            let changes =
                filter.group != nil && model.subscribers[key] != nil && model.unavailable.contains(key) == available
            if changes {
                if available { model.unavailable.remove(key) } else { model.unavailable.insert(key) }
            }
            #expect(index.setMemberAvailable(filter, target: target, available: available) == changes)
        }
    }

    private func check(_ match: Match, _ topic: String, _ model: Model) {
        let sorted = match.subscribers.sorted { $0.order < $1.order }
        #expect(sorted == model.matches(topic), "topic \(topic)")
        #expect(zip(match.subscribers, match.subscribers.dropFirst()).allSatisfy { $0.target <= $1.target })
        for shard in 0..<4 {
            let range = match.range(ofShard: shard)
            #expect(
                match.subscribers.indices.allSatisfy { range.contains($0) == (match.subscribers[$0].shard == shard) }
            )
        }
        #expect(match.shards == Set(match.subscribers.map { UInt8($0.shard) }).sorted())
        var groups: [String: [Bool: Set<Subscriber>]] = [:]
        for hit in match.groups {
            var members: [Bool: Set<Subscriber>] = [:]
            if !hit.available.isEmpty { members[true] = Set(hit.available) }
            if !hit.unavailable.isEmpty { members[false] = Set(hit.unavailable) }
            #expect(groups.updateValue(members, forKey: hit.group.filter.fullText) == nil)
        }
        #expect(groups == model.groups(topic), "topic \(topic)")
        #expect(match.isEmpty == (match.subscribers.isEmpty && match.groups.isEmpty))
    }
}

/// A seeded generator, with topics and filters of a small alphabet that meet often.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    private static let words = ["a", "b", "", "$SYS", "a longer level", "seven77", "eight888", "å"]

    mutating func topic() -> String {
        let levels = (0...below(4)).map { _ in Self.words[below(Self.words.count)] }
        let topic = levels.joined(separator: "/")
        return topic.isEmpty ? "/" : topic
    }

    mutating func filter() -> String {
        var levels = (0...below(4)).map { _ in below(3) == 0 ? "+" : Self.words[below(Self.words.count)] }
        if below(3) == 0 { levels.append("#") }
        if below(12) == 0 { levels = ["#"] }
        let filter = levels.joined(separator: "/")
        let text = filter.isEmpty ? "/" : filter
        return below(4) == 0 ? "$share/g\(below(2))/\(text)" : text
    }
}

extension Subscriber {
    /// Any order in which no two different ones of a test are equal.
    fileprivate var order: (UInt64, UInt32, UInt8, Int, Int) {
        (target, subscriptionIdentifier, qos, noLocal ? 1 : 0, retainAsPublished ? 1 : 0)
    }
}
