internal import ApusMessage
internal import ApusTopics
internal import CMeasure

/// The subscription index with many filters of one kind: what a filter costs, and what a publish does.
func benchmarkIndex(_ meter: Meter) throws {
    for size in meter.options.filters {
        for kind in FilterKind.allCases { try benchmarkIndex(meter, kind, size) }
    }
}

/// Shapes of filters; each matches one topic of its own, or none.
private enum FilterKind: String, CaseIterable {
    case exact = "exact"
    case single = "with +"
    case multi = "with #"
    case leading = "with + as first level"
    case shared = "shared, exact"

    /// The filter with this number; a thousand have their first two levels in common.
    func filter(_ number: Int) -> String {
        switch self {
        case .exact: "fleet/\(number / 1000)/device/\(number)/state"
        case .single: "fleet/\(number / 1000)/+/\(number)/state"
        case .multi: "fleet/\(number / 1000)/device/\(number)/#"
        case .leading: "+/\(number / 1000)/device/\(number)/state"
        case .shared: "$share/workers/fleet/\(number / 1000)/device/\(number)/state"
        }
    }
}

/// Topics that are published to in turn; a power of two.
private let topicCount = 1 << 16

private func benchmarkIndex(_ meter: Meter, _ kind: FilterKind, _ size: Int) throws {
    let group = "index, \(grouped(size)) filters \(kind.rawValue)"
    let index = SubscriptionIndex()
    // The last ones by themselves: what one more costs when there are that many.
    let few = min(1000, size / 10)
    func subscribe(_ filter: TopicFilter, _ number: Int) {
        let target = SessionHandle(shard: 0, slot: number, generation: 1).rawValue
        index.subscribe(filter, Subscriber(target: target, qos: 1))
    }
    try meter.measureMemory(group, "subscribed", operations: size - few) {
        for number in 0..<size - few { subscribe(try TopicFilter(kind.filter(number)), number) }
    }
    let rest = try (size - few..<size).map { (number: $0, filter: try TopicFilter(kind.filter($0))) }
    meter.measureInParts(group, "subscribe", operations: few) { part in
        for place in part { subscribe(rest[place].filter, rest[place].number) }
    }

    var random = Sequence64(seed: 42)
    // More than the processor's caches hold of a large index.
    let numbers = (0..<topicCount).map { _ in Int(random.next() % UInt64(size)) }
    let hits = TopicList(numbers.map { "fleet/\($0 / 1000)/device/\($0)/state" })
    let misses = TopicList(numbers.map { "fleet/\($0 / 1000)/device/x\($0)/state" })
    measureMatching(meter, group, "match, one hit", index, hits)
    measureMatching(meter, group, "match, no hit", index, misses)
    var cache = MatchCache()
    meter.measure(group, "match from the cache, one hit") { count in
        for number in 0..<count {
            let match = cache.match(hits[number & 1023], in: index)
            measure_keep(UInt64(match.subscribers.count))
        }
    }
}

private func measureMatching(
    _ meter: Meter,
    _ group: String,
    _ name: String,
    _ index: SubscriptionIndex,
    _ topics: TopicList,
) {
    meter.measure(group, name) { count in
        for number in 0..<count {
            let match = index.match(topics[number & (topicCount - 1)])
            measure_keep(UInt64(match.subscribers.count))
        }
    }
}

/// Topics one behind the other, as they come in a read buffer, so that fetching them from memory is not what is measured.
private struct TopicList {
    private var bytes: [UInt8] = []
    private var ends = [0]

    init(_ topics: [String]) {
        for topic in topics {
            bytes += topic.utf8
            ends.append(bytes.count)
        }
    }

    subscript(number: Int) -> Span<UInt8> {
        @_lifetime(borrow self)
        get { bytes.span.extracting(ends[number]..<ends[number + 1]) }
    }
}

/// With commas between thousands.
private func grouped(_ number: Int) -> String {
    number < 1000 ? "\(number)" : "\(grouped(number / 1000)),\(String(number % 1000 + 1000).dropFirst())"
}

/// Numbers that look random and are the same in each run (SplitMix64).
private struct Sequence64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
