internal import ApusMessage

// How long messages take through the broker, for `apus_delivery_duration_seconds`.
//
// Nothing is noted of single messages: the loop measures one tick in several as a whole, from before its first read to
// behind its last send, which is longer than any of the tick's messages took.

/// What a shard knows of the present tick's time; nanoseconds of the monotonic clock.
struct TickMeasure {
    /// When the tick began to read, for the mail that it sends; 0 when it is not measured.
    fileprivate(set) var start: Int64 = 0
    /// When the first of what it puts out was read, here or by another shard; `.max` when that was not measured.
    fileprivate var earliest = Int64.max
    /// PUBLISH packets that were sent before it.
    fileprivate var sentBefore: UInt64 = 0
}

extension Shard {
    /// The loop begins a tick.
    ///
    /// - Parameter nanoseconds: the time, if the tick is to be measured.
    package mutating func tickBegan(at nanoseconds: Int64?) {
        tick = TickMeasure()
        tick.sentBefore = counters.publishesSent
        guard let nanoseconds else { return }
        tick.start = nanoseconds
        tick.earliest = nanoseconds
    }

    /// Messages have come from another shard, which began to read them at that time; 0 when it did not measure.
    mutating func cameFromOtherShard(_ readAt: Int64) {
        if readAt != 0 { tick.earliest = min(tick.earliest, readAt) }
    }

    /// Whether the loop is to say when the tick's output was sent.
    package var isTickMeasured: Bool { tick.earliest != .max && counters.publishesSent != tick.sentBefore }

    /// The tick's output was sent, as far as the sockets took it.
    package mutating func tickSent(at nanoseconds: Int64) {
        counters.deliveryDurations.add(nanoseconds: nanoseconds - tick.earliest)
    }
}
