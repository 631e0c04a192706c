/// How long to wait before the next attempt to connect.
///
/// Doubles from one attempt to the next up to a limit; half of each delay is random, so that many clients of a broker
/// that comes back do not arrive together.
struct BackOff {
    static let first = Duration.milliseconds(500)
    static let longest = Duration.seconds(30)

    private var next = Self.first

    mutating func delay(using generator: inout some RandomNumberGenerator) -> Duration {
        defer { next = min(next * 2, Self.longest) }
        return next * Double.random(in: 0.5...1, using: &generator)
    }

    /// A connection has succeeded.
    mutating func reset() { next = Self.first }
}
