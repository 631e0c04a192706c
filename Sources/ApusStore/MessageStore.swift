package import ApusMessage
package import ApusTopics

/// What must outlive a connection, and with a durable implementation the process: the storage port.
///
/// One store belongs to one shard and is called by its thread only, or by one that helps it, never by two at a time. It has the shape of a log with cursors, because that is
/// what both a log on one disk and a replicated stream can do: a message is appended once whatever its fan-out, together
/// with the sessions that need it; sessions refer to it by position, and `committed` says how far the store keeps its
/// promise. The order of calls of one shard is the order of effects. What one shard has handed over before another does is
/// never lost while the other's is kept.
///
/// Bounds: `enqueue` reports what had to go to keep a session within its limits; nothing is dropped unreported.
package protocol MessageStore: AnyObject, Sendable {
    // MARK: Messages

    /// Begins a message that sessions, of this or other shards, must get even if they are away; its recipients follow,
    /// then `endMessage()`, with nothing in between.
    ///
    /// - Returns: false when the store takes none now (see `refusal`); then nothing has happened.
    func beginMessage(
        _ header: MessageHeader,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
    ) -> Bool

    /// A session needs the message that was begun. A session named several times in a row gets it once, with the
    /// highest QoS and all subscription identifiers.
    func addRecipient(_ recipient: Recipient)

    /// - Returns: the message's position; it is safe once `committed` has reached it.
    func endMessage() -> StorePosition

    /// Why `beginMessage` returns false; `nil` when it does not.
    var refusal: StoreRefusal? { get }

    /// A further session needs a message that is stored: it gets it in place of another, or as a retained one.
    ///
    /// - Returns: the position up to which the store must commit for this to be safe.
    @discardableResult
    func assigned(_ position: StorePosition, to recipient: Recipient) -> StorePosition

    /// The session has acknowledged (or will never get) a stored message, and does not need it any more.
    ///
    /// - Returns: the position up to which the store must commit for this to be safe.
    @discardableResult
    func finished(_ position: StorePosition, by session: SessionNumber) -> StorePosition

    // MARK: Sessions

    /// A number for a session that outlives its connection.
    func newSessionNumber() -> SessionNumber

    /// - Returns: the position up to which the store must commit for the change to be safe.
    @discardableResult
    func record(_ change: SessionChange, of session: SessionNumber) -> StorePosition

    // MARK: Commit

    /// Everything up to this position of this shard is as safe as the store promises. Never goes back.
    var committed: StorePosition { get }

    /// The shard's tick is over: what it has appended may go on its way to the disk.
    func handOver()

    /// Whether so much waits to be written that publishers must not be read until the next notice.
    var isBehind: Bool { get }

    /// Whether nothing is committed until something changes: there is room again, or the disk works.
    var isStalled: Bool { get }

    // MARK: Queues

    /// Puts a delivery at the end of a session's queue: of a stored message its position, else the message itself.
    ///
    /// - Parameters:
    ///   - number: the session's, `.none` if it ends with its connection.
    ///   - limits: messages and bytes that may wait; the oldest go first when there are more.
    /// - Returns: what traces know those by that had to go, and are finished; usually none. The new one is among them when
    ///   it alone is larger than the byte limit.
    func enqueue(
        _ delivery: Delivery,
        for session: SessionHandle,
        _ number: SessionNumber,
        limits: QueueLimits,
    ) -> [MessageNumber]

    /// The oldest delivery waiting, taken out. It is safe with the caller until `finished`.
    func dequeue(for session: SessionHandle) -> Dequeued

    /// Messages and bytes waiting for the session.
    func backlog(of session: SessionHandle) -> (messages: Int, bytes: Int)

    /// Messages and bytes waiting for all sessions of the shard together; known without a look at them.
    var waitingTotal: QueueTotal { get }

    /// Takes out every waiting QoS 1 delivery of a shared subscription for which `condition` holds, oldest first.
    func takeShared(from session: SessionHandle, where condition: (SharedGroup) -> Bool) -> [Delivery]

    /// The session is gone: everything kept for it goes.
    ///
    /// - Returns: the deliveries of shared subscriptions that still waited, oldest first, and what traces know the others by.
    func sessionEnded(
        _ session: SessionHandle,
        _ number: SessionNumber,
    ) -> (shared: [Delivery], others: [MessageNumber])

    // MARK: Start

    /// Gives the queue that was found at start to the session that was made for it.
    ///
    /// - Parameter group: The group object of a shared subscription.
    /// - Returns: the number of messages waiting.
    func restoreQueue(
        of session: SessionNumber,
        to handle: SessionHandle,
        group: (TopicFilter) -> SharedGroup?,
    ) -> Int

    /// A stored message as a delivery; may wait for the disk. `nil` when it cannot be read.
    func load(_ position: StorePosition, for recipient: Recipient) -> Delivery?

    // MARK: Vacating a part of the store

    /// Whether the shard is asked to say what it still needs of the part to be vacated: for each session that must, its
    /// state again and what is under way; then `vacated()`. Waiting messages are seen to by `keepQueue`.
    var isVacating: Bool { get }

    /// Whether the session's state stands in that part and must be recorded anew, beginning with `.state`.
    func mustRecordAgain(_ session: SessionNumber) -> Bool

    /// Keeps a part of what waits for the session, at most `limit` messages.
    ///
    /// - Parameter place: 0 at first, then what the last call returned; messages may have come and gone in between.
    /// - Returns: where to go on; `nil` when all of it is seen to. What is under way to the session is to be kept after
    ///   that: a message may have gone from the one to the other in the meantime.
    func keepQueue(of session: SessionHandle, from place: UInt64, limit: Int) -> UInt64?

    /// Keeps a message that is under way to a session, or retained.
    func keep(_ position: StorePosition, for recipient: Recipient)

    /// This shard has named all that it needs.
    func vacated()
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

/// How much waits in several queues together.
package struct QueueTotal: Sendable, Equatable {
    package private(set) var messages = 0
    package private(set) var bytes = 0

    package init() {}

    package mutating func add(_ messages: Int = 1, bytes: Int) {
        self.messages += messages
        self.bytes += bytes
    }

    package mutating func remove(_ messages: Int = 1, bytes: Int) {
        self.messages -= messages
        self.bytes -= bytes
    }
}

/// What a store tells its shard from another thread.
package enum StoreNotice: Sendable, Equatable {
    /// `committed` has grown, or `isBehind`, `isStalled` or `refusal` has changed.
    case progressed
    /// What `dequeue` said *not yet* to is at hand.
    case readable(SessionHandle)
    /// `isVacating` has become true.
    case vacate
}
