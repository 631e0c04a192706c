internal import ApusBroker
internal import ApusLoop
internal import ApusMemory
internal import ApusMessage

// Connections that go to the shard on which their session lives.

extension ShardLoop where Network: ~Copyable {
    /// Hands a connection to another loop: socket, layers, and the bytes that the shard has not used.
    mutating func move(_ index: Int, to target: Int) {
        let slot = Int(links[index].slot)
        let acceptedAt = shard.acceptedAt(slot)
        let (peer, bytes) = shard.takeMoving(slot)
        linkOfSlot[slot] = -1
        let link = links.remove(at: index)
        network.remove(link.socket.number)
        let listener = Int(link.listener)
        let tls = layers.removeTLS(link.tls)
        let webSocket = layers.removeWebSocket(link.webSocket)
        let moving = MovingLink(
            socket: link.socket,
            listener: listener,
            layers: LinkLayers(tls: tls, webSocket: webSocket),
            peer: peer,
            acceptedAt: acceptedAt,
            received: bytes,
        )
        server.mailboxes[target].post(.moved(Parcel(moving)))
    }

    /// Takes over a connection of another loop.
    ///
    /// Registering reports bytes that wait in the socket; those that wait in the TLS session are found by reading.
    mutating func adopt(_ moving: consuming MovingLink) {
        let peer = moving.peer
        let acceptedAt = moving.acceptedAt
        let received = moving.received
        let listener = moving.listener
        let layers = moving.layers
        guard end == nil else {
            server.gates[listener].leave()
            return network.close(moving.socket)
        }
        let index = links.insert(Link(socket: moving.socket, listener: listener, phase: .open))
        if let tls = layers.tls { links[index].tls = self.layers.add(tls) }
        if let webSocket = layers.webSocket { links[index].webSocket = self.layers.add(webSocket) }
        do {
            try network.add(links[index].socket.number, token: token(index).rawValue)
        } catch {
            reject(server.gates[listener], peer.address, error.description)
            return release(index)
        }
        open(index, peer, acceptedAt: acceptedAt)
        shard.received(Int(links[index].slot), received.span)
        links[index].flags.insert(.readable)
        readLater(index)
    }
}
