internal import ApusLocks

/// The memory that the heads, or the bodies, of all requests may take together, as whoever reaches the port may send one.
///
/// The first bytes of each are not counted: connections are bounded, so these are too, and small requests come through
/// while large ones wait.
final class RequestMemory: Sendable {
    /// Bytes of each head or body that are not counted.
    let uncounted: Int

    private let left: Guarded<Int>

    /// - Parameter bytes: of all together.
    init(bytes: Int, uncounted: Int) {
        self.uncounted = uncounted
        left = Guarded(bytes)
    }

    /// Room for a part of a request that grows; what was taken comes back with `end`.
    struct Share {
        fileprivate let memory: RequestMemory
        private var taken = 0

        fileprivate init(_ memory: RequestMemory) { self.memory = memory }

        /// Whether it may grow to the length.
        mutating func grow(to length: Int) -> Bool {
            let more = length - memory.uncounted - taken
            guard more > 0 else { return true }
            let fits = memory.left.withLock { left in
                guard more <= left else { return false }
                left -= more
                return true
            }
            if fits { taken += more }
            return fits
        }

        /// Gives back what was taken.
        mutating func end() {
            guard taken > 0 else { return }
            memory.left.withLock { $0 += taken }
            taken = 0
        }
    }

    func share() -> Share { Share(self) }
}
