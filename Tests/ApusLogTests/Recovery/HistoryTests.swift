import ApusStore
import Testing

@testable import ApusLog

@Suite("Random histories")
struct HistoryTests {
    @Test(arguments: 0..<150 as Range<UInt64>)
    func `recovery finds what a simple model holds`(seed: UInt64) {
        var model = HistoryModel(seed: seed)
        for round in 0..<6 {
            model.run(steps: 60)
            let log = model.log.recover(first: model.firstSegment)
            #expect(log.damage.isEmpty, "seed \(seed), round \(round)")
            let (found, expected) = (log.picture, model.expected.picture)
            guard found == expected else {
                let difference = found.difference(from: expected)
                Issue.record("seed \(seed), round \(round): \(difference)")
                return
            }
        }
    }
}
