/// Interned topic levels: one 32-bit number for each distinct text in use, counted and recycled.
struct LevelTable: Sendable {
    private var texts = TextStore()
    private var uses: [UInt32] = []
    private var table = SlotTable()
    let hasher: TopicHasher

    init(hasher: TopicHasher) { self.hasher = hasher }

    /// The number of a level, or `nil` if nobody uses it.
    @inline(__always)
    func find(_ level: Span<UInt8>) -> UInt32? { find(level, hash: hasher.hash(level)) }

    @inline(__always)
    func find(_ level: Span<UInt8>, hash: UInt64) -> UInt32? {
        let inlined = TextStore.inlined(level)
        return table.find(hash) { texts.holds(level, inlined: inlined, at: $0) }
    }

    /// The number of a level, with one more use of it.
    mutating func use(_ level: Span<UInt8>) -> UInt32 {
        let hash = hasher.hash(level)
        if let number = find(level, hash: hash) {
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
        table.remove(texts.hash(at: number, with: hasher), number)
        texts.remove(number)
    }

    func firstByte(of number: UInt32) -> UInt8 { texts.firstByte(at: number) }

    /// Levels in use.
    var count: Int { table.count }
    /// What the table has grown to; tests watch it under churn.
    var footprint: Int { texts.identifierCount + texts.bufferCount }
}
