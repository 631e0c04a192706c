import ApusMemory
import Foundation
import Glibc
import Testing

@testable import ApusLoop

@Suite("Sockets")
struct SocketTests {
    /// Waits until the poller tells of the token; false after ten seconds.
    static func wait(_ poller: inout Poller, for token: UInt64, _ matches: (Poller.Event) -> Bool) -> Bool {
        let deadline = Clock.monotonicNanoseconds() + 10_000_000_000
        while Clock.monotonicNanoseconds() < deadline {
            for index in 0..<poller.wait(timeoutMilliseconds: 1_000) {
                let event = poller[index]
                if event.token == token, matches(event) { return true }
            }
        }
        return false
    }

    private static func canListen(_ address: SocketAddress) -> Bool {
        do {
            _ = try Listener(address)
            return true
        } catch {
            return !["EADDRNOTAVAIL", "EAFNOSUPPORT"].contains(error.name)
        }
    }

    private static func temporaryPath() -> String {
        NSTemporaryDirectory() + "apus-\(UUID().uuidString.prefix(13)).sock"
    }

    @Test(arguments: ["127.0.0.1:0", "[::1]:0", "unix"])
    func `a client connects, sends and ends`(text: String) throws {
        let path = Self.temporaryPath()
        let wanted = try #require(SocketAddress(text == "unix" ? "unix:\(path)" : text))
        // Some machines have no IPv6.
        if text.hasPrefix("["), !Self.canListen(wanted) { return }
        let listener = try Listener(wanted)
        #expect((listener.address.port > 0) == !wanted.isUnix)
        if case .nobody = listener.accept() {} else { Issue.record("somebody is there") }
        var poller = try Poller()
        try poller.addLevelTriggered(listener.fileDescriptor, token: 1)
        let client = try Socket.connect(to: listener.address)
        try poller.add(client.number, token: 2)
        #expect(Self.wait(&poller, for: 2) { $0.isWritable })
        #expect(Socket.finishConnect(client.number) == nil)
        #expect(Self.wait(&poller, for: 1) { $0.isReadable })
        guard case .connection(let server, let peer) = listener.accept() else {
            Issue.record("nobody came")
            return
        }
        if wanted.isUnix {
            #expect(peer == .unix(path: ""))
        } else {
            #expect(peer == Socket.localAddress(client.number))
            #expect(peer.isLoopback)
            #expect(Socket.peerAddress(client.number) == listener.address)
        }
        Socket.probe(server.number, idleSeconds: 1, intervalSeconds: 1, count: 3)
        try poller.add(server.number, token: 3)
        var pool = ChunkPool()
        var queue = OutputQueue()
        queue.append([1, 2, 3].span, pool: &pool)
        #expect(Socket.send(client.number, &queue, &pool) == .sentAll(3))
        Socket.shutdownWriting(client.number)
        #expect(Self.wait(&poller, for: 3) { $0.isHangUp })
        var buffer = ReadBuffer(capacity: 100)
        #expect(buffer.receive(server.number) == .bytes(3, more: false))
        #expect(buffer.receive(server.number) == .endOfStream)
        queue.append([4].span, pool: &pool)
        #expect(Socket.send(server.number, &queue, &pool) == .sentAll(1))
    }

