internal import ApusMemory
internal import ApusMessage
internal import ApusStore
internal import ApusTopics
internal import MQTTCodec

/// What waits for one session: 16 bytes for a stored message, in a ring whose size is a power of two.
struct EntryQueue {
    private var ring: ContiguousArray<QueueEntry> = []
    private var head = 0
    private(set) var count = 0
    private(set) var bytes = 0
    /// Entries that have ever been taken out: the place of the front entry among all that there were.
    private(set) var taken: UInt64 = 0
    private var rare: Rare?
    /// Of the session.
    var number = SessionNumber.none

    /// What few queues have.
    private final class Rare {
        /// Deliveries that no store holds, in order; their entries have no position.
        var unstored = RingBuffer<Delivery>()
        var extras: [StorePosition: Delivery.Extra] = [:]
    }

    var isEmpty: Bool { count == 0 }

    subscript(index: Int) -> QueueEntry { ring[(head &+ index) & (ring.count &- 1)] }

    var first: QueueEntry? { count == 0 ? nil : ring[head] }

    /// Of an entry that has more.
    func extra(_ entry: QueueEntry) -> Delivery.Extra? {
        entry.spec.hasMore ? rare?.extras[entry.position] : nil
    }

    /// What a delivery counts in `bytes`.
    static func size(of delivery: Delivery) -> Int { Int(UInt32(clamping: delivery.message.footprint)) }

    mutating func append(_ delivery: Delivery) {
        let size = UInt32(clamping: delivery.message.footprint)
        guard delivery.position != .none else {
            append(QueueEntry(position: .none, spec: DeliverySpec(rawValue: 0), size: size))
            withRare { $0.unstored.append(delivery) }
            return
        }
        append(QueueEntry(position: delivery.position, spec: DeliverySpec(delivery), size: size))
        if let extra = delivery.extra { withRare { $0.extras[delivery.position] = extra } }
    }

    mutating func append(_ entry: QueueEntry, extra: Delivery.Extra) {
        var entry = entry
        entry.spec.hasMore = true
        append(entry)
        withRare { $0.extras[entry.position] = extra }
    }

    mutating func append(_ entry: QueueEntry) {
        if count == ring.count { grow() }
        ring[(head &+ count) & (ring.count &- 1)] = entry
        count += 1
        bytes += Int(entry.size)
    }

    /// Takes the front entry out, with what belongs to it.
    mutating func removeFirst() -> (entry: QueueEntry, extra: Delivery.Extra?, unstored: Delivery?)? {
        guard let entry = first else { return nil }
        head = (head &+ 1) & (ring.count &- 1)
        count -= 1
        taken += 1
        bytes -= Int(entry.size)
        guard let rare else { return (entry, nil, nil) }
        if entry.position == .none { return (entry, nil, rare.unstored.popFirst()) }
        return (entry, entry.spec.hasMore ? rare.extras.removeValue(forKey: entry.position) : nil, nil)
    }

    private mutating func withRare(_ body: (Rare) -> Void) {
        let rare = self.rare ?? Rare()
        self.rare = rare
        body(rare)
    }

    private mutating func grow() {
        let capacity = max(4, ring.count * 2)
        var larger = ContiguousArray<QueueEntry>()
        larger.reserveCapacity(capacity)
        for index in 0..<count { larger.append(self[index]) }
        let nothing = QueueEntry(position: .none, spec: DeliverySpec(rawValue: 0), size: 0)
        for _ in count..<capacity { larger.append(nothing) }
        ring = larger
        head = 0
    }
}

extension DeliverySpec {
    init(_ delivery: Delivery) {
        self.init(
            rawValue: delivery.subscriptionIdentifier & 0xFFF_FFFF | UInt32(delivery.qos.rawValue) << 28
                | (delivery.retain ? 1 << 30 : 0) | (delivery.extra == nil ? 0 : 1 << 31)
        )
    }
}
