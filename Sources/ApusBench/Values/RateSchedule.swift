/// When things are due that happen at a fixed rate, whatever becomes of those before.
///
/// A message carries the moment at which it was due, not that at which it left: a broker that stalls is charged with the wait
/// of every message behind, which a generator that waits as well would leave out (coordinated omission).
package struct RateSchedule: Equatable, Sendable {
    private let start: Int64
    private let nanosecondsApart: Double
    private let offset: Double
    /// How many were taken.
    package private(set) var taken = 0

    /// - Parameters:
    ///   - start: nanoseconds.
    ///   - perSecond: more than 0.
    ///   - part: which of so many schedules that share the rate this is, each in the gaps of the others.
    package init(start: Int64, perSecond: Double, part: Int = 0, of parts: Int = 1) {
        precondition(perSecond > 0 && part >= 0 && part < parts, "A schedule needs a rate.")
        self.start = start
        nanosecondsApart = 1e9 / perSecond * Double(parts)
        offset = 1e9 / perSecond * Double(part)
    }

    /// When the next one is due.
    package var next: Int64 { start + Int64(offset + Double(taken) * nanosecondsApart) }

    /// How many are due at a time and were not taken.
    package func dueCount(at time: Int64) -> Int {
        guard time >= next else { return 0 }
        let due = Int((Double(time - start) - offset) / nanosecondsApart) + 1
        return max(0, due - taken)
    }

    /// Takes the next one if it is due.
    package mutating func take(at now: Int64) -> Int64? {
        let due = next
        guard due <= now else { return nil }
        taken += 1
        return due
    }
}
