internal import ApusLoop
internal import ApusMemory
internal import WebSocketCodec

/// The layers of one connection above its socket, while it moves between loops.
struct LinkLayers: ~Copyable, Sendable {
    var tls: TLSSession?
    var webSocket: WebSocketState?
}

/// The side tables of TLS and WebSocket of one loop, and the way down through them.
struct Layers: ~Copyable {
    private var sessions = Slab<TLSSession>()
    private var webSockets = Slab<WebSocketState>()

    // MARK: - Entries

    mutating func add(_ session: TLSSession) -> Int32 { Int32(truncatingIfNeeded: sessions.insert(session)) }

    mutating func add(_ state: consuming WebSocketState) -> Int32 {
        Int32(truncatingIfNeeded: webSockets.insert(state))
    }

    mutating func removeTLS(_ index: Int32) -> TLSSession? { index < 0 ? nil : sessions.remove(at: Int(index)) }

    mutating func removeWebSocket(_ index: Int32) -> WebSocketState? {
        index < 0 ? nil : webSockets.remove(at: Int(index))
    }

    func session(_ index: Int32) -> TLSSession { sessions[Int(index)] }

    /// Gives the WebSocket side of a connection to the closure, in place.
    mutating func withWebSocket<Result>(_ index: Int32, _ body: (inout WebSocketState) -> Result) -> Result {
        body(&webSockets[Int(index)])
    }

    // MARK: - Bytes

    /// How the peer ended a WebSocket connection, and the close frame that answers it.
    enum WebSocketEnd {
        case closed(answer: [UInt8])
        case violated(WebSocketError, answer: [UInt8])
    }

    /// Unmasks the frames in the buffer in place, so that its first `count` bytes are those of the application, and notes
    /// pings.
    mutating func unframe(_ index: Int32, in buffer: inout ReadBuffer) -> (count: Int, end: WebSocketEnd?) {
        Self.unframe(&webSockets[Int(index)], &buffer)
    }

    private static func unframe(
        _ state: inout WebSocketState,
        _ buffer: inout ReadBuffer,
    ) -> (count: Int, end: WebSocketEnd?) {
        var read = 0
        var write = 0
        var end: WebSocketEnd?
        var bytes = buffer.mutableBytes
        do {
            while let event = try state.input.next(&bytes, read: &read, write: &write) {
                switch event {
                case .ping(let payload): state.pinged(payload)
                case .pong: break
                case .close(let code, _): end = .closed(answer: WebSocketOutput.close(answering: code))
                }
            }
        } catch {
            end = .violated(error, answer: WebSocketOutput.close(error.closeCode, reason: error.words))
        }
        return (write, end)
    }

    /// Reads once, through TLS where there is some.
    func receive<Network: LoopNetwork & ~Copyable>(
        _ network: borrowing Network,
        _ descriptor: Int32,
        tls: Int32,
        into buffer: inout ReadBuffer,
    ) -> ReadResult {
        tls < 0 ? network.receive(descriptor, into: &buffer) : sessions[Int(tls)].read(into: &buffer)
    }

    /// Sends application bytes down through the layers until nothing waits or the socket takes no more.
    mutating func transmit<Network: LoopNetwork & ~Copyable>(
        _ network: borrowing Network,
        _ descriptor: Int32,
        tls: Int32,
        webSocket: Int32,
        _ queue: inout OutputQueue,
        _ pool: inout ChunkPool,
    ) -> SendResult {
        let session = tls < 0 ? nil : sessions[Int(tls)]
        if webSocket < 0 { return Self.send(network, descriptor, session, &queue, &pool) }
        var total = 0
        while true {
            webSockets[Int(webSocket)].frame(&queue, pool: &pool)
            if webSockets[Int(webSocket)].output.isEmpty { return .sentAll(total) }
            switch Self.send(network, descriptor, session, &webSockets[Int(webSocket)].output, &pool) {
            case .sentAll(let count): total += count
            case .blocked(let count): return .blocked(total + count)
            case .failed(let failure): return .failed(failure)
            }
        }
    }

    private static func send<Network: LoopNetwork & ~Copyable>(
        _ network: borrowing Network,
        _ descriptor: Int32,
        _ session: TLSSession?,
        _ queue: inout OutputQueue,
        _ pool: inout ChunkPool,
    ) -> SendResult {
        session?.write(&queue, &pool) ?? network.send(descriptor, &queue, &pool)
    }
}
