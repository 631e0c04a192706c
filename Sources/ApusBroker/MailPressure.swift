internal import ApusMemory
internal import ApusMessage
internal import ApusStore
internal import Synchronization

/// How much mail is on its way to one shard and not yet delivered there.
///
/// Past the bound the senders stop reading from their publishers, which TCP passes on to those; they go on delivering,
/// so that two shards that wait for each other both get free. Threads meet here only through one atomic number.
final class MailPressure: Sendable {
    private let inTransit = Atomic<Int>(0)

    func posted(_ bytes: Int) { inTransit.add(bytes, ordering: .relaxed) }

    func isAbove(_ bound: Int) -> Bool { inTransit.load(ordering: .relaxed) > bound }

    /// Mail was delivered.
    ///
    /// - Returns: whether that relieved a congestion: the senders must be told.
    func delivered(_ bytes: Int, bound: Int) -> Bool {
        let (before, after) = inTransit.subtract(bytes, ordering: .relaxed)
        return before > bound && after <= bound
    }
}

extension Shard {
    /// Whether another shard has more waiting than the bound, so that this one must not take in more.
    private var isCongested: Bool {
        for (shard, pressure) in broker.mailPressure.enumerated() where shard != index {
            if pressure.isAbove(limits.shardBacklogBytes) { return true }
        }
        return false
    }

    /// Stops reading from a publisher while another shard or the store is behind.
    mutating func pauseIfCongested(_ slot: Int) {
        guard !connections[slot].isPaused, isCongested || store.isBehind else { return }
        connections[slot].isPaused = true
        paused.append(Int32(truncatingIfNeeded: slot))
    }

    /// Lets the loop read again, where a congestion has ended.
    mutating func resumePaused() {
        guard !paused.isEmpty, !isCongested, !store.isBehind else { return }
        for slot in paused {
            connections[Int(slot)].isPaused = false
            connections[Int(slot)].lastReceived = now
            markDirty(Int(slot))
        }
        paused.removeAll(keepingCapacity: true)
    }
}
