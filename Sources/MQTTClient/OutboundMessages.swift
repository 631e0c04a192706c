internal import MQTTCodec

/// Messages of QoS 1 and 2 on their way to the server: those that wait, and those in flight.
///
/// ```
/// waiting ──sent──▶ published ──PUBACK──▶ done
///                      │ PUBREC
///                      ▼
///                   released ──PUBCOMP──▶ done
/// ```
///
/// In flight are never more than the server's receive maximum [MQTT-3.3.4-9]. On a resumed session everything
/// unacknowledged goes out again in its first order [MQTT-4.6.0-1], and only then what waited; within one connection
/// nothing is repeated [MQTT-4.4.0-1].
struct OutboundMessages: Sendable {
    /// A message to send now.
    struct Sending {
        let identifier: PacketIdentifier
        let token: ClientToken
        let message: Publish
        /// Whether the server may have seen it [MQTT-3.3.1-1].
        let isRepeated: Bool
    }

    enum Acknowledged: Equatable {
        case done(ClientToken)
        /// Nothing with this identifier waits for this packet.
        case unexpected
    }

    enum Received: Equatable {
        case release
        case done(ClientToken)
        case unexpected
    }

    /// What became of the messages in flight when a connection began.
    struct Resumption {
        /// PUBRELs to send again, in order.
        var releases: [PacketIdentifier] = []
        /// QoS 2 messages of which nobody can say any more whether the server has them.
        var abandoned: [ClientToken] = []
        /// Identifiers that are free again.
        var freed: [PacketIdentifier] = []
    }

    private struct Waiting: Sendable {
        let token: ClientToken
        let message: Publish
    }

    private struct InFlight: Sendable {
        let token: ClientToken
        let message: Publish
        /// Position in the order of PUBLISH, or of PUBREL once released.
        var order: UInt64
        var isReleased = false
    }

    private var waiting = Fifo<Waiting>()
    private var inFlight: [PacketIdentifier: InFlight] = [:]
    /// Messages in flight that the present connection has not carried yet.
    private var repeating = Fifo<PacketIdentifier>()
    private var lastOrder: UInt64 = 0

    /// Messages that were not sent yet.
    var waitingCount: Int { waiting.count }
    /// Messages that are not done.
    var count: Int { waiting.count + inFlight.count }

    mutating func append(_ message: Publish, _ token: ClientToken) {
        waiting.append(Waiting(token: token, message: message))
    }

    /// The next message to send while fewer than `window` are under way; nil when there is none or no room.
    mutating func next(window: Int, identifiers: inout PacketIdentifiers) -> Sending? {
        guard inFlight.count - repeating.count < window else { return nil }
        if let identifier = repeating.popFirst(), let entry = inFlight[identifier] {
            return Sending(identifier: identifier, token: entry.token, message: entry.message, isRepeated: true)
        }
        guard !waiting.isEmpty, let identifier = identifiers.take(), let next = waiting.popFirst() else { return nil }
        lastOrder += 1
        inFlight[identifier] = InFlight(token: next.token, message: next.message, order: lastOrder)
        return Sending(identifier: identifier, token: next.token, message: next.message, isRepeated: false)
    }

    /// Forgets a message that could not be sent after all, as one too large for the server.
    mutating func dropped(_ identifier: PacketIdentifier) {
        inFlight[identifier] = nil
    }

    // MARK: - Acknowledgements

    mutating func acknowledged(_ identifier: PacketIdentifier) -> Acknowledged {
        guard let entry = inFlight[identifier], entry.message.qos == .atLeastOnce else { return .unexpected }
        inFlight[identifier] = nil
        return .done(entry.token)
    }

    /// A PUBREC came; with an error the message is done [MQTT-4.3.3-4].
    mutating func received(_ identifier: PacketIdentifier, isError: Bool) -> Received {
        guard var entry = inFlight[identifier], entry.message.qos == .exactlyOnce else { return .unexpected }
        if isError, !entry.isReleased {
            inFlight[identifier] = nil
            return .done(entry.token)
        }
        if !entry.isReleased {
            lastOrder += 1
            entry.order = lastOrder
            entry.isReleased = true
            inFlight[identifier] = entry
        }
        return .release
    }

    mutating func completed(_ identifier: PacketIdentifier) -> Acknowledged {
        guard let entry = inFlight[identifier], entry.isReleased else { return .unexpected }
        inFlight[identifier] = nil
        return .done(entry.token)
    }

    // MARK: - Connections

    /// A connection was accepted.
    ///
    /// Without a session at the server, messages of QoS 1 start anew as new messages; those of QoS 2 would perhaps arrive
    /// a second time and are given up.
    mutating func connected(sessionPresent: Bool) -> Resumption {
        let ordered = inFlight.sorted { $0.value.order < $1.value.order }
        repeating = Fifo()
        var resumption = Resumption()
        guard sessionPresent else {
            let again = ordered.filter { $0.value.message.qos == .atLeastOnce }
            waiting.prepend(again.map { Waiting(token: $0.value.token, message: $0.value.message) })
            resumption.abandoned = ordered.filter { $0.value.message.qos == .exactlyOnce }.map(\.value.token)
            resumption.freed = ordered.map(\.key)
            inFlight = [:]
            return resumption
        }
        for (identifier, entry) in ordered {
            if entry.isReleased {
                resumption.releases.append(identifier)
            } else {
                repeating.append(identifier)
            }
        }
        return resumption
    }
}
