package import ApusMessage

/// What must outlive a connection, and with a durable implementation the process: the storage port.
///
/// One store belongs to one shard and is called on its thread only. It has the shape of a log with cursors, because that is
/// what both a log on one disk and a replicated stream can do: a message is appended once whatever its fan-out, sessions
/// refer to it by position, and `committed` says how far the store keeps its promise. The order of calls of one shard
/// is the order of effects.
///
/// Bounds: `enqueue` reports what had to go to keep a session within its limits; nothing is dropped unreported.
package protocol MessageStore: AnyObject, Sendable {
    /// Takes a message that sessions, of this or other shards, must get even if they are away.
    ///
    /// - Returns: its position; the message is safe once `committed` has reached it.
    func append(_ message: Message) -> StorePosition

    /// Everything up to this position is as safe as the store promises. Never goes back.
    var committed: StorePosition { get }

    /// Puts a delivery at the end of a session's queue.
    ///
    /// - Parameter limits: messages and bytes that may wait; the oldest go first when there are more.
    /// - Returns: the deliveries that had to go, oldest first; usually none. The new one is among them when it alone is
    ///   larger than the byte limit.
    func enqueue(_ delivery: Delivery, for session: SessionHandle, limits: QueueLimits) -> [Delivery]

    /// The oldest delivery waiting, taken out, or `nil`. It is safe with the caller until `finished`.
    func dequeue(for session: SessionHandle) -> Delivery?

    /// Messages and bytes waiting for the session.
    func backlog(of session: SessionHandle) -> (messages: Int, bytes: Int)

    /// The session has acknowledged (or will never get) a delivery: the store may forget it for that session.
    func finished(_ delivery: Delivery, for session: SessionHandle)

    /// Takes out every waiting delivery for which `condition` holds, oldest first.
    func remove(for session: SessionHandle, where condition: (Delivery) -> Bool) -> [Delivery]

    /// The session is gone: everything kept for it goes.
    ///
    /// - Returns: the deliveries that still waited, oldest first.
    func sessionEnded(_ session: SessionHandle) -> [Delivery]
}

/// How much may wait for one session.
package struct QueueLimits: Sendable, Equatable {
    package var messages: Int
    package var bytes: Int

    package init(messages: Int, bytes: Int) {
        self.messages = messages
        self.bytes = bytes
    }
}
