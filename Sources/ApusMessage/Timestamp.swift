/// A point in time: milliseconds since the Unix epoch, never running backwards within one process.
///
/// The loop derives it once per tick from the monotonic clock plus the offset that it read at start, so that it can be
/// compared over a restart and never jumps within one. Machines take it as an argument.
package struct Timestamp: Sendable, Hashable, Comparable {
    package var milliseconds: Int64

    @inlinable
    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    @inlinable
    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }

    /// The time `seconds` later; saturates instead of overflowing.
    @inlinable
    package func adding(seconds: Int64) -> Timestamp {
        let (product, tooLarge) = seconds.multipliedReportingOverflow(by: 1000)
        let (sum, overflow) = milliseconds.addingReportingOverflow(product)
        return Timestamp(milliseconds: tooLarge || overflow ? .max : sum)
    }

    @inlinable
    package func adding(milliseconds more: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds &+ more) }

    /// Never reached.
    package static let distantFuture = Timestamp(milliseconds: .max)
}
