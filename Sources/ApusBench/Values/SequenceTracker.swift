/// What one receiver has got of one stream: finds repetitions and disorder, and says what is missing.
///
/// Behind a gap a window of the numbers after it is remembered, bit by bit; nothing is remembered while nothing is missing.
/// When a number comes that is a whole window ahead, the oldest missing one is given up: it counts as lost, and if it
/// comes after all, as a repetition, since the two cannot be told apart any more.
package struct SequenceTracker: Equatable, Sendable {
    /// What a number means that has come.
    package enum Verdict: Equatable, Sendable {
        /// Behind all that have come.
        case next
        /// It fills a gap: others that were sent later have come before.
        case late
        case repeated
    }

    /// Everything below has come or was given up.
    package private(set) var floor: UInt32 = 0
    /// One more than the highest number that has come.
    package private(set) var end: UInt32 = 0
    /// How many different ones have come.
    package private(set) var count: UInt32 = 0
    /// How many were given up.
    package private(set) var givenUp: UInt32 = 0
    /// One bit a number from `floor` on, at the number modulo the window; empty while there is no gap.
    private var ahead: [UInt64] = []

    package init() {}

    /// The window for streams whose order is kept: as many messages as a burst may lose.
    package static let orderedWindow = 4096

    /// Takes a number.
    ///
    /// - Parameter window: how many numbers from the oldest missing one are remembered: a power of two, 64 or more, and
    ///   the same in each call.
    @inline(__always)
    package mutating func take(_ number: UInt32, window: Int) -> Verdict {
        if number == end, floor == end {
            end &+= 1
            floor = end
            count &+= 1
            return .next
        }
        return takeWithGap(number, window)
    }

    private mutating func takeWithGap(_ number: UInt32, _ window: Int) -> Verdict {
        guard number >= floor else { return .repeated }
        if Int(number - floor) >= window { giveUp(below: number - UInt32(window) + 1, window) }
        if ahead.isEmpty { ahead = [UInt64](repeating: 0, count: window / 64) }
        guard !isSet(number, window) else { return .repeated }
        set(number, true, window)
        while isSet(floor, window) {
            set(floor, false, window)
            floor += 1
        }
        count &+= 1
        let verdict: Verdict = number < end ? .late : .next
        end = max(end, number + 1)
        return verdict
    }

    /// Moves the floor up to `bottom`, over what is missing, and further over what has come.
    private mutating func giveUp(below bottom: UInt32, _ window: Int) {
        // Beyond the highest number nothing is set, so the rest need not be looked at one by one.
        let looked = min(bottom, max(end, floor))
        while floor < looked {
            if isSet(floor, window) { set(floor, false, window) } else { givenUp += 1 }
            floor += 1
        }
        if floor < bottom {
            givenUp += bottom - floor
            floor = bottom
        }
    }

    private func isSet(_ number: UInt32, _ window: Int) -> Bool {
        guard !ahead.isEmpty else { return false }
        let bit = Int(number) & (window &- 1)
        return ahead[bit &>> 6] &>> UInt64(bit & 63) & 1 == 1
    }

    private mutating func set(_ number: UInt32, _ value: Bool, _ window: Int) {
        guard !ahead.isEmpty else { return }
        let bit = Int(number) & (window &- 1)
        if value {
            ahead[bit &>> 6] |= 1 &<< UInt64(bit & 63)
        } else {
            ahead[bit &>> 6] &= ~(1 &<< UInt64(bit & 63))
        }
    }
}
