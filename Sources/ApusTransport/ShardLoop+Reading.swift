internal import ApusBroker
internal import ApusLoop
internal import ApusMemory
internal import ApusMessage
internal import WebSocketCodec

// Bytes → shard. The hot path: nothing here allocates for plain TCP.

extension ShardLoop where Network: ~Copyable {
    /// Reads an open connection until it is drained, the shard pauses it, or its share of this tick is used up.
    mutating func read(_ index: Int) {
        let slot = Int(links[index].slot)
        var budget = Self.readBudget
        while budget > 0 {
            guard shard.disposition(slot) == .open else { return }
            guard !shard.isReadingPaused(slot) else { return paused(index) }
            // Before CONNECT a peer gets little memory.
            let isEarly = shard.readLimit(slot) < buffer.capacity
            if isEarly { swap(&buffer, &earlyBuffer) }
            let result = receive(index)
            var goesOn = false
            if case .bytes(let count, let more) = result {
                budget -= count
                came(count)
                goesOn = deliver(index) && mayHaveMore(index, more)
            }
            if isEarly { swap(&buffer, &earlyBuffer) }
            switch result {
            case .bytes: if !goesOn { return }
            case .wouldBlock: return drained(index)
            case .endOfStream: return ended(index)
            case .failed(let failure): return close(index, .transportError(failure.description))
            }
        }
        readLater(index)
    }

    /// Reads once into `buffer`, through TLS where there is some.
    private mutating func receive(_ index: Int) -> ReadResult {
        layers.receive(network, links[index].socket.number, tls: links[index].tls, into: &buffer)
    }

    /// Gives what stands in `buffer` to the shard.
    ///
    /// - Returns: whether the connection is still open.
    private mutating func deliver(_ index: Int) -> Bool {
        if links[index].webSocket >= 0 { return deliverFrames(index) }
        Self.give(buffer, buffer.count, to: &shard, Int(links[index].slot))
        return true
    }

    private static func give(_ buffer: borrowing ReadBuffer, _ count: Int, to shard: inout Shard, _ slot: Int) {
        shard.received(slot, buffer.bytes.extracting(0..<count))
    }

    /// A short read took all there was, unless the peer's end comes behind it.
    private mutating func mayHaveMore(_ index: Int, _ more: Bool) -> Bool {
        if more || links[index].flags.contains(.hungUp) { return true }
        links[index].flags.remove(.readable)
        return false
    }

    /// The shard takes no more for now; the flush that makes room reads on.
    ///
    /// Where sending has failed no flush will ever make room.
    private mutating func paused(_ index: Int) {
        if links[index].flags.contains(.broken) { close(index, .peerClosed) }
    }

    private mutating func drained(_ index: Int) {
        links[index].flags.remove(.readable)
        // The socket cannot send any more and has no further bytes either.
        if links[index].flags.contains(.broken) { close(index, .peerClosed) }
    }

    /// The peer sends no more: for MQTT that is the end of the connection, in both directions.
    ///
    /// What is queued goes out as far as the socket takes it: a peer that only shut its own side may still read.
    private mutating func ended(_ index: Int) {
        if case .sentAll(let count) = transmit(index) { bytesSent += count }
        close(index, .peerClosed)
    }

    // MARK: - WebSocket

    /// Unmasks the frames in `buffer` in place, gives the bytes in them to the shard and answers control frames.
    ///
    /// - Returns: whether the connection is still open.
    mutating func deliverFrames(_ index: Int) -> Bool {
        let webSocket = links[index].webSocket
        let (count, end) = layers.unframe(webSocket, in: &buffer)
        if count > 0 { Self.give(buffer, count, to: &shard, Int(links[index].slot)) }
        switch end {
        case .closed(let answer):
            endWebSocket(index, with: answer, .peerClosed)
            return false
        case .violated(let error, let answer):
            endWebSocket(index, with: answer, .transportError("WebSocket: \(error.words)"))
            return false
        case nil:
            break
        }
        if layers.withWebSocket(webSocket, { $0.owesPong }), !links[index].flags.contains(.blocked) {
            let token = token(index)
            flush(index)
            return links.contains(token.index, generation: token.generation)
        }
        return true
    }

    /// The WebSocket connection is over: our close frame goes out behind what is queued, the shard lets go at once.
    private mutating func endWebSocket(_ index: Int, with frame: [UInt8], _ cause: CloseCause) {
        layers.withWebSocket(links[index].webSocket) { $0.end(with: frame) }
        switch transmit(index) {
        case .sentAll: break
        case .blocked: links[index].flags.insert(.blocked)
        case .failed: return close(index, cause)
        }
        leaveShard(index, cause)
        beginClosing(index)
    }
}
