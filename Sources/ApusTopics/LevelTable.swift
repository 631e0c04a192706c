internal import ApusMemory

/// Interned topic levels: one 32-bit number for each distinct text in use, counted and recycled.
struct LevelTable: Sendable {
    private var texts = TextStore()
    private var uses: [UInt32] = []
    private var table = SlotTable()
    let hasher: TopicHasher

    init(hasher: TopicHasher) { self.hasher = hasher }

    /// Whether a number stands for this text; `inlined` is what ``TextStore/inlined(_:)`` gave for it.
    @inline(__always)
    func holds(_ level: Span<UInt8>, inlined: TextStore.Reference?, at number: UInt32) -> Bool {
        texts.holds(level, inlined: inlined, at: number)
    }

    /// The number of a level, with one more use of it.
    mutating func use(_ level: Span<UInt8>) -> UInt32 {
        let hash = hasher.hash(level)
        let inlined = TextStore.inlined(level)
        if let number = table.find(hash, where: { texts.holds(level, inlined: inlined, at: $0) }) {
            uses[Int(number)] += 1
            return number
        }
        let number = texts.insert(level)
        if Int(number) == uses.count { uses.append(1) } else { uses[Int(number)] = 1 }
        table.insert(hash, number)
        return number
    }

    /// Ends one use; the number of an unused level may be given to another.
    mutating func release(_ number: UInt32) {
        uses[Int(number)] -= 1
        guard uses[Int(number)] == 0 else { return }
        table.remove(hash(of: number), number)
        texts.remove(number)
    }

    /// The hash of the text behind a number.
    func hash(of number: UInt32) -> UInt64 { texts.hash(at: number, with: hasher) }

    func firstByte(of number: UInt32) -> UInt8 { texts.firstByte(at: number) }

    /// Levels in use.
    var count: Int { table.count }
    /// What the table has grown to; tests watch it under churn.
    var footprint: Int { texts.identifierCount + texts.bufferCount }
}
