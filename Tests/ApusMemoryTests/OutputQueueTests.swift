import Glibc
import Testing

@testable import ApusMemory

@Suite("Output queue")
struct OutputQueueTests {
    private static func bytes(_ count: Int, from first: Int = 0) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: ($0 + first) &* 31) }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func `it holds the same bytes as an array under random calls`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var pool = ChunkPool(idleLimit: 200_000)
        var queue = OutputQueue()
        var other = OutputQueue()
        var model: [UInt8] = []
        for step in 0..<1_000 {
            let size =
                Int.random(in: 0..<4, using: &random) == 0
                ? Int.random(in: 0...80_000, using: &random) : Int.random(in: 0...300, using: &random)
            let fresh = Self.bytes(size, from: step)
            let low = Int.random(in: 0...size, using: &random)
            let range = low..<Int.random(in: low...size, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                queue.append(fresh.span, pool: &pool)
                model += fresh
            case 1:
                queue.append(fresh.span, range: range, pool: &pool)
                model += fresh[range]
            case 2:
                queue.appendShared(fresh, range: range, pool: &pool)
                model += fresh[range]
            case 3:
                queue.append(UInt8(truncatingIfNeeded: step), pool: &pool)
                model.append(UInt8(truncatingIfNeeded: step))
            case 4:
                let header = Self.bytes(Int.random(in: 0...14, using: &random), from: step)
                queue.prependHeader(header.span, pool: &pool)
                model = header + model
            case 5:
                other.append(fresh.span, pool: &pool)
                other.prependHeader([1, 2, 3].span, pool: &pool)
                queue.appendAll(of: &other, pool: &pool)
                #expect((other.isEmpty) == true)
                model += [1, 2, 3] + fresh
            case 9:
                // Written in place, and less than there would be room for.
                queue.append(atMost: size, pool: &pool) { output in
                    let all = fresh
                    output.append(copying: all.span.extracting(range))
                    #expect(output.count == range.count)
                }
                model += fresh[range]
            case 6 where step % 50 == 0:
                queue.removeAll(pool: &pool)
                model = []
            default:
                let sent = Int.random(in: 0...model.count, using: &random)
                queue.removeFirst(sent, pool: &pool)
                model.removeFirst(sent)
            }
            #expect(queue.count == model.count)
            #expect(queue.isEmpty == model.isEmpty)
            if step % 7 == 0 { #expect(queue.copyBytes() == model) }
            #expect(pool.idleBytes <= 200_000)
        }
        #expect(queue.copyBytes() == model)
        queue.removeAll(pool: &pool)
        #expect(pool.usedBytes == 0)
    }

    @Test
    func `an empty queue is three words and holds no memory`() {
        var pool = ChunkPool()
        var queue = OutputQueue()
        #expect(MemoryLayout<OutputQueue>.size == 24)
        queue.append(Self.bytes(10).span, pool: &pool)
        #expect(pool.usedBytes == ChunkPool.smallChunkBytes)
        queue.removeFirst(10, pool: &pool)
        #expect(pool.usedBytes == 0)
        #expect(pool.idleBytes == ChunkPool.smallChunkBytes)
    }

    @Test
    func `free memory beyond the limit goes back to the system`() {
        var pool = ChunkPool(idleLimit: 100_000)
        var queue = OutputQueue()
        queue.append(Self.bytes(1_000_000).span, pool: &pool)
        #expect(pool.usedBytes > 1_000_000)
        queue.removeAll(pool: &pool)
        #expect(pool.usedBytes == 0)
        #expect((60_000...100_000).contains(pool.idleBytes))
    }

    @Test(arguments: [0, 1, 2])
    func `a shared array is released when it is sent, dropped or the queue goes`(way: Int) {
        final class Owner { var bytes = OutputQueueTests.bytes(10_000) }
        let owner = Owner()
        var pool = ChunkPool()
        do {
            var queue = OutputQueue()
            queue.append([1, 2].span, pool: &pool)
            queue.appendShared(owner.bytes, range: 0..<10_000, pool: &pool)
            queue.appendShared(owner.bytes, range: 5..<10, pool: &pool)
            let address = owner.bytes.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) }
            owner.bytes[0] = 99
            let copied = owner.bytes.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) }
            #expect(address != copied)
            #expect(queue.copyBytes()[2] == 0)
            owner.bytes = []
            let again = Self.bytes(5_000)
            queue.appendShared(again, range: 0..<5_000, pool: &pool)
            owner.bytes = again
            switch way {
            case 0: queue.removeFirst(queue.count, pool: &pool)
            case 1: queue.removeAll(pool: &pool)
            default: break
            }
        }
        let address = owner.bytes.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) }
        owner.bytes[0] = 1
        #expect(owner.bytes.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) } == address)
    }

    @Test
    func `a header goes into the headroom without a further chunk`() {
        var pool = ChunkPool()
        var queue = OutputQueue()
        queue.append(Self.bytes(100).span, pool: &pool)
        queue.prependHeader(Self.bytes(14).span, pool: &pool)
        #expect(pool.usedBytes == ChunkPool.smallChunkBytes)
        #expect(queue.copyBytes() == Self.bytes(14) + Self.bytes(100))
    }

    @Test
    func `a header never overwrites a shared array`() {
        var pool = ChunkPool()
        var queue = OutputQueue()
        let payload = Self.bytes(100)
        queue.appendShared(payload, range: 20..<100, pool: &pool)
        queue.removeFirst(20, pool: &pool)
        queue.prependHeader([0xFF, 0xFF].span, pool: &pool)
        #expect(payload == Self.bytes(100))
        #expect(queue.copyBytes() == [0xFF, 0xFF] + payload[40...])
        queue.removeAll(pool: &pool)
    }

    @Test
    func `vectors describe the first segments only`() {
        var pool = ChunkPool()
        var queue = OutputQueue()
        let payload = Self.bytes(10)
        for _ in 0..<100 { queue.appendShared(payload, range: 0..<10, pool: &pool) }
        let lengths = withUnsafeTemporaryAllocation(of: iovec.self, capacity: 64) { vectors in
            (0..<queue.fill(vectors)).map { vectors[$0].iov_len }
        }
        #expect(lengths == [Int](repeating: 10, count: 64).map { numericCast($0) })
        queue.removeFirst(635, pool: &pool)
        let rest = withUnsafeTemporaryAllocation(of: iovec.self, capacity: 64) { vectors in
            (0..<queue.fill(vectors)).map { Int(vectors[$0].iov_len) }
        }
        #expect(rest == [5] + [Int](repeating: 10, count: 36))
        queue.removeAll(pool: &pool)
    }
}
