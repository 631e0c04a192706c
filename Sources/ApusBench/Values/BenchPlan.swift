package import MQTTCodec

/// What a run shall do: everything but where the broker is and who the clients are.
package struct BenchPlan: Sendable {
    package var workload: Workload
    package var version = ProtocolVersion.v5
    package var qos = QoS.atMostOnce
    /// What subscribers ask for; nil is the QoS of the messages.
    package var subscribeQoS: QoS?
    /// Bytes of a payload, at least `PayloadStamp.byteCount`; with `subscribe` at most that many.
    package var payloadBytes = 64
    package var publishers: Int
    /// Subscribers; where there are no publishers, connections.
    package var subscribers: Int
    /// Messages of each publisher; with `retained` and `subscribe` in all, with `offline` for each topic; nil goes on until
    /// `duration`.
    package var messages: Int?
    /// When publishing stops; what was published must still arrive.
    package var duration: Duration?
    /// Messages of one publisher that may be unacknowledged, or not delivered everywhere yet.
    package var window = 32
    /// Messages of all publishers together in a second, at fixed moments (open loop).
    ///
    /// Nil is the closed loop, in which a message waits for others.
    package var rate: Double?
    /// Filters of each subscriber; only `wildcard` and `storm` have more or fewer than one.
    package var filters = 1
    /// Sessions that wait for the same messages in `offline`.
    package var sessionsPerTopic = 1
    /// The group of shared subscriptions in `fanIn`.
    package var shareName: String?
    /// Which part of `offline` this is.
    package var phase = OfflinePhase.both
    /// Connections begun in a second, at fixed moments; nil keeps `concurrency` under way.
    package var connectRate: Double?
    /// What each message of `publish` holds, instead of its number and its time.
    package var payload: [UInt8]?
    /// How far apart the samples of the run are; nil takes none.
    package var sampleInterval: Duration?
    /// How often `storm` connects all.
    package var rounds = 1
    /// Whether the sessions of `storm` outlive their connections.
    package var isPersistent = false
    /// Connections being made at the same time.
    package var concurrency = 64
    package var threads = 1
    /// How long nothing may happen before a run is given up.
    package var patience = Duration.seconds(10)
    /// How long `idle` looks at connections that do nothing.
    package var idleTime = Duration.seconds(3)
    package var keepAliveSeconds: UInt16 = 600
    /// Whether sessions and retained messages stay on the broker.
    package var keepsTraces = false

    /// Storing and draining may be two runs, with whatever happens to the broker in between.
    package enum OfflinePhase: String, CaseIterable, Sendable {
        case both
        case store
        case drain
    }

    package init(workload: Workload) {
        self.workload = workload
        switch workload {
        case .pairs, .p2p: (publishers, subscribers) = (50, 50)
        case .fanIn: (publishers, subscribers) = (50, 1)
        case .fanOut: (publishers, subscribers) = (1, 1000)
        case .wildcard: (publishers, subscribers, filters) = (10, 1000, 100)
        case .retained: (publishers, subscribers, messages) = (4, 1, 10_000)
        case .offline: (publishers, subscribers, messages, qos) = (4, 100, 1000, .atLeastOnce)
        case .idle: (publishers, subscribers, messages) = (1, 10_000, 1)
        case .storm: (publishers, subscribers, filters) = (0, 10_000, 0)
        case .publish: (publishers, subscribers) = (50, 0)
        case .subscribe: (publishers, subscribers, payloadBytes) = (0, 50, Self.largestPayload)
        }
        if workload.isPaced { duration = .seconds(5) }
    }

    /// The largest number in a list of connections, messages or filters: what 32 bits of a payload can number.
    package static let maximumCount = 1 << 31

    /// Streams of all subscribers together, of some 24 bytes each while nothing is missing.
    private static let maximumStreams = 20_000_000
    /// Retained messages that all subscribers together can get.
    private static let maximumRetained = 1 << 32

    /// Bytes.
    package static let largestPayload = 1 << 20

    /// What is wrong with the plan, for the person who made it; nil when nothing is.
    package var complaint: String? {
        if let payload, payload.count > Self.largestPayload { return "a payload has at most 1048576 bytes" }
        if payload == nil, !(PayloadStamp.byteCount...Self.largestPayload).contains(payloadBytes) {
            return "a payload has \(PayloadStamp.byteCount) to 1048576 bytes: it begins with its number and its time"
        }
        if let duration, duration <= .zero { return "the time is more than 0 seconds" }
        if idleTime < .zero { return "the time is 0 seconds or more" }
        if patience <= .zero { return "the timeout is more than 0 seconds" }
        if !(1...60_000).contains(window) { return "the window is 1 to 60000 messages" }
        if !(1...64).contains(threads) { return "there are 1 to 64 threads" }
        if concurrency < 1 { return "at least one connection must be made at a time" }
        if subscribers < 1 && workload.hasSubscribers || publishers < 1 && workload.hasPublishers {
            return "there must be at least one publisher and one subscriber"
        }
        if max(publishers, subscribers) > 10_000_000 { return "at most 10000000 clients of a kind" }
        if workload.isPaired, publishers != subscribers { return "each publisher has its own subscriber" }
        if workload == .offline, qos == .atMostOnce { return "a message of QoS 0 is not stored; take QoS 1 or 2" }
        if workload == .offline, messages == nil || duration != nil { return "offline stores a number of messages" }
        if workload == .retained, messages == nil || duration != nil { return "retained sets a number of messages" }
        if let messages, messages < 1 || messages >= Self.maximumCount {
            return "1 to \(Self.maximumCount - 1) messages"
        }
        if let rate, !(rate > 0 && rate <= 1e8) { return "a rate is more than 0 and at most 100000000 a second" }
        if rate != nil, !workload.isPaced { return "\(workload.rawValue) has no rate" }
        if let connectRate, !(connectRate > 0 && connectRate <= 1e8) {
            return "a rate of connections is more than 0 and at most 100000000 a second"
        }
        if let sampleInterval, sampleInterval < .milliseconds(100) { return "an interval is 0.1 seconds or more" }
        if shareName != nil, workload != .fanIn, workload != .subscribe {
            return "only fan-in and subscribe share a subscription"
        }
        if filters < 0 || filters < 1 && workload != .storm { return "at least one filter" }
        if sessionsPerTopic < 1 || rounds < 1 { return "at least one" }
        if workload.isPaced, messages == nil, duration == nil { return "say how many messages or for how long" }
        if workload == .wildcard, subscribers * filters >= Self.maximumCount { return "too many filters" }
        let streams = publishers * subscribers
        if [.wildcard, .fanIn, .fanOut].contains(workload), streams > Self.maximumStreams {
            return "publishers times subscribers is at most \(Self.maximumStreams): each pair is looked after by itself"
        }
        if workload == .retained, (messages ?? 0) * subscribers > Self.maximumRetained {
            return "messages times subscribers is at most \(Self.maximumRetained): each is remembered by one bit"
        }
        return nil
    }
}
