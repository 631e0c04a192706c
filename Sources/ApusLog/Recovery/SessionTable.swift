internal import ApusMessage
internal import ApusStore
internal import ApusTopics
internal import MQTTCodec

/// The sessions met in the log, by number; found without a branch too many, because every record names one.
struct SessionTable {
    struct Slot {
        let number: UInt32
        /// It is gone for ever: what else the log says of it counts for nothing.
        var hasEnded = false
        /// Index into `states`; -1 before its first state record.
        var state: Int32 = -1
        var queue = RecoveryQueue()
    }

    struct State {
        var record: SessionRecord
        var segment: UInt64
        var bytes: Int
        var subscriptions = SubscriptionList()
        var inbound: [PacketIdentifier] = []
        var outbound: [Outbound] = []
    }

    struct Outbound {
        var identifier: PacketIdentifier
        /// `.none` after PUBREC.
        var position: StorePosition
        var spec: DeliverySpec
        var group: TopicFilter?
    }

    private(set) var slots: [Slot] = []
    private(set) var states: [State] = []
    /// Indices into `states` of sessions that have ended.
    private var freeStates: [Int32] = []
    /// Open addressing: index into `slots` plus one, 0 for free.
    private var index = [UInt32](repeating: 0, count: 256)
    private var shift: UInt32 = 24
    private var last = 0
    /// The largest number met, but for the retained messages'.
    private(set) var highest: UInt32 = 0

    /// The slot of a number that was met before.
    @inline(__always)
    mutating func find(_ number: UInt32) -> Int? {
        if last < slots.count, slots[last].number == number { return last }
        var at = Int(truncatingIfNeeded: (number &* 0x9E37_79B1) &>> shift)
        while true {
            let entry = index[at]
            if entry == 0 { return nil }
            if slots[Int(entry) &- 1].number == number {
                last = Int(entry) &- 1
                return last
            }
            at = (at &+ 1) & (index.count &- 1)
        }
    }

    /// The slot of a number, made if need be.
    @inline(__always)
    mutating func slot(_ number: UInt32) -> Int {
        if let found = find(number) { return found }
        return insert(number)
    }

    @inline(never)
    private mutating func insert(_ number: UInt32) -> Int {
        if number != SessionNumber.retained.rawValue { highest = max(highest, number) }
        slots.append(Slot(number: number))
        if slots.count * 2 > index.count {
            index = [UInt32](repeating: 0, count: index.count * 4)
            shift -= 2
            for slot in slots.indices { enter(slot) }
        } else {
            enter(slots.count - 1)
        }
        return slots.count - 1
    }

    private mutating func enter(_ slot: Int) {
        var at = Int(truncatingIfNeeded: (slots[slot].number &* 0x9E37_79B1) &>> shift)
        while index[at] != 0 { at = (at &+ 1) & (index.count &- 1) }
        index[at] = UInt32(truncatingIfNeeded: slot + 1)
    }

    // MARK: Queues

    @inline(__always)
    mutating func add(_ position: StorePosition, _ spec: DeliverySpec, size: UInt32, to number: UInt32) {
        let slot = slot(number)
        if slots[slot].hasEnded { return }
        slots[slot].queue.add(position, spec, size: size)
    }

    @inline(__always)
    mutating func finish(_ position: StorePosition, by number: UInt32) {
        guard let slot = find(number) else { return }
        slots[slot].queue.finish(position)
    }

    /// Takes a session's queue out.
    mutating func takeQueue(_ slot: Int) -> [QueueEntry] {
        var queue = RecoveryQueue()
        swap(&queue, &slots[slot].queue)
        return queue.finished()
    }

    // MARK: States

    /// Changes the state of a session; one that is not known is none of ours.
    mutating func change(_ number: UInt32, bytes: Int, _ body: (inout State) -> Void) {
        guard let slot = find(number), slots[slot].state >= 0 else { return }
        states[Int(slots[slot].state)].bytes += bytes
        body(&states[Int(slots[slot].state)])
    }

    mutating func reset(_ number: UInt32, to record: SessionRecord, segment: UInt64, bytes: Int) {
        let slot = slot(number)
        if slots[slot].hasEnded { return }
        let state = State(record: record, segment: segment, bytes: bytes)
        if slots[slot].state >= 0 {
            states[Int(slots[slot].state)] = state
        } else if let free = freeStates.popLast() {
            slots[slot].state = free
            states[Int(free)] = state
        } else {
            slots[slot].state = Int32(truncatingIfNeeded: states.count)
            states.append(state)
        }
    }

    mutating func end(_ number: UInt32) {
        let slot = slot(number)
        if slots[slot].state >= 0 {
            freeStates.append(slots[slot].state)
            let state = State(record: SessionRecord(clientID: "", expirySeconds: 0), segment: 0, bytes: 0)
            states[Int(slots[slot].state)] = state
        }
        slots[slot].hasEnded = true
        slots[slot].state = -1
        slots[slot].queue = RecoveryQueue()
    }
}

/// The subscriptions of a session; few have many.
struct SubscriptionList {
    private(set) var all: [StoredSubscription] = []
    /// Indices into `all`, kept when there are many.
    private var index: [TopicFilter: Int] = [:]
    private static let many = 16

    mutating func set(_ subscription: StoredSubscription) {
        if let found = find(subscription.filter) {
            all[found] = subscription
            return
        }
        all.append(subscription)
        if all.count > Self.many { enter() }
    }

    mutating func remove(_ filter: TopicFilter) {
        guard let found = find(filter) else { return }
        all.swapAt(found, all.count - 1)
        all.removeLast()
        index[filter] = nil
        if found < all.count, !index.isEmpty { index[all[found].filter] = found }
    }

    private func find(_ filter: TopicFilter) -> Int? {
        index.isEmpty ? all.firstIndex { $0.filter == filter } : index[filter]
    }

    private mutating func enter() {
        if index.isEmpty {
            for (at, subscription) in all.enumerated() { index[subscription.filter] = at }
        } else {
            index[all[all.count - 1].filter] = all.count - 1
        }
    }
}

extension SessionTable.State {
    mutating func take(_ identifier: PacketIdentifier) {
        if !inbound.contains(identifier) { inbound.append(identifier) }
    }

    mutating func release(_ identifier: PacketIdentifier) {
        if let index = inbound.firstIndex(of: identifier) { inbound.remove(at: index) }
    }

    mutating func send(_ message: SessionTable.Outbound) {
        complete(message.identifier)
        outbound.append(message)
    }

    mutating func receive(_ identifier: PacketIdentifier) {
        if let index = outbound.firstIndex(where: { $0.identifier == identifier }) {
            outbound[index].position = .none
            outbound[index].group = nil
        } else {
            let spec = DeliverySpec(rawValue: 0)
            outbound.append(.init(identifier: identifier, position: .none, spec: spec, group: nil))
        }
    }

    mutating func complete(_ identifier: PacketIdentifier) {
        if let index = outbound.firstIndex(where: { $0.identifier == identifier }) { outbound.remove(at: index) }
    }
}
