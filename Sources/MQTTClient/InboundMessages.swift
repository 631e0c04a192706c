internal import MQTTCodec

/// Messages of QoS 1 and 2 that came from the server and are not finished.
///
/// A QoS 2 entry lives from PUBLISH to PUBREL, over connections too, so that a second PUBLISH in between is not delivered
/// again [MQTT-4.3.3-10]. A QoS 1 entry lives until the application acknowledges and no longer than its connection:
/// afterwards the server sends the message again. Bounded by the receive maximum that we announced, where there is one.
struct InboundMessages: Sendable {
    enum PublishAction: Equatable {
        case deliver(serial: UInt64)
        case acknowledgeAgain
        case ignore
        case disconnect(ReasonCode)
    }

    private struct Entry: Sendable {
        let serial: UInt64
        let qos: QoS
        var isAcknowledged = false
        /// Whether it counts against the receive maximum, which starts anew with each connection.
        var isOfThisConnection = true
    }

    private var entries: [PacketIdentifier: Entry] = [:]
    private var lastSerial: UInt64 = 0
    private var inFlight = 0

    /// A PUBLISH of QoS 1 or 2 came.
    mutating func published(
        _ identifier: PacketIdentifier,
        _ qos: QoS,
        _ version: ProtocolVersion,
        receiveMaximum: Int,
    ) -> PublishAction {
        let known = entries[identifier]
        if known?.isOfThisConnection != true {
            guard version != .v5 || inFlight < receiveMaximum else { return .disconnect(.receiveMaximumExceeded) }
            inFlight += 1
            entries[identifier]?.isOfThisConnection = true
        }
        if let known {
            guard known.qos == qos else { return .disconnect(.protocolError) }
            if qos == .atLeastOnce { return version == .v5 ? .disconnect(.protocolError) : .ignore }
            return known.isAcknowledged ? .acknowledgeAgain : .ignore
        }
        lastSerial += 1
        entries[identifier] = Entry(serial: lastSerial, qos: qos)
        return .deliver(serial: lastSerial)
    }

    /// The application is done with a message.
    ///
    /// - Parameter isError: whether the application refuses it; no PUBREL follows then.
    /// - Returns: the acknowledgement to send; nil when the message was acknowledged before or is forgotten.
    mutating func acknowledged(_ identifier: PacketIdentifier, serial: UInt64, isError: Bool) -> PacketType? {
        guard var entry = entries[identifier], entry.serial == serial, !entry.isAcknowledged else { return nil }
        guard entry.qos == .exactlyOnce, !isError else {
            remove(identifier)
            return entry.qos == .exactlyOnce ? .pubRec : .pubAck
        }
        entry.isAcknowledged = true
        entries[identifier] = entry
        return .pubRec
    }

    /// A PUBREL came.
    ///
    /// - Returns: whether the identifier was known.
    mutating func released(_ identifier: PacketIdentifier) -> Bool {
        guard let entry = entries[identifier], entry.qos == .exactlyOnce else { return false }
        remove(identifier)
        return true
    }

    /// The connection is over; what the server will send again is forgotten.
    mutating func connectionEnded() {
        entries = entries.filter { $0.value.qos == .exactlyOnce }
        for identifier in entries.keys { entries[identifier]?.isOfThisConnection = false }
        inFlight = 0
    }

    /// The server knows nothing of an older session.
    mutating func sessionEnded() {
        entries = [:]
        inFlight = 0
    }

    private mutating func remove(_ identifier: PacketIdentifier) {
        if entries.removeValue(forKey: identifier)?.isOfThisConnection == true { inFlight -= 1 }
    }
}
