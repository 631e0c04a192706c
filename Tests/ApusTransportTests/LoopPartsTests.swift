import ApusBroker
import ApusMemory
import ApusMessage
import Testing
import WebSocketCodec

@testable import ApusTransport

@Suite("Parts of a loop")
struct LoopPartsTests {
    @Test
    func `a link is small, for idle connections are many`() {
        #expect(MemoryLayout<Link>.stride <= 32)
    }

    @Test(arguments: [(0, 1), (7, 0xFF_FFFF), (0x7FFF_FFFF, 3)] as [(Int, UInt32)])
    func `a token keeps index and generation apart`(index: Int, generation: UInt32) {
        let token = LinkToken(index: index, generation: generation)
        #expect(token.index == index && token.generation == generation)
        #expect(token != .wakeUp && token != .listener(index))
    }

    @Test(arguments: 0..<4)
    func `one tick in sixteen is measured, and no rhythm of ticks is passed by`(seed: Int) {
        var sampling = TickSampling(seed: seed)
        let measured = (0..<160_000).filter { _ in sampling.next() }
        #expect((9_000...11_000).contains(measured.count))
        for period in [2, 3, 4, 8, 16, 32] { #expect(Set(measured.map { $0 % period }).count == period) }
    }

    @Test
    func `events of one name pass a few times a second, and the next says how many did not`() {
        let log = EventLog()
        var limiter = EventLimiter(sink: log)
        for millisecond in 0..<500 {
            limiter.record(.notice, "a", limit: 3, now: Timestamp(milliseconds: Int64(millisecond)), [])
        }
        limiter.record(.notice, "b", limit: 3, now: Timestamp(milliseconds: 0), [])
        #expect(log.named("a").count == 3)
        #expect(log.named("b").count == 1)
        limiter.record(.notice, "a", limit: 3, now: Timestamp(milliseconds: 1000), [])
        #expect(log.values("a", "suppressed") == ["497"])
    }

    @Test
    func `bytes queued while a frame is under way wait for the next one, control frames between them`() {
        var state = WebSocketState()
        var pool = ChunkPool()
        var queue = OutputQueue()
        queue.append([1, 2, 3] as [UInt8], to: &pool)
        state.frame(&queue, pool: &pool)
        #expect([queue.count] == [0])
        state.output.removeFirst(2, pool: &pool)

        queue.append([4] as [UInt8], to: &pool)
        state.pinged([8])
        state.pinged([9])
        state.frame(&queue, pool: &pool)
        #expect(state.output.copyBytes() == [1, 2, 3])
        state.output.removeAll(pool: &pool)

        state.end(with: WebSocketOutput.close(.normal))
        state.frame(&queue, pool: &pool)
        #expect(state.output.copyBytes() == [0x8A, 1, 9, 0x82, 1, 4, 0x88, 2, 0x03, 0xE8])
        state.output.removeAll(pool: &pool)

        // Nothing follows a close frame.
        queue.append([5] as [UInt8], to: &pool)
        state.pinged([1])
        state.frame(&queue, pool: &pool)
        #expect([state.output.count] == [0])
        queue.removeAll(pool: &pool)
    }

    @Test(
        arguments: [(.seconds(2), 2000), (.milliseconds(-5), -5), (.seconds(Int64.max), .max / 2)]
            as [(Duration, Int64)]
    )
    func `durations become milliseconds without overflow`(duration: Duration, milliseconds: Int64) {
        #expect(duration.milliseconds == milliseconds)
    }
}

extension OutputQueue {
    fileprivate mutating func append(_ bytes: [UInt8], to pool: inout ChunkPool) { append(bytes.span, pool: &pool) }
}
