import Testing

@testable import ApusTopics

@Suite("Shared groups")
struct SharedGroupTests {
    let index = SubscriptionIndex()

    @Test(arguments: ["$share/g/a/b", "$share/g/a/+", "$share/g/#"])
    func `members take turns, whoever asks`(text: String) throws {
        let filter = try TopicFilter(text)
        for target in 0..<3 as Range<UInt64> { index.subscribe(filter, member(target)) }
        var turns: [UInt64: Int] = [:]
        for _ in 0..<30 {
            let hit = try #require(index.match("a/b").groups.first)
            turns[try #require(hit.next()).target, default: 0] += 1
        }
        #expect(turns == [0: 10, 1: 10, 2: 10])
        #expect(index.match("a/b").subscribers.isEmpty)
        #expect(!index.match("a/b").isEmpty)
    }

    @Test func `an unavailable member has its turn only when nobody else is there`() throws {
        let filter = try TopicFilter("$share/g/a/+")
        for target in 0..<3 as Range<UInt64> { index.subscribe(filter, member(target)) }
        #expect(index.setMemberAvailable(filter, target: 1, available: false))
        #expect(!index.setMemberAvailable(filter, target: 1, available: false))
        #expect(!index.setMemberAvailable(filter, target: 9, available: true))
        let hit = try #require(index.match("a/b").groups.first)
        #expect((0..<10).allSatisfy { _ in hit.next()?.target != 1 })
        for target in [0, 2] as [UInt64] { index.setMemberAvailable(filter, target: target, available: false) }
        let offline = try #require(index.match("a/b").groups.first)
        #expect(Set((0..<9).compactMap { _ in offline.next()?.target }) == [0, 1, 2])
        index.setMemberAvailable(filter, target: 1, available: true)
        let back = try #require(index.match("a/b").groups.first)
        #expect((0..<10).allSatisfy { _ in back.next()?.target == 1 })
    }

    @Test func `replacing the options of an unavailable member leaves it unavailable`() throws {
        let filter = try TopicFilter("$share/g/a")
        index.subscribe(filter, member(1))
        index.setMemberAvailable(filter, target: 1, available: false)
        #expect(!index.subscribe(filter, member(1, identifier: 5)))
        let hit = try #require(index.match("a").groups.first)
        #expect(hit.available.isEmpty)
        #expect(hit.unavailable == [member(1, identifier: 5)])
    }

    @Test func `groups with other names or filters are other groups`() throws {
        for text in ["$share/g/a/b", "$share/h/a/b", "$share/g/a/+", "a/b"] {
            index.subscribe(try TopicFilter(text), member(1))
        }
        let match = index.match("a/b")
        #expect(match.groups.map(\.group.filter.fullText).sorted() == ["$share/g/a/+", "$share/g/a/b", "$share/h/a/b"])
        #expect(match.subscribers.map(\.target) == [1])
        #expect(index.counts == SubscriptionCounts(filters: 2, subscriptions: 4, shared: 3))
    }

    @Test func `a group is the same object while it has members`() throws {
        let filter = try TopicFilter("$share/g/a")
        index.subscribe(filter, member(1))
        let first = try #require(index.match("a").groups.first).group
        index.subscribe(filter, member(2))
        index.unsubscribe(filter, target: 1)
        #expect(try #require(index.match("a").groups.first).group === first)
        #expect(index.currentMembers(of: first).available == [member(2)])
        index.setMemberAvailable(filter, target: 2, available: false)
        #expect(index.currentMembers(of: first).unavailable == [member(2)])
        index.unsubscribe(filter, target: 2)
        #expect(index.match("a").isEmpty)
        let members = index.currentMembers(of: first)
        #expect(members.available.isEmpty && members.unavailable.isEmpty)
        index.subscribe(filter, member(1))
        #expect(try #require(index.match("a").groups.first).group !== first)
    }
}
