import Testing

@testable import ApusTopics

@Suite("Subscription index")
struct SubscriptionIndexTests {
    let index = SubscriptionIndex()

    @Test func `several subscriptions of one session stand side by side`() throws {
        for (number, filter) in ["a/b", "a/+", "a/#", "#", "+/b"].enumerated() {
            index.subscribe(try TopicFilter(filter), member(7, identifier: UInt32(number + 1)))
            index.subscribe(try TopicFilter(filter), member(3))
            index.subscribe(try TopicFilter(filter), member(9))
        }
        let match = index.match("a/b")
        #expect(
            match.subscribers.map(\.target) == Array(repeating: 3, count: 5) + Array(repeating: 7, count: 5)
                + Array(repeating: 9, count: 5)
        )
        #expect(match.subscribers[5..<10].map(\.subscriptionIdentifier) == [1, 2, 3, 4, 5])
    }

    @Test func `subscribers are grouped by shard`() throws {
        for shard in [5, 0, 255, 5, 1] as [UInt64] {
            for slot in 0..<3 as Range<UInt64> {
                index.subscribe(try TopicFilter("a"), member(shard << 56 | slot))
            }
        }
        let match = index.match("a")
        #expect(match.shards == [0, 1, 5, 255])
        #expect(match.range(ofShard: 5) == 6..<9)
        #expect(match.range(ofShard: 255) == 9..<12)
        #expect(match.range(ofShard: 2).isEmpty)
    }

    @Test func `a second subscription to the same filter replaces the options`() throws {
        for text in ["a/b", "a/+", "#"] {
            let filter = try TopicFilter(text)
            #expect(index.subscribe(filter, Subscriber(target: 1, subscriptionIdentifier: 4, qos: 0)))
            #expect(!index.subscribe(filter, Subscriber(target: 1, qos: 2, noLocal: true, retainAsPublished: true)))
            #expect(index.unsubscribe(filter, target: 2) == false)
            let only = try #require(index.match("a/b").subscribers.first)
            #expect(only.qos == 2 && only.noLocal && only.retainAsPublished && only.subscriptionIdentifier == 0)
            #expect(index.unsubscribe(filter, target: 1))
            #expect(!index.unsubscribe(filter, target: 1))
            #expect(index.match("a/b") === Match.empty)
        }
    }

    @Test(arguments: ["#", "+", "+/#", "+/a", "$share/g/#"])
    func `wildcards in the first level do not see topics with a dollar`(filter: String) throws {
        index.subscribe(try TopicFilter(filter), member(1))
        #expect(index.match("$SYS").isEmpty)
        #expect(index.match("$SYS/a").isEmpty)
        index.subscribe(try TopicFilter("$SYS/#"), member(2))
        #expect(index.match("$SYS/a").subscribers.map(\.target) == [2])
        #expect(index.match("$SYS").subscribers.map(\.target) == [2])
    }

    @Test(arguments: [1, 2, 63, 64, 65, 66, 5000])
    func `one filter keeps its subscribers apart at every size`(count: Int) throws {
        let filter = try TopicFilter("a/+")
        for target in 0..<count { #expect(index.subscribe(filter, member(UInt64(target)))) }
        for target in 0..<count { #expect(!index.subscribe(filter, member(UInt64(target), identifier: 9))) }
        #expect(index.match("a/b").subscribers == (0..<count).map { member(UInt64($0), identifier: 9) })
        for target in stride(from: 0, to: count, by: 2) { #expect(index.unsubscribe(filter, target: UInt64(target))) }
        #expect(index.match("a/b").subscribers.map(\.target) == stride(from: 1, to: count, by: 2).map { UInt64($0) })
        for target in stride(from: 1, to: count, by: 2) { #expect(index.unsubscribe(filter, target: UInt64(target))) }
        #expect(index.counts == SubscriptionCounts())
    }

    @Test func `churn does not grow the structures`() throws {
        func round(_ turn: Int) throws {
            let filters = try (0..<50).flatMap { number in
                try ["device-\(turn)/state-\(number)-of-the-machine", "device-\(turn)/+/a-long-level-\(number)/#"]
                    .map { try TopicFilter($0) }
            }
            for filter in filters { index.subscribe(filter, member(1)) }
            for filter in filters { index.unsubscribe(filter, target: 1) }
        }
        for turn in 0..<100 { try round(turn) }
        let footprint = index.footprint
        for turn in 100..<300 { try round(turn) }
        // What may still differ is garbage below the bound of squeezing, in each stripe.
        #expect(index.footprint < footprint + 128 * 10_000)
        #expect(index.nodeCount == 0)
        #expect(index.counts == SubscriptionCounts())
    }

    @Test func `filters that share their path are removed one by one`() throws {
        let texts = ["a/+/c", "a/+/c/#", "a/+", "a/#", "a/+/c/d", "+/+/c", "#", "a/b/+"]
        for text in texts { index.subscribe(try TopicFilter(text), member(1)) }
        for (done, text) in texts.enumerated() {
            index.unsubscribe(try TopicFilter(text), target: 1)
            let left = try texts[(done + 1)...].count { try TopicFilter($0).matches(topic: "a/b/c") }
            #expect(index.match("a/b/c").subscribers.count == left)
        }
        #expect(index.nodeCount == 0)
    }

    @Test func `hostile filters cost no more than their nodes`() throws {
        for bits in 0..<(1 << 11) {
            let levels = (0..<11).map { bits >> $0 & 1 == 0 ? "a" : "+" }
            index.subscribe(try TopicFilter(levels.joined(separator: "/")), member(UInt64(bits)))
        }
        let topic = Array(repeating: "a", count: 11).joined(separator: "/")
        #expect(index.match(topic).subscribers.count == 1 << 11)
        #expect(index.match(topic + "/a").isEmpty)
    }

    @Test func `topics and filters as deep as a packet allows are matched without recursion`() throws {
        let deep = String(repeating: "/", count: 65_535)
        index.subscribe(try TopicFilter(deep), member(1))
        index.subscribe(try TopicFilter(String(repeating: "+/", count: 32_767) + "#"), member(2))
        index.subscribe(try TopicFilter("#"), member(3))
        index.subscribe(try TopicFilter("/+/#"), member(4))
        index.subscribe(try TopicFilter(String(repeating: "/", count: 65_534) + "+"), member(5))
        #expect(index.match(deep).subscribers.map(\.target) == [1, 2, 3, 4])
        #expect(index.match(String(repeating: "/", count: 65_534)).subscribers.map(\.target) == [2, 3, 4, 5])
        #expect(index.match(String(repeating: "a/", count: 30_000)).subscribers.map(\.target) == [3])
        #expect(index.match(String(repeating: "/", count: 30_000)).subscribers.map(\.target) == [3, 4])
        index.unsubscribe(try TopicFilter(String(repeating: "+/", count: 32_767) + "#"), target: 2)
        index.unsubscribe(try TopicFilter(String(repeating: "/", count: 65_534) + "+"), target: 5)
        #expect(index.nodeCount == 2, "those of /+/# are left")
    }

    @Test func `many threads at once leave what they should`() async throws {
        let index = SubscriptionIndex()
        let stable = try ["a/b", "a/+", "#", "$share/g/a/b"].map { try TopicFilter($0) }
        for filter in stable { index.subscribe(filter, member(1)) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<4 as Range<UInt64> {
                group.addTask {
                    var random = SplitMix(seed: worker)
                    var cache = MatchCache(capacity: 64)
                    let topic = Array("a/b".utf8)
                    var mine: [TopicFilter] = []
                    for _ in 0..<1500 {
                        let filter = try TopicFilter(random.filter())
                        index.subscribe(filter, member(worker << 56 | 5))
                        index.setMemberAvailable(filter, target: worker << 56 | 5, available: random.below(2) == 0)
                        mine.append(filter)
                        if random.below(2) == 0, let filter = mine.randomElement(using: &random) {
                            index.unsubscribe(filter, target: worker << 56 | 5)
                        }
                        let match = cache.match(topic.span, in: index)
                        #expect(match.subscribers.count { $0.target == 1 } == 3)
                        for hit in match.groups { _ = index.currentMembers(of: hit.group) }
                    }
                    for filter in mine { index.unsubscribe(filter, target: worker << 56 | 5) }
                    // Nobody else has this filter, so the cache must show it at once and no longer.
                    let own = try TopicFilter("own/\(worker)/+")
                    let ownTopic = Array("own/\(worker)/x".utf8)
                    for _ in 0..<500 {
                        index.subscribe(own, member(worker + 10))
                        #expect(cache.match(ownTopic.span, in: index).subscribers.contains(member(worker + 10)))
                        index.unsubscribe(own, target: worker + 10)
                        #expect(!cache.match(ownTopic.span, in: index).subscribers.contains(member(worker + 10)))
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(index.counts == SubscriptionCounts(filters: 3, subscriptions: 4, shared: 1))
    }
}

func member(_ target: UInt64, identifier: UInt32 = 0) -> Subscriber {
    Subscriber(target: target, subscriptionIdentifier: identifier, qos: 1)
}

extension SubscriptionIndex {
    func match(_ topic: String) -> Match {
        let bytes = Array(topic.utf8)
        return match(bytes.span)
    }
}
