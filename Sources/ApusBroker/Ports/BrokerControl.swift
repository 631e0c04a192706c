package import ApusMessage
package import MQTTCodec

/// What management does with a running broker: asks what lives in it, publishes, ends.
///
/// Every call is answered by the shards in their own time; none blocks a shard for longer than a slice of work. Lists are
/// in pages: `after` is the last key of the page before, the answer is sorted by key.
package protocol BrokerControl: Sendable {
    /// Publishes for the service itself, past the rights of any client; the topic's form and parent are the caller's to
    /// check. Returns when the message is as safe as an acknowledgement would promise.
    func publish(_ message: ManagedPublish) async -> PublishReport

    /// Which of the client ids are connected, in the order given.
    func areConnected(_ instance: InstanceNumber, clientIDs: [String]) async -> [Bool]

    /// Live connections of the instance on all shards.
    func connectionCount(_ instance: InstanceNumber) -> Int

    /// A session, connected or not; `nil` when there is none.
    func session(_ instance: InstanceNumber, clientID: String) async -> SessionDetails?

    /// Sessions of the instance by client id, at most `limit`, 1 … 1,000.
    func sessions(_ instance: InstanceNumber, after: String, limit: Int, connectedOnly: Bool) async -> [SessionDetails]

    /// Closes the connection of a client; false when it has none.
    func disconnect(_ instance: InstanceNumber, clientID: String, explanation: String) async -> Bool

    /// Ends a session, with its connection, subscriptions and queue; false when there is none.
    func endSession(_ instance: InstanceNumber, clientID: String, explanation: String) async -> Bool

    /// Retained messages whose topics match the filter, by topic, at most `limit`, 1 … 1,000.
    /// Ends earlier when its payloads have more than `bytes` together, but not before the first.
    func retained(
        _ instance: InstanceNumber,
        filter: String,
        after: String,
        limit: Int,
        bytes: Int,
    ) async -> RetainedPage

    /// Removes a retained message; false when there is none.
    func removeRetained(_ instance: InstanceNumber, topic: String) async -> Bool

    /// The counters of the process, by their names in docs/operations.md.
    func metrics() async -> BrokerMetrics

    /// Events of the trace of an instance, oldest first unless `newestFirst`.
    func trace(_ query: TraceQuery) async -> TracePage
}

/// A message that management publishes.
package struct ManagedPublish: Sendable {
    package var instance: InstanceNumber
    package var topic: String
    package var payload: [UInt8]
    package var qos: QoS
    package var retain: Bool
    /// For a P2P message whether it is dropped when its target is away (apsaramq-facts 3.1).
    package var isCleanSession: Bool
    /// Encoded MQTT 5.0 properties that travel with the message, as in ``Message``.
    package var properties: [UInt8]
    /// Who sends, for the trace.
    package var sender: String

    package init(
        instance: InstanceNumber,
        topic: String,
        payload: [UInt8],
        qos: QoS = .atLeastOnce,
        retain: Bool = false,
        isCleanSession: Bool = true,
        properties: [UInt8] = [],
        sender: String,
    ) {
        self.instance = instance
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.isCleanSession = isCleanSession
        self.properties = properties
        self.sender = sender
    }
}

/// What became of a message that management published.
package struct PublishReport: Sendable, Equatable {
    package enum Outcome: Sendable, Equatable {
        /// Given to sessions, or stored for them.
        case accepted
        /// Nobody can get it: no subscription matches, or the P2P target is unknown or away.
        case nobody
        /// Not taken: the message breaks a bound that holds for clients too; the text says which.
        case forbidden(String)
        /// Not taken: the instance has sent all that it may in this second; the text names the limit.
        case throttled(String)
        /// Not taken, though there is nothing wrong with the message; the text says why.
        case refused(String)
    }

    package var outcome: Outcome
    /// 32 upper-case hexadecimal digits, what traces know the message by; empty when it was not taken.
    package var messageID: String

    package init(outcome: Outcome, messageID: String) {
        self.outcome = outcome
        self.messageID = messageID
    }
}

