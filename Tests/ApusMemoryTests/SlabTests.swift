import Testing

@testable import ApusMemory

@Suite("Slab")
struct SlabTests {
    /// Counts its deaths; non-copyable like the values that the broker keeps.
    private final class Deaths { var count = 0 }

    private struct Value: ~Copyable {
        var number: Int
        let deaths: Deaths
        deinit { deaths.count += 1 }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `it behaves like a dictionary under random inserts and removals`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var slab = Slab<Int>()
        var model: [Int: (value: Int, generation: UInt32)] = [:]
        var gone: [(Int, UInt32)] = []
        for step in 0..<20_000 {
            if Int.random(in: 0..<100, using: &random) < 52 || model.isEmpty {
                let index = slab.insert(step)
                #expect(model[index] == nil)
                model[index] = (step, slab.generation(of: index))
            } else if let (index, entry) = model.randomElement(using: &random) {
                #expect(slab[index] == entry.value)
                #expect(slab.remove(at: index) == entry.value)
                model[index] = nil
                gone.append((index, entry.generation))
            }
        }
        #expect(slab.count == model.count)
        for (index, entry) in model {
            #expect((slab.contains(index, generation: entry.generation)) == true)
            #expect(slab[index] == entry.value)
        }
        let aliveAgain = gone.filter { slab.contains($0.0, generation: $0.1) }
        #expect(aliveAgain.isEmpty)
        var live: Set<Int> = []
        var next = slab.firstOccupied(from: 0)
        while let index = next {
            live.insert(index)
            next = slab.firstOccupied(from: index + 1)
        }
        #expect(live == Set(model.keys))
    }

    @Test
    func `growth does not move values`() {
        var slab = Slab<Int>()
        let first = slab.insert(7)
        let before = withUnsafeMutablePointer(to: &slab[first]) { Int(bitPattern: $0) }
        for number in 0..<5_000 { _ = slab.insert(number) }
        let after = withUnsafeMutablePointer(to: &slab[first]) { Int(bitPattern: $0) }
        #expect(before == after)
        #expect(slab[first] == 7)
        #expect(slab.endIndex == 5_001)
    }

    @Test(arguments: [-1, 1, 255, 256, 1 << 40, Int.max, Int.min])
    func `an index outside is nobody`(index: Int) {
        var slab = Slab<Int>()
        _ = slab.insert(1)
        #expect((slab.contains(index, generation: 1)) == false)
        #expect((slab.isOccupied(index)) == false)
        #expect(slab.generation(of: index) == 0)
    }

    @Test
    func `generation zero and generations with more than 24 bits name nobody`() {
        var slab = Slab<Int>()
        let index = slab.insert(1)
        let generation = slab.generation(of: index)
        #expect(generation > 0)
        #expect((slab.contains(index, generation: generation)) == true)
        #expect((slab.contains(index, generation: 0)) == false)
        #expect((slab.contains(index, generation: generation | 1 << 24)) == false)
        #expect((slab.contains(index, generation: generation | 1 << 31)) == false)
    }

    @Test
    func `a slot in constant use rests, so that generations do not wrap quickly`() {
        var slab = Slab<Int>()
        var highest: UInt32 = 0
        for number in 0..<1_000_000 {
            let index = slab.insert(number)
            highest = max(highest, slab.generation(of: index))
            _ = slab.remove(at: index)
        }
        #expect(highest < 2_000)
        #expect(slab.endIndex < 1_100)
    }

    @Test
    func `non-copyable values change in place and die once`() {
        let deaths = Deaths()
        do {
            var slab = Slab<Value>()
            let first = slab.insert(Value(number: 1, deaths: deaths))
            let second = slab.insert(Value(number: 2, deaths: deaths))
            slab[first].number += 10
            #expect(slab[first].number == 11)
            #expect(slab[second].number == 2)
            _ = slab.remove(at: second)
            #expect(deaths.count == 1)
        }
        #expect(deaths.count == 2)
    }
}
