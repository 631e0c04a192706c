internal import ApusMemory
internal import ApusMessage
internal import ApusSession
internal import MQTTCodec

// Bytes → packets: the connection's side of the walk.

extension Shard {
    /// Bytes of the connection's MQTT stream came in; any split is fine.
    package mutating func received(_ slot: Int, _ bytes: Span<UInt8>) {
        counters.bytesReceived += UInt64(bytes.count)
        connections[slot].lastReceived = now
        if connections[slot].phase == .closing { return }
        if connections[slot].isHeld {
            hold(slot, bytes, from: 0)
            return
        }
        var used = 0
        while !connections[slot].unparsed.isEmpty {
            guard completeSplitPacket(slot, bytes, from: &used) else { return }
            if connections[slot].isHeld {
                hold(slot, bytes, from: used)
                return
            }
        }
        used = process(slot, bytes, from: used)
        if connections[slot].phase != .closing { hold(slot, bytes, from: used) }
        pauseIfCongested(slot)
    }

    /// Keeps what cannot be parsed yet.
    ///
    /// Bounded: one incomplete packet is at most the largest allowed packet; while held, the loop reads no more than what
    /// it had already read (`readLimit`).
    private mutating func hold(_ slot: Int, _ bytes: Span<UInt8>, from start: Int) {
        guard start < bytes.count else { return }
        connections[slot].unparsed.append(contentsOf: bytes.extracting(start..<bytes.count))
    }

    /// Adds to the packet that began in an earlier read just what it lacks, and handles it when it is whole.
    ///
    /// - Returns: false when the packet still lacks something or the connection is ending.
    private mutating func completeSplitPacket(_ slot: Int, _ bytes: Span<UInt8>, from used: inout Int) -> Bool {
        do {
            while try FrameDecoder.next(
                connections[slot].unparsed.span,
                at: 0,
                maximumPacketSize: maximumPacketBytes(slot),
            ) == nil {
                guard used < bytes.count else { return false }
                let have = connections[slot].unparsed.count
                // While even the length is unknown, one byte at a time: the header is at most five bytes.
                let whole = FrameDecoder.requiredBytes(connections[slot].unparsed.span, at: 0) ?? have + 1
                let end = min(used + whole - have, bytes.count)
                connections[slot].unparsed.append(contentsOf: bytes.extracting(used..<end))
                used = end
            }
        } catch {
            reject(slot, error)
            return false
        }
        var packet: [UInt8] = []
        swap(&packet, &connections[slot].unparsed)
        let consumed = process(slot, packet.span, from: 0)
        if consumed < packet.count, connections[slot].phase != .closing {
            connections[slot].unparsed = Array(packet[consumed...])
        }
        return connections[slot].phase != .closing
    }

    /// Parsing goes on after an authenticator has answered.
    mutating func processHeldBytes(_ slot: Int) {
        var bytes: [UInt8] = []
        swap(&bytes, &connections[slot].unparsed)
        let used = process(slot, bytes.span, from: 0)
        if used < bytes.count, connections[slot].phase != .closing {
            connections[slot].unparsed = Array(bytes[used...])
        }
        markDirty(slot)
    }

    private func maximumPacketBytes(_ slot: Int) -> Int {
        connections[slot].phase == .connected
            ? Int(connections[slot].acceptedPacketBytes) : min(limits.connectPacketBytes, limits.packetBytes)
    }

    /// Handles every whole packet from `start` on.
    ///
    /// - Returns: where the first incomplete (or held back) packet begins.
    private mutating func process(_ slot: Int, _ bytes: Span<UInt8>, from start: Int) -> Int {
        var offset = start
        noteRights()
        do {
            while offset < bytes.count {
                guard
                    let frame = try FrameDecoder.next(
                        bytes,
                        at: offset,
                        maximumPacketSize: maximumPacketBytes(slot),
                    )
                else { break }
                if frame.firstByte >> 4 == 3, !admitsPublish(slot) { break }
                counters.packetsReceived += 1
                try handle(slot, bytes, frame)
                // CONNECT of a session that lives elsewhere goes there whole.
                if case .move = connections[slot].disposition { break }
                offset = frame.end
                if connections[slot].phase == .closing || connections[slot].isHeld { break }
            }
        } catch {
            reject(slot, error)
        }
        return offset
    }

