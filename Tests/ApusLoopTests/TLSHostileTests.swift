import ApusMemory
import Glibc
import Testing

@testable import ApusLoop

@Suite("TLS with broken peers")
struct TLSHostileTests {
    let authority: TestAuthority
    let server: TLSContext
    let client: TLSContext

    init() throws {
        authority = try TestAuthority()
        server = try TLSContext(server: TLSServerConfiguration(identities: [authority.issue("/CN=broker")]))
        client = try TLSContext(client: TLSClientConfiguration(authorityFile: authority.certificate))
    }

    @Test(
        arguments: [
            [0x10, 0x0C, 0x00, 0x04, 0x4D, 0x51, 0x54, 0x54, 0x04, 0x02, 0x00, 0x3C, 0x00, 0x00],
            Array("GET / HTTP/1.1\r\n\r\n".utf8),
            [0x16, 0x03, 0x01, 0xFF, 0xFF, 0x01, 0x00, 0x00],
            [UInt8](repeating: 0, count: 100),
            [UInt8](repeating: 0xFF, count: 20_000),
        ] as [[UInt8]]
    )
    func `plain bytes fail the handshake with a reason`(bytes: [UInt8]) throws {
        let pair = try Socket.pair()
        let session = try TLSSession(server, descriptor: pair.first.number)
        #expect(session.handshake() == .wantsRead)
        var pool = ChunkPool()
        var queue = OutputQueue()
        queue.append(bytes.span, pool: &pool)
        _ = Socket.send(pair.second.number, &queue, &pool)
        guard case .failed(let reason) = session.handshake() else {
            Issue.record("accepted")
            return
        }
        #expect(!reason.isEmpty && reason != "no reason given")
        guard case .failed = session.handshake() else {
            Issue.record("accepted at last")
            return
        }
        // Nothing of a broken session may do harm.
        session.shutdown()
        queue.removeAll(pool: &pool)
        queue.append([1].span, pool: &pool)
        guard case .failed = session.write(&queue, &pool) else {
            Issue.record("wrote")
            return
        }
    }

    /// Carries bytes from one socket to another until the budget is used up.
    private func carry(_ from: borrowing Descriptor, _ to: borrowing Descriptor, budget: inout Int) {
        var pool = ChunkPool()
        var buffer = ReadBuffer(capacity: 4096)
        while budget > 0, case .bytes(let count, _) = buffer.receive(from.number) {
            var queue = OutputQueue()
            let taken = min(count, budget)
            budget -= taken
            queue.append(buffer.bytes, range: 0..<taken, pool: &pool)
            _ = Socket.send(to.number, &queue, &pool)
            queue.removeAll(pool: &pool)
        }
    }

    @Test(arguments: Array(stride(from: 0, through: 910, by: 13)))
    func `a client that goes after any byte ends the session and nothing else`(cut: Int) throws {
        let clientSide = try Socket.pair()
        let serverSession: TLSSession
        let serverEnd: Descriptor
        var received: [UInt8] = []
        var end = ReadResult.wouldBlock
        var failure: String?
        do {
            let serverSide = try Socket.pair()
            serverEnd = try serverSide.second.duplicate()
            serverSession = try TLSSession(server, descriptor: serverEnd.number)
            let clientSession = try TLSSession(client, descriptor: clientSide.first.number, hostName: "localhost")
            var budget = cut
            var unlimited = Int.max
            var pool = ChunkPool()
            var queue = OutputQueue()
            queue.append(pattern(100).span, pool: &pool)
            var buffer = ReadBuffer()
            for _ in 0..<10 {
                if clientSession.handshake() == .done { _ = clientSession.write(&queue, &pool) }
                carry(clientSide.second, serverSide.first, budget: &budget)
                if serverSession.handshake() == .done {
                    end = serverSession.readAll(&buffer, into: &received)
                }
                carry(serverSide.first, clientSide.second, budget: &unlimited)
            }
            queue.removeAll(pool: &pool)
            // Not only closed: a test that starts a process next to this one may hold a copy for a moment.
            _ = Glibc.shutdown(serverSide.first.number, Int32(SHUT_RDWR))
        }
        var buffer = ReadBuffer()
        switch serverSession.handshake() {
        case .done: end = serverSession.readAll(&buffer, into: &received)
        case .failed(let reason): failure = reason
        case .wantsRead, .wantsWrite: Issue.record("still waits")
        }
        #expect(failure != nil || end == .endOfStream, "\(end)")
        #expect(received.isEmpty || received == pattern(100))
    }

    @Test
    func `a changed byte fails the session with a reason`() throws {
        let wire = try Socket.pair()
        let far = try Socket.pair()
        let clientSession = try TLSSession(client, descriptor: wire.first.number, hostName: "localhost")
        let serverSession = try TLSSession(server, descriptor: far.second.number)
        var unlimited = Int.max
        for _ in 0..<10 {
            _ = clientSession.handshake()
            carry(wire.second, far.first, budget: &unlimited)
            _ = serverSession.handshake()
            carry(far.first, wire.second, budget: &unlimited)
        }
        var pool = ChunkPool()
        var queue = OutputQueue()
        queue.append(pattern(50).span, pool: &pool)
        #expect(clientSession.write(&queue, &pool) == .sentAll(50))
        var buffer = ReadBuffer()
        guard case .bytes(let count, _) = buffer.receive(wire.second.number) else {
            Issue.record("nothing sent")
            return
        }
        var record = (0..<count).map { buffer.bytes[$0] }
        record[count - 1] ^= 1
        queue.append(record.span, pool: &pool)
        _ = Socket.send(far.first.number, &queue, &pool)
        guard case .failed(.tls(let reason)) = serverSession.read(into: &buffer) else {
            Issue.record("accepted")
            return
        }
        #expect(reason.contains("bad record mac"))
    }

    @Test
    func `writing to a peer that is gone is an error, not a signal`() throws {
        let pair = try TLSPair(server: server, client: client)
        _ = pair.handshake()
        _ = Glibc.shutdown(pair.clientSocket.number, Int32(SHUT_RDWR))
        var pool = ChunkPool()
        var queue = OutputQueue()
        queue.append(pattern(100).span, pool: &pool)
        guard case .failed(.system(let error)) = pair.server.write(&queue, &pool) else {
            Issue.record("wrote")
            return
        }
        #expect(error.name == "EPIPE")
    }
}
