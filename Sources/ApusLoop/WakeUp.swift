internal import CLinux
internal import Glibc
internal import Synchronization

/// Wakes a thread that waits in its `Poller`; any thread may signal.
///
/// A signal costs a system call only when the owner sleeps and nobody has woken it yet. There are two ways to own one:
/// - *plainly*: wait, `acknowledge`, look for work;
/// - *as a loop*, without a system call of the owner's: `fallAsleep`, look for work, and only if there is none block in an
///   edge-triggered poller; then `stayAwake`. While it is awake, signals cost nothing, because the owner looks for work
///   before it sleeps again. A signal too many is harmless.
package final class WakeUp: Sendable {
    private static let asleep: UInt8 = 0
    private static let signalled: UInt8 = 1
    private static let awake: UInt8 = 2

    private let descriptor: Descriptor
    private let state = Atomic<UInt8>(WakeUp.asleep)

    package init() throws(SystemError) {
        let number = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard number >= 0 else { throw .current("eventfd") }
        descriptor = Descriptor(owning: number)
    }

    /// For `Poller.addLevelTriggered`, or for `Poller.add` when owned as a loop.
    package var fileDescriptor: Int32 { descriptor.number }

    /// Wakes the owner; call it after what it shall see is in place.
    package func signal() {
        // Either this thread sees that the owner sleeps, or the owner sees the work when it looks before it sleeps.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        let (isMine, _) = state.compareExchange(
            expected: Self.asleep,
            desired: Self.signalled,
            ordering: .sequentiallyConsistent,
        )
        // Cannot fail: the counter would need 2^64 signals.
        if isMine { _ = eventfd_write(descriptor.number, 1) }
    }

    /// From now on signals wake the owner; it looks for work once more before it blocks.
    package func fallAsleep() {
        state.store(Self.asleep, ordering: .sequentiallyConsistent)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
    }

    /// The owner is up and will look for work before it sleeps.
    package func stayAwake() { state.store(Self.awake, ordering: .sequentiallyConsistent) }

    /// Whether the owner sleeps, or is about to, and nobody has woken it.
    package var isAsleep: Bool { state.load(ordering: .sequentiallyConsistent) == Self.asleep }

    /// Whether somebody woke a sleeping owner that is not up yet: what an event of the descriptor tells a poller.
    package var isSignalled: Bool { state.load(ordering: .sequentiallyConsistent) == Self.signalled }

    /// Blocks the owner until somebody signals, and makes ready for the next signal; for threads without a `Poller`.
    package func wait() {
        var request = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        while poll(&request, 1, -1) < 0 {}
        acknowledge()
    }

    /// The same, but no longer than this.
    ///
    /// - Returns: whether somebody has signalled.
    package func wait(milliseconds: Int) -> Bool {
        var request = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        var count: Int32 = -1
        while count < 0 { count = poll(&request, 1, Int32(clamping: max(0, milliseconds))) }
        guard count > 0 else { return false }
        acknowledge()
        return true
    }

    /// Makes ready for the next signal; the owner calls it when woken, *before* it looks for work.
    package func acknowledge() {
        var value: eventfd_t = 0
        _ = eventfd_read(descriptor.number, &value)
        // After the read: a signal in between writes nothing, but its work is in place and found by the look that follows.
        _ = state.exchange(Self.asleep, ordering: .sequentiallyConsistent)
    }
}
