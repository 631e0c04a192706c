/// The keyed 64-bit hash of topics and levels.
///
/// The key is random for each process, so that nobody outside can choose topics that collide. The hash multiplies
/// 64-bit words to 128 bits and folds them (the family of wyhash): about 3 ns for a topic of 30 bytes. Nothing is ever
/// routed by the hash alone; each table compares the bytes as well.
package struct TopicHasher: Sendable {
    private let first: UInt64
    private let second: UInt64
    private let mask: UInt64

    /// A hasher with a random key.
    package init() {
        var generator = SystemRandomNumberGenerator()
        self.init(first: generator.next(), second: generator.next())
    }

    /// - Parameter mask: bits of the hash that survive; tests force collisions by leaving few.
    init(first: UInt64, second: UInt64, mask: UInt64 = .max) {
        self.first = first | 1
        self.second = second
        self.mask = mask
    }

    @inline(__always)
    package func hash(_ text: Span<UInt8>) -> UInt64 { hash(text.bytes) }

    @inline(__always)
    func hash(_ text: RawSpan) -> UInt64 {
        let count = text.byteCount
        var state = second
        let low: UInt64
        let high: UInt64
        if count > 16 {
            var at = 0
            while at &+ 16 < count {
                state = fold(text.word(at) ^ first, text.word(at &+ 8) ^ state)
                at &+= 16
            }
            low = text.word(count &- 16)
            high = text.word(count &- 8)
        } else if count >= 8 {
            low = text.word(0)
            high = text.word(count &- 8)
        } else if count >= 4 {
            low = text.halfWord(0)
            high = text.halfWord(count &- 4)
        } else if count > 0 {
            low = UInt64(text.byte(0)) << 16 | UInt64(text.byte(count >> 1)) << 8 | UInt64(text.byte(count &- 1))
            high = 0
        } else {
            low = 0
            high = 0
        }
        return fold(first ^ UInt64(count), fold(low ^ first, high ^ state)) & mask
    }

    /// The hash of a step from a node through a level with this hash, for tables of edges.
    @inline(__always)
    func hash(step level: UInt64, from node: UInt32) -> UInt64 {
        fold(level ^ second, first ^ UInt64(node) &* 0x9E37_79B9_7F4A_7C15) & mask
    }

    @inline(__always)
    private func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}

/// What has to be known of a topic to find its stripes and its version; made by ``SubscriptionIndex/key(of:)``.
package struct TopicKey: Sendable, Hashable {
    /// Hash of the whole topic.
    package let hash: UInt64
    /// Stripe of the wildcard filters, from the hash of the first level.
    let stripe: UInt8
    /// Version counter of the wildcard filters that begin with this topic's first two levels.
    let prefix: UInt16
}
