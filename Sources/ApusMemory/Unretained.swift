/// A reference that is not counted: to an object that something else, next to this, keeps alive.
///
/// Counting costs an atomic operation at each use, and a contended one where the threads of all shards use the object
/// (docs/decisions/0010-few-copies-a-message.md). Only for objects that are named once for the life of their owner.
public struct Unretained<Object: AnyObject> {
    @usableFromInline let reference: Unmanaged<Object>

    /// A reference to `object`, which the caller keeps for as long as this is used.
    @inlinable
    public init(_ object: Object) { reference = .passUnretained(object) }

    /// What `body` makes of the object.
    @inlinable @inline(__always)
    public func with<Result>(_ body: (Object) -> Result) -> Result {
        reference._withUnsafeGuaranteedRef { body($0) }
    }
}

extension Unretained: @unchecked Sendable where Object: Sendable {}
