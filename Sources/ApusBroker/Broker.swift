internal import ApusLocks
package import ApusMessage
internal import Synchronization

/// What all shards of a process share: configuration, ports, and the instances with their subscription indexes and
/// retained messages.
///
/// Holds nothing that a PUBLISH has to lock: the index answers from each shard's match cache, counters are per shard.
package final class Broker: Sendable {
    package let configuration: BrokerConfiguration
    package let authenticator: any Authenticator
    /// `nil` when everybody may do everything, so that the packet path need not ask.
    package let authorizer: (any Authorizer)?
    package let events: any EventSink
    /// Says where a CONNECT belongs.
    package let instances: any InstanceResolver
    package let retainedBudget: RetainedBudget
    package let statistics: Statistics
    /// Of this process, in the names of messages and connections.
    let epoch: UInt64
    private let live = Guarded<[InstanceNumber: BrokerInstance]>([:])
    /// Live connections of all shards, for the limit.
    let connectionCount = Atomic<Int>(0)
    /// Sessions of all shards, connected or not, for the limit.
    let sessionCount = Atomic<Int>(0)
    /// Mail on its way, by receiving shard.
    let mailPressure: [MailPressure]
    /// Where 5.0 clients are sent when the process ends; nil sends them nowhere.
    private let reference = Guarded<String?>(nil)
    private let mailman = Guarded<Mailman?>(nil)
    /// Beside the broker's own figures.
    private let metricSources = Guarded<[any MetricSource]>([])

    /// How mail reaches a shard.
    ///
    /// A structure of its own: a bare closure inside a generic `Guarded` is wrapped once more by each look at it (Swift 6.3),
    /// until a call through all the wrappers overflows the stack.
    private struct Mailman: Sendable {
        let deliver: @Sendable (_ shard: Int, _ mail: ShardMail) -> Void
    }

    package init(
        configuration: BrokerConfiguration,
        authenticator: any Authenticator,
        authorizer: (any Authorizer)?,
        events: any EventSink,
        instances: (any InstanceResolver)? = nil,
    ) {
        precondition((1...Self.maximumShards).contains(configuration.shardCount))
        self.configuration = configuration
        self.authenticator = authenticator
        self.authorizer = authorizer
        self.events = events
        epoch = configuration.seed
        self.instances = instances ?? SingleInstance(InstanceSettings(policies: configuration.policies))
        retainedBudget = RetainedBudget(configuration.limits)
        mailPressure = (0..<configuration.shardCount).map { _ in MailPressure() }
        statistics = Statistics(shardCount: configuration.shardCount)
    }

    /// A session handle has eight bits for the shard.
    package static let maximumShards = 256

    /// The shard on which the client's session lives.
    ///
    /// Depends on the client id alone, so that any shard that takes a CONNECT knows where to send it
    /// (docs/decisions/0002-connections-move-to-sessions.md). The seed keeps a client from choosing its shard.
    package func homeShard(of clientID: String) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ configuration.seed
        for byte in clientID.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        hash ^= hash >> 32
        return Int(hash % UInt64(configuration.shardCount))
    }

    /// The instance with this number; made if it is not there yet.
    package func instance(_ number: InstanceNumber) -> BrokerInstance {
        live.withLock { live in
            if let known = live[number] { return known }
            let new = BrokerInstance(number, budget: retainedBudget)
            live[number] = new
            return new
        }
    }

    /// A shard has nothing more of an instance that was deleted; when none has, it goes.
    func forget(_ number: InstanceNumber, onShard shard: Int) {
        live.withLock { live in
            guard let instance = live[number], instance.isGone(fromShard: shard, of: configuration.shardCount) else {
                return
            }
            live[number] = nil
        }
    }

    /// All instances that anything has come to, by number.
    package var liveInstances: [BrokerInstance] {
        live.withLock { Array($0.values) }.sorted { $0.number < $1.number }
    }

    /// `nil` until anything has come to it.
    func liveInstance(_ number: InstanceNumber) -> BrokerInstance? { live.withLock { $0[number] } }

    /// An instance was changed, stopped or deleted: the shards look at what `instances` says of it now.
    package func instanceChanged(_ number: InstanceNumber) { postToAll(.instanceChanged(number)) }

    /// Tells the broker how mail reaches a shard's thread; called once, before the first connection.
    package func connectMail(_ deliver: @escaping @Sendable (_ shard: Int, _ mail: ShardMail) -> Void) {
        mailman.withLock { $0 = Mailman(deliver: deliver) }
    }

    /// Adds figures to the broker's own; called at start, once for each source.
    package func connectMetrics(_ source: any MetricSource) { metricSources.withLock { $0.append(source) } }

    var furtherSamples: [BrokerMetrics.Sample] { metricSources.withLock { $0 }.flatMap(\.samples) }

    /// Sends mail to a shard from any thread.
    package func post(to shard: Int, _ mail: ShardMail) {
        mailman.withLock { $0 }?.deliver(shard, mail)
    }

    /// Sends the same mail to every shard.
    package func postToAll(_ mail: ShardMail) {
        for shard in 0..<configuration.shardCount { post(to: shard, mail) }
    }

    /// Where 5.0 clients shall go when the process ends: text for Server Reference (MQTT 5.0, section 4.11).
    package var serverReference: String? {
        get { reference.withLock { $0 } }
        set { reference.withLock { $0 = newValue } }
    }

    /// Makes new limits effective for everything that starts from now on.
    package func apply(_ limits: Limits) {
        retainedBudget.apply(limits)
        postToAll(.limits(limits))
    }
}

/// What a broker is started with.
package struct BrokerConfiguration: Sendable {
    package var shardCount: Int
    package var limits = Limits()
    /// The rules of the only instance, when there is no catalog.
    package var policies = Policies()
    /// Seconds between `$SYS` publications; 0 publishes none.
    package var statisticsSeconds = 10
    /// Events that the trace keeps, over all shards; 0 keeps none.
    package var traceEvents = 0
    /// The version that `$SYS/broker/version` shows.
    package var version = "apus"
    /// Unpredictable in production, fixed in a simulation.
    package var seed: UInt64

    package init(shardCount: Int, seed: UInt64) {
        self.shardCount = shardCount
        self.seed = seed
    }
}
