internal import CLinux
internal import Glibc

/// Waits for many descriptors at once (epoll).
///
/// One thread waits and looks at the events; any may add and remove descriptors, meanwhile too.
///
/// A descriptor is registered once, edge-triggered for reading, writing and the peer's end; after that no call is made
/// for it. An edge comes once, so its owner reads until nothing is left (`ReadResult`) and sends until blocked.
/// Closing a descriptor removes it. An event of a batch may still name a descriptor that was closed earlier in the same
/// batch: tokens should carry a generation.
package struct Poller: ~Copyable {
    /// What happened to one descriptor.
    package struct Event: Sendable {
        package let token: UInt64
        private let events: UInt32

        /// An event as the system would report it, for a network that is none of the system's.
        package init(token: UInt64, isReadable: Bool = false, isWritable: Bool = false, isHangUp: Bool = false) {
            self.token = token
            events =
                (isReadable ? EPOLLIN.rawValue : 0) | (isWritable ? EPOLLOUT.rawValue : 0)
                | (isHangUp ? EPOLLRDHUP.rawValue : 0)
        }

        fileprivate init(_ event: UnsafePointer<epoll_event>) {
            token = apus_epoll_token(event)
            events = apus_epoll_events(event)
        }

        package var isReadable: Bool { events & EPOLLIN.rawValue != 0 }
        package var isWritable: Bool { events & EPOLLOUT.rawValue != 0 }
        /// The peer sends no more, or the connection is over; read until the end of the stream to learn which.
        package var isHangUp: Bool { events & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 }
    }

    /// How many events one call of `wait` can bring; more come with the next call.
    package static var batchSize: Int { 512 }

    /// What the last `wait` brought, the waiting thread's alone.
    private final class Batch {
        let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: Poller.batchSize)
        var count = 0

        deinit { events.deallocate() }
    }

    private let descriptor: Descriptor
    private let batch = Batch()

    /// How many events the last `wait` brought.
    package var count: Int { batch.count }

    package init() throws(SystemError) {
        let number = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard number >= 0 else { throw .current("epoll_create1") }
        descriptor = Descriptor(owning: number)
    }

    /// Registers a connection, edge-triggered in all directions.
    package func add(_ descriptor: Int32, token: UInt64) throws(SystemError) {
        let events = EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
        guard apus_epoll_add(self.descriptor.number, descriptor, events, token) == 0 else {
            throw .current("epoll_ctl")
        }
    }

    /// Registers a listener or a wake-up: its event comes again as long as something is there to read.
    package func addLevelTriggered(_ descriptor: Int32, token: UInt64) throws(SystemError) {
        guard apus_epoll_add(self.descriptor.number, descriptor, EPOLLIN.rawValue, token) == 0 else {
            throw .current("epoll_ctl")
        }
    }

    /// Forgets a descriptor that stays open; unknown ones are no mistake.
    package func remove(_ descriptor: Int32) {
        _ = apus_epoll_remove(self.descriptor.number, descriptor)
    }

    /// Waits for events and returns how many came; they are in `self[0..<count]` until the next call.
    ///
    /// - Parameter timeoutMilliseconds: 0 does not wait, nil waits for ever.
    package func wait(timeoutMilliseconds: Int64?) -> Int {
        let timeout = timeoutMilliseconds.map { Int32(clamping: Swift.max(0, $0)) } ?? -1
        let found = epoll_wait(descriptor.number, batch.events, Int32(Self.batchSize), timeout)
        // The only error that can happen here is EINTR; the caller's loop comes back.
        batch.count = Swift.max(0, Int(found))
        return batch.count
    }

    /// Waits like `wait(timeoutMilliseconds:)`, for a loop that has something to do at a moment.
    ///
    /// How punctual it is depends on `TimerSlack`.
    package func wait(timeoutNanoseconds: Int64) -> Int {
        let timeout = Swift.max(0, timeoutNanoseconds)
        let found = apus_epoll_wait_nanoseconds(descriptor.number, batch.events, Int32(Self.batchSize), timeout)
        batch.count = Swift.max(0, Int(found))
        return batch.count
    }

    /// An event of the last `wait`.
    package subscript(index: Int) -> Event {
        precondition(index >= 0 && index < batch.count, "No such event.")
        return Event(batch.events + index)
    }
}

// The batch is the waiting thread's, as its owner sees to; all else is the system's to guard.
extension Poller: @unchecked Sendable {}
