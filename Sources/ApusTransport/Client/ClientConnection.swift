internal import ApusCrypto
package import ApusLoop
internal import ApusMemory
internal import WebSocketCodec

/// One connection to a broker, for tools that do one thing at a time.
///
/// Used by one thread; only `wakeUp` may be signalled from others. Sending never waits: what the socket does not take is
/// sent while `receive` waits, so look at `unsentBytes` before more is sent.
package final class ClientConnection {
    /// What ended a wait.
    package enum Received: Equatable {
        case bytes([UInt8])
        /// The broker has closed the connection; what it sent before was returned before.
        case closed
        case timedOut
        /// `wakeUp` was signalled.
        case woken
        /// The watched descriptor can be read.
        case inputReady
        /// All that waited has been sent.
        case sent
    }

    /// Ends a wait from another thread.
    package let wakeUp: WakeUp
    package let endpoint: ClientEndpoint

    private var poller: Poller
    private let socket: Descriptor
    private let session: TLSSession?
    private var frames: WebSocketInput?
    /// Application bytes that came in one piece with the answer to the upgrade.
    private var early: [UInt8] = []
    private var queue = OutputQueue()
    private var pool = ChunkPool(idleLimit: 1 << 20)
    private var buffer = ReadBuffer(capacity: 64 * 1024)
    private var isReadable = true
    private var isWoken = false
    private var hasInput = false
    private var isClosed = false

    private enum Token {
        static let socket: UInt64 = 0
        static let wakeUp: UInt64 = 1
        static let input: UInt64 = 2
    }

    /// Connects, with TLS and WebSocket as the endpoint says.
    ///
    /// - Parameters:
    ///   - tls: for `mqtts` and `wss`.
    ///   - timeout: for everything together, except looking up the name.
    package init(
        _ endpoint: ClientEndpoint,
        tls: TLSClientConfiguration = TLSClientConfiguration(),
        timeout: Duration = .seconds(10),
    ) throws(ClientError) {
        self.endpoint = endpoint
        let deadline = Self.milliseconds + timeout.milliseconds
        do {
            wakeUp = try WakeUp()
            var poller = try Poller()
            try poller.addLevelTriggered(wakeUp.fileDescriptor, token: Token.wakeUp)
            let socket = try Self.connect(endpoint, &poller, deadline)
            session = try Self.makeSession(endpoint, tls, socket.number)
            self.socket = socket
            self.poller = poller
        } catch let error as ClientError {
            throw error
        } catch {
            throw ClientError("\(endpoint): \(error)")
        }
        try shakeHands(deadline)
        if endpoint.kind.isWebSocket { try upgrade(deadline) }
    }

    // MARK: - Use

    package var unsentBytes: Int { queue.count }

    /// Sends MQTT bytes, as far as the socket takes them now.
    package func send(_ bytes: [UInt8]) throws(ClientError) {
        enqueue(frames == nil ? bytes : WebSocketOutput.binary(bytes, mask: Self.newMask()))
        try flush()
    }

    /// Waits until something happened.
    ///
    /// - Parameter timeout: nil waits for ever.
    package func receive(timeout: Duration?) throws(ClientError) -> Received {
        let deadline = timeout.map { Self.milliseconds + $0.milliseconds }
        while true {
            if !early.isEmpty {
                defer { early = [] }
                return .bytes(early)
            }
            if isReadable, !isClosed {
                if let bytes = try read() { return .bytes(bytes) }
                // Not drained yet: control frames only, or the end comes next.
                continue
            }
            if isClosed { return .closed }
            if isWoken {
                isWoken = false
                wakeUp.acknowledge()
                return .woken
            }
            if hasInput {
                hasInput = false
                return .inputReady
            }
            let rest = deadline.map { $0 - Self.milliseconds }
            if let rest, rest <= 0 { return .timedOut }
            if try wait(rest) { return .sent }
        }
    }

    /// Also ends waits when this descriptor, such as standard input, can be read.
    ///
    /// - Returns: false when it cannot be waited for, as a plain file, which can always be read.
    package func watch(_ descriptor: Int32) -> Bool {
        do {
            try poller.addLevelTriggered(descriptor, token: Token.input)
            return true
        } catch {
            return false
        }
    }

    package func stopWatching(_ descriptor: Int32) { poller.remove(descriptor) }

    /// Says goodbye on each layer and waits until the broker has closed too, at most until the timeout.
    package func close(timeout: Duration = .seconds(2)) {
        let deadline = Self.milliseconds + timeout.milliseconds
        if frames != nil { enqueue(WebSocketOutput.close(.normal, mask: Self.newMask())) }
        do {
            while !queue.isEmpty {
                try flush()
                guard !queue.isEmpty, deadline > Self.milliseconds else { break }
                _ = try wait(deadline - Self.milliseconds)
            }
            session?.shutdown()
            Socket.shutdownWriting(socket.number)
            while !isClosed, deadline > Self.milliseconds {
                if case .timedOut = try receive(timeout: .milliseconds(deadline - Self.milliseconds)) { break }
            }
        } catch {
            // The connection is gone, which is what was wanted.
            isClosed = true
        }
        queue.removeAll(pool: &pool)
    }

    // MARK: - Bytes

    private func enqueue(_ bytes: [UInt8]) { queue.append(bytes.span, pool: &pool) }

    private func flush() throws(ClientError) {
        let result = session?.write(&queue, &pool) ?? Socket.send(socket.number, &queue, &pool)
        // A broker that has gone may have said why; reading tells.
        if case .failed(let failure) = result, !isReadable { throw ClientError("\(endpoint): \(failure)") }
    }

    /// Application bytes that are there; nil when there are none.
    private func read() throws(ClientError) -> [UInt8]? {
        let result = session?.read(into: &buffer) ?? buffer.receive(socket.number)
        switch result {
        case .bytes:
            // Until a read finds nothing: the end may come behind the bytes, and its edge was the same.
            let bytes = try unframe(Self.copy(buffer))
            return bytes.isEmpty ? nil : bytes
        case .wouldBlock:
            isReadable = false
        case .endOfStream:
            isClosed = true
        case .failed(let failure):
            throw ClientError("\(endpoint): \(failure)")
        }
        return nil
    }

    /// The application bytes in what was received.
    private func unframe(_ received: [UInt8]) throws(ClientError) -> [UInt8] {
        guard var frames else { return received }
        var bytes = received
        var read = 0
        var write = 0
        do {
            var span = bytes.mutableSpan
            while let event = try frames.next(&span, read: &read, write: &write) {
                switch event {
                case .ping(let payload): enqueue(WebSocketOutput.pong(payload, mask: Self.newMask()))
                case .pong: break
                case .close(let code, _):
                    enqueue(WebSocketOutput.close(answering: code, mask: Self.newMask()))
                    isClosed = true
                }
            }
        } catch {
            throw ClientError("\(endpoint): WebSocket: \(error.words)")
        }
        self.frames = frames
        try flush()
        return Array(bytes[..<write])
    }

    private static func copy(_ buffer: borrowing ReadBuffer) -> [UInt8] {
        let bytes = buffer.bytes
        return (0..<bytes.count).map { bytes[$0] }
    }

    /// Waits for the next events; whether they ended the wait of unsent bytes.
    private func wait(_ milliseconds: Int64?) throws(ClientError) -> Bool {
        let count = poller.wait(timeoutMilliseconds: milliseconds)
        var isWritable = false
        for index in 0..<count {
            let event = poller[index]
            switch event.token {
            case Token.socket:
                if event.isReadable || event.isHangUp { isReadable = true }
                if event.isWritable { isWritable = true }
            case Token.wakeUp: isWoken = true
            default: hasInput = true
            }
        }
        guard isWritable, !queue.isEmpty else { return false }
        try flush()
        return queue.isEmpty
    }

    private static func newMask() -> UInt32 { .random(in: .min ... .max) }

    private static var milliseconds: Int64 { Clock.monotonicNanoseconds() / 1_000_000 }
}

