internal import ApusBroker
internal import ApusLoop
internal import ApusMemory
internal import ApusMessage

// Shard → bytes: one send for each connection with new output.

extension ShardLoop where Network: ~Copyable {
    /// Does what the shard has decided about a connection: sends, closes, moves.
    mutating func settle(_ slot: Int) {
        let index = Int(linkOfSlot[slot])
        switch shard.disposition(slot) {
        case .open:
            if !links[index].flags.contains(.blocked) {
                flush(index)
                guard Int(linkOfSlot[slot]) == index else { return }
            }
            readOn(index)
        case .closeAfterFlush:
            links[index].phase == .open ? beginClosing(index) : continueClosing(index)
        case .closeNow:
            close(index, .requested)
        case .move(let target):
            move(index, to: target)
        }
    }

    /// Reads again what a pause has left in the socket: the shard may have ended it, or the output has room again.
    private mutating func readOn(_ index: Int) {
        guard links[index].flags.contains(.readable), !shard.isReadingPaused(Int(links[index].slot)) else { return }
        readLater(index)
    }

    /// The socket of an open connection takes bytes again.
    mutating func unblockedOpen(_ index: Int) {
        let slot = Int(links[index].slot)
        flush(index)
        guard Int(linkOfSlot[slot]) == index else { return }
        readOn(index)
    }

    /// Sends what an open connection has queued, as far as the socket takes it.
    mutating func flush(_ index: Int) {
        let slot = Int(links[index].slot)
        let isFramed = links[index].webSocket >= 0
        switch transmit(index) {
        case .sentAll(let count):
            bytesSent += count
            if count > 0 { shard.flushed(slot) }
        case .blocked(let count):
            bytesSent += count
            links[index].flags.insert(.blocked)
            // Bytes that became a frame have left the shard's queue, even if the socket took none.
            if count > 0 || isFramed { shard.flushed(slot) }
        case .failed(let failure):
            sendingFailed(index, failure)
        }
    }

    /// Sends the shard's queue, or what only the layers hold when the shard has let go.
    mutating func transmit(_ index: Int) -> SendResult {
        let descriptor = links[index].socket.number
        let tls = links[index].tls
        let webSocket = links[index].webSocket
        let slot = Int(links[index].slot)
        guard slot >= 0 else {
            return layers.transmit(network, descriptor, tls: tls, webSocket: webSocket, &nothing, &pool)
        }
        return shard.withOutput(slot) { queue, pool in
            layers.transmit(network, descriptor, tls: tls, webSocket: webSocket, &queue, &pool)
        }
    }

    /// The peer is gone.
    ///
    /// What it said before still counts: a DISCONNECT that waits in the socket keeps its will unsent.
    private mutating func sendingFailed(_ index: Int, _ failure: StreamFailure) {
        let slot = Int(links[index].slot)
        let isFirst = !links[index].flags.contains(.broken)
        guard isFirst, shard.disposition(slot) == .open, !shard.isReadingPaused(slot) else {
            return close(index, .transportError(failure.description))
        }
        links[index].flags.formUnion([.broken, .blocked, .readable, .hungUp])
        readLater(index)
    }
}
