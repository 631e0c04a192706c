internal import CLinux
internal import Glibc
internal import Synchronization

/// Wakes a thread that waits in its `Poller`; any thread may signal.
///
/// Signals between two `acknowledge` calls cost one system call together.
package final class WakeUp: Sendable {
    private let descriptor: Descriptor
    private let isSignalled = Atomic<Bool>(false)

    package init() throws(SystemError) {
        let number = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard number >= 0 else { throw .current("eventfd") }
        descriptor = Descriptor(owning: number)
    }

    /// For `Poller.addLevelTriggered`.
    package var fileDescriptor: Int32 { descriptor.number }

    /// Wakes the owner; call it after what it shall see is in place.
    package func signal() {
        guard !isSignalled.exchange(true, ordering: .acquiringAndReleasing) else { return }
        // Cannot fail: the counter holds at most 1 here.
        _ = eventfd_write(descriptor.number, 1)
    }

    /// Blocks the owner until somebody signals, and makes ready for the next signal; for threads without a `Poller`.
    package func wait() {
        var request = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        while poll(&request, 1, -1) < 0 {}
        acknowledge()
    }

    /// Makes ready for the next signal; the owner calls it when woken, *before* it looks for work.
    package func acknowledge() {
        var value: eventfd_t = 0
        _ = eventfd_read(descriptor.number, &value)
        // After the read: a signal in between writes nothing, but its work is in place and found by the look that follows.
        _ = isSignalled.exchange(false, ordering: .acquiringAndReleasing)
    }
}
