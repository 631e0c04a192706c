internal import ApusLocks

/// The memory that the bodies of all requests may take together, as whoever reaches the port may send one.
///
/// The first bytes of each are not counted: connections are bounded, so these are too, and small requests come through
/// while large ones wait.
final class BodyMemory: Sendable {
    /// Bytes of each body that are not counted.
    static let uncounted = 64 << 10

    private let left: Guarded<Int>

    /// - Parameter bytes: of all bodies together.
    init(bytes: Int) { left = Guarded(bytes) }

    /// Room for a body that grows; what was taken comes back with `end`.
    struct Share {
        fileprivate let memory: BodyMemory
        private var taken = 0

        fileprivate init(_ memory: BodyMemory) { self.memory = memory }

        /// Whether the body may grow to the length.
        mutating func grow(to length: Int) -> Bool {
            let more = length - BodyMemory.uncounted - taken
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
            memory.left.withLock { $0 += taken }
            taken = 0
        }
    }

    func share() -> Share { Share(self) }
}
