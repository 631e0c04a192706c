/// Where a session lives: a shard, a slot in that shard's slab, and the generation of the slot.
///
/// It stays the same for the whole life of a session, because a connection moves to its session's shard and never the
/// other way round (docs/decisions/0002-connections-move-to-sessions.md). A handle whose generation has passed names
/// nobody; using it is harmless.
package struct SessionHandle: Sendable, Hashable {
    /// `shard << 56 | generation << 32 | slot`.
    package let rawValue: UInt64

    @inlinable
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// - Parameter generation: only the low 24 bits count.
    @inlinable
    package init(shard: Int, slot: Int, generation: UInt32) {
        rawValue =
            UInt64(UInt8(truncatingIfNeeded: shard)) << 56 | UInt64(generation & 0xFF_FFFF) << 32
            | UInt64(UInt32(truncatingIfNeeded: slot))
    }

    @inlinable
    package var shard: Int { Int(rawValue >> 56) }
    @inlinable
    package var slot: Int { Int(UInt32(truncatingIfNeeded: rawValue)) }
    @inlinable
    package var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) & 0xFF_FFFF }
}
