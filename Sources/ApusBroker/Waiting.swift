internal import ApusMemory
internal import ApusMessage
internal import ApusSession
internal import ApusStore
internal import Synchronization

// What waits for sessions that are away, against the limits of their instance (apsaramq-facts 3.3, 7).

extension Shard {
    /// The instance's limit of messages that wait, if it is reached.
    func reachedOfflineMessages(_ session: Int) -> Int? {
        let most = tenants[Int(sessions[session].tenant)].limits.offlineMessages
        guard most > 0, instance(ofSession: session).waitingMessages.load(ordering: .relaxed) >= most else {
            return nil
        }
        return most
    }

    /// More or fewer messages wait for a session that is away.
    mutating func addWaiting(_ change: Int, _ session: Int) {
        guard change != 0 else { return }
        sessions[session].countedMessages += change
        counters.queuedAway += change
        instance(ofSession: session).waitingMessages.add(change, ordering: .relaxed)
    }

    /// Counts anew what waits for the session: all of its queue while it is away, nothing while it is connected.
    mutating func countWaiting(_ session: Int) {
        let waiting = sessions[session].isConnected ? 0 : store.backlog(of: sessions[session].handle).messages
        addWaiting(waiting - sessions[session].countedMessages, session)
    }

    /// Whether a delivery has waited for longer than the instance allows.
    ///
    /// One with the RETAIN flag has no age: it may be a retained message, which was there long before it was asked for.
    func hasWaitedTooLong(_ delivery: Delivery, _ session: Int) -> Bool {
        let seconds = tenants[Int(sessions[session].tenant)].limits.offlineSeconds
        guard seconds > 0, !delivery.retain else { return false }
        return delivery.message.receivedAt.adding(seconds: Int64(seconds)) <= now
    }
}
