internal import ApusBroker
internal import ApusLoop
internal import ApusMemory
internal import ApusMessage

// New connections: the listener's limit, the end of descriptors, the first layer.

extension ShardLoop where Network: ~Copyable {
    /// Connections that one listener may bring in one tick; the poller tells again of the rest.
    private static var acceptsPerTick: Int { 64 }
    /// How long a listener rests that can neither accept nor refuse.
    private static var restMilliseconds: Int64 { 128 }

    mutating func accept(_ listener: Int) {
        let gate = gates[listener]
        for _ in 0..<Self.acceptsPerTick {
            switch network.accept(listener) {
            case .connection(let socket, let address):
                take(AcceptedLink(socket: socket, listener: gate.index, address: address, acceptedAt: now))
            case .nobody:
                return
            case .exhausted(let error):
                report(exhausted: error, gate)
                guard network.refuseOne(listener) else { return rest(listener) }
            case .failed(let error):
                limiter.record(.error, "listener.failed", limit: 1, now: now, fields(gate, error.description))
                return rest(listener)
            }
        }
    }

    private mutating func take(_ link: consuming AcceptedLink) {
        guard link.address.isUnix else { return begin(link) }
        // Nobody spreads the connections of a unix socket for us.
        unixTurn = (unixTurn + 1) % server.mailboxes.count
        let target = unixTurn
        guard target != index else { return begin(link) }
        server.mailboxes[target].post(.accepted(Parcel(link)))
    }

    /// Starts the first layer of a connection of this loop.
    mutating func begin(_ link: consuming AcceptedLink) {
        let gate = server.gates[link.listener]
        guard end == nil else { return network.close(link.socket) }
        guard gate.enter() else {
            reject(gate, "\(link.address)", "the listener has its maximum of connections")
            return network.close(link.socket)
        }
        let acceptedAt = link.acceptedAt
        let peer = Peer(
            address: link.address.isUnix ? "unix" : link.address.description,
            listener: gate.configuration.name,
            isLoopback: link.address.isLoopback,
        )
        if let bytes = server.configuration.sendBufferBytes { network.setSendBuffer(link.socket.number, bytes: bytes) }
        let index = links.insert(Link(socket: link.socket, listener: gate.index, phase: .open))
        do {
            try network.add(links[index].socket.number, token: token(index).rawValue)
        } catch {
            limiter.record(.error, "listener.failed", limit: 1, now: now, fields(gate, error.description))
            return release(index)
        }
        if gate.configuration.proxyProtocol != .off {
            stage(index, peer, acceptedAt: acceptedAt)
            links[index].phase = .proxyHeader
        } else {
            beginLayers(index, peer, acceptedAt: acceptedAt)
        }
    }

    /// Gives the link a place for what its handshakes need, and their deadline.
    private mutating func stage(_ index: Int, _ peer: Peer, acceptedAt: Timestamp) {
        let deadline = acceptedAt.adding(milliseconds: server.configuration.handshakeTimeout.milliseconds)
        let staging = Staging(deadline: deadline, peer: peer, acceptedAt: acceptedAt)
        links[index].staging = Int32(truncatingIfNeeded: stagings.insert(staging))
        timers.schedule(token(index).rawValue, at: deadline.milliseconds)
    }

    /// What comes behind the PROXY header, or at once without one.
    mutating func beginLayers(_ index: Int, _ peer: Peer, acceptedAt: Timestamp) {
        let gate = server.gates[Int(links[index].listener)]
        let kind = gate.configuration.kind
        guard kind.isSecure || kind.isWebSocket else { return open(index, peer, acceptedAt: acceptedAt) }
        if links[index].staging < 0 { stage(index, peer, acceptedAt: acceptedAt) }
        guard let context = gate.context?.current else {
            links[index].phase = .upgrade
            return
        }
        do {
            let session = try TLSSession(context, descriptor: links[index].socket.number)
            links[index].tls = layers.add(session)
            links[index].phase = .tlsHandshake
        } catch {
            limiter.record(.error, "tls.handshake_failed", now: now, fields(gate, error.description))
            release(index)
        }
    }

    /// The shard gets the connection, and with it what is left of the time for CONNECT.
    mutating func open(_ index: Int, _ peer: Peer, acceptedAt: Timestamp) {
        if links[index].staging >= 0 {
            _ = stagings.remove(at: Int(links[index].staging))
            links[index].staging = -1
        }
        let slot = shard.opened(peer, acceptedAt: acceptedAt)
        while linkOfSlot.count <= slot { linkOfSlot.append(-1) }
        linkOfSlot[slot] = Int32(truncatingIfNeeded: index)
        links[index].slot = Int32(truncatingIfNeeded: slot)
        links[index].phase = .open
    }

    // MARK: - Trouble

    private mutating func rest(_ listener: Int) {
        network.pause(listener)
        timers.schedule(LinkToken.listener(listener).rawValue, at: now.milliseconds + Self.restMilliseconds)
    }

    /// A listener has rested.
    mutating func wake(_ listener: Int) {
        guard gates.indices.contains(listener) else { return }
        do {
            try network.resume(listener)
        } catch {
            timers.schedule(LinkToken.listener(listener).rawValue, at: now.milliseconds + Self.restMilliseconds)
        }
    }

    private mutating func report(exhausted error: SystemError, _ gate: ListenerGate) {
        let advice =
            "no descriptor is left for new connections; raise the limit of open files "
            + "(LimitNOFILE in the systemd unit, ulimit -n in a shell)"
        limiter.record(
            .error,
            "listener.exhausted",
            limit: 1,
            now: now,
            fields(gate, error.description) + [("open_connections", String(links.count)), ("advice", advice)],
        )
    }

    private func fields(_ gate: ListenerGate, _ problem: String) -> [(String, String)] {
        [("listener", gate.configuration.name), ("endpoint", gate.configuration.endpoint), ("problem", problem)]
    }

    /// Records a peer that was turned away before the shard had it.
    mutating func reject(_ gate: ListenerGate, _ address: String, _ reason: String) {
        limiter.record(
            .notice,
            "connection.rejected",
            now: now,
            [("listener", gate.configuration.name), ("address", address), ("reason", reason)],
        )
    }
}
