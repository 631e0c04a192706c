import Testing

@testable import ApusTopics

@Suite("Retained index")
struct RetainedIndexTests {
    @Test(arguments: [1, 2, 3, 4] as [UInt64], [UInt64.max, 0xC000_0000_0000_0007])
    func `random churn gives what the model gives`(seed: UInt64, hashMask: UInt64) throws {
        var random = SplitMix(seed: seed)
        let index = TypedIndex<String>(hasher: TopicHasher(first: 1, second: 2, mask: hashMask))
        var model: [String: String] = [:]
        for turn in 0..<600 {
            let topic = random.topic()
            let bytes = Array(topic.utf8)
            if random.below(3) == 0 {
                #expect(index.remove(bytes.span) == model.removeValue(forKey: topic))
            } else {
                let value = "\(turn) \(topic)"
                #expect(index.set(bytes.span, value) == model.updateValue(value, forKey: topic))
            }
            #expect(index.value(for: bytes.span) == model[topic])
            #expect(index.count == model.count)
            let filter = try TopicFilter(random.filter())
            let expected = model.filter { filter.matches(topic: $0.key) }.map(\.value).sorted()
            #expect(index.mayHold(filter) || expected.isEmpty)
            #expect(index.matches(of: filter).sorted() == expected, "filter \(filter.text)")
            #expect(pages(index.scan(filter), limit: 1 + random.below(3)).sorted() == expected, "filter \(filter.text)")
        }
        for topic in model.keys { #expect(index.remove(Array(topic.utf8).span) != nil) }
        #expect(index.count == 0)
        #expect(index.nodeCount == 0)
        for filter in ["#", "+", "a/b", "a/#"] { #expect(!index.mayHold(try TopicFilter(filter))) }
    }

    @Test func `a filter below another first level needs no look`() throws {
        let index = TypedIndex<Int>(hasher: TopicHasher(first: 0x9E37_79B9_7F4A_7C15, second: 0xBF58_476D_1CE4_E5B9))
        index.set(Array("$SYS/broker/uptime".utf8).span, 1)
        #expect(!index.mayHold(try TopicFilter("orders/#")))
        #expect(index.mayHold(try TopicFilter("$SYS/#")))
        index.set(Array("$SYS/broker/uptime".utf8).span, 2)
        index.remove(Array("$SYS/broker/uptime".utf8).span)
        #expect(!index.mayHold(try TopicFilter("$SYS/#")))
    }

    private func pages<Value>(_ scan: TypedScan<Value>, limit: Int) -> [Value] {
        var values: [Value] = []
        while !scan.isFinished {
            let page = scan.next(limit: limit)
            #expect(page.count <= limit)
            values += page
        }
        return values
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func `what stays during a scan is given exactly once while others come and go`(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let index = TypedIndex<String>()
        var stable: Set<String> = []
        for number in 0..<300 {
            let topic = "s\(number % 7)/\(number % 11)/x\(number)"
            stable.insert(topic)
            index.set(Array(topic.utf8).span, topic)
        }
        var passing: [String] = []
        let scan = index.scan(try TopicFilter("#"))
        var seen: [String] = []
        while !scan.isFinished {
            seen += scan.next(limit: 1 + random.below(4))
            for _ in 0..<random.below(20) {
                let topic = "s\(random.below(9))/\(random.below(13))/y\(random.below(5))"
                if random.below(2) == 0 {
                    index.set(Array(topic.utf8).span, topic)
                    passing.append(topic)
                } else if let victim = passing.randomElement(using: &random) {
                    index.remove(Array(victim.utf8).span)
                }
            }
        }
        let stableSeen = seen.filter(stable.contains)
        #expect(stableSeen.count == stable.count)
        #expect(Set(stableSeen) == stable)
        for topic in passing + stable { index.remove(Array(topic.utf8).span) }
        #expect(index.nodeCount == 0)
    }

    @Test func `a scan given up half way lets go of its node`() throws {
        let index = TypedIndex<Int>()
        for number in 0..<10 { index.set(Array("a/\(number)/b".utf8).span, number) }
        do {
            let scan = index.scan(try TopicFilter("a/#"))
            #expect(scan.next(limit: 3).count == 3)
            for number in 0..<10 { index.remove(Array("a/\(number)/b".utf8).span) }
            #expect(index.nodeCount == 3)
            #expect(scan.next(limit: 3).isEmpty)
            #expect(scan.isFinished)
            for number in 0..<10 { index.set(Array("a/\(number)/b".utf8).span, number) }
        }
        do {
            let scan = index.scan(try TopicFilter("a/+/b"))
            #expect(scan.next(limit: 3).count == 3)
            for number in 0..<10 { index.remove(Array("a/\(number)/b".utf8).span) }
            #expect(index.nodeCount == 3)
        }
        #expect(index.nodeCount == 0)
    }

    @Test func `a page visits a bounded number of nodes`() throws {
        let index = TypedIndex<Int>()
        for number in 0..<9_000 { index.set(Array("a/\(number)".utf8).span, number) }
        let scan = index.scan(try TopicFilter("a/+/none"))
        #expect(scan.next(limit: 10).isEmpty)
        #expect(!scan.isFinished)
        #expect(pages(scan, limit: 10).isEmpty)
        #expect(index.matches(of: try TopicFilter("#")).count == 9_000)
    }

    @Test func `topics as deep as a packet allows are held, walked and removed`() throws {
        let index = TypedIndex<Int>()
        let deep = [UInt8](repeating: .levelSeparator, count: 65_535)
        index.set(deep.span, 1)
        index.set(deep.span.extracting(0..<65_534), 2)
        #expect(index.matches(of: try TopicFilter("#")).sorted() == [1, 2])
        #expect(index.matches(of: try TopicFilter(String(repeating: "+/", count: 32_767) + "#")).sorted() == [1, 2])
        #expect(index.matches(of: try TopicFilter(String(repeating: "+/", count: 32_767) + "x")).isEmpty)
        #expect(index.remove(deep.span) == 1)
        #expect(index.remove(deep.span.extracting(0..<65_534)) == 2)
        #expect(index.nodeCount == 0)
    }

    @Test func `churn does not grow the structures`() {
        let index = TypedIndex<Int>()
        func round(_ turn: Int) {
            for number in 0..<200 { index.set(Array("device-number-\(turn)/state-\(number)".utf8).span, number) }
            for number in 0..<200 { index.remove(Array("device-number-\(turn)/state-\(number)".utf8).span) }
        }
        for turn in 0..<100 { round(turn) }
        let footprint = index.footprint
        for turn in 100..<300 { round(turn) }
        // All stripes have been warmed once; what may still differ is garbage below the bound of squeezing.
        #expect(index.footprint < footprint + 64 * 10_000)
        #expect(index.nodeCount == 0)
    }
}

/// Values of any type in a ``RetainedIndex``.
private struct TypedIndex<Value: Sendable> {
    private let index: RetainedIndex

    init(hasher: TopicHasher = TopicHasher()) { index = RetainedIndex(hasher: hasher) }

    @discardableResult
    func set(_ topic: Span<UInt8>, _ value: Value) -> Value? { Box.open(index.set(topic, Box(value))) }
    @discardableResult
    func remove(_ topic: Span<UInt8>) -> Value? { Box.open(index.remove(topic)) }
    func value(for topic: Span<UInt8>) -> Value? { Box.open(index.value(for: topic)) }
    func matches(of filter: TopicFilter) -> [Value] { index.matches(of: filter).compactMap(Box.open) }
    func mayHold(_ filter: TopicFilter) -> Bool { index.mayHold(filter) }
    func scan(_ filter: TopicFilter) -> TypedScan<Value> { TypedScan(scan: index.scan(filter)) }
    var count: Int { index.count }
    var nodeCount: Int { index.nodeCount }
    var footprint: Int { index.footprint }

    fileprivate final class Box: Sendable {
        private let value: Value

        init(_ value: Value) { self.value = value }

        static func open(_ object: (any RetainedValue)?) -> Value? { (object as? Box)?.value }
    }
}

private struct TypedScan<Value: Sendable> {
    let scan: RetainedScan

    var isFinished: Bool { scan.isFinished }
    func next(limit: Int) -> [Value] { scan.next(limit: limit).compactMap(TypedIndex<Value>.Box.open) }
}
