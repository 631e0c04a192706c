internal import ApusBroker
internal import ApusCrypto
internal import ApusLoop
internal import ApusMemory
internal import ApusMessage
internal import ProxyProtocol
internal import WebSocketCodec

// From the first byte to the shard: PROXY header, TLS handshake, WebSocket upgrade.

extension ShardLoop where Network: ~Copyable {
    // MARK: - PROXY header

    /// Looks at the header in the socket and takes exactly its bytes out: what follows may be for TLS, which reads for
    /// itself.
    mutating func readProxyHeader(_ index: Int) {
        let descriptor = links[index].socket.number
        switch network.peek(descriptor, into: &buffer, limit: 4096) {
        case .bytes:
            let header: ProxyHeader?
            do {
                try checkProxyVersion(index)
                header = try ProxyHeader.parse(buffer.bytes)
            } catch {
                return turnAway(index, error.words)
            }
            if let header { return accept(header, index) }
            links[index].flags.remove(.readable)
            if links[index].flags.contains(.hungUp) { turnAway(index, "closed within the PROXY protocol header") }
        case .wouldBlock:
            links[index].flags.remove(.readable)
        case .endOfStream:
            // Health checks connect and leave.
            release(index)
        case .failed(let failure):
            turnAway(index, failure.description)
        }
    }

    private func checkProxyVersion(_ index: Int) throws(ProxyProtocolError) {
        let isLine = buffer.bytes[0] == UInt8(ascii: "P")
        switch server.gates[Int(links[index].listener)].configuration.proxyProtocol {
        case .v1: guard isLine else { throw .noHeader }
        case .v2: guard !isLine else { throw .noHeader }
        case .any, .off: break
        }
    }

    private mutating func accept(_ header: ProxyHeader, _ index: Int) {
        // These bytes were just seen, so one read takes them all.
        let descriptor = links[index].socket.number
        guard case .bytes(header.consumed, _) = network.receive(descriptor, into: &buffer, limit: header.consumed)
        else {
            return turnAway(index, "the PROXY protocol header cannot be read")
        }
        let staging = Int(links[index].staging)
        var peer = stagings[staging].peer
        switch header.source {
        case .local:
            break
        case .internet(let address, let port):
            let source = SocketAddress(ip: address, port: port)
            peer.address = source?.description ?? address
            // Local rights need a local proxy that speaks for a local client.
            peer.isLoopback = peer.isLoopback && source?.isLoopback == true
        case .unix:
            peer.address = "unix"
        }
        if let name = header.authority { peer.serverName = name }
        if let name = header.certificateCommonName { peer.certificateSubject = "CN=\(Self.escaped(name))" }
        stagings[staging].peer = peer
        beginLayers(index, peer, acceptedAt: stagings[staging].acceptedAt)
        progress(index)
    }

    /// A name as a value of RFC 2253, in which some characters would start the next part.
    private static func escaped(_ name: String) -> String {
        var text = ""
        for character in name.unicodeScalars {
            if ",+\"\\<>;=#".unicodeScalars.contains(character) { text.unicodeScalars.append("\\") }
            text.unicodeScalars.append(character)
        }
        return text
    }

    // MARK: - TLS

    mutating func shakeHands(_ index: Int) {
        guard handshakeStepsLeft > 0 else {
            links[index].flags.insert(.readable)
            return readLater(index)
        }
        handshakeStepsLeft -= 1
        let session = layers.session(links[index].tls)
        switch session.handshake() {
        case .done:
            let staging = Int(links[index].staging)
            var peer = stagings[staging].peer
            if let name = session.serverName { peer.serverName = name }
            if let certificate = session.peerCertificate {
                peer.certificate = certificate
                peer.certificateFault = session.certificateFault
                peer.certificateSubject = session.isPeerOfConfiguredAuthority ? session.peerSubject : nil
            }
            stagings[staging].peer = peer
            if server.gates[Int(links[index].listener)].configuration.kind.isWebSocket {
                links[index].phase = .upgrade
            } else {
                open(index, peer, acceptedAt: stagings[staging].acceptedAt)
            }
            // Bytes may have come with the end of the handshake, and no edge will tell.
            links[index].flags.insert(.readable)
            progress(index)
        case .wantsRead:
            links[index].flags.remove(.readable)
            if links[index].flags.contains(.hungUp) { release(index) }
        case .wantsWrite:
            links[index].flags.insert(.blocked)
        case .failed(let reason):
            let gate = server.gates[Int(links[index].listener)]
            let address = stagings[Int(links[index].staging)].peer.address
            limiter.record(
                .notice,
                "tls.handshake_failed",
                now: now,
                [("listener", gate.configuration.name), ("address", address), ("reason", reason)],
            )
            release(index)
        }
    }

