import ApusMemory
import Testing

@testable import ApusLoop

@Suite("TLS session")
struct TLSSessionTests {
    let authority: TestAuthority
    let identity: TLSIdentity
    let server: TLSContext
    let client: TLSContext

    init() throws {
        authority = try TestAuthority()
        identity = try authority.issue("/CN=broker")
        server = try TLSContext(server: TLSServerConfiguration(identities: [identity]))
        client = try TLSContext(client: TLSClientConfiguration(authorityFile: authority.certificate))
    }

    @Test(arguments: [true, false])
    func `both protocol versions carry bytes both ways`(isTLS12: Bool) throws {
        var configuration = TLSClientConfiguration(authorityFile: authority.certificate)
        configuration.isLimitedToTLS12 = isTLS12
        var pair = try TLSPair(server: server, client: TLSContext(client: configuration))
        let (clientResult, serverResult) = pair.handshake()
        #expect(clientResult == .done)
        #expect(serverResult == .done)
        #expect(pair.server.protocolVersion == (isTLS12 ? "TLSv1.2" : "TLSv1.3"))
        #expect(pair.client.protocolVersion == pair.server.protocolVersion)
        #expect(pair.server.cipher == pair.client.cipher)
        #expect(pair.server.serverName == "localhost")
        #expect(pair.server.peerSubject == nil)
        #expect(pair.client.peerSubject == "CN=broker")
        let there = pair.exchange(pattern(100_000))
        #expect(there == pattern(100_000))
        let back = pair.exchange(pattern(70_000), fromClient: false, bufferSize: 300)
        #expect(back == pattern(70_000))
    }

    @Test
    func `a server of TLS 1.3 only refuses 1.2`() throws {
        var configuration = TLSClientConfiguration(authorityFile: authority.certificate)
        configuration.isLimitedToTLS12 = true
        let strict = TLSServerConfiguration(identities: [identity], requiresTLS13: true)
        let pair = try TLSPair(server: TLSContext(server: strict), client: TLSContext(client: configuration))
        guard case .failed(let reason) = pair.handshake().server else {
            Issue.record("not refused")
            return
        }
        #expect(reason.contains("unsupported protocol"))
    }

    @Test
    func `a client without a required certificate reads the server's alert, though its handshake is done`() throws {
        let strict = TLSServerConfiguration(
            identities: [identity],
            clientCertificates: .required,
            clientAuthorityFile: authority.certificate,
        )
        let pair = try TLSPair(server: TLSContext(server: strict), client: client)
        #expect(pair.handshake().client == .done)
        var buffer = ReadBuffer(capacity: 4096)
        var received: [UInt8] = []
        guard case .failed(.tls(let words)) = pair.client.readAll(&buffer, into: &received) else {
            Issue.record("no alert")
            return
        }
        #expect(words.contains("alert certificate required"))
        #expect(received.isEmpty)
    }

    @Test(arguments: [1, 7, 1_000, 16_384, 300_000])
    func `five megabytes come back unchanged through any read buffer`(bufferSize: Int) throws {
        var pair = try TLSPair(server: server, client: client)
        _ = pair.handshake()
        let bytes = pattern(bufferSize == 1 ? 200_000 : 5_000_000)
        var pool = ChunkPool()
        var toServer = OutputQueue()
        var toClient = OutputQueue()
        toServer.append(bytes.span, pool: &pool)
        var clientBuffer = ReadBuffer(capacity: bufferSize)
        var serverBuffer = ReadBuffer(capacity: bufferSize)
        var received: [UInt8] = []
        received.reserveCapacity(bytes.count)
        for _ in 0..<100_000 where received.count < bytes.count {
            _ = pair.client.write(&toServer, &pool)
            reading: while case .bytes(let count, let more) = pair.server.read(into: &serverBuffer) {
                toClient.append(serverBuffer.bytes, range: 0..<count, pool: &pool)
                if !more { break reading }
            }
            _ = pair.server.write(&toClient, &pool)
            _ = pair.client.readAll(&clientBuffer, into: &received)
        }
        #expect(received == bytes)
        let rest = pair.exchange([1, 2, 3])
        #expect(rest == [1, 2, 3])
    }

