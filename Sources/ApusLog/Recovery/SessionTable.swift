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
        /// The same for its queue, to which words come later.
        var queueHasEnded = false
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
    /// Open addressing: the number and in the low half the index into `slots` plus one; 0 for free.
    private var index = [UInt64](repeating: 0, count: 256)
    private var shift: UInt32 = 24
    /// Words on queues that wait to be put in the order of sessions: one session's queue after the other is touched then,
    /// while in the order of the log each word would wait for memory.
    private var words: [QueueWord] = []
    private var sortedWords: [QueueWord] = []
    private static let wordLimit = 1 << 20
    /// The largest number met, but for the retained messages'.
    private(set) var highest: UInt32 = 0

    /// The slot of a number that was met before.
    @inline(__always)
    func find(_ number: UInt32) -> Int? {
        var at = Int(truncatingIfNeeded: (number &* 0x9E37_79B1) &>> shift)
        while true {
            let entry = index[at]
            if entry == 0 { return nil }
            if UInt32(truncatingIfNeeded: entry &>> 32) == number {
                return Int(UInt32(truncatingIfNeeded: entry)) &- 1
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
            index = [UInt64](repeating: 0, count: index.count * 4)
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
        index[at] = UInt64(slots[slot].number) << 32 | UInt64(slot + 1)
    }

    // MARK: Queues

    @inline(__always)
    mutating func add(_ position: StorePosition, _ spec: DeliverySpec, size: UInt32, to number: UInt32) {
        say(QueueWord(position: position, spec: spec, size: size, slot: UInt32(truncatingIfNeeded: slot(number))))
    }

    @inline(__always)
    mutating func finish(_ position: StorePosition, by number: UInt32) {
        guard let slot = find(number) else { return }
        let spec = DeliverySpec(rawValue: 0)
        say(QueueWord(position: position, spec: spec, size: 0, slot: UInt32(truncatingIfNeeded: slot)))
    }

    @inline(__always)
    private mutating func say(_ word: QueueWord) {
        words.append(word)
        if words.count == Self.wordLimit { settle() }
    }

    /// Lets all words on queues take effect, in the order in which each session heard them.
    mutating func settle() {
        var starts = [UInt32](repeating: 0, count: slots.count + 1)
        for word in words { starts[Int(word.slot) &+ 1] &+= 1 }
        for slot in slots.indices { starts[slot &+ 1] &+= starts[slot] }
        if sortedWords.count < words.count { sortedWords = words }
        for word in words {
            sortedWords[Int(starts[Int(word.slot)])] = word
            starts[Int(word.slot)] &+= 1
        }
        // Each start has moved to where the next session begins.
        var at = 0
        for slot in slots.indices {
            let end = Int(starts[slot])
            while at < end {
                tell(slot, sortedWords[at])
                at &+= 1
            }
        }
        words.removeAll(keepingCapacity: true)
    }

    @inline(__always)
    private mutating func tell(_ slot: Int, _ word: QueueWord) {
        if word.spec.rawValue != 0 {
            if !slots[slot].queueHasEnded { slots[slot].queue.add(word.position, word.spec, size: word.size) }
        } else if word.size == 0 {
            slots[slot].queue.finish(word.position)
        } else {
            slots[slot].queue = RecoveryQueue()
            slots[slot].queueHasEnded = true
        }
    }

    /// Takes a session's queue out; after `settle()`.
    mutating func takeQueue(_ slot: Int) -> [QueueEntry] {
        var queue = RecoveryQueue()
        swap(&queue, &slots[slot].queue)
        return queue.finished()
    }

    /// No words come any more.
    mutating func forgetWords() {
        words = []
        sortedWords = []
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
        let spec = DeliverySpec(rawValue: 0)
        say(QueueWord(position: .none, spec: spec, size: 1, slot: UInt32(truncatingIfNeeded: slot)))
    }
}

/// What a record says of a session's queue: a message waits; or with an empty spec, that it is finished, or (size 1) that
/// the session has ended.
struct QueueWord {
    var position: StorePosition
    var spec: DeliverySpec
    var size: UInt32
    /// Of the session.
    var slot: UInt32
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
