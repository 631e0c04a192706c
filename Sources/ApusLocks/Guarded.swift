public import Synchronization

/// A value behind a mutex, whose hand-over from thread to thread the thread sanitizer can follow.
///
/// A `Mutex` that has to wait does so inside the Swift library, which is not instrumented, and the sanitizer would report
/// races where there are none. The flag costs two plain moves: whoever holds the lock has acquired what the last holder
/// released. Not recursive: never call out of the closure into anything that takes the same lock.
///
/// Public, since no `package` declaration is inlined across modules (docs/decisions/0003-compiler-flags.md).
public struct Guarded<Value: ~Copyable>: ~Copyable, Sendable {
    @usableFromInline let mutex: Mutex<Value>
    @usableFromInline let handedOver = Atomic<Bool>(false)

    /// A lock that nobody holds, around `value`.
    @inlinable
    public init(_ value: consuming sending Value) { mutex = Mutex(value) }

    /// What `body` makes of the value while this thread alone holds it; waits for whoever holds it now.
    @inlinable
    public borrowing func withLock<Result: ~Copyable, Failure>(
        _ body: (inout sending Value) throws(Failure) -> sending Result,
    ) throws(Failure) -> sending Result {
        try mutex.withLock { (value) throws(Failure) in
            _ = handedOver.load(ordering: .acquiring)
            defer { handedOver.store(true, ordering: .releasing) }
            return try body(&value)
        }
    }

    /// The same without waiting: `nil` when another thread holds it.
    ///
    /// A thread that holds it itself must not ask.
    @inlinable
    public borrowing func withLockIfAvailable<Result: ~Copyable, Failure>(
        _ body: (inout sending Value) throws(Failure) -> sending Result,
    ) throws(Failure) -> sending Result? {
        try mutex.withLockIfAvailable { (value) throws(Failure) in
            _ = handedOver.load(ordering: .acquiring)
            defer { handedOver.store(true, ordering: .releasing) }
            return try body(&value)
        }
    }
}
