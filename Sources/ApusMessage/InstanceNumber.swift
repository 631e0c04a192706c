/// An instance (a tenant) in memory and in the message log: the same over restarts, never that of two instances.
///
/// Public for the same reason as ``Timestamp``.
public struct InstanceNumber: Sendable, Hashable, Comparable {
    /// 0 for the only instance of a broker without a catalog.
    public let rawValue: UInt32

    /// The instance with this number.
    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The only instance of a broker without a catalog; in the catalog, one that has no number yet.
    public static let none = InstanceNumber(rawValue: 0)

    /// By number.
    @inlinable
    public static func < (left: InstanceNumber, right: InstanceNumber) -> Bool { left.rawValue < right.rawValue }
}
