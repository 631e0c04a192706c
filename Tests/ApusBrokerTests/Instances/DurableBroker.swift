import ApusLocks
import ApusMemory
import ApusMessage
import ApusStore
import MQTTCodec
import Testing

@testable import ApusBroker
@testable import ApusLog

/// A broker over the message log on a simulated disk, which can be ended and started again.
final class DurableBroker {
    private let disk = SimulatedDisk()
    private let shardCount: Int
    private let instances: any InstanceResolver
    private(set) var log: LogUnderTest
    private(set) var harness: ShardHarness
    private var noticesSeen = 0
    /// Retained messages that the log held at the last start.
    var foundRetained: Int { log.log.retained.count }

    init(shards: Int = 1, instances: any InstanceResolver) throws {
        shardCount = shards
        self.instances = instances
        log = try LogUnderTest(disk, shards: shards)
        harness = ShardHarness(shards: shards, stores: log.stores, instances: instances)
        log.time.value.withLock { [now = harness.now] in $0 = now }
    }

    /// The log writes all that it was given, and the shards hear of it.
    func commit() {
        log.time.value.withLock { [now = harness.now] in $0 = now }
        for _ in 0..<100 {
            log.commit()
            let notices = log.notices.now
            guard noticesSeen < notices.count else { return }
            for (shard, notice) in notices[noticesSeen...] { harness.broker.post(to: shard, .store(notice)) }
            noticesSeen = notices.count
            harness.settle()
        }
    }

    /// Time passes for broker and log.
    func advance(seconds: Double) {
        harness.advance(seconds: seconds)
        commit()
    }

    /// The process is killed after all was written, and another one goes on.
    func restart(after seconds: Int64 = 0) throws {
        commit()
        let now = harness.now.adding(seconds: seconds)
        disk.crash(.keepsAll)
        log = try LogUnderTest(disk, shards: shardCount, time: now)
        noticesSeen = 0
        harness = ShardHarness(shards: shardCount, stores: log.stores, instances: instances, now: now)
        let sessions = log.log.takeSessions()
        for shard in 0..<shardCount {
            harness.shards[shard].restore(sessions.filter { harness.broker.homeShard(of: $0.record.clientID) == shard })
        }
        harness.shards[0].restoreRetained(log.log.retained)
        commit()
        harness.advance(seconds: 0.01)
        commit()
    }

    /// A client that is connected and whose CONNACK is read.
    func client(
        _ clientID: String,
        _ version: ProtocolVersion = .v5,
        clean: Bool = true,
        expiry: UInt32 = 0,
        onShard shard: Int = 0,
        through listener: String,
        change: (inout Connect) -> Void = { _ in },
    ) -> ScriptedClient {
        let client = harness.connect(
            clientID,
            version,
            clean: clean,
            expiry: expiry,
            onShard: shard,
            through: listener,
            change: change,
        )
        commit()
        client.connAck = client.takeConnAck()
        return client
    }
}
