internal import ApusLoop
internal import ApusTransport
internal import MQTTClient
internal import MQTTCodec

/// One connection to a broker that asks one thing after another and waits for each answer.
final class BrokerProbe {
    /// How the broker answered.
    enum Answer: Equatable {
        case accepted
        /// By a reason code of CONNACK, SUBACK, PUBACK or DISCONNECT, and a sentence.
        case refused(ReasonCode, String?)
        /// The port belongs to an HTTP server, which answered with this status.
        case http(status: Int)
        /// What came breaks the rules of MQTT, in the words of the client.
        case nonsense(String)
        /// The connection ended without a word.
        case closed
        case silence
    }

    private let connection: ClientConnection
    private let timeout: Duration
    private var machine: MQTTClientMachine
    private var actions = ClientActions()

    /// Opens the connection; the CONNECT asks for the session that there is.
    init(
        _ endpoint: ClientEndpoint,
        tls: TLSClientConfiguration,
        connect: Connect,
        timeout: Duration,
    ) throws(ApusTransport.ClientError) {
        var configuration = ClientConfiguration(connect: connect)
        // Messages for the device stay unacknowledged, so that it gets them itself.
        configuration.acknowledgesManually = true
        configuration.connectTimeout = timeout
        machine = MQTTClientMachine(configuration: configuration)
        self.timeout = timeout
        connection = try ClientConnection(endpoint, tls: tls, timeout: timeout)
    }

    /// What the broker announced.
    var server: ConnAck { machine.server }

    func connect(cleanStart: Bool) throws -> Answer {
        try machine.connect(cleanStart: cleanStart, now: Self.now, into: &actions)
        return try wait { event in
            switch event {
            case .connected: .accepted
            case .refused(let packet): .refused(packet.reasonCode, packet.reasonString)
            default: nil
            }
        }
    }

    func subscribe(_ filter: String) throws -> Answer {
        let request = Subscribe.Request(filter, SubscriptionOptions(qos: .atLeastOnce))
        let token = try machine.subscribe([request], now: Self.now, into: &actions)
        return try wait { event in
            guard case .subscribed(token, let codes, let reason) = event, let code = codes.first else { return nil }
            return code.isError ? .refused(code, reason) : .accepted
        }
    }

    func publishEmpty(_ topic: String) throws -> Answer {
        let message = Publish(topic: topic, payload: [], qos: .atLeastOnce)
        let token = try machine.publish(message, now: Self.now, into: &actions)
        return try wait { event in
            guard case .published(token, let code, let reason) = event else { return nil }
            return code.isError ? .refused(code, reason) : .accepted
        }
    }

    /// - Parameter sessionExpiry: in MQTT 5, how long the broker keeps the session; nil leaves that as it is.
    func leave(sessionExpiry: UInt32? = nil) {
        machine.disconnect(sessionExpiryInterval: sessionExpiry, into: &actions)
        do {
            try connection.send(actions.bytes)
        } catch {
            // It has ended, which is what was wanted.
            actions.bytes = []
        }
        connection.close(timeout: .milliseconds(500))
    }

    private static var now: Duration { .nanoseconds(Clock.monotonicNanoseconds()) }

    private func wait(for answer: (ClientEvent) -> Answer?) throws -> Answer {
        let deadline = Self.now + timeout
        while true {
            let (bytes, events) = (actions.bytes, actions.events)
            actions = ClientActions()
            if !bytes.isEmpty { try connection.send(bytes) }
            for event in events {
                if let found = answer(event) ?? Self.end(event) { return found }
            }
            guard Self.now < deadline else { return .silence }
            switch try connection.receive(timeout: deadline - Self.now) {
            case .bytes(let bytes):
                if let status = Self.httpStatus(bytes) { return .http(status: status) }
                machine.received(bytes.span, now: Self.now, into: &actions)
            case .closed: machine.connectionLost(into: &actions)
            case .timedOut: return .silence
            case .woken, .inputReady, .sent: break
            }
        }
    }

    private static func end(_ event: ClientEvent) -> Answer? {
        switch event {
        case .disconnected(let packet): .refused(packet.reasonCode, packet.reasonString)
        case .connectionLost: .closed
        case .protocolViolation(_, let words): .nonsense(words)
        default: nil
        }
    }

    /// The status of an HTTP answer (RFC 9112, section 4); nil for other bytes, as all of MQTT: no packet begins like that.
    static func httpStatus(_ bytes: [UInt8]) -> Int? {
        guard bytes.starts(with: "HTTP/".utf8) else { return nil }
        let line = bytes.prefix(64).split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
        return line.count > 1 ? Int(String(decoding: line[1].prefix(3), as: UTF8.self)) : nil
    }
}
