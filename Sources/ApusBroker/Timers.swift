internal import ApusMemory
package import ApusMessage
internal import ApusSession
internal import ApusTopics
internal import MQTTCodec

// What happens because time passes. Timers are lazy: one that fires looks whether it is still due.
//
// A timer cannot be taken back, and a client may come and go many times a second. So none is set further ahead than
// `farthest`, and a session has at most one of each kind ahead: the wheel's size is bounded by the rate of connections.

extension Shard {
    /// What a timer is for; it stands in the top byte of the wheel's token.
    enum Timer: UInt8 {
        case connectDeadline, keepAlive, sessionExpiry, will, retainedReplay, statistics, vacating
        case throttled, principal, suppressed
    }

    /// When the loop must call `advance` at the latest.
    package var nextDeadline: Timestamp {
        timers.nextDeadline.map { Timestamp(milliseconds: $0) } ?? .distantFuture
    }

    mutating func schedule(_ timer: Timer, slot: Int, at time: Timestamp) {
        schedule(timer, slot, connections.generation(of: slot), time)
    }

    mutating func schedule(_ timer: Timer, session: Int, at time: Timestamp) {
        schedule(timer, session, sessions.generation(of: session), time)
    }

    mutating func schedule(_ timer: Timer, _ slot: Int, _ generation: UInt32, _ time: Timestamp) {
        let token =
            UInt64(timer.rawValue) << 56 | UInt64(generation & 0xFF_FFFF) << 32
            | UInt64(UInt32(truncatingIfNeeded: slot))
        timers.schedule(token, at: time.milliseconds)
    }

    mutating func scheduleStatistics() {
        guard broker.configuration.statisticsSeconds > 0 else { return }
        // The first one at once, so that a subscriber of $SYS need not wait.
        schedule(.statistics, 0, 0, now)
    }

    /// Runs every timer that is due at `now`.
    package mutating func advance() {
        // A relief that crossed with the pause would otherwise be missed.
        resumePaused()
        while let token = timers.popDue(now: now.milliseconds) {
            let slot = Int(UInt32(truncatingIfNeeded: token))
            let generation = UInt32(truncatingIfNeeded: token >> 32) & 0xFF_FFFF
            switch Timer(rawValue: UInt8(token >> 56)) {
            case .connectDeadline where connections.contains(slot, generation: generation): connectDeadlinePassed(slot)
            case .retainedReplay where connections.contains(slot, generation: generation):
                connections[slot].details.isReplayScheduled = false
                if connections[slot].hasRetainedReplay, connections[slot].phase == .connected { replayRetained(slot) }
            case .keepAlive where connections.contains(slot, generation: generation): keepAliveFired(slot)
            case .sessionExpiry where sessions.contains(slot, generation: generation): sessionExpiryFired(slot)
            case .will where sessions.contains(slot, generation: generation): willFired(slot)
            case .throttled where connections.contains(slot, generation: generation): goOn(slot)
            case .principal where connections.contains(slot, generation: generation): principalDue(slot)
            case .statistics: publishStatistics()
            case .vacating: vacate()
            case .suppressed: tellSuppressed()
            default: break
            }
        }
    }

    /// Sets the timer for what a principal has to be told, or for its end.
    mutating func schedulePrincipal(_ slot: Int) {
        let details = connections[slot].details
        let due = min(details.principal.noticeAt, details.principal.validUntil)
        let time = min(due, now.adding(seconds: Self.farthestSeconds))
        guard due < .distantFuture, time < details.principalTimerAt else { return }
        details.principalTimerAt = time
        schedule(.principal, slot: slot, at: time)
    }

    private mutating func principalDue(_ slot: Int) {
        guard connections[slot].phase == .connected else { return }
        let details = connections[slot].details
        if details.principalTimerAt <= now { details.principalTimerAt = .distantFuture }
        if details.principal.noticeAt <= now {
            details.principal.noticeAt = .distantFuture
            if let notice = broker.authorizer?.notice(to: details.principal, now: now) { send(notice, to: slot) }
        }
        if details.principal.validUntil <= now { checkStanding(slot) }
        if connections[slot].phase == .connected, details.principal.validUntil > now { schedulePrincipal(slot) }
    }

