import Testing

@testable import ApusLoop

/// Two sessions whose bytes a test carries.
private struct MemoryPair {
    let client: TLSMemorySession
    let server: TLSMemorySession
    /// So many bytes at a time.
    var step = Int.max

    init(_ authority: TestAuthority, hostName: String = "localhost", server identity: TLSIdentity? = nil) throws {
        let identity = try identity ?? authority.issue("/CN=broker")
        client = try TLSMemorySession(
            TLSContext(client: TLSClientConfiguration(authorityFile: authority.certificate)),
            hostName: hostName,
        )
        server = try TLSMemorySession(TLSContext(server: TLSServerConfiguration(identities: [identity])))
    }

    /// Carries what one side has to send; whether there was anything.
    func carry(from sender: TLSMemorySession, to receiver: TLSMemorySession) -> Bool {
        let bytes = sender.takeOutgoing()
        var rest = bytes[...]
        while !rest.isEmpty {
            receiver.receive(Array(rest.prefix(step)))
            rest = rest.dropFirst(step)
            if step != .max { _ = receiver.handshake() }
        }
        return !bytes.isEmpty
    }

    func handshake() -> (client: TLSMemorySession.Handshake, server: TLSMemorySession.Handshake) {
        var results = (client.handshake(), server.handshake())
        while carry(from: client, to: server) || carry(from: server, to: client) {
            results = (client.handshake(), server.handshake())
        }
        return results
    }
}

@Suite("TLS whose bytes others carry")
struct TLSMemorySessionTests {
    private let authority: TestAuthority
    private let stranger: TestAuthority

    init() throws {
        authority = try TestAuthority()
        stranger = try TestAuthority()
    }

    @Test(arguments: [Int.max, 1, 100])
    func `sides that trust each other understand each other, however the bytes are cut`(step: Int) throws {
        var pair = try MemoryPair(authority)
        pair.step = step
        #expect(pair.handshake() == (.done, .done))
        for count in [0, 1, 16 * 1024, 16 * 1024 + 1, 100_000] {
            let bytes = pattern(count)
            #expect(pair.client.write(bytes))
            _ = pair.carry(from: pair.client, to: pair.server)
            #expect(pair.server.read() == bytes)
            #expect(pair.server.write(bytes))
            _ = pair.carry(from: pair.server, to: pair.client)
            #expect(pair.client.read() == bytes)
        }
        #expect(pair.client.end == nil)
        #expect(pair.server.end == nil)
    }

    @Test func `the end of one side is told to the other, after all that it sent`() throws {
        let pair = try MemoryPair(authority)
        #expect(pair.handshake() == (.done, .done))
        #expect(pair.client.write([1, 2, 3]))
        pair.client.shutdown()
        _ = pair.carry(from: pair.client, to: pair.server)
        #expect(pair.server.read() == [1, 2, 3])
        #expect(pair.server.end == .closed)
        // The other direction is still open.
        #expect(pair.server.write([4]))
        _ = pair.carry(from: pair.server, to: pair.client)
        #expect(pair.client.read() == [4])
    }

    @Test func `a client refuses a server of another name or authority, and tells it`() throws {
        let other = try stranger.issue("/CN=broker")
        for pair in [try MemoryPair(authority, hostName: "elsewhere"), try MemoryPair(authority, server: other)] {
            guard case (.failed(let reason), .failed) = pair.handshake() else {
                Issue.record("trusted")
                continue
            }
            #expect(reason.contains("certificate verify failed"))
            #expect(!pair.client.write([1]))
        }
    }

    @Test(arguments: [Array("GET / HTTP/1.1\r\n\r\n".utf8), [UInt8](repeating: 0xFF, count: 4000)])
    func `what is not TLS fails`(bytes: [UInt8]) throws {
        let pair = try MemoryPair(authority)
        pair.server.receive(bytes)
        guard case .failed = pair.server.handshake() else {
            Issue.record("went on")
            return
        }
        #expect(pair.server.read().isEmpty)
    }

    @Test func `a changed byte ends the connection`() throws {
        let pair = try MemoryPair(authority)
        #expect(pair.handshake() == (.done, .done))
        #expect(pair.client.write([1, 2, 3]))
        var bytes = pair.client.takeOutgoing()
        bytes[bytes.count - 1] ^= 1
        pair.server.receive(bytes)
        #expect(pair.server.read().isEmpty)
        guard case .failed? = pair.server.end else {
            Issue.record("read it")
            return
        }
        #expect(!pair.server.write([1]))
    }
}
