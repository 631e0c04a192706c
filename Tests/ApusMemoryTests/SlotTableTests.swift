import Testing

@testable import ApusMemory

@Suite("Slot table")
struct SlotTableTests {
    /// With few hashes many identifiers share one, and chains of them run into each other and over the table's end.
    @Test(arguments: 1...5 as ClosedRange<UInt64>, [3, 40, 100_000])
    func `it behaves like a dictionary, whatever hashes are equal`(seed: UInt64, hashes: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        // Spread over all bits, as hashes are; the upper half does not count.
        func hash(of identifier: UInt32) -> UInt64 {
            (UInt64(identifier) % hashes) &* 0x9E37_79B9_7F4A_7C15 | UInt64(identifier) << 40
        }
        var table = SlotTable()
        var model: Set<UInt32> = []
        for _ in 0..<5_000 {
            let identifier = UInt32.random(in: 0..<400, using: &random)
            if model.contains(identifier) {
                table.remove(hash(of: identifier), identifier)
                model.remove(identifier)
            } else {
                table.insert(hash(of: identifier), identifier)
                model.insert(identifier)
            }
            #expect(table.count == model.count)
            let sought = UInt32.random(in: 0..<400, using: &random)
            let found = table.find(hash(of: sought)) { $0 == sought }
            #expect(found == (model.contains(sought) ? sought : nil))
        }
    }

    @Test func `the largest identifier is kept, and an empty table finds nothing`() {
        var table = SlotTable()
        #expect(table.find(7) { _ in true } == nil)
        table.insert(.max, .max - 1)
        #expect(table.find(.max) { _ in true } == UInt32.max - 1)
        table.remove(.max, .max - 1)
        #expect(table.count == 0)
        #expect(table.find(.max) { _ in true } == nil)
    }
}
