import ApusMemory
import Testing

@testable import ApusLoop

/// A client and a server session over two connected sockets, driven by one thread.
struct TLSPair: ~Copyable {
    let clientSocket: Descriptor
    let serverSocket: Descriptor
    let client: TLSSession
    let server: TLSSession
    var pool = ChunkPool()

    init(server: TLSContext, client: TLSContext, hostName: String? = "localhost") throws {
        let pair = try Socket.pair()
        let near = try pair.first.duplicate()
        let far = try pair.second.duplicate()
        let clientSession = try TLSSession(client, descriptor: near.number, hostName: hostName)
        let serverSession = try TLSSession(server, descriptor: far.number)
        self.client = clientSession
        self.server = serverSession
        clientSocket = near
        serverSocket = far
    }

    /// Runs both handshakes as far as they go.
    func handshake() -> (client: TLSSession.Handshake, server: TLSSession.Handshake) {
        for _ in 0..<20 {
            let results = (client.handshake(), server.handshake())
            switch results {
            case (.done, .done), (.failed, _), (_, .failed): return (client.handshake(), server.handshake())
            default: continue
            }
        }
        return (client.handshake(), server.handshake())
    }

    /// Sends bytes from one session and reads them with the other.
    mutating func exchange(_ bytes: [UInt8], fromClient: Bool = true, bufferSize: Int = 4096) -> [UInt8] {
        let (sender, receiver) = fromClient ? (client, server) : (server, client)
        var queue = OutputQueue()
        queue.append(bytes.span, pool: &pool)
        var buffer = ReadBuffer(capacity: bufferSize)
        var received: [UInt8] = []
        for _ in 0..<1_000_000 where received.count < bytes.count {
            if case .failed(let failure) = sender.write(&queue, &pool) {
                Issue.record("\(failure)")
                break
            }
            let result = receiver.readAll(&buffer, into: &received)
            guard result == .wouldBlock else { break }
        }
        queue.removeAll(pool: &pool)
        return received
    }
}

extension TLSSession {
    /// Reads until there is nothing more and returns why it stopped.
    func readAll(_ buffer: inout ReadBuffer, into received: inout [UInt8]) -> ReadResult {
        while true {
            let result = read(into: &buffer)
            guard case .bytes(let count, let more) = result else { return result }
            #expect(count == buffer.count)
            for index in 0..<count { received.append(buffer.bytes[index]) }
            if !more { return .wouldBlock }
        }
    }
}

/// Bytes with a pattern in which a shift shows.
func pattern(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 ^ ($0 >> 8) ^ ($0 >> 16)) }
}
