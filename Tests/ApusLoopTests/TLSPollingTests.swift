import ApusMemory
import Testing

@testable import ApusLoop

@Suite("TLS over an edge-triggered poller")
struct TLSPollingTests {
    /// One side of a connection as a loop drives it: after any event shake hands, read, write.
    private struct Side: ~Copyable {
        let socket: Descriptor
        let session: TLSSession
        var poller: Poller
        var buffer: ReadBuffer
        var pool = ChunkPool()
        var queue = OutputQueue()
        var isOver = false

        init(_ socket: consuming Descriptor, _ session: TLSSession, bufferSize: Int) throws {
            let poller = try Poller()
            try poller.add(socket.number, token: 1)
            self.poller = poller
            self.socket = socket
            self.session = session
            buffer = ReadBuffer(capacity: bufferSize)
        }

        /// Waits for one event and does all that it allows; hands the bytes to the closure.
        mutating func turn(_ body: (Span<UInt8>, inout OutputQueue, inout ChunkPool) -> Void) {
            guard poller.wait(timeoutMilliseconds: 5_000) > 0 else { return }
            switch session.handshake() {
            case .done: break
            case .wantsRead, .wantsWrite: return
            case .failed(let reason):
                Issue.record("\(reason)")
                isOver = true
                return
            }
            let isHangUp = poller[0].isHangUp
            reading: while true {
                switch session.read(into: &buffer) {
                case .bytes(_, let more):
                    Self.give(buffer, &queue, &pool, body)
                    if !more, !isHangUp { break reading }
                case .wouldBlock: break reading
                case .endOfStream, .failed:
                    isOver = true
                    break reading
                }
            }
            _ = session.write(&queue, &pool)
        }

        /// A function of its own: a span of a property would borrow all of the value.
        private static func give(
            _ buffer: borrowing ReadBuffer,
            _ queue: inout OutputQueue,
            _ pool: inout ChunkPool,
            _ body: (Span<UInt8>, inout OutputQueue, inout ChunkPool) -> Void,
        ) {
            body(buffer.bytes, &queue, &pool)
        }
    }

    /// Echoes until the client goes.
    private static func serve(_ socket: consuming Descriptor, _ session: TLSSession) throws {
        var side = try Side(socket, session, bufferSize: 10_000)
        let deadline = Clock.monotonicNanoseconds() + 30_000_000_000
        while !side.isOver, Clock.monotonicNanoseconds() < deadline {
            side.turn { bytes, queue, pool in queue.append(bytes, pool: &pool) }
        }
        #expect((side.isOver) == true)
    }

    @Test(arguments: [1, 100, 16_384, 100_000])
    func `no edge is lost, whatever the size of writes`(size: Int) throws {
        let authority = try TestAuthority()
        let configuration = TLSServerConfiguration(identities: [try authority.issue("/CN=broker")])
        let server = try TLSContext(server: configuration)
        let client = try TLSContext(client: TLSClientConfiguration(authorityFile: authority.certificate))
        let listener = try Listener(.ipv4(0x7F00_0001, port: 0))
        let address = listener.address
        let socket = try Socket.connect(to: address)
        let waiting = try Poller()
        try waiting.addLevelTriggered(listener.fileDescriptor, token: 0)
        #expect((waiting.wait(timeoutMilliseconds: 10_000)) == 1)
        guard case .connection(let accepted, _) = listener.accept() else {
            Issue.record("nobody came")
            return
        }
        let number = accepted.release()
        let thread = try NativeThread(name: "server") {
            do {
                try Self.serve(Descriptor(owning: number), TLSSession(server, descriptor: number))
            } catch {
                Issue.record(error)
            }
        }
        let session = try TLSSession(client, descriptor: socket.number, hostName: "127.0.0.1")
        var side = try Side(socket, session, bufferSize: 5_000)
        let total = min(size * 300, 3_000_000)
        var received = 0
        var sent = 0
        let deadline = Clock.monotonicNanoseconds() + 30_000_000_000
        while received < total, !side.isOver, Clock.monotonicNanoseconds() < deadline {
            side.turn { bytes, queue, pool in received += bytes.count }
            // A request at a time for small sizes, many under way for large ones.
            while session.isHandshakeDone, sent < total, sent - received < max(size, 500_000 / size) {
                let part = [UInt8](repeating: 7, count: min(size, total - sent))
                side.queue.append(part.span, pool: &side.pool)
                sent += part.count
            }
            if session.isHandshakeDone { _ = session.write(&side.queue, &side.pool) }
        }
        #expect(received == total)
        session.shutdown()
        Socket.shutdownWriting(side.socket.number)
        thread.join()
    }
}