/// A session as management sees it.
package struct SessionDetails: Sendable, Equatable {
    /// The live connection of a session.
    package struct ConnectionDetails: Sendable, Equatable {
        /// As in ``Peer``.
        package var address: String
        package var listener: String
        /// `3.1`, `3.1.1` or `5.0`.
        package var version: String
        package var userName: String?
        package var keepAliveSeconds: Int
        /// Unix milliseconds.
        package var connectedAt: Int64
        /// Unix milliseconds of the last byte from the client.
        package var lastSeenAt: Int64
        /// 32 hexadecimal digits.
        package var channelID: String

        package init(
            address: String,
            listener: String,
            version: String,
            userName: String?,
            keepAliveSeconds: Int,
            connectedAt: Int64,
            lastSeenAt: Int64,
            channelID: String,
        ) {
            self.address = address
            self.listener = listener
            self.version = version
            self.userName = userName
            self.keepAliveSeconds = keepAliveSeconds
            self.connectedAt = connectedAt
            self.lastSeenAt = lastSeenAt
            self.channelID = channelID
        }
    }

    package struct SubscriptionDetails: Sendable, Equatable {
        /// With the share name, when it is shared.
        package var filter: String
        package var qos: Int
        package var noLocal: Bool
        package var retainAsPublished: Bool

        package init(filter: String, qos: Int, noLocal: Bool, retainAsPublished: Bool) {
            self.filter = filter
            self.qos = qos
            self.noLocal = noLocal
            self.retainAsPublished = retainAsPublished
        }
    }

    package var clientID: String
    /// `nil` while the client is away.
    package var connection: ConnectionDetails?
    package var isPersistent: Bool
    /// Seconds after the connection for which the session stays; `UInt32.max` is for ever.
    package var expirySeconds: UInt32
    /// Unix milliseconds; `nil` while connected.
    package var disconnectedAt: Int64?
    package var subscriptions: [SubscriptionDetails]
    /// Messages sent and not yet acknowledged.
    package var inFlight: Int
    package var queuedMessages: Int
    package var queuedBytes: Int

    package init(
        clientID: String,
        connection: ConnectionDetails?,
        isPersistent: Bool,
        expirySeconds: UInt32,
        disconnectedAt: Int64?,
        subscriptions: [SubscriptionDetails],
        inFlight: Int,
        queuedMessages: Int,
        queuedBytes: Int,
    ) {
        self.clientID = clientID
        self.connection = connection
        self.isPersistent = isPersistent
        self.expirySeconds = expirySeconds
        self.disconnectedAt = disconnectedAt
        self.subscriptions = subscriptions
        self.inFlight = inFlight
        self.queuedMessages = queuedMessages
        self.queuedBytes = queuedBytes
    }
}

/// A retained message as management sees it.
package struct RetainedDetails: Sendable, Equatable {
    package var topic: String
    package var payload: [UInt8]
    package var qos: Int
    /// Unix milliseconds; `nil` for none.
    package var expiresAt: Int64?

    package init(topic: String, payload: [UInt8], qos: Int, expiresAt: Int64?) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.expiresAt = expiresAt
    }
}

/// Retained messages by topic, as many as fit.
package struct RetainedPage: Sendable, Equatable {
    package var messages: [RetainedDetails]
    /// Whether there may be more behind the last.
    package var hasMore: Bool

    package init(messages: [RetainedDetails], hasMore: Bool) {
        self.messages = messages
        self.hasMore = hasMore
    }
}

/// Numbers of the process at one moment.
package struct BrokerMetrics: Sendable {
    package enum Kind: String, Sendable {
        /// Only grows.
        case counter
        case gauge
        case histogram
    }

    package struct Sample: Sendable {
        /// In Prometheus' form, `apus_messages_received_total`.
        package var name: String
        package var help: String
        package var kind: Kind
        /// Few and bounded.
        package var labels: [(String, String)]
        /// Of a histogram the sum in seconds.
        package var value: Double
        /// Only of a histogram.
        package var durations: DurationHistogram?

        package init(name: String, help: String, kind: Kind, labels: [(String, String)] = [], value: Double) {
            self.name = name
            self.help = help
            self.kind = kind
            self.labels = labels
            self.value = value
        }

        /// A histogram; its name ends with the unit, `_seconds`.
        package init(name: String, help: String, labels: [(String, String)] = [], durations: DurationHistogram) {
            self.init(name: name, help: help, kind: .histogram, labels: labels, value: Double(durations.sum) / 1e9)
            self.durations = durations
        }
    }

    /// Those of one name stand side by side.
    package var samples: [Sample]

    package init(samples: [Sample]) { self.samples = samples }
}
