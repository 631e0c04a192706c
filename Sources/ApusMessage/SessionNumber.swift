/// The name of a session in the storage: the same over restarts, and never that of two sessions at once.
///
/// A ``SessionHandle`` says where a session lives in this process; this says which one it is on disk.
///
/// Public for the same reason as ``Timestamp``.
public struct SessionNumber: Sendable, Hashable {
    /// 0 for none.
    public let rawValue: UInt32

    /// The session with this number.
    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The number of a session that ends with its connection, for which nothing is stored.
    public static let none = SessionNumber(rawValue: 0)

    /// The retained messages: they hold on to a stored message as a session does.
    public static let retained = SessionNumber(rawValue: .max)

    /// Whether the session outlives its connection.
    @inlinable
    public var isStored: Bool { rawValue != 0 }
}
