internal import Glibc

/// A value behind a mutex of the system.
///
/// Does what `Synchronization.Mutex` does. It exists because the thread sanitizer knows pthread mutexes, but does not see
/// the slow path of `Mutex` (a futex inside the Swift library) and reports races where letters are handed over under
/// contention. Never call out of the closure into anything that locks.
package struct Guarded<Value: Sendable>: ~Copyable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let value: UnsafeMutablePointer<Value>

    package init(_ value: Value) {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        self.value = .allocate(capacity: 1)
        self.value.initialize(to: value)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
        value.deinitialize(count: 1)
        value.deallocate()
    }

    package borrowing func withLock<Result, Failure>(
        _ body: (inout Value) throws(Failure) -> Result,
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value.pointee)
    }
}

// All access to the value is under the mutex, and the memory goes with the only owner.
extension Guarded: @unchecked Sendable {}
