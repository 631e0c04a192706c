internal import ApusLoop
internal import ApusMemory
internal import MQTTCodec
internal import WebSocketCodec

extension Worker {
    // MARK: - Receiving

    /// Puts what a connection keeps of a packet to the start of the buffer; returns how much that is.
    @inline(__always)
    mutating func fill(_ input: inout ReadBuffer, _ index: Int) -> Int {
        let count = clients[index].partial.count
        if count > 0 { Self.copy(clients[index].partial, to: &input) }
        return count
    }

    private static func copy(_ bytes: borrowing [UInt8], to input: inout ReadBuffer) { input.fill(bytes.span) }

    mutating func receive(_ index: Int, _ input: inout ReadBuffer, keeping kept: Int) -> ReadResult {
        let layer = clients[index].layer
        if layer >= 0, let session = layers[Int(layer)].tls { return session.read(into: &input, keeping: kept) }
        return input.receive(clients[index].socket.number, keeping: kept)
    }

    /// Keeps the bytes from here on, the beginning of a packet, in place of what was kept before.
    mutating func keep(_ bytes: Span<UInt8>, from start: Int, _ index: Int) {
        let isEmpty = clients[index].partial.isEmpty
        if start == bytes.count, isEmpty { return }
        clients[index].partial.removeAll(keepingCapacity: true)
        clients[index].partial.append(copying: bytes.extracting(start..<bytes.count))
    }

    /// Takes received frames apart in place.
    ///
    /// - Parameters:
    ///   - read: where the first frame begins.
    ///   - write: where its payload goes; what stands before was unframed earlier.
    /// - Returns: the end of the payloads; nil when the connection is over.
    mutating func unframe(_ index: Int, _ input: inout ReadBuffer, from read: Int, to write: Int) -> Int? {
        var (read, write) = (read, write)
        let layer = Int(clients[index].layer)
        var bytes = input.mutableBytes
        do {
            while let event = try layers[layer].frames?.next(&bytes, read: &read, write: &write) {
                switch event {
                case .pong: break
                case .ping(let payload):
                    let frame = WebSocketOutput.pong(payload, mask: .random(in: .min ... .max))
                    clients[index].output.append(frame.span, pool: &pool)
                    markDirty(index)
                case .close(let code, let reason):
                    guard clients[index].phase != .leaving else { continue }
                    // What came before it says more: a CONNACK with a reason, for one.
                    layers[layer].farewell = "closed by the server: \(code?.rawValue ?? 0) \(reason)"
                    return write
                }
            }
            return write
        } catch {
            lose(index, .webSocket(error.words))
            return nil
        }
    }

    /// Ends the connection if the server has closed the WebSocket.
    mutating func takeFarewell(_ index: Int) {
        guard let words = layers[Int(clients[index].layer)].farewell else { return }
        lose(index, .webSocket(words))
    }

    // MARK: - Sending

    /// How many bytes a connection has to send.
    @inline(__always)
    func unsentBytes(_ index: Int) -> Int {
        guard clients[index].isFramed else { return clients[index].output.count }
        return clients[index].output.count + layers[Int(clients[index].layer)].unframed.count
    }

    /// Puts bytes into the output of a connection.
    @inline(__always)
    static func append(
        _ bytes: borrowing [UInt8],
        to index: Int,
        _ clients: inout Slab<BenchClient>,
        _ layers: inout Slab<ClientLayer>,
        _ pool: inout ChunkPool,
    ) {
        guard clients[index].isFramed else { return clients[index].output.append(bytes.span, pool: &pool) }
        layers[Int(clients[index].layer)].unframed.append(copying: bytes.span)
    }

    /// Answers a packet by one of four bytes: PUBACK, PUBREC, PUBREL or PUBCOMP.
    @inline(__always)
    mutating func answer(_ type: PacketType, _ identifier: PacketIdentifier, _ index: Int) {
        let bytes: [4 of UInt8] = [
            type.firstByte, 2, UInt8(truncatingIfNeeded: identifier &>> 8), UInt8(truncatingIfNeeded: identifier),
        ]
        if clients[index].isFramed {
            layers[Int(clients[index].layer)].unframed.append(copying: bytes.span)
        } else {
            clients[index].output.append(bytes.span, pool: &pool)
        }
        markDirty(index)
    }

    mutating func ping(_ index: Int) {
        scratch.removeAll(keepingCapacity: true)
        Packet.pingReq.encode(into: &scratch, version: plan.version)
        Self.append(scratch, to: index, &clients, &layers, &pool)
        markDirty(index)
    }

    /// The socket takes bytes again.
    mutating func writable(_ index: Int) {
        guard unsentBytes(index) > 0 else { return }
        transmit(index)
        if clients[index].role == .publisher, clients[index].phase == .ready { makeHungry(clients[index].number) }
    }

    /// Sends what the socket takes.
    mutating func transmit(_ index: Int) {
        let layer = clients[index].layer
        if clients[index].isFramed { frame(index, Int(layer)) }
        let result =
            if layer >= 0, let session = layers[Int(layer)].tls {
                session.write(&clients[index].output, &pool)
            } else {
                Socket.send(clients[index].socket.number, &clients[index].output, &pool)
            }
        // A broker that has gone may have said why: reading tells, and its event comes.
        if case .failed = result { clients[index].output.removeAll(pool: &pool) }
    }

    /// Makes one frame of all that waits, masked as a client's must be (RFC 6455, section 5.3).
    private mutating func frame(_ index: Int, _ layer: Int) {
        guard !layers[layer].unframed.isEmpty else { return }
        var bytes: [UInt8] = []
        swap(&bytes, &layers[layer].unframed)
        // What it protects is caches between strangers: here it need not be a secret.
        let mask = UInt32(truncatingIfNeeded: now) | 1
        let header = FrameHeader(.binary, payloadCount: bytes.count, mask: mask)
        clients[index].output.append(header.span, pool: &pool)
        WebSocketOutput.mask(&bytes, with: mask)
        clients[index].output.append(bytes.span, pool: &pool)
        bytes.removeAll(keepingCapacity: true)
        swap(&bytes, &layers[layer].unframed)
    }
}