    @Test
    func `connecting to nobody is an error of the connection`() throws {
        let deaf = try Socket.make(family: AF_INET)
        #expect(SocketAddress.ipv4(0x7F00_0001, port: 0).withSystemAddress { bind(deaf.number, $0, $1) } == 0)
        // A port that is taken and does not listen refuses.
        let client = try Socket.connect(to: #require(Socket.localAddress(deaf.number)))
        var poller = try Poller()
        try poller.add(client.number, token: 1)
        #expect(Self.wait(&poller, for: 1) { $0.isHangUp })
        #expect(Socket.finishConnect(client.number)?.name == "ECONNREFUSED")
    }

    @Test
    func `listeners share a port only when all want that`() throws {
        let first = try Listener(.ipv4(0x7F00_0001, port: 0), sharesPort: true)
        let second = try Listener(first.address, sharesPort: true)
        #expect(second.address == first.address)
        let error = #expect(throws: SystemError.self) { _ = try Listener(first.address) }
        #expect(error?.name == "EADDRINUSE")
        #expect(error?.description.contains("\(first.address)") == true)
    }

    @Test
    func `one waiting connection can be refused with the reserved descriptor`() throws {
        var listener = try Listener(.ipv4(0x7F00_0001, port: 0))
        #expect((listener.refuseOne()) == false)
        let client = try Socket.connect(to: listener.address)
        var poller = try Poller()
        try poller.add(client.number, token: 1)
        #expect(Self.wait(&poller, for: 1) { $0.isWritable })
        #expect((listener.refuseOne()) == true)
        #expect(Self.wait(&poller, for: 1) { $0.isHangUp })
        var buffer = ReadBuffer(capacity: 10)
        #expect(buffer.receive(client.number) == .endOfStream)
    }

    @Test
    func `names and literals are looked up`() throws {
        #expect(try Socket.resolve(host: "127.0.0.1", port: 5) == [.ipv4(0x7F00_0001, port: 5)])
        #expect(try Socket.resolve(host: "::1", port: 5) == [.ipv6(high: 0, low: 1, port: 5)])
        #expect(try Socket.resolve(host: "localhost", port: 7).allSatisfy { $0.isLoopback && $0.port == 7 })
        #expect(throws: NameError.self) { try Socket.resolve(host: "no such name", port: 1) }
    }

    // MARK: - Unix socket files

    @Test
    func `a socket file has the wanted mode and goes with its listener`() throws {
        let path = Self.temporaryPath()
        do {
            let listener = try Listener(.unix(path: path), unixMode: 0o660)
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o660)
            do { _ = try listener.duplicate() }
            #expect(FileManager.default.fileExists(atPath: path))
        }
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test
    func `a stale socket file is replaced, a live one and other files are not`() throws {
        let path = Self.temporaryPath()
        defer { try? FileManager.default.removeItem(atPath: path) }
        do {
            // A socket that is bound and never listens stands for one whose process died.
            let stale = try Socket.make(family: AF_UNIX)
            #expect(SocketAddress.unix(path: path).withSystemAddress { bind(stale.number, $0, $1) } == 0)
        }
        #expect(FileManager.default.fileExists(atPath: path))
        do {
            let listener = try Listener(.unix(path: path))
            let error = #expect(throws: SystemError.self) { _ = try Listener(.unix(path: path)) }
            #expect(error?.name == "EADDRINUSE")
            #expect(listener.address == .unix(path: path))
        }
        try Data([1]).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: SystemError.self) { _ = try Listener(.unix(path: path)) }
        #expect(error?.name == "EEXIST")
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data([1]))
    }

    // MARK: - Reading and sending

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `a queue arrives unchanged whatever the socket takes at a time`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let pair = try Socket.pair()
        var pool = ChunkPool()
        var queue = OutputQueue()
        var expected: [UInt8] = []
        let shared = pattern(60_000)
        for round in 0..<300 {
            let part = [UInt8](
                repeating: UInt8(truncatingIfNeeded: round),
                count: .random(in: 0...5_000, using: &random)
            )
            queue.append(part.span, pool: &pool)
            let low = Int.random(in: 0..<30_000, using: &random)
            let range = low..<Int.random(in: low...60_000, using: &random)
            if round % 3 == 0 { queue.appendShared(shared, range: range, pool: &pool) }
            expected += part + (round % 3 == 0 ? shared[range] : [])
        }
        var received: [UInt8] = []
        var buffer = ReadBuffer(capacity: 10_000)
        var blocked = 0
        var total = 0
        for _ in 0..<100_000 where received.count < expected.count {
            switch Socket.send(pair.first.number, &queue, &pool) {
            case .sentAll(let count): total += count
            case .blocked(let count):
                total += count
                blocked += 1
            case .failed(let failure): Issue.record("\(failure)")
            }
            while case .bytes(let count, let more) = buffer.receive(pair.second.number) {
                #expect(more == (count == 10_000))
                for index in 0..<count { received.append(buffer.bytes[index]) }
            }
        }
        #expect(received == expected)
        #expect(total == expected.count)
        #expect(blocked > 0)
        #expect((pool.usedBytes) == 0)
        #expect(buffer.receive(pair.second.number) == .wouldBlock)
    }

    @Test
    func `a kept part stays before the next bytes and can be changed in place`() throws {
        let pair = try Socket.pair()
        var pool = ChunkPool()
        var queue = OutputQueue()
        queue.append([3, 4, 5].span, pool: &pool)
        _ = Socket.send(pair.first.number, &queue, &pool)
        var buffer = ReadBuffer(capacity: 4)
        buffer.fill([1, 2].span)
        #expect(buffer.receive(pair.second.number, keeping: 2) == .bytes(2, more: true))
        do {
            var bytes = buffer.mutableBytes
            for index in bytes.indices { bytes[index] ^= 0xFF }
        }
        #expect((0..<4).map { buffer.bytes[$0] ^ 0xFF } == [1, 2, 3, 4])
        #expect(buffer.receive(pair.second.number) == .bytes(1, more: false))
        #expect((buffer.count) == 1)
    }

    private static func socketWithoutPeer() throws -> Descriptor {
        let pair = try Socket.pair()
        // Not only closed: a test that starts a process next to this one may hold a copy for a moment.
        _ = Glibc.shutdown(pair.second.number, Int32(SHUT_RDWR))
        return try pair.first.duplicate()
    }

    @Test
    func `sending to a peer that is gone is an error, not a signal`() throws {
        let near = try Self.socketWithoutPeer()
        var pool = ChunkPool()
        var queue = OutputQueue()
        queue.append([1].span, pool: &pool)
        guard case .failed(.system(let error)) = Socket.send(near.number, &queue, &pool) else {
            Issue.record("sent")
            return
        }
        #expect(error.name == "EPIPE")
        #expect(error.description == "send: Broken pipe (EPIPE)")
    }
}
