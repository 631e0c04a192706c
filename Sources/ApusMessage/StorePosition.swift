/// Where a store holds a message: grows with every message appended to the store of one shard.
///
/// It is the identity of the stored message for all shards, and stays so over restarts.
///
/// Public for the same reason as ``Timestamp``.
public struct StorePosition: Sendable, Hashable, Comparable {
    /// 0 for none.
    public let rawValue: UInt64

    /// The position with this number.
    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Before every position: nothing had to be stored.
    public static let none = StorePosition(rawValue: 0)

    /// Whether the left one was stored before, if both are of one shard.
    @inlinable
    public static func < (left: StorePosition, right: StorePosition) -> Bool { left.rawValue < right.rawValue }
}
