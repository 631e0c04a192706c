import ApusSession
import Testing

@Suite("Topic aliases")
struct TopicAliasesTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test(
        .spec("MQTT-3.3.2-9"),
        arguments: [(0, false), (1, true), (3, true), (4, false), (65_535, false)] as [(UInt16, Bool)]
    )
    func `an alias is allowed from 1 to the maximum`(alias: UInt16, allowed: Bool) {
        #expect(InboundTopicAliases(maximum: 3).isAllowed(alias) == allowed)
    }

    @Test(arguments: [0, 1, 65_535] as [UInt16])
    func `without a maximum none is allowed and none known`(alias: UInt16) {
        let aliases = InboundTopicAliases(maximum: 0)
        #expect(!aliases.isAllowed(alias))
        #expect(aliases.topic(of: alias) == nil)
    }

    @Test(.spec("MQTT-3.3.2-8"))
    func `a client sets, reads and replaces its aliases`() {
        var aliases = InboundTopicAliases(maximum: 5)
        #expect(aliases.topic(of: 4) == nil)
        aliases.set(4, to: bytes("a"))
        #expect(aliases.topic(of: 4) == bytes("a"))
        #expect(aliases.topic(of: 3) == nil)
        #expect(aliases.topic(of: 5) == nil)
        aliases.set(4, to: bytes("b"))
        #expect(aliases.topic(of: 4) == bytes("b"))
    }

    @Test func `the first topics get an alias each and are known afterwards`() {
        var aliases = OutboundTopicAliases(maximum: 2)
        let answer1 = aliases.alias(for: bytes("a"))
        #expect(answer1 == .new(1))
        let answer2 = aliases.alias(for: bytes("b"))
        #expect(answer2 == .new(2))
        let answer3 = aliases.alias(for: bytes("a"))
        #expect(answer3 == .known(1))
        let answer4 = aliases.alias(for: bytes("b"))
        #expect(answer4 == .known(2))
    }

    @Test func `when all are given out the oldest goes to the new topic`() {
        var aliases = OutboundTopicAliases(maximum: 2)
        _ = aliases.alias(for: bytes("a"))
        _ = aliases.alias(for: bytes("b"))
        let answer5 = aliases.alias(for: bytes("c"))
        #expect(answer5 == .new(1))
        let answer6 = aliases.alias(for: bytes("a"))
        #expect(answer6 == .new(2))
        let answer7 = aliases.alias(for: bytes("c"))
        #expect(answer7 == .known(1))
        let answer8 = aliases.alias(for: bytes("b"))
        #expect(answer8 == .new(1))
    }

    @Test(.spec("MQTT-3.1.2-27"))
    func `a client that allows none gets none`() {
        var aliases = OutboundTopicAliases(maximum: 0)
        let answer9 = aliases.alias(for: bytes("a"))
        #expect(answer9 == .none)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `a receiver that follows the aliases always knows the topic`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let maximum = UInt16.random(in: 1...6, using: &random)
        var sender = OutboundTopicAliases(maximum: maximum)
        var receiver = InboundTopicAliases(maximum: maximum)
        for _ in 0..<500 {
            let topic = bytes("topic \(Int.random(in: 0..<12, using: &random))")
            switch sender.alias(for: topic) {
            case .none:
                Issue.record("seed \(seed): no alias though allowed")
            case .new(let alias):
                #expect(receiver.isAllowed(alias))
                receiver.set(alias, to: topic)
            case .known(let alias):
                #expect(receiver.topic(of: alias) == topic)
            }
        }
    }
}