// MARK: - Connecting

extension ClientConnection {
    private static func connect(
        _ endpoint: ClientEndpoint,
        _ poller: inout Poller,
        _ deadline: Int64,
    ) throws -> Descriptor {
        let addresses: [SocketAddress]
        switch endpoint.address {
        case .unix(let path): addresses = [.unix(path: path)]
        case .internet(let host, let port): addresses = try Socket.resolve(host: host, port: port)
        }
        var last: any Error = ClientError("\(endpoint): the host has no address")
        for address in addresses {
            do {
                let socket = try Socket.connect(to: address)
                try poller.add(socket.number, token: Token.socket)
                while true {
                    let rest = deadline - milliseconds
                    guard rest > 0 else { throw ClientError("\(endpoint): no answer in time") }
                    let count = poller.wait(timeoutMilliseconds: rest)
                    if (0..<count).contains(where: { poller[$0].token == Token.socket }) { break }
                }
                guard let error = Socket.finishConnect(socket.number) else { return socket }
                last = ClientError("\(endpoint): \(error.reason) (\(error.name)); is a broker listening on \(address)?")
            } catch {
                last = error
            }
        }
        throw last
    }

    private static func makeSession(
        _ endpoint: ClientEndpoint,
        _ configuration: TLSClientConfiguration,
        _ descriptor: Int32,
    ) throws -> TLSSession? {
        guard endpoint.kind.isSecure, case .internet(let host, _) = endpoint.address else { return nil }
        return try TLSSession(TLSContext(client: configuration), descriptor: descriptor, hostName: host)
    }

