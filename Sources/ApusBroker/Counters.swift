internal import ApusLocks
package import ApusMessage

/// What one shard has counted since its start; plain numbers, owned by the shard's thread.
package struct Counters: Sendable {
    package var connectionsAccepted: UInt64 = 0
    package var connectionsRefused: UInt64 = 0
    /// CONNECT packets, each where its session lives.
    package var connectPackets: UInt64 = 0
    package var connectionsClosed: UInt64 = 0
    package var protocolErrors: UInt64 = 0
    package var packetsReceived: UInt64 = 0
    package var packetsSent: UInt64 = 0
    package var bytesReceived: UInt64 = 0
    package var bytesSent: UInt64 = 0
    package var publishesReceived: UInt64 = 0
    package var publishesSent: UInt64 = 0
    package var publishBytesReceived: UInt64 = 0
    package var publishBytesSent: UInt64 = 0
    /// Messages that matched no subscription.
    package var unrouted: UInt64 = 0
    package var sessionsTakenOver: UInt64 = 0
    /// How often a publisher was not read until the next second.
    package var throttled: UInt64 = 0
    /// See `TickMeasure`.
    package var deliveryDurations = DurationHistogram()
    package var dropped = [UInt64](repeating: 0, count: DropReason.allCases.count)
    // Gauges that are kept.
    /// Messages of QoS 1 and 2 sent to clients and not finished, those of sessions that are away included.
    package var inFlight = 0
    /// Messages waiting for sessions that are away.
    package var queuedAway = 0
    // Gauges, filled in when a snapshot is taken.
    package var connections = 0
    package var sessions = 0
    /// Messages and bytes waiting for all sessions, connected or not.
    package var queuedMessages = 0
    package var queuedBytes = 0

    package init() {}

    package mutating func drop(_ reason: DropReason, _ count: Int = 1) {
        dropped[Int(reason.rawValue)] += UInt64(count)
    }

    package func dropped(_ reason: DropReason) -> UInt64 { dropped[Int(reason.rawValue)] }

    package var droppedTotal: UInt64 { dropped.reduce(0, +) }

    package static func += (left: inout Counters, right: Counters) {
        left.connectionsAccepted += right.connectionsAccepted
        left.connectionsRefused += right.connectionsRefused
        left.connectPackets += right.connectPackets
        left.connectionsClosed += right.connectionsClosed
        left.protocolErrors += right.protocolErrors
        left.packetsReceived += right.packetsReceived
        left.packetsSent += right.packetsSent
        left.bytesReceived += right.bytesReceived
        left.bytesSent += right.bytesSent
        left.publishesReceived += right.publishesReceived
        left.publishesSent += right.publishesSent
        left.publishBytesReceived += right.publishBytesReceived
        left.publishBytesSent += right.publishBytesSent
        left.unrouted += right.unrouted
        left.sessionsTakenOver += right.sessionsTakenOver
        left.throttled += right.throttled
        for index in left.dropped.indices { left.dropped[index] += right.dropped[index] }
        left.deliveryDurations += right.deliveryDurations
        left.inFlight += right.inFlight
        left.queuedAway += right.queuedAway
        left.queuedMessages += right.queuedMessages
        left.queuedBytes += right.queuedBytes
        left.connections += right.connections
        left.sessions += right.sessions
    }
}

/// The latest snapshot of each shard's counters, readable from any thread.
package final class Statistics: Sendable {
    private let snapshots: Guarded<[Counters]>

    init(shardCount: Int) { snapshots = Guarded([Counters](repeating: Counters(), count: shardCount)) }

    func publish(_ counters: Counters, ofShard shard: Int) { snapshots.withLock { $0[shard] = counters } }

    /// The sum over all shards, as of the last `$SYS` interval.
    package var total: Counters {
        snapshots.withLock { $0.reduce(into: Counters()) { $0 += $1 } }
    }
}

extension Shard {
    /// So many messages were found lost when the store was opened; one shard counts them for all.
    package mutating func countUnreadable(_ messages: Int) { counters.drop(.unreadable, messages) }
}