    private mutating func handle(_ slot: Int, _ bytes: Span<UInt8>, _ frame: Frame) throws(DecodeError) {
        // The two kinds of packet that make up nearly all traffic come first.
        if connections[slot].phase == .connected {
            switch frame.firstByte >> 4 {
            case 3:
                return try receivePublish(slot, bytes, frame)
            case 4, 5, 6, 7:
                return try receiveAcknowledgement(slot, bytes, frame)
            default:
                break
            }
        }
        let version = connections[slot].version
        switch connections[slot].phase.verdict(on: frame.type, version: version) {
        case .ignore:
            return
        case .violation(let rule, let explanation):
            return violate(slot, .protocolError, rule: rule, explanation)
        case .process:
            break
        }
        // Even a malformed CONNECT tells which kind of CONNACK its sender understands.
        if frame.type == .connect, let announced = Connect.announcedVersion(in: bytes, frame: frame) {
            connections[slot].version = announced
            connections[slot].details.hasAnnouncedVersion = true
        }
        switch try Packet.decode(bytes, frame: frame, version: version, sender: .client) {
        case .connect(let connect): receiveConnect(slot, connect)
        case .subscribe(let subscribe): receiveSubscribe(slot, subscribe)
        case .unsubscribe(let unsubscribe): receiveUnsubscribe(slot, unsubscribe)
        case .pingReq: send(.pingResp, to: slot)
        case .disconnect(let disconnect): receiveDisconnect(slot, disconnect)
        case .auth(let auth): receiveAuth(slot, auth)
        default: violate(slot, .protocolError, rule: "MQTT-4.13.1-1", "this packet may not come from a client")
        }
    }

    // MARK: - Bad input

    /// The peer sent something malformed or forbidden: say why, and end the connection [MQTT-4.13.1-1].
    mutating func reject(_ slot: Int, _ error: DecodeError) {
        if let version = error.connectReplyVersion {
            connections[slot].version = version
            connections[slot].details.hasAnnouncedVersion = true
        }
        violate(slot, error.reasonCode, rule: error.rule, error.explanation)
    }

    /// Ends a connection for what its peer did: the one way in which a protocol error is answered, logged and counted.
    mutating func violate(_ slot: Int, _ reasonCode: ReasonCode, rule: String, _ explanation: String) {
        counters.protocolErrors += 1
        if let suppressed = admits(.notice, "packet.rejected", rule) {
            var fields = clientFields(slot)
            fields += [("reason", "\(reasonCode)"), ("rule", rule), ("explanation", explanation)]
            if suppressed > 0 { fields.append(("suppressed_before", "\(suppressed)")) }
            broker.events.record(BrokerEvent(.notice, "packet.rejected", fields))
        }
        switch connections[slot].phase {
        case .closing:
            return
        case .awaitingConnect, .authenticating:
            refuse(slot, reasonCode, explanation, isLogged: true)
        case .connected:
            disconnect(slot, reasonCode, explanation, isLogged: true)
        }
    }

    /// Who the connection is, for an event.
    func clientFields(_ slot: Int) -> [(String, String)] {
        let details = connections[slot].details
        var fields = [("client_id", details.clientID)]
        // A client id names somebody only within its instance.
        if connections[slot].tenant >= 0 { fields += instanceField(Int(connections[slot].tenant)) }
        return fields + [("address", details.peer.address), ("listener", details.peer.listener)]
    }

    /// The instance, for an event; nothing where there is only one.
    func instanceField(_ tenant: Int) -> [(String, String)] {
        tenants[tenant].id.isEmpty ? [] : [("instance", tenants[tenant].id)]
    }
}
