/// A point in time: milliseconds since the Unix epoch, never running backwards within one process.
///
/// The loop derives it once per tick from the monotonic clock plus the offset that it read at start, so that it can be
/// compared over a restart and never jumps within one. Machines take it as an argument.
///
/// Public though nobody outside needs it: the compiler inlines no `package` declaration into another module.
public struct Timestamp: Sendable, Hashable, Comparable {
    /// Since the Unix epoch.
    public var milliseconds: Int64

    /// The time that many milliseconds after the Unix epoch.
    @inlinable
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// Whether the left time is earlier.
    @inlinable
    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }

    /// The time `seconds` later; saturates instead of overflowing.
    @inlinable
    public func adding(seconds: Int64) -> Timestamp {
        let (product, tooLarge) = seconds.multipliedReportingOverflow(by: 1000)
        let (sum, overflow) = milliseconds.addingReportingOverflow(product)
        return Timestamp(milliseconds: tooLarge || overflow ? .max : sum)
    }

    /// The time so many milliseconds later.
    @inlinable
    public func adding(milliseconds more: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds &+ more) }

    /// Never reached.
    public static let distantFuture = Timestamp(milliseconds: .max)
}
