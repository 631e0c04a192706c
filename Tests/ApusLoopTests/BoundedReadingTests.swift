import ApusMemory
import Testing

@testable import ApusLoop

@Suite("Reading less than there is")
struct BoundedReadingTests {
    @Test
    func `peeking shows bytes and leaves them, a limited read takes exactly its part`() throws {
        let pair = try Socket.pair()
        var pool = ChunkPool()
        var queue = OutputQueue()
        var buffer = ReadBuffer(capacity: 64)
        #expect(buffer.peek(pair.second.number, limit: 8) == .wouldBlock)

        let sent: [UInt8] = Array(0..<10)
        queue.append(sent.span, pool: &pool)
        #expect(Socket.send(pair.first.number, &queue, &pool) == .sentAll(10))
        for _ in 0..<2 {
            #expect(buffer.peek(pair.second.number, limit: 16) == .bytes(10, more: false))
            #expect(buffer.count == 10)
        }
        #expect(buffer.receive(pair.second.number, limit: 4) == .bytes(4, more: true))
        #expect((0..<buffer.count).map { buffer.bytes[$0] } == [0, 1, 2, 3])
        #expect(buffer.receive(pair.second.number, limit: 100) == .bytes(6, more: false))
        #expect(buffer.receive(pair.second.number, limit: 1) == .wouldBlock)

        Socket.shutdownWriting(pair.first.number)
        #expect(buffer.peek(pair.second.number, limit: 1) == .endOfStream)
    }
}
