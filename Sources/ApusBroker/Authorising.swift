internal import ApusMemory
internal import ApusMessage
internal import ApusSession
internal import MQTTCodec

// The walk's step *authorise*: whether a client may publish to a topic, and what is for the broker itself.

extension Shard {
    /// Whether a client may publish to a topic.
    enum Authorization {
        /// It may; in a P2P topic, where the addressee's client id stands.
        case granted(Range<Int>?)
        /// It may not, for this reason.
        case denied(String)
    }

    /// The answer for a publisher's last topic is remembered: most clients publish to one.
    mutating func authorize(_ slot: Int, _ topic: Span<UInt8>) -> Authorization {
        if connections[slot].authorized.revision == rightsRevision,
            connections[slot].authorized.topic.span.isEqual(to: topic)
        {
            return .granted(connections[slot].authorized.target)
        }
        let details = connections[slot].details
        let text = String(copying: topic)
        if isReserved(text) { return .denied(publishDenial(slot, text, .noRight)) }
        if let denial = broker.authorizer?.denial(of: .publish, to: text, for: details.principal) {
            return .denied(publishDenial(slot, text, denial))
        }
        let target = policies(slot).p2p ? DirectAddress.clientID(in: topic) : nil
        connections[slot].authorized = AuthorizedTopic(
            topic: [UInt8](copying: topic),
            revision: rightsRevision,
            target: target,
        )
        return .granted(target)
    }

    /// A message to the broker itself.
    ///
    /// - Returns: false when it is none.
    mutating func receiveSystemMessage(
        _ slot: Int,
        _ view: PublishView,
        _ topic: Span<UInt8>,
        _ payload: Span<UInt8>,
    ) -> Bool {
        let text = String(copying: topic)
        guard isReserved(text) else { return false }
        let details = connections[slot].details
        let outcome = broker.authenticator.receivedSystemMessage(
            topic: text,
            payload: [UInt8](copying: payload),
            from: details.principal,
            now: now,
        )
        switch outcome {
        case .none: return false
        case .accepted: break
        case .replaced(let principal):
            replacePrincipal(slot, principal)
        case .refused(let reasonCode, let explanation, let notice):
            if let notice { send(notice, to: slot) }
            disconnect(slot, reasonCode, explanation)
            return true
        }
        acknowledge(slot, view, .success, until: .none)
        return true
    }

    /// Tells a client what it lacks, where there is a message for that.
    mutating func sendNotice(ofDenied access: Access, _ topic: String, _ slot: Int) {
        let principal = connections[slot].details.principal
        guard let notice = broker.authorizer?.notice(ofDenied: access, to: topic, for: principal) else { return }
        send(notice, to: slot)
    }

    /// Sends a message of the broker to one client.
    mutating func send(_ notice: SystemNotice, to slot: Int) {
        let message = Message(topic: notice.topic, payload: notice.payload)
        sendAfterConnAck(slot, Delivery(message: message, qos: .atMostOnce, retain: false))
    }
}