    // MARK: - Upgrade

    mutating func readUpgrade(_ index: Int) {
        let staging = Int(links[index].staging)
        let descriptor = links[index].socket.number
        switch layers.receive(network, descriptor, tls: links[index].tls, into: &earlyBuffer) {
        case .bytes(_, let more):
            if !more, !links[index].flags.contains(.hungUp) { links[index].flags.remove(.readable) }
            Self.append(earlyBuffer, to: &stagings[staging])
            do {
                guard let request = try stagings[staging].parse() else {
                    if links[index].flags.contains(.readable) { readLater(index) }
                    return
                }
                accept(request, index)
            } catch {
                refuse(index, error)
            }
        case .wouldBlock:
            links[index].flags.remove(.readable)
        case .endOfStream:
            release(index)
        case .failed(let failure):
            turnAway(index, failure.description)
        }
    }

    private static func append(_ buffer: borrowing ReadBuffer, to staging: inout Staging) {
        let bytes = buffer.bytes
        staging.received.append(addingCapacity: bytes.count) { output in
            for index in bytes.indices { output.append(bytes[index]) }
        }
    }

    private mutating func accept(_ request: UpgradeRequest, _ index: Int) {
        let staging = Int(links[index].staging)
        var peer = stagings[staging].peer
        if peer.serverName == nil { peer.serverName = Self.host(of: request.host) }
        let rest = stagings[staging].received.dropFirst(request.consumed)
        let digest = Digest.sha1(Handshake.acceptInput(key: request.key))
        let accept = Handshake.acceptValue(digest: digest)
        var state = WebSocketState()
        state.appendUnframed(
            UpgradeResponse.accepting(accept: accept, subprotocol: request.subprotocol),
            pool: &pool,
        )
        links[index].webSocket = layers.add(state)
        open(index, peer, acceptedAt: stagings[staging].acceptedAt)
        let token = token(index)
        flush(index)
        guard links.contains(token.index, generation: token.generation) else { return }
        if !rest.isEmpty {
            // A client may send its first frame without waiting for the answer.
            buffer.fill(Array(rest).span)
            guard deliverFrames(index) else { return }
        }
        if links[index].flags.contains(.readable) { readLater(index) }
    }

    private mutating func refuse(_ index: Int, _ refusal: UpgradeRefusal) {
        let gate = server.gates[Int(links[index].listener)]
        reject(gate, stagings[Int(links[index].staging)].peer.address, refusal.words)
        var state = WebSocketState()
        state.appendUnframed(UpgradeResponse.refusing(refusal), pool: &pool)
        state.endSilently()
        links[index].webSocket = layers.add(state)
        beginClosing(index)
    }

    /// The host without its port.
    private static func host(of field: String) -> String {
        guard let colon = field.lastIndex(of: ":"), !field.hasSuffix("]") else { return field }
        return String(field[..<colon])
    }

    // MARK: - Giving up

    /// Ends a connection that the shard does not know, for a reason that the log tells.
    mutating func turnAway(_ index: Int, _ reason: String) {
        let gate = server.gates[Int(links[index].listener)]
        reject(gate, stagings[Int(links[index].staging)].peer.address, reason)
        release(index)
    }
}
