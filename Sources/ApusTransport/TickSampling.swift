/// Chooses the ticks that are measured: one in sixteen, by chance.
///
/// A client that waits for each answer makes ticks in a rhythm, which a fixed step might miss for ever.
struct TickSampling {
    /// A tick is measured after so many others on average.
    static let ticksPerMeasure: UInt64 = 16

    private var state: UInt64
    private var left: UInt64 = 0

    init(seed: Int) { state = UInt64(truncatingIfNeeded: seed) }

    /// Whether the tick that begins is measured; to be asked once for each.
    mutating func next() -> Bool {
        guard left == 0 else {
            left -= 1
            return false
        }
        // Knuth's MMIX generator; its upper bits are the good ones.
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        left = (state >> 32) % (2 * Self.ticksPerMeasure - 1)
        return true
    }
}
