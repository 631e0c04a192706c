import Testing

@testable import ApusMemory

@Suite("Ring buffer")
struct RingBufferTests {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func `it behaves like an array under random calls`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var ring = RingBuffer<Int>()
        var model: [Int] = []
        for step in 0..<20_000 {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<45:
                ring.append(step)
                model.append(step)
            case 45..<50:
                ring.prepend(step)
                model.insert(step, at: 0)
            case 50..<90:
                #expect(ring.popFirst() == (model.isEmpty ? nil : model.removeFirst()))
            case 90..<95:
                #expect(ring.popLast() == model.popLast())
            case 95..<99 where !model.isEmpty:
                let index = Int.random(in: 0..<model.count, using: &random)
                #expect(ring[index] == model[index])
                ring[index] = -step
                model[index] = -step
            case 99 where step % 20 == 0:
                ring.removeAll(where: { $0 % 3 == 0 })
                model.removeAll(where: { $0 % 3 == 0 })
            default:
                break
            }
            #expect(ring.count == model.count)
            #expect(ring.first == model.first)
            #expect(ring.last == model.last)
        }
        #expect(Array(ring) == model)
    }

    @Test
    func `a queue that is emptied gives its memory back`() {
        var ring = RingBuffer<Int>()
        for number in 0..<1_000 { ring.append(number) }
        while ring.popFirst() != nil {}
        #expect(ring.storage.isEmpty)
    }

    @Test
    func `removed elements are released at once`() {
        final class Thing {}
        var ring = RingBuffer<Thing>()
        ring.append(Thing())
        ring.append(Thing())
        weak let first = ring.first
        _ = ring.popFirst()
        #expect(first == nil)
        weak let second = ring.first
        ring.removeAll(keepingCapacity: true)
        #expect(second == nil)
    }

    @Test
    func `a copy is independent`() {
        var ring = RingBuffer<Int>()
        ring.append(1)
        let copy = ring
        ring.append(2)
        #expect(Array(copy) == [1])
        #expect(Array(ring) == [1, 2])
    }
}
