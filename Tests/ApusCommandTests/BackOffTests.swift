import Testing

@testable import apus

@Suite("Back-off")
struct BackOffTests {
    /// The first delays of many clients, one row for each.
    private let delays = (0..<200 as Range<UInt64>).map { client in
        var backOff = BackOff()
        var generator = Chance(state: client)
        return (0..<9).map { _ in backOff.delay(using: &generator) }
    }

    @Test(arguments: zip(0..<9, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]))
    func `delays double up to half a minute, and chance takes away at most half`(attempt: Int, milliseconds: Int) {
        let longest = Duration.milliseconds(milliseconds)
        for row in delays { #expect(row[attempt] >= longest / 2 && row[attempt] <= longest) }
    }

    @Test func `clients that lost their broker together do not come back together`() {
        #expect(Set(delays.map(\.[0])).count > 100)
    }

    @Test func `after a success it begins anew`() {
        var generator = Chance(state: 1)
        var backOff = BackOff()
        for _ in 0..<5 { _ = backOff.delay(using: &generator) }
        backOff.reset()
        #expect(backOff.delay(using: &generator) <= BackOff.first)
    }
}

/// SplitMix64. The system's generator has no stored property, hence no place in memory, and the thread sanitizer takes
/// the accesses of two tests to that no-place for a race.
private struct Chance: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
