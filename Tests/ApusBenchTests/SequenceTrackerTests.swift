import Testing

@testable import ApusBench

@Suite("Sequence tracker")
struct SequenceTrackerTests {
    /// Takes numbers one after another and returns what each was.
    private func verdicts(_ numbers: [UInt32], window: Int = 64) -> [SequenceTracker.Verdict] {
        var tracker = SequenceTracker()
        return numbers.map { tracker.take($0, window: window) }
    }

    @Test(
        arguments: [
            ([0, 1, 2, 3], [.next, .next, .next, .next]),
            ([0, 0], [.next, .repeated]),
            ([0, 1, 0], [.next, .next, .repeated]),
            ([0, 2, 1, 3], [.next, .next, .late, .next]),
            ([0, 2, 2, 1, 1], [.next, .next, .repeated, .late, .repeated]),
            ([3, 2, 1, 0, 4], [.next, .late, .late, .late, .next]),
            ([5], [.next]),
        ] as [([UInt32], [SequenceTracker.Verdict])]
    )
    func `each number is the next, late or a repetition`(
        numbers: [UInt32],
        expected: [SequenceTracker.Verdict],
    ) {
        #expect(verdicts(numbers) == expected)
    }

    @Test
    func `what is missing leaves the count behind the end`() {
        var tracker = SequenceTracker()
        for number: UInt32 in [0, 1, 3, 6] { _ = tracker.take(number, window: 64) }
        #expect(tracker.count == 4)
        #expect(tracker.end == 7)
        #expect(tracker.floor == 2)
        #expect(tracker.givenUp == 0)
    }

    @Test
    func `a gap older than the window is given up and counts as repeated when it comes`() {
        var tracker = SequenceTracker()
        _ = tracker.take(0, window: 64)
        let verdicts = (2..<66).map { tracker.take($0, window: 64) }
        #expect(verdicts.allSatisfy { $0 == .next })
        #expect(tracker.givenUp == 1)
        #expect(tracker.floor == 66)
        let late = tracker.take(1, window: 64)
        #expect(late == .repeated)
    }

    @Test
    func `a leap over many windows gives up all between`() {
        var tracker = SequenceTracker()
        _ = tracker.take(0, window: 64)
        _ = tracker.take(2, window: 64)
        _ = tracker.take(1_000_000, window: 64)
        #expect(tracker.count == 3)
        #expect(tracker.givenUp + tracker.count == tracker.end - 63)
        let late = tracker.take(999_999, window: 64)
        #expect(late == .late)
        let old = tracker.take(2, window: 64)
        #expect(old == .repeated)
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func `agrees with a set while the gaps stay inside of the window`(seed: UInt64) {
        var generator = SplitMix(state: seed)
        // Blocks of 32 shuffled numbers, of which some are left out and some come twice.
        var numbers: [UInt32] = []
        for block: UInt32 in 0..<200 {
            var some = (0..<32).map { block * 32 + $0 }.filter { _ in generator.next() % 10 > 0 }
            some += some.filter { _ in generator.next() % 10 == 0 }
            numbers += some.shuffled(using: &generator)
        }
        var tracker = SequenceTracker()
        var seen: Set<UInt32> = []
        var highest: UInt32?
        for number in numbers {
            let verdict = tracker.take(number, window: 128)
            // Missing numbers below the window cannot be told from repetitions, but the blocks are smaller than that.
            if seen.contains(number) {
                #expect(verdict == .repeated, "seed \(seed), number \(number)")
            } else {
                #expect(verdict == (number < highest ?? 0 ? .late : .next), "seed \(seed), number \(number)")
            }
            seen.insert(number)
            highest = max(highest ?? 0, number)
        }
        #expect(Int(tracker.count) == seen.count)
    }
}

/// A generator of numbers that are the same for the same seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }
}
