/// A transport connection as both ends see it; either may be gone while the other does not know yet.
final class Link {
    var shard: Int
    var slot: Int
    /// On the way to the broker.
    var toBroker: [UInt8] = []
    /// On the way to the client.
    var toClient: [UInt8] = []
    /// The shard said that there is something to look at.
    var isDirty = false
    /// The shard was found not to read; it must say when that changes.
    var isReadingBlocked = false
    var isClosedByBroker = false
    var isLeftByClient = false

    init(shard: Int, slot: Int) {
        self.shard = shard
        self.slot = slot
    }
}
