import ApusMemory
import ApusMessage
import ApusSession
import ApusStore
import ApusTopics
import MQTTCodec

@testable import ApusBroker

// What must hold in the end.

extension World {
    var counters: Counters {
        var sum = Counters()
        for shard in 0..<shards.count { sum += shards[shard].counters }
        return sum
    }

    /// After all is quiet: who has got what.
    func checkDeliveries() {
        for client in clients { failures += client.failures }
        for client in clients where !client.outgoing.isEmpty {
            failures.append("\(client.name): \(client.outgoing.count) messages are not acknowledged")
        }
        var missing = 0
        for client in clients {
            for (message, published) in messages.enumerated() {
                let count = client.seen[message] ?? 0
                if published.qos != .atLeastOnce, client.isCore, count > 1 {
                    failures.append("\(client.name): message \(message) of \(published.qos) came \(count) times")
                }
                if client.isCore, published.isAccepted, count == 0 { missing += 1 }
            }
        }
        let dropped = dropped + counters.dropped(.queueFull)
        if UInt64(missing) > dropped { failures.append("\(missing) accepted messages are missing, \(dropped) counted") }
        if !scenario.isTight, dropped > 0 { failures.append("dropped though there was room") }
        if counters.dropped(.unreadable) > 0 { failures.append("messages that the store does not have") }
        let longest = stores.map(\.longest).max() ?? 0
        if longest > scenario.limits.queuedMessagesPerSession { failures.append("a queue of \(longest) messages") }
    }

    /// What shards count of queues and send windows against a look at every session.
    func checkCounts() {
        for shard in 0..<shards.count {
            var (messages, away, inFlight) = (0, 0, 0)
            var next = shards[shard].sessions.firstOccupied(from: 0)
            while let session = next {
                let waiting = stores[shard].backlog(of: shards[shard].sessions[session].handle).messages
                messages += waiting
                if !shards[shard].sessions[session].isConnected { away += waiting }
                inFlight += shards[shard].sessions[session].outbound.underWay.count
                next = shards[shard].sessions.firstOccupied(from: session + 1)
            }
            let counters = shards[shard].currentCounters
            if counters.queuedMessages != messages {
                failures.append("\(counters.queuedMessages) messages counted as waiting, there are \(messages)")
            }
            if counters.queuedAway != away {
                failures.append("\(counters.queuedAway) messages counted for who is away, there are \(away)")
            }
            if counters.inFlight != inFlight {
                failures.append("\(counters.inFlight) messages counted as under way, there are \(inFlight)")
            }
        }
    }

    /// After everybody has gone and all sessions have ended nothing may be left.
    func checkEmptiness() {
        for client in clients { client.leave() }
        for link in links { close(link, .peerClosed) }
        pass(milliseconds: 2_000_000_000)
        for client in clients where client.version < .v5 {
            for shard in 0..<shards.count {
                let letter = ShardMail.end(
                    .none,
                    clientID: client.name,
                    .administrativeAction,
                    explanation: "over",
                    endsSession: true,
                )
                broker.post(to: shard, letter)
            }
        }
        for _ in 0..<3 {
            for shard in 0..<shards.count { post(from: shard) }
            while !mail.isEmpty {
                for shard in 0..<shards.count { openMail(of: shard) }
                for shard in 0..<shards.count { post(from: shard) }
            }
        }
        pass(milliseconds: 2_000_000_000)
        pass(milliseconds: 2_000_000_000)
        for shard in 0..<shards.count {
            leak(shards[shard].connectionCount, "connections")
            leak(shards[shard].sessionCount, "sessions")
            leak(shards[shard].sessionsByClientID.count, "client ids")
            leak(shards[shard].pool.usedBytes, "bytes of output")
            leak(shards[shard].timers.count, "timers")
            leak(shards[shard].paused.count, "paused connections")
            leak(shards[shard].counters.inFlight, "messages under way")
            leak(shards[shard].currentCounters.queuedBytes, "bytes in queues")
            leak(stores[shard].waitingCount, "deliveries in the store")
        }
        leak(broker.instance(.none).subscriptions.counts.subscriptions, "subscriptions")
        leak(broker.instance(.none).subscriptions.counts.filters, "filters")
    }

    private func leak(_ count: Int, _ what: String) {
        if count != 0 { failures.append("\(count) \(what) are left") }
    }
}
