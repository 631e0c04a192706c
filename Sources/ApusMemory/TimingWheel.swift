/// Deadlines of many things, in constant time each.
///
/// Six levels of 64 slots; a slot of level n spans 64^n ticks of 64 ms. An entry sits on the lowest level whose span
/// holds its deadline and moves down as time comes near, at most five times. A bitmap a level finds the next occupied
/// slot at once, so a jump of the clock costs work for the entries only, not for the time that passed.
///
/// Entries are never cancelled: the owner looks, when its token fires, whether the deadline still stands, and schedules
/// again if not. An entry never fires before its deadline and at most 64 ms after it, with one exception: a deadline
/// more than 2^31 ticks (4.3 years) ahead fires then. Tokens of one tick fire in no particular order.
///
/// Times are milliseconds of any clock that does not run backwards; a step back is taken as standing still. An entry
/// costs 16 bytes.
package struct TimingWheel: ~Copyable {
    /// The length of a tick, in milliseconds.
    package static var resolution: Int64 { 64 }

    private struct Entry {
        var token: UInt64
        /// The low half of the deadline in ticks; the rest follows from `current`, which is never 2^31 ticks away.
        var tick: UInt32
        /// The next entry of the slot, or of the free list, plus one; 0 ends the list.
        var next: UInt32
    }

    private static let levels = 6
    private static let farthest: UInt64 = 1 << 31

    private var entries: [Entry] = []
    private var free: UInt32 = 0
    private var slots = [UInt32](repeating: 0, count: levels * 64)
    private var occupied = [UInt64](repeating: 0, count: levels)
    private var due: UInt32 = 0
    /// The last tick whose slots were emptied.
    private var current: UInt64
    /// The last tick that was asked for; at or past `current`.
    private var horizon: UInt64

    /// How many entries wait.
    package private(set) var count = 0

    package init(now: Int64) {
        current = Self.tick(floor: now)
        horizon = current
    }

    /// Lets the token fire once the time is reached; a time that has passed fires with the next tick.
    package mutating func schedule(_ token: UInt64, at milliseconds: Int64) {
        let wanted = Self.tick(ceiling: milliseconds)
        let tick = min(max(horizon + 1, wanted), current + Self.farthest - 1)
        let index: UInt32
        if free != 0 {
            index = free
            free = entries[Int(index - 1)].next
            entries[Int(index - 1)].token = token
        } else {
            entries.append(Entry(token: token, tick: 0, next: 0))
            index = UInt32(truncatingIfNeeded: entries.count)
        }
        entries[Int(index - 1)].tick = UInt32(truncatingIfNeeded: tick)
        place(index, tick: tick)
        count += 1
    }

    /// The next token whose deadline is reached, or nil when nothing more is due; call it until it says nil.
    ///
    /// Between two calls the owner may schedule; what it schedules does not fire before a later tick, so the loop ends.
    package mutating func popDue(now: Int64) -> UInt64? {
        horizon = max(horizon, Self.tick(floor: now))
        while due == 0 {
            guard let slot = nextSlot(), slot.tick <= horizon else {
                // Only time passes; entries keep their slots because none starts before the horizon.
                current = horizon
                if count == 0, entries.count > 4096 {
                    entries = []
                    free = 0
                }
                return nil
            }
            open(slot)
        }
        let index = due
        due = entries[Int(index - 1)].next
        entries[Int(index - 1)].next = free
        free = index
        count -= 1
        return entries[Int(index - 1)].token
    }

    /// Calls the closure for each token whose deadline is reached.
    package mutating func advance(to now: Int64, _ body: (UInt64) -> Void) {
        while let token = popDue(now: now) { body(token) }
    }

    /// A time before which nothing is due, in milliseconds; nil when nothing waits.
    ///
    /// It may be earlier than the earliest deadline: then `popDue` says nil and the next answer is closer.
    package var nextDeadline: Int64? {
        if due != 0 { return Int64(clamping: current) * Self.resolution }
        guard let slot = nextSlot() else { return nil }
        return Int64(clamping: slot.tick) * Self.resolution
    }

    // MARK: - Slots

    private struct Slot {
        var level: Int
        var index: Int
        /// The first tick of the slot.
        var tick: UInt64
    }

    /// The occupied slot that starts first; lower levels always start before higher ones.
    private func nextSlot() -> Slot? {
        for level in 0..<Self.levels where occupied[level] != 0 {
            let shift = UInt64(level * 6)
            let digit = (current >> shift) & 63
            // Rotate so that bit 0 is the slot of the current tick.
            let rotated = occupied[level] >> digit | (digit == 0 ? 0 : occupied[level] << (64 - digit))
            let distance = UInt64(rotated.trailingZeroBitCount)
            let tick = ((current >> shift) + distance) << shift
            return Slot(level: level, index: Int((digit + distance) & 63), tick: tick)
        }
        return nil
    }

    /// Moves time to the slot and its entries to the due list or to lower levels.
    private mutating func open(_ slot: Slot) {
        let position = slot.level * 64 + slot.index
        var next = slots[position]
        slots[position] = 0
        occupied[slot.level] &= ~(1 << UInt64(slot.index))
        current = max(current, slot.tick)
        while next != 0 {
            let index = next
            next = entries[Int(index - 1)].next
            let tick = tick(of: index)
            if tick == current {
                entries[Int(index - 1)].next = due
                due = index
            } else {
                place(index, tick: tick)
            }
        }
    }

    /// Links an entry into the slot of its tick, which is later than `current`.
    private mutating func place(_ index: UInt32, tick: UInt64) {
        let difference = (tick ^ current) | 63
        let level = min(Self.levels - 1, (63 - difference.leadingZeroBitCount) / 6)
        let slot = Int((tick >> UInt64(level * 6)) & 63)
        entries[Int(index - 1)].next = slots[level * 64 + slot]
        slots[level * 64 + slot] = index
        occupied[level] |= 1 << UInt64(slot)
    }

    private func tick(of index: UInt32) -> UInt64 {
        current + UInt64(entries[Int(index - 1)].tick &- UInt32(truncatingIfNeeded: current))
    }

    private static func tick(floor milliseconds: Int64) -> UInt64 { UInt64(max(0, milliseconds)) >> 6 }

    private static func tick(ceiling milliseconds: Int64) -> UInt64 { (UInt64(max(0, milliseconds)) + 63) >> 6 }
}
