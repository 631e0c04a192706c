import ApusLoop
import ApusMemory
import Foundation
import Testing

/// A socket of the test's own, driven byte by byte; every wait has a deadline.
final class RawClient {
    struct TimedOut: Error {}

    let socket: Descriptor
    private var poller: Poller
    private var buffer = ReadBuffer(capacity: 64 * 1024)
    private var queue = OutputQueue()
    private var pool = ChunkPool()
    private var received: [UInt8] = []
    private(set) var isClosed = false
    /// Whether the end was a reset instead of an orderly close.
    private(set) var wasReset = false

    convenience init(port: UInt16) throws { try self.init(.ipv4(0x7F00_0001, port: port)) }

    init(_ address: SocketAddress) throws {
        socket = try Socket.connect(to: address)
        poller = try Poller()
        try poller.add(socket.number, token: 1)
        _ = poller.wait(timeoutMilliseconds: 10_000)
        if let error = Socket.finishConnect(socket.number) { throw error }
    }

    deinit { queue.removeAll(pool: &pool) }

    // MARK: - Sending

    /// Sends all, reading what comes meanwhile.
    func send(_ bytes: [UInt8]) throws {
        queue.append(bytes.span, pool: &pool)
        let deadline = Deadline()
        while !queue.isEmpty {
            try attempt()
            if queue.isEmpty { break }
            read()
            guard !isClosed else { return }
            try deadline.wait(&poller)
        }
    }

    /// Sends what the socket takes; whether all went out.
    func sendSome(_ bytes: [UInt8]) throws -> Bool {
        queue.append(bytes.span, pool: &pool)
        try attempt()
        return queue.isEmpty
    }

    private func attempt() throws {
        if case .failed = Socket.send(socket.number, &queue, &pool) {
            wasReset = wasReset || isClosed
            queue.removeAll(pool: &pool)
            read()
        }
    }

    /// Waits for the next event of the socket.
    func wait() throws { try Deadline().wait(&poller) }

    func shutdownWriting() { Socket.shutdownWriting(socket.number) }

    // MARK: - Receiving

    /// Looks whether the connection was reset since it ended.
    func noticeReset() {
        if case .failed = buffer.receive(socket.number) { wasReset = true }
    }

    /// Exactly this many bytes, fewer only when the connection ended.
    func receive(_ count: Int) throws -> [UInt8] {
        let deadline = Deadline()
        while received.count < count, !isClosed {
            read()
            if received.count < count, !isClosed { try deadline.wait(&poller) }
        }
        let bytes = Array(received.prefix(count))
        received.removeFirst(bytes.count)
        return bytes
    }

    /// One MQTT packet, or what came of it.
    func receivePacket() throws -> [UInt8] {
        let head = try receive(2)
        guard head.count == 2 else { return head }
        return head + (try receive(Int(head[1])))
    }

    func receiveUntilClosed() throws -> [UInt8] { try receive(.max) }

    /// Reads only what is there.
    private func read() {
        while !isClosed {
            switch buffer.receive(socket.number) {
            case .bytes(let count, _): for index in 0..<count { received.append(buffer.bytes[index]) }
            case .wouldBlock: return
            case .endOfStream: isClosed = true
            case .failed:
                isClosed = true
                wasReset = true
            }
        }
    }
}

/// Ten seconds from now on; `WIRE_PATIENCE` multiplies it on slow builds.
struct Deadline {
    private static let patience = ProcessInfo.processInfo.environment["WIRE_PATIENCE"].flatMap(Double.init) ?? 6
    private let end = Clock.monotonicNanoseconds() + Int64(10_000_000_000 * Self.patience)

    var isOver: Bool { Clock.monotonicNanoseconds() >= end }

    func wait(_ poller: inout Poller) throws {
        let rest = (end - Clock.monotonicNanoseconds()) / 1_000_000
        guard rest > 0 else { throw RawClient.TimedOut() }
        _ = poller.wait(timeoutMilliseconds: rest)
    }
}
