import ApusLoop

/// A connection as the system keeps it: what is on its way, what waits on either side, and what the poller knows.
final class SimulatedSocket {
    let number: Int32
    /// How many bytes may wait for the broker, and for the client.
    let receiveCapacity: Int
    let sendCapacity: Int

    // What the client does.

    /// Sent by the client, still on its way.
    var inFlight: [UInt8] = []
    /// The client's end comes behind `inFlight`.
    var isEndInFlight = false
    /// The client reads no more.
    var isLeft = false
    /// Sends on for ever: so many bytes always wait.
    var flood: [UInt8] = []

    // What the broker's side sees.

    private(set) var toBroker: [UInt8] = []
    private var taken = 0
    var hasEnded = false
    var isReset = false
    var isResetReported = false

    // What the client sees.

    var toClient: [UInt8] = []
    /// The broker has shut its side; bytes before that are still there.
    var isShutByBroker = false
    /// The broker has let go of it.
    var isClosed = false

    // What the poller knows.

    var loop: Int?
    var token: UInt64 = 0
    /// Stands in the list of the loop's sockets of which something is to be told.
    var isListed = false
    /// A send has found it full: room for more is news.
    var wantsRoom = false

    /// What the loop has read since its last wait.
    var readThisTick = 0

    init(number: Int32, receiveCapacity: Int, sendCapacity: Int) {
        self.number = number
        self.receiveCapacity = receiveCapacity
        self.sendCapacity = sendCapacity
    }

    var waiting: Int { toBroker.count - taken }
    var isReadable: Bool { waiting > 0 || hasEnded || isReset }
    var room: Int { isLeft ? .max : max(0, sendCapacity - toClient.count) }
    var isWritable: Bool { room > 0 || isReset }

    /// What the poller says of it.
    var event: Poller.Event? {
        guard isReadable || isWritable else { return nil }
        return Poller.Event(
            token: token,
            isReadable: isReadable,
            isWritable: isWritable,
            isHangUp: hasEnded || isReset,
        )
    }

    /// Lets up to `limit` bytes on their way, then the end, arrive.
    ///
    /// - Returns: whether anything did.
    func arrive(limit: Int) -> Bool {
        guard !isClosed, !isReset, !hasEnded else { return false }
        while !flood.isEmpty, inFlight.count < receiveCapacity { inFlight += flood }
        let count = min(limit, inFlight.count, receiveCapacity - waiting)
        toBroker += inFlight.prefix(count)
        inFlight.removeFirst(count)
        if inFlight.isEmpty, isEndInFlight { hasEnded = true }
        return count > 0 || hasEnded
    }

    /// The next bytes for the broker.
    func look(limit: Int) -> [UInt8] { Array(toBroker[taken..<(taken + min(limit, waiting))]) }

    func take(_ count: Int) {
        taken += count
        readThisTick += count
        if taken == toBroker.count {
            toBroker.removeAll(keepingCapacity: true)
            taken = 0
        }
    }
}
