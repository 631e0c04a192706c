/// An open-addressing hash table from 32 bits of a hash to an identifier; keys live with the owner.
///
/// A slot is one word: the low half of the hash, which is also enough to grow without seeing the keys again, and the
/// identifier plus one (0 marks a free slot). Linear probing, at most half full, because most look-ups of a trie
/// find nothing and have to come to a free slot; removal moves the followers back, so that there are no tombstones and
/// churn does not degrade it. 16 to 32 bytes an entry. Identifiers are below 2^32 − 1.
///
/// Public only for speed, see `RingBuffer`.
public struct SlotTable: Sendable {
    @usableFromInline var slots: [UInt64] = []
    @usableFromInline var entries = 0

    /// An empty table; it holds no memory.
    @inlinable public init() {}

    /// How many identifiers there are.
    @inlinable public var count: Int { entries }
    /// Whether there is none.
    @inlinable public var isEmpty: Bool { entries == 0 }

    /// The identifier whose hash is equal and for which `isSought` holds; it is asked for equal hashes only.
    @inlinable @inline(__always)
    public func find(_ hash: UInt64, where isSought: (UInt32) -> Bool) -> UInt32? {
        guard entries > 0 else { return nil }
        let tag = UInt32(truncatingIfNeeded: hash)
        let mask = slots.count &- 1
        var at = Int(tag) & mask
        while true {
            let slot = slots[at]
            if slot == 0 { return nil }
            if UInt32(truncatingIfNeeded: slot >> 32) == tag {
                let identifier = UInt32(truncatingIfNeeded: slot) &- 1
                if isSought(identifier) { return identifier }
            }
            at = (at &+ 1) & mask
        }
    }

    /// Adds an identifier that is not in the table.
    @inlinable
    public mutating func insert(_ hash: UInt64, _ identifier: UInt32) {
        if (entries + 1) * 2 > slots.count { grow() }
        place(Self.slot(hash, identifier))
        entries += 1
    }

    /// Removes an identifier; the hash must be the one that it was inserted with.
    @inlinable
    public mutating func remove(_ hash: UInt64, _ identifier: UInt32) {
        let slot = Self.slot(hash, identifier)
        let mask = slots.count - 1
        var hole = home(slot)
        while slots[hole] != slot {
            precondition(slots[hole] != 0, "the identifier is not in the table")
            hole = (hole + 1) & mask
        }
        var at = hole
        while true {
            at = (at + 1) & mask
            let follower = slots[at]
            if follower == 0 { break }
            // A follower may fill the hole only if that does not put it before its home.
            if (at - home(follower)) & mask >= (at - hole) & mask {
                slots[hole] = follower
                hole = at
            }
        }
        slots[hole] = 0
        entries -= 1
    }

    @inlinable
    static func slot(_ hash: UInt64, _ identifier: UInt32) -> UInt64 { hash << 32 | UInt64(identifier) + 1 }

    @inlinable
    func home(_ slot: UInt64) -> Int { Int(slot >> 32) & (slots.count - 1) }

    @inlinable
    mutating func place(_ slot: UInt64) {
        var at = home(slot)
        while slots[at] != 0 { at = (at + 1) & (slots.count - 1) }
        slots[at] = slot
    }

    @usableFromInline
    mutating func grow() {
        let old = slots
        slots = Array(repeating: 0, count: max(8, old.count * 2))
        for slot in old where slot != 0 { place(slot) }
    }
}
