internal import ApusMemory
internal import ApusMessage
internal import ApusSession
internal import ApusStore
internal import MQTTCodec

// PUBACK, PUBREC, PUBREL and PUBCOMP, both ways.

extension Shard {
    /// An acknowledgement came from a client.
    mutating func receiveAcknowledgement(
        _ slot: Int,
        _ bytes: Span<UInt8>,
        _ frame: Frame,
    ) throws(DecodeError) {
        let view = try AcknowledgementView.decode(
            bytes,
            frame: frame,
            version: connections[slot].version,
        )
        let session = Int(connections[slot].session)
        let identifier = view.packetIdentifier
        switch frame.type {
        case .pubAck:
            finish(slot, session, sessions[session].outbound.receivedPubAck(identifier))
        case .pubRec:
            let answer = sessions[session].outbound.receivedPubRec(identifier, refused: view.reasonCode.isError)
            switch answer {
            case .release: sendRelease(slot, identifier)
            // A refusal ends the exchange by itself [MQTT-4.3.3-4].
            case .unknown where view.reasonCode.isError: break
            // [MQTT-4.3.3-4] wants an answer in 5.0 even then; before, a PUBREL lets the client finish.
            case .unknown: sendRelease(slot, identifier, .packetIdentifierNotFound)
            case .finished, .wrongPacket, .noted: finish(slot, session, answer)
            }
        case .pubRel:
            let known = sessions[session].inbound.released(identifier)
            sendSmall(slot, .pubComp, identifier, known ? .success : .packetIdentifierNotFound)
        default:
            finish(slot, session, sessions[session].outbound.receivedPubComp(identifier))
        }
    }

    private mutating func finish(_ slot: Int, _ session: Int, _ acknowledgement: OutboundPublishes.Acknowledgement) {
        switch acknowledgement {
        case .finished(let delivery):
            if let delivery { store.finished(delivery, for: sessions[session].handle) }
            if sessions[session].hasBacklog || sessions[session].outbound.mustRepeat { pump(session) }
            if connections[slot].hasRetainedReplay { replayRetained(slot) }
        case .wrongPacket:
            violate(
                slot,
                .protocolError,
                rule: "MQTT-4.3.2-3",
                "the acknowledgement does not fit the QoS of the message with this packet identifier",
            )
        case .unknown, .release, .noted:
            // An answer that crossed with a reconnect; there is nothing to do [MQTT-4.4.0-2].
            break
        }
    }

    // MARK: - Sending

    mutating func sendAcknowledgement(_ slot: Int, _ owed: OwedAcknowledgement, _ explanation: String?) {
        let type: PacketType = owed.kind == .pubAck ? .pubAck : .pubRec
        guard connections[slot].version == .v5, owed.reasonCode != .success else {
            return sendSmall(slot, type, owed.identifier, .success)
        }
        var bytes: [UInt8] = []
        AcknowledgementEncoder.append(
            to: &bytes,
            type: type,
            packetIdentifier: owed.identifier,
            reasonCode: owed.reasonCode,
            reasonString: connections[slot].details.wantsProblemInformation ? explanation : nil,
            version: .v5,
            maximumPacketSize: Int(connections[slot].maximumPacketBytes),
        )
        connections[slot].output.append(bytes.span, pool: &pool)
        counters.packetsSent += 1
        markDirty(slot)
    }

    mutating func sendRelease(_ slot: Int, _ identifier: PacketIdentifier, _ reasonCode: ReasonCode = .success) {
        sendSmall(slot, .pubRel, identifier, reasonCode)
    }

    /// Four bytes, or five with a reason; built on the stack.
    private mutating func sendSmall(
        _ slot: Int,
        _ type: PacketType,
        _ identifier: PacketIdentifier,
        _ reasonCode: ReasonCode,
    ) {
        let hasReason = reasonCode != .success && connections[slot].version == .v5
        let packet: InlineArray<5, UInt8> = [
            type.firstByte, hasReason ? 3 : 2, UInt8(truncatingIfNeeded: identifier >> 8),
            UInt8(truncatingIfNeeded: identifier), reasonCode.rawValue,
        ]
        connections[slot].output.append(packet.span, range: 0..<(hasReason ? 5 : 4), pool: &pool)
        counters.packetsSent += 1
        markDirty(slot)
    }
}
