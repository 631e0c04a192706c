internal import ApusBroker
internal import ApusLoop
internal import ApusMemory
internal import ApusMessage
internal import WebSocketCodec

// The ends of connections: gracefully, at once, by deadline, and all together.

extension ShardLoop where Network: ~Copyable {
    /// Sends what is queued, says goodbye on each layer and waits for the peer to close, all within `closeTimeout`.
    ///
    /// A socket that is closed with bytes unread sends a reset, and the reset can overtake the DISCONNECT that says why.
    mutating func beginClosing(_ index: Int) {
        guard !links[index].flags.contains(.broken) else { return close(index, .requested) }
        links[index].phase = .flushing
        stageClosing(index)
        if links[index].webSocket >= 0 {
            let frame = WebSocketOutput.close(end == nil ? .normal : .goingAway)
            layers.withWebSocket(links[index].webSocket) { $0.end(with: frame) }
        }
        continueClosing(index)
    }

    private mutating func stageClosing(_ index: Int) {
        let deadline = now.adding(milliseconds: server.configuration.closeTimeout.milliseconds)
        if links[index].staging >= 0 {
            stagings[Int(links[index].staging)].deadline = deadline
        } else {
            let peer = Peer(address: "", listener: "", isLoopback: false)
            let staging = Staging(deadline: deadline, peer: peer, acceptedAt: now)
            links[index].staging = Int32(truncatingIfNeeded: stagings.insert(staging))
        }
        timers.schedule(token(index).rawValue, at: deadline.milliseconds)
    }

    /// Goes on with the last bytes.
    mutating func continueClosing(_ index: Int) {
        guard links[index].phase == .flushing, !links[index].flags.contains(.blocked) else { return }
        switch transmit(index) {
        case .sentAll(let count):
            bytesSent += count
            linger(index)
        case .blocked(let count):
            bytesSent += count
            links[index].flags.insert(.blocked)
        case .failed:
            close(index, .requested)
        }
    }

    /// All has left: shuts our side and drops what still comes until the peer closes too.
    private mutating func linger(_ index: Int) {
        leaveShard(index, .requested)
        if links[index].tls >= 0 { layers.session(links[index].tls).shutdown() }
        network.shutdownWriting(links[index].socket.number)
        links[index].phase = .lingering
        discard(index)
    }

    mutating func discard(_ index: Int) {
        // The end may have been seen before; TLS is of no more interest.
        var budget = Self.readBudget
        while budget > 0 {
            switch network.receive(links[index].socket.number, into: &buffer) {
            case .bytes(let count, _): budget -= count
            case .wouldBlock: return links[index].flags.subtract(.readable)
            case .endOfStream, .failed: return release(index)
            }
        }
        readLater(index)
    }

    /// Ends a connection at once, whatever is queued.
    mutating func close(_ index: Int, _ cause: CloseCause) {
        leaveShard(index, cause)
        release(index)
    }

    /// Takes a connection from the shard.
    mutating func leaveShard(_ index: Int, _ cause: CloseCause) {
        let slot = Int(links[index].slot)
        guard slot >= 0 else { return }
        links[index].slot = -1
        linkOfSlot[slot] = -1
        shard.closed(slot, cause)
    }

    /// Frees a link that the shard does not have, and its socket.
    mutating func release(_ index: Int) {
        let link = links.remove(at: index)
        if link.staging >= 0 { _ = stagings.remove(at: Int(link.staging)) }
        if var state = layers.removeWebSocket(link.webSocket) { state.output.removeAll(pool: &pool) }
        _ = layers.removeTLS(link.tls)
        server.gates[Int(link.listener)].leave()
        network.close(link.socket)
    }

    // MARK: - Deadlines

    /// A timer fired; its deadline may have been moved or be over.
    mutating func expire(_ token: LinkToken) {
        guard token.generation != 0 else { return wake(token.index) }
        guard links.contains(token.index, generation: token.generation), links[token.index].staging >= 0 else { return }
        let index = token.index
        guard stagings[Int(links[index].staging)].deadline <= now else { return }
        switch links[index].phase {
        case .proxyHeader: turnAway(index, "no PROXY protocol header came in time")
        case .tlsHandshake: turnAway(index, "the TLS handshake took too long")
        case .upgrade: turnAway(index, "no WebSocket upgrade came in time")
        case .open: break
        case .flushing, .lingering: close(index, .requested)
        }
    }

    // MARK: - Shutdown

    /// Stops accepting and lets the shard end every connection.
    mutating func beginShutdown(graceMilliseconds: Int64) {
        let limit = now.adding(milliseconds: max(0, graceMilliseconds))
        if let end {
            // Asked again: only sooner.
            self.end = min(end, limit)
            return
        }
        end = limit
        gates = []
        network.closeListeners()
        var next = 0
        while let index = links.firstOccupied(from: next) {
            next = index + 1
            switch links[index].phase {
            case .proxyHeader, .tlsHandshake, .upgrade: release(index)
            case .open, .flushing, .lingering: break
            }
        }
        shard.beginShutdown()
    }

    /// Closes whatever did not end in time.
    mutating func cutOff() {
        var next = 0
        while let index = links.firstOccupied(from: next) {
            next = index + 1
            close(index, .requested)
        }
    }
}

extension Duration {
    /// Whole milliseconds, saturating.
    var milliseconds: Int64 {
        let (seconds, overflow) = components.seconds.multipliedReportingOverflow(by: 1000)
        guard !overflow else { return components.seconds < 0 ? .min / 2 : .max / 2 }
        return min(seconds, .max / 2) + components.attoseconds / 1_000_000_000_000_000
    }
}
