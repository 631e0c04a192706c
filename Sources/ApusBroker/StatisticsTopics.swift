internal import ApusMessage
internal import ApusTopics
internal import Synchronization

// `$SYS/broker/…` under the names that other brokers have made customary.

extension Shard {
    /// Topics and values, all shards together.
    mutating func statisticsTopics() -> [(topic: String, value: String)] {
        let total = broker.statistics.total
        let counts = broker.instance(.none).subscriptions.counts
        let uptime = (now.milliseconds - startedAt.milliseconds) / 1000
        let values: [(String, String)] = [
            ("version", broker.configuration.version),
            ("uptime", "\(uptime) seconds"),
            ("clients/connected", "\(broker.connectionCount.load(ordering: .relaxed))"),
            ("clients/total", "\(total.sessions)"),
            ("clients/disconnected", "\(max(0, total.sessions - broker.connectionCount.load(ordering: .relaxed)))"),
            ("connections/accepted", "\(total.connectionsAccepted)"),
            ("connections/refused", "\(total.connectionsRefused)"),
            ("messages/received", "\(total.packetsReceived)"),
            ("messages/sent", "\(total.packetsSent)"),
            ("publish/messages/received", "\(total.publishesReceived)"),
            ("publish/messages/sent", "\(total.publishesSent)"),
            ("publish/messages/dropped", "\(total.droppedTotal)"),
            ("publish/messages/unrouted", "\(total.unrouted)"),
            ("publish/bytes/received", "\(total.publishBytesReceived)"),
            ("publish/bytes/sent", "\(total.publishBytesSent)"),
            ("bytes/received", "\(total.bytesReceived)"),
            ("bytes/sent", "\(total.bytesSent)"),
            ("subscriptions/count", "\(counts.subscriptions)"),
            ("shared_subscriptions/count", "\(counts.shared)"),
            ("retained messages/count", "\(broker.retainedBudget.count)"),
            ("protocol_errors", "\(total.protocolErrors)"),
        ]
        let drops = DropReason.allCases.map {
            ("publish/messages/dropped/\($0.name)", "\(total.dropped($0))")
        }
        loadAverages.update(total, now: now)
        return (values + drops + loadAverages.topics).map { (topic: "$SYS/broker/\($0.0)", value: $0.1) }
    }
}
