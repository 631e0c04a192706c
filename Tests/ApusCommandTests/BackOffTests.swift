import Testing

@testable import apus

@Suite("Back-off")
struct BackOffTests {
    /// The first delays of many clients, one row for each.
    private let delays = (0..<200).map { _ in
        var backOff = BackOff()
        var generator = SystemRandomNumberGenerator()
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
        var generator = SystemRandomNumberGenerator()
        var backOff = BackOff()
        for _ in 0..<5 { _ = backOff.delay(using: &generator) }
        backOff.reset()
        #expect(backOff.delay(using: &generator) <= BackOff.first)
    }
}