    private mutating func connectDeadlinePassed(_ slot: Int) {
        let phase = connections[slot].phase
        if phase == .connected, connections[slot].keepAliveSeconds > 0, !connections[slot].hasKeepAliveTimer {
            scheduleKeepAlive(slot)
        }
        guard phase == .awaitingConnect || phase == .authenticating else { return }
        let explanation = "CONNECT was not complete within \(limits.connectSeconds) s"
        // Whoever waits for an authenticator gets a CONNACK, in which *Maximum connect time* may not stand.
        violate(slot, .serverBusy, rule: "MQTT-3.1.4-1", explanation)
    }

    /// One and a half times the keep alive after the last packet [MQTT-3.1.2-22].
    func keepAliveDeadline(_ slot: Int) -> Timestamp {
        connections[slot].lastReceived.adding(milliseconds: Int64(connections[slot].keepAliveSeconds) * 1500)
    }

    private mutating func keepAliveFired(_ slot: Int) {
        guard connections[slot].phase == .connected else { return }
        let deadline = keepAliveDeadline(slot)
        // A connection whose reading the broker itself has paused is not silent.
        guard deadline <= now, !connections[slot].isPaused, !connections[slot].isHeld else {
            return scheduleKeepAlive(slot, noSoonerThan: now.adding(milliseconds: 1000))
        }
        disconnect(slot, .keepAliveTimeout, "nothing came for one and a half times the keep alive")
    }

    /// How far ahead a timer is set at most; what is due later is looked at again then.
    private static var farthestSeconds: Int64 { 300 }

    mutating func scheduleKeepAlive(_ slot: Int, noSoonerThan earliest: Timestamp = Timestamp(milliseconds: 0)) {
        connections[slot].hasKeepAliveTimer = true
        let time = max(keepAliveDeadline(slot), earliest)
        schedule(.keepAlive, slot: slot, at: min(time, now.adding(seconds: Self.farthestSeconds)))
    }

    mutating func scheduleExpiry(_ session: Int) {
        let time = min(sessions[session].expiresAt, now.adding(seconds: Self.farthestSeconds))
        guard sessions[session].expiresAt < .distantFuture, time < sessions[session].expiryTimerAt else { return }
        sessions[session].expiryTimerAt = time
        schedule(.sessionExpiry, session: session, at: time)
    }

    mutating func scheduleWill(_ session: Int) {
        let time = min(sessions[session].willDueAt, now.adding(seconds: Self.farthestSeconds))
        guard sessions[session].willDueAt < .distantFuture, time < sessions[session].willTimerAt else { return }
        sessions[session].willTimerAt = time
        schedule(.will, session: session, at: time)
    }

    private mutating func sessionExpiryFired(_ session: Int) {
        if sessions[session].expiryTimerAt <= now { sessions[session].expiryTimerAt = .distantFuture }
        guard !sessions[session].isConnected else { return }
        guard sessions[session].expiresAt <= now else { return scheduleExpiry(session) }
        endSession(session, .expired)
    }

    private mutating func willFired(_ session: Int) {
        if sessions[session].willTimerAt <= now { sessions[session].willTimerAt = .distantFuture }
        guard !sessions[session].isConnected else { return }
        guard sessions[session].willDueAt <= now else { return scheduleWill(session) }
        publishWill(session)
    }

    private mutating func publishStatistics() {
        snapshotCounters()
        // One shard speaks for all.
        if index == 0 {
            sweepRetained()
            // The numbers of the process are nothing for the clients of one instance among several.
            if let settings = broker.instances.settings(of: .none) {
                let tenant = tenant(of: settings)
                for (topic, value) in statisticsTopics() {
                    publish(Message(topic: topic, payload: Array(value.utf8), retain: true), tenant)
                }
            }
        }
        schedule(.statistics, 0, 0, now.adding(seconds: Int64(broker.configuration.statisticsSeconds)))
    }

    /// Looks for retained messages that have expired and that nobody asks for, a part of them at a time.
    private mutating func sweepRetained() {
        for _ in 0..<64 {
            guard let messages = retainedSweep.next(of: broker, limit: 1_024) else { return }
            for message in messages where message.expiresAt <= now { forgetRetained(message) }
        }
    }

    /// Makes the shard's numbers visible to other threads.
    private mutating func snapshotCounters() {
        counters.connections = connections.count
        counters.sessions = sessions.count
        broker.statistics.publish(counters, ofShard: index)
    }
}
