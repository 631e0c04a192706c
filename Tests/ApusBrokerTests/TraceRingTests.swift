import ApusMessage
import Testing

@testable import ApusBroker

@Suite("The ring of the trace")
struct TraceRingTests {
    private func entry(_ time: Int, _ kind: TraceEvent.Kind = .published, client: String = "c") -> TraceRing.Entry {
        TraceRing.Entry(
            time: Int64(time),
            number: MessageNumber(shard: 0, sequence: UInt64(time)),
            instance: time % 2 == 0 ? .none : InstanceNumber(rawValue: 1),
            kind: kind,
            clientID: client,
            topic: []
        )
    }

    /// All that matches, walked to the end, and how many slices that took.
    private func walk(_ ring: TraceRing, _ query: TraceQuery, number: MessageNumber? = nil) -> ([Int], slices: Int) {
        let selection = TraceSelection(query, number: number)
        var times: [Int] = []
        var start: UInt64? = 0
        var end: UInt64?
        var slices = 0
        while let from = start {
            let slice = ring.slice(of: selection, from: from, until: end)
            times += slice.entries.map { Int($0.time) }
            start = slice.next
            end = slice.end
            slices += 1
        }
        return (times, slices)
    }

    private func query(
        _ kinds: Set<TraceEvent.Kind> = Set(TraceEvent.Kind.allCases),
        client: String? = nil,
        from: Int64 = 0,
        until: Int64 = .max,
    ) -> TraceQuery {
        TraceQuery(instance: .none, kinds: kinds, clientID: client, from: from, until: until, limit: 1)
    }

    @Test(arguments: [0, 1, 7, 4_095, 4_096, 4_097, 9_999, 10_000, 10_001, 25_000])
    func `a walk in slices finds what is there, oldest first, however full the ring is`(count: Int) {
        var ring = TraceRing(capacity: 10_000)
        for time in 0..<count { ring.append(entry(time)) }
        let expected = (max(0, count - 10_000)..<count).filter { $0 % 2 == 0 }
        let (times, slices) = walk(ring, query())
        #expect(times == expected)
        #expect(slices == max(1, (min(count, 10_000) + 4_095) / 4_096))
    }

    @Test func `what comes during a walk is left to the next one, and what made room is passed over`() {
        var ring = TraceRing(capacity: 10_000)
        for time in 0..<10_000 { ring.append(entry(time)) }
        let selection = TraceSelection(query(), number: nil)
        let first = ring.slice(of: selection, from: 0, until: nil)
        #expect(first.next == 4_096)
        for time in 10_000..<16_000 { ring.append(entry(time)) }
        let second = ring.slice(of: selection, from: 4_096, until: first.end)
        // Those before 6,000 are gone.
        #expect(second.entries.map { Int($0.time) } == (6_000..<10_000).filter { $0 % 2 == 0 })
        #expect(second.next == nil)
        for time in 16_000..<30_000 { ring.append(entry(time)) }
        #expect(ring.slice(of: selection, from: 4_096, until: first.end).entries.isEmpty)
    }

    @Test func `only what is asked for is found`() {
        var ring = TraceRing(capacity: 100)
        for time in 0..<50 { ring.append(entry(time, time < 20 ? .published : .delivered, client: "c\(time % 4)")) }
        #expect(walk(ring, query([.delivered])).0 == (20..<50).filter { $0 % 2 == 0 })
        #expect(walk(ring, query(client: "c2")).0 == (0..<50).filter { $0 % 4 == 2 })
        #expect(walk(ring, query(from: 10, until: 14)).0 == [10, 12, 14])
        #expect(walk(ring, query(), number: MessageNumber(shard: 0, sequence: 30)).0 == [30])
        #expect(walk(ring, query(), number: MessageNumber(shard: 0, sequence: 31)).0 == [])
    }

    @Test func `client ids are compared by bytes`() {
        var ring = TraceRing(capacity: 10)
        ring.append(entry(0, client: "caf\u{E9}"))
        ring.append(entry(2, client: "cafe\u{301}"))
        #expect(walk(ring, query(client: "cafe\u{301}")).0 == [2])
    }

    @Test func `a ring without room keeps nothing`() {
        var ring = TraceRing(capacity: 0)
        ring.append(entry(0))
        #expect(walk(ring, query()).0 == [])
    }
}