    private func shakeHands(_ deadline: Int64) throws(ClientError) {
        guard let session else { return }
        while true {
            switch session.handshake() {
            case .done: return
            case .failed(let reason): throw ClientError("\(endpoint): TLS: \(reason)")
            case .wantsRead, .wantsWrite:
                let rest = deadline - Self.milliseconds
                guard rest > 0 else { throw ClientError("\(endpoint): no answer to the TLS handshake in time") }
                _ = try wait(rest)
            }
        }
    }

    private func upgrade(_ deadline: Int64) throws(ClientError) {
        do {
            let nonce = try Machine.randomBytes(16)
            var handshake = try ClientHandshake(host: endpoint.hostField, path: endpoint.path, nonce: nonce)
            enqueue(handshake.request)
            try flush()
            let accept = Handshake.acceptValue(digest: Digest.sha1(Handshake.acceptInput(key: handshake.key)))
            var received: [UInt8] = []
            while true {
                let rest = deadline - Self.milliseconds
                guard rest > 0 else { throw ClientError("no answer to the upgrade in time") }
                if isReadable, let bytes = try read() {
                    received += bytes
                    if let end = try handshake.received(received.span, accept: accept) {
                        frames = WebSocketInput(from: .server)
                        early = try unframe(Array(received[end...]))
                        return
                    }
                    continue
                }
                if isClosed { throw ClientError("the server closed during the upgrade") }
                if !isReadable { _ = try wait(rest) }
            }
        } catch {
            throw ClientError("\(endpoint): WebSocket: \(Self.words(error))")
        }
    }
    private static func words(_ error: any Error) -> String {
        switch error {
        case UpgradeFailure.cannotAsk(let words), UpgradeFailure.malformed(let words): words
        case UpgradeFailure.refused(let status): "the server refused with status \(status)"
        case UpgradeFailure.wrongAccept: "the answer was not made for this request"
        case UpgradeFailure.wrongSubprotocol: "the server does not speak MQTT on this path"
        default: "\(error)"
        }
    }
}
