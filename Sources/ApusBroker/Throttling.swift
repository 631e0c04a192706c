internal import ApusMemory
internal import ApusMessage
internal import ApusSession

// `publishPerSecond` and `clientPublishPerSecond`: what is more than an instance or a client may send is not read before
// the next second.

extension Shard {
    /// Counts a PUBLISH that is next against the limits of its client and its instance.
    ///
    /// - Returns: false when one is reached: then neither it nor what follows is looked at before the next second.
    mutating func admitsPublish(_ slot: Int) -> Bool {
        guard connections[slot].phase == .connected else { return true }
        let tenant = Int(connections[slot].tenant)
        guard tenants[tenant].hasRate else { return true }
        let second = now.milliseconds / 1000
        let details = connections[slot].details
        let short = UInt32(truncatingIfNeeded: second)
        let sent = details.publishSecond == short ? Int(details.publishCount) : 0
        let perClient = tenants[tenant].limits.clientPublishPerSecond
        let next = Timestamp(milliseconds: (second + 1) * 1000)
        guard perClient == 0 || sent < perClient else {
            throttle(slot, until: next, tenant)
            return false
        }
        // Of those who wait for the second each sends one before any sends more, or one that floods keeps the others out.
        if details.isRationed, sent > 0 {
            details.isRationed = false
            connections[slot].isHeld = true
            schedule(.throttled, slot: slot, at: now.adding(milliseconds: TimingWheel.resolution))
            return false
        }
        guard takePermit(tenant, second) else {
            details.isRationed = true
            throttle(slot, until: next, tenant)
            return false
        }
        details.countPublish(in: short)
        return true
    }

    /// Takes one of the PUBLISH packets that the instance may still send in this second.
    mutating func takePermit(_ tenant: Int, _ second: Int64) -> Bool {
        let limit = tenants[tenant].limits.publishPerSecond
        guard limit > 0 else { return true }
        if tenants[tenant].permitSecond != second || tenants[tenant].permits == 0 {
            let shards = broker.configuration.shardCount
            let got = tenants[tenant].instance.takePermits(limit: limit, shards: shards, now: now)
            tenants[tenant].permits = got
            tenants[tenant].permitSecond = second
        }
        guard tenants[tenant].permits > 0 else { return false }
        tenants[tenant].permits -= 1
        return true
    }

    private mutating func throttle(_ slot: Int, until time: Timestamp, _ tenant: Int) {
        connections[slot].isHeld = true
        counters.throttled += 1
        schedule(.throttled, slot: slot, at: time)
        guard let suppressed = admits(.notice, "client.throttled", "too many messages a second") else { return }
        let limits = tenants[tenant].limits
        var fields = clientFields(slot)
        // 0 is none.
        let named = [
            ("publishPerSecond", limits.publishPerSecond), ("clientPublishPerSecond", limits.clientPublishPerSecond),
        ]
        let limit = named.filter { $0.1 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
        fields.append(("limit", limit))
        fields.append(("suppressed_before", "\(suppressed)"))
        broker.events.record(BrokerEvent(.notice, "client.throttled", fields))
    }

    /// The second in which the client sent too much is over.
    mutating func goOn(_ slot: Int) {
        guard connections[slot].phase == .connected, connections[slot].isHeld,
            !connections[slot].details.awaitsConnAck
        else { return }
        connections[slot].isHeld = false
        connections[slot].lastReceived = now
        processHeldBytes(slot)
    }
}