    @Test
    func `many small and shared segments arrive in order`() throws {
        let pair = try TLSPair(server: server, client: client)
        _ = pair.handshake()
        var pool = ChunkPool()
        var queue = OutputQueue()
        let large = pattern(40_000)
        var expected: [UInt8] = []
        for round in 0..<30 {
            let small = [UInt8](repeating: UInt8(round), count: round * 7)
            queue.append(small.span, pool: &pool)
            queue.appendShared(large, range: round..<(round * 1_000 + 10), pool: &pool)
            expected += small + large[round..<(round * 1_000 + 10)]
        }
        var received: [UInt8] = []
        var buffer = ReadBuffer()
        for _ in 0..<1_000 where received.count < expected.count {
            _ = pair.client.write(&queue, &pool)
            _ = pair.server.readAll(&buffer, into: &received)
        }
        #expect(received == expected)
    }

    @Test
    func `a blocked write goes on where it stopped, with bytes appended meanwhile`() throws {
        let pair = try TLSPair(server: server, client: client)
        _ = pair.handshake()
        var pool = ChunkPool()
        var queue = OutputQueue()
        var expected = pattern(3_000_000)
        queue.append(expected.span, pool: &pool)
        guard case .blocked(let sent) = pair.client.write(&queue, &pool) else {
            Issue.record("three megabytes fit into the socket")
            return
        }
        #expect(sent + queue.count == expected.count)
        #expect(pair.client.write(&queue, &pool) == .blocked(0))
        queue.append(pattern(1_000).span, pool: &pool)
        expected += pattern(1_000)
        var received: [UInt8] = []
        var buffer = ReadBuffer()
        for _ in 0..<1_000 where received.count < expected.count {
            _ = pair.client.write(&queue, &pool)
            _ = pair.server.readAll(&buffer, into: &received)
        }
        #expect(received == expected)
        #expect((queue.isEmpty) == true)
    }

    @Test
    func `a goodbye is the end of the stream, after the bytes before it`() throws {
        let pair = try TLSPair(server: server, client: client)
        _ = pair.handshake()
        var pool = ChunkPool()
        var queue = OutputQueue()
        queue.append([1, 2, 3].span, pool: &pool)
        #expect(pair.client.write(&queue, &pool) == .sentAll(3))
        pair.client.shutdown()
        pair.client.shutdown()
        var buffer = ReadBuffer()
        #expect(pair.server.read(into: &buffer) == .bytes(3, more: true))
        #expect(pair.server.read(into: &buffer) == .endOfStream)
        #expect(pair.server.read(into: &buffer) == .endOfStream)
    }

    @Test
    func `bytes behind a kept part leave it alone`() throws {
        let pair = try TLSPair(server: server, client: client)
        _ = pair.handshake()
        var pool = ChunkPool()
        var queue = OutputQueue()
        queue.append([3, 4].span, pool: &pool)
        _ = pair.client.write(&queue, &pool)
        var buffer = ReadBuffer(capacity: 100)
        buffer.fill([1, 2].span)
        #expect(pair.server.read(into: &buffer, keeping: 2) == .bytes(2, more: false))
        #expect((0..<4).map { buffer.bytes[$0] } == [1, 2, 3, 4])
        #expect(pair.server.read(into: &buffer, keeping: 4) == .wouldBlock)
        #expect((buffer.count) == 4)
    }

    @Test
    func `a session goes on on another thread`() throws {
        var pair = try TLSPair(server: server, client: client)
        _ = pair.handshake()
        let session = pair.server
        let thread = try NativeThread(name: "other shard") {
            var pool = ChunkPool()
            var queue = OutputQueue()
            queue.append([9, 8, 7].span, pool: &pool)
            #expect(session.write(&queue, &pool) == .sentAll(3))
        }
        thread.join()
        var buffer = ReadBuffer()
        #expect(pair.client.read(into: &buffer) == .bytes(3, more: false))
        let answer = pair.exchange([1])
        #expect(answer == [1])
    }

    @Test(arguments: [("mqtt", "mqtt"), ("http/1.1", "http/1.1"), ("x-none", nil)] as [(String, String?)])
    func `application protocols are agreed on, unknown ones tolerated`(offered: String, agreed: String?) throws {
        let configuration = TLSClientConfiguration(
            authorityFile: authority.certificate,
            applicationProtocols: ["x-other", offered],
        )
        let pair = try TLSPair(server: server, client: TLSContext(client: configuration))
        #expect(pair.handshake() == (.done, .done))
        #expect(pair.server.applicationProtocol == agreed)
        #expect(pair.client.applicationProtocol == agreed)
    }
}
