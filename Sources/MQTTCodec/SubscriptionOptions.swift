/// Which retained messages a new subscription gets (MQTT 5.0, section 3.8.3.1).
public enum RetainHandling: UInt8, Sendable, CaseIterable {
    /// All that match, with every SUBSCRIBE.
    case sendAtSubscribe = 0
    /// All that match, unless the subscription existed.
    case sendIfNew = 1
    /// None.
    case doNotSend = 2
}

/// How a client wants the messages of one subscription.
public struct SubscriptionOptions: Hashable, Sendable {
    /// The highest QoS to deliver with.
    public var qos: QoS
    /// Whether the client's own messages stay away; not with shared subscriptions [MQTT-3.8.3-4].
    public var noLocal: Bool
    /// Whether the RETAIN flag is delivered as it was published [MQTT-3.3.1-13].
    public var retainAsPublished: Bool
    /// Which retained messages are sent first.
    public var retainHandling: RetainHandling

    /// Makes options; the defaults are what MQTT 3.x does.
    public init(
        qos: QoS,
        noLocal: Bool = false,
        retainAsPublished: Bool = false,
        retainHandling: RetainHandling = .sendAtSubscribe,
    ) {
        self.qos = qos
        self.noLocal = noLocal
        self.retainAsPublished = retainAsPublished
        self.retainHandling = retainHandling
    }

    /// Decodes the options byte of a SUBSCRIBE.
    public init(decoding byte: UInt8, version: ProtocolVersion) throws(DecodeError) {
        guard byte & (version == .v5 ? 0b1100_0000 : 0b1111_1100) == 0 else { throw .subscriptionOptionsReserved }
        guard let qos = QoS(rawValue: byte & 0b11) else { throw .subscriptionQoSInvalid }
        guard let retainHandling = RetainHandling(rawValue: byte >> 4) else { throw .retainHandlingInvalid }
        self.init(
            qos: qos,
            noLocal: byte & 0b0100 != 0,
            retainAsPublished: byte & 0b1000 != 0,
            retainHandling: retainHandling,
        )
    }

    /// The options byte; MQTT 3.x has room for the QoS alone.
    public func encoded(_ version: ProtocolVersion) -> UInt8 {
        guard version == .v5 else { return qos.rawValue }
        return qos.rawValue | (noLocal ? 0b0100 : 0) | (retainAsPublished ? 0b1000 : 0) | retainHandling.rawValue << 4
    }
}
