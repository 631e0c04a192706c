internal import Synchronization

/// A value behind a mutex, whose hand-over from thread to thread the thread sanitizer can follow.
///
/// A `Mutex` that has to wait does so inside the Swift library, which is not instrumented, and the sanitizer would report
/// races where there are none. The flag costs two plain moves: whoever holds the lock has acquired what the last holder
/// released.
struct Guarded<Value>: ~Copyable, Sendable {
    private let mutex: Mutex<Value>
    private let handedOver = Atomic<Bool>(false)

    init(_ value: consuming sending Value) { mutex = Mutex(value) }

    borrowing func withLock<Result, Failure>(
        _ body: (inout sending Value) throws(Failure) -> sending Result,
    ) throws(Failure) -> sending Result {
        try mutex.withLock { (value) throws(Failure) in
            _ = handedOver.load(ordering: .acquiring)
            defer { handedOver.store(true, ordering: .releasing) }
            return try body(&value)
        }
    }
}
