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
        let before = sessions[session].outbound.underWayCount
        switch frame.type {
        case .pubAck:
            let number = tracedNumber(session, identifier)
            let answer = sessions[session].outbound.receivedPubAck(identifier)
            countInFlight(session, before: before)
            if case .finished = answer { trace(.acknowledged, number, session: session) }
            finish(slot, session, answer)
        case .pubRec:
            let answer = sessions[session].outbound.receivedPubRec(identifier, refused: view.reasonCode.isError)
            countInFlight(session, before: before)
            switch answer {
            case .release(let delivery):
                recordReceived(session, identifier, delivery)
                owe(slot, OwedAcknowledgement(.pubRel, identifier), until: sessions[session].outboundPosition)
            case .noted(let delivery) where view.reasonCode.isError:
                if let delivery { finished(delivery.position, session) }
                recordCompleted(session, identifier)
            case .noted(let delivery): recordReceived(session, identifier, delivery)
            case .finished where view.reasonCode.isError:
                recordCompleted(session, identifier)
                finish(slot, session, answer)
            // A refusal ends the exchange by itself [MQTT-4.3.3-4].
            case .unknown where view.reasonCode.isError: break
            // [MQTT-4.3.3-4] wants an answer in 5.0 even then; before, a PUBREL lets the client finish.
            case .unknown: owe(slot, OwedAcknowledgement(.pubRel, identifier, .packetIdentifierNotFound), until: .none)
            case .finished, .wrongPacket: finish(slot, session, answer)
            }
        case .pubRel:
            let known = sessions[session].inbound.released(identifier)
            let reasonCode = known ? ReasonCode.success : .packetIdentifierNotFound
            if known { recordReleased(session, identifier) }
            // The client may use the identifier for another message as soon as it has PUBCOMP; the store may not know yet
            // of a PUBREL that came on a connection that is gone.
            let owed = OwedAcknowledgement(.pubComp, identifier, reasonCode)
            owe(slot, owed, until: sessions[session].releasePosition)
        default:
            let number = tracedNumber(session, identifier)
            let answer = sessions[session].outbound.receivedPubComp(identifier)
            countInFlight(session, before: before)
            if case .finished = answer {
                recordCompleted(session, identifier)
                trace(.acknowledged, number, session: session)
            }
            finish(slot, session, answer)
        }
    }

    /// Counts what has come to be under way to a session, or is not any more.
    ///
    /// - Parameter before: how many messages were.
    mutating func countInFlight(_ session: Int, before: Int) {
        counters.inFlight += sessions[session].outbound.underWayCount - before
    }

    /// What the trace knows the message by, if there is a trace.
    private func tracedNumber(_ session: Int, _ identifier: PacketIdentifier) -> MessageNumber {
        guard tenants[Int(sessions[session].tenant)].isTraced else { return .none }
        return sessions[session].outbound.number(of: identifier)
    }

    // MARK: - What the store has to know of QoS 2

    /// From here on the message is the client's; the client may forget its identifier as soon as it has PUBREL.
    private mutating func recordReceived(_ session: Int, _ identifier: PacketIdentifier, _ delivery: Delivery?) {
        guard let delivery, delivery.position != .none, sessions[session].number.isStored else { return }
        let change = SessionChange.received(identifier, delivery.position)
        sessions[session].outboundPosition = store.record(change, of: sessions[session].number)
    }

    private func recordCompleted(_ session: Int, _ identifier: PacketIdentifier) {
        guard sessions[session].number.isStored else { return }
        store.record(.completed(identifier), of: sessions[session].number)
    }

    private mutating func recordReleased(_ session: Int, _ identifier: PacketIdentifier) {
        guard sessions[session].number.isStored, sessions[session].hasStoredInbound else { return }
        sessions[session].releasePosition = store.record(.released(identifier), of: sessions[session].number)
    }

    private mutating func finish(_ slot: Int, _ session: Int, _ acknowledgement: OutboundPublishes.Acknowledgement) {
        switch acknowledgement {
        case .finished(let delivery):
            if let delivery { finished(delivery.position, session) }
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
        let type: PacketType =
            switch owed.kind {
            case .pubAck: .pubAck
            case .pubRec: .pubRec
            case .pubRel: .pubRel
            case .pubComp: .pubComp
            }
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
