/// Where a session lives: a shard, a slot in that shard's slab, and the generation of the slot.
///
/// It stays the same for the whole life of a session, because a connection moves to its session's shard and never the
/// other way round (docs/decisions/0002-connections-move-to-sessions.md). A handle whose generation has passed names
/// nobody; using it is harmless.
///
/// Public for the same reason as ``Timestamp``.
public struct SessionHandle: Sendable, Hashable {
    /// `shard << 56 | generation << 32 | slot`.
    public let rawValue: UInt64

    /// The handle with this number.
    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The handle of a slot.
    ///
    /// - Parameter generation: only the low 24 bits count.
    @inlinable
    public init(shard: Int, slot: Int, generation: UInt32) {
        rawValue =
            UInt64(UInt8(truncatingIfNeeded: shard)) << 56 | UInt64(generation & 0xFF_FFFF) << 32
            | UInt64(UInt32(truncatingIfNeeded: slot))
    }

    /// The shard that owns the session, 0…255.
    @inlinable
    public var shard: Int { Int(rawValue >> 56) }
    /// The place in that shard's slab.
    @inlinable
    public var slot: Int { Int(UInt32(truncatingIfNeeded: rawValue)) }
    /// How often the slot had been used; 24 bits.
    @inlinable
    public var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) & 0xFF_FFFF }
}
