import Testing

@testable import ApusTopics

@Suite("Topic filters")
struct TopicFilterTests {
    @Test(arguments: [
        "a", "/", "//", "+", "#", "+/+", "/#", "a/+/b/#", "+/#", "$SYS/#", " ", "$share", "å/ß", "$sharex/#",
    ])
    func `a valid filter is taken as it is`(text: String) throws {
        let filter = try TopicFilter(text)
        #expect(filter.text == text)
        #expect(filter.fullText == text)
        #expect(filter.group == nil)
        #expect(filter.hasWildcard == (text.contains("+") || text.contains("#")))
        #expect(filter.levelCount == text.split(separator: "/", omittingEmptySubsequences: false).count)
    }

    @Test(
        arguments: [
            ("", .empty),
            ("a\0", .containsNull),
            ("#/a", .multiLevelWildcardNotLast),
            ("a/#/b", .multiLevelWildcardNotLast),
            ("a#", .multiLevelWildcardNotAlone),
            ("a/#b", .multiLevelWildcardNotAlone),
            ("##", .multiLevelWildcardNotAlone),
            ("a/b#", .multiLevelWildcardNotAlone),
            ("a+", .singleLevelWildcardNotAlone),
            ("+a/b", .singleLevelWildcardNotAlone),
            ("a/++", .singleLevelWildcardNotAlone),
            ("$share/", .emptyShareName),
            ("$share//a", .emptyShareName),
            ("$share/g", .missingFilterBehindShareName),
            ("$share/g/", .missingFilterBehindShareName),
            ("$share/g+/a", .wildcardInShareName),
            ("$share/#/a", .wildcardInShareName),
            ("$share/g/a#", .multiLevelWildcardNotAlone),
        ] as [(String, TopicFilterError)]
    )
    func `an invalid filter is refused with its reason`(text: String, error: TopicFilterError) {
        #expect(throws: error) { try TopicFilter(text) }
        #expect(!error.description.isEmpty)
    }

    @Test func `the length is bounded at 65535 bytes`() throws {
        #expect(try TopicFilter(String(repeating: "a", count: 65_535)).levelCount == 1)
        #expect(try TopicFilter(String(repeating: "/", count: 65_535)).levelCount == 65_536)
        #expect(throws: TopicFilterError.tooLong(bytes: 65_536)) {
            try TopicFilter(String(repeating: "a", count: 65_536))
        }
    }

    @Test func `a share name is split off`() throws {
        let filter = try TopicFilter("$share/workers//+/#")
        #expect(filter.group == "workers")
        #expect(filter.text == "/+/#")
        #expect(filter.fullText == "$share/workers//+/#")
        #expect(filter.levelCount == 3)
        #expect(try filter != TopicFilter("/+/#"))
    }

    @Test(arguments: [
        ("sport/#", "sport", true),
        ("sport/#", "sport/", true),
        ("sport/#", "sport/a/b", true),
        ("sport/#", "sports", false),
        ("sport/+", "sport", false),
        ("sport/+", "sport/", true),
        ("sport/+", "sport/a/b", false),
        ("#", "a/b", true),
        ("#", "/", true),
        ("#", "$SYS/a", false),
        ("+/a", "$SYS/a", false),
        ("+/#", "$SYS", false),
        ("$SYS/#", "$SYS/a", true),
        ("$SYS/+", "$SYS/a", true),
        ("a/$b", "a/$b", true),
        ("a/+", "a/$b", true),
        ("+/+", "/finance", true),
        ("/+", "/finance", true),
        ("+", "/finance", false),
        ("/", "/", true),
        ("+/+", "/", true),
        ("a//b", "a//b", true),
        ("a/+/b", "a//b", true),
        ("a//b", "a/b", false),
        ("a", "a/", false),
        ("a/", "a", false),
        ("/a", "a", false),
        ("a/b", "a/bc", false),
        ("a/bc", "a/b", false),
        ("+/b/#", "a/b", true),
        ("+/+/#", "a", false),
    ])
    func `a filter matches as the specification says`(filter: String, topic: String, expected: Bool) throws {
        #expect(try TopicFilter(filter).matches(topic: topic) == expected)
    }

    @Test(arguments: [
        ("#", "a/b", true),
        ("#", "#", true),
        ("#", "+/+", true),
        ("#", "$SYS/#", false),
        ("+/#", "#", true),
        ("#", "+/#", true),
        ("+/+/#", "#", false),
        ("+/a", "$SYS/a", false),
        ("$SYS/#", "$SYS/a", true),
        ("a/+", "a/b", true),
        ("a/+", "a/#", false),
        ("a/#", "a", true),
        ("a/#", "a/+/b", true),
        ("a/#", "a/#", true),
        ("a/+/#", "a/#", false),
        ("a/b", "a/+", false),
        ("a", "a/b", false),
        ("a/b", "a", false),
        ("+", "+", true),
        ("+", "#", false),
        ("a/+", "a/", true),
        ("a/#", "b", false),
        ("a/b/#", "a", false),
    ])
    func `a filter covers another as the access rules need`(filter: String, other: String, expected: Bool) throws {
        #expect(try TopicFilter(filter).covers(TopicFilter(other)) == expected)
        #expect(try TopicFilter(filter).covers(TopicFilter("$share/g/\(other)")) == expected)
    }

    @Test func `covering is the same as matching every topic that the other matches`() throws {
        let filters = words(["a", "$s", "+", "#"], depth: 3).compactMap { try? TopicFilter($0) }
        let topics = words(["a", "x", "$s", "$y", ""], depth: 4)
        for filter in filters {
            for other in filters {
                let all = topics.filter { other.matches(topic: $0) }.allSatisfy { filter.matches(topic: $0) }
                #expect(filter.covers(other) == all, "\(filter.text) covers \(other.text)")
            }
        }
        try #require(filters.count > 30)
    }

    /// All sequences of these levels up to a depth.
    private func words(_ levels: [String], depth: Int) -> [String] {
        var all: [String] = []
        var last = [""]
        for turn in 0..<depth {
            last = last.flatMap { prefix in levels.map { turn == 0 ? $0 : prefix + "/" + $0 } }
            all += last
        }
        return all
    }
}
