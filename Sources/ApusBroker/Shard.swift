package import ApusMemory
package import ApusMessage
internal import ApusSession
package import ApusStore
internal import ApusTopics
internal import MQTTCodec

/// One thread's share of the broker: its connections, its sessions, and all that happens to them.
///
/// A value without I/O. The loop calls in with bytes, time and mail; the shard answers by filling connections' output
/// queues, changing their disposition and gathering mail for other shards. Everything here belongs to one thread at a time;
/// what is shared stands in `Broker`.
///
/// The code is laid out by what arrives:
/// `Receiving` (bytes → packets), `Connecting`, `PublishPipeline` (retain → route → acknowledge) with `Authorising`, `Delivering`
/// (subscription → window → output), `Acknowledging`, `Storing`, `Subscribing`, `Ending` (DISCONNECT, loss, wills, expiry), `Timers`.
package struct Shard: ~Copyable {
    private let place = FixedPlace()
    let index: Int
    let broker: Broker
    let store: any MessageStore
    var limits: Limits
    /// The time of the current tick; the loop sets it before anything else.
    package var now: Timestamp
    let startedAt: Timestamp

    var connections = Slab<Connection>()
    var sessions = Slab<Session>()
    /// Session slots by client.
    var sessionsByClientID = SlotTable()
    /// The instances that this shard has met; a connection or session names its own by the place in this list.
    var tenants: [Tenant] = []
    var tenantsByNumber: [InstanceNumber: Int32] = [:]
    /// Places in `tenants` of instances that are gone.
    var freeTenants: [Int32] = []
    var pool = ChunkPool()
    var timers: TimingWheel
    var matchCache: MatchCache
    var shapes = PublishShapes()
    /// Counts the changes of rights, `nil` where everything is allowed.
    ///
    /// The broker keeps it, with the authorizer.
    private let rights: Unretained<RightsRevision>?
    /// How far rights had changed when the bytes had been read that are looked at now.
    var rightsRevision: UInt64 = 0
    /// Slots with new output or a new disposition, each once.
    var dirty: [Int32] = []
    /// Messages for other shards, by shard.
    var outgoing: [PublicationBatch]
    var outgoingHandOvers: [[HandOver]]
    /// Connections that do not read because another shard, or the store, cannot keep up.
    var paused: [Int32] = []
    /// Connections whose peers the loop is to probe.
    var probes: [(slot: Int, generation: UInt32)] = []
    /// Connections with packets that wait for the store.
    var awaitingStore: [Int32] = []
    /// Sessions whose end the store does not hold yet, with the position at which it does: their clients may come again.
    var endings: [SessionKey: StorePosition] = [:]
    /// The next session to see to while a part of the store is vacated.
    var vacatingFrom = 0
    /// How far the queue of that session has been seen to.
    var vacatingQueue: (session: SessionHandle, place: UInt64)?
    var retainedVacating = RetainedWalk()
    var counters = Counters()
    var tick = TickMeasure()
    var trace: TraceRing
    /// Messages and connections numbered so far.
    var sequence: UInt64 = 0
    /// Who in management waits for the store.
    var awaitingCommit: [(position: StorePosition, done: ShardCall)] = []
    var rejections = RejectionLog()
    var assignedIDs: AssignedClientIDs
    var isShuttingDown = false
    /// The broker's load; only the first shard's.
    var loadAverages = LoadAverages()
    /// Where the search for expired retained messages has come to; only the first shard's.
    var retainedSweep = RetainedWalk()
    /// Reused for the MQTT 5.0 properties of the message that is being taken in.
    var propertyScratch: [UInt8] = []

    package init(index: Int, broker: Broker, store: any MessageStore, now: Timestamp) {
        self.index = index
        self.broker = broker
        self.store = store
        self.now = now
        startedAt = now
        limits = broker.configuration.limits
        timers = TimingWheel(now: now.milliseconds)
        matchCache = MatchCache()
        rights = broker.authorizer.map { Unretained($0.revision) }
        outgoing = [PublicationBatch](repeating: PublicationBatch(), count: broker.configuration.shardCount)
        outgoingHandOvers = [[HandOver]](repeating: [], count: broker.configuration.shardCount)
        trace = TraceRing(capacity: broker.configuration.traceEvents / broker.configuration.shardCount)
        assignedIDs = AssignedClientIDs(seed: broker.configuration.seed &+ UInt64(index))
        scheduleStatistics()
    }

    /// What was sent after a change of rights is judged by the new ones: bytes are read before this.
    mutating func noteRights() {
        if let rights { rightsRevision = rights.with { $0.value } }
    }

    package var connectionCount: Int { connections.count }
    package var sessionCount: Int { sessions.count }

    // MARK: - What the loop asks

    /// The next connection with new output or a new disposition, each once.
    package mutating func nextDirty() -> Int? {
        guard let slot = dirty.popLast() else { return nil }
        connections[Int(slot)].isDirty = false
        return Int(slot)
    }

    /// The next connection whose peer may be dead: the loop makes TCP find out within seconds.
    package mutating func nextProbe() -> Int? {
        while let (slot, generation) = probes.popLast() {
            if connections.contains(slot, generation: generation) { return slot }
        }
        return nil
    }

    package func disposition(_ slot: Int) -> Disposition { connections[slot].disposition }

    /// While true the loop leaves the bytes in the socket; a later `nextDirty` says when to look again.
    ///
    /// Whoever does not take what it is owed is not read either: acknowledgements and answers count against the same
    /// bound as messages.
    package func isReadingPaused(_ slot: Int) -> Bool {
        connections[slot].isPaused || connections[slot].isHeld
            || connections[slot].output.count >= limits.outputBytesPerConnection
    }

    /// How many bytes a single read may bring: little before the client is known.
    package func readLimit(_ slot: Int) -> Int { connections[slot].phase == .connected ? .max : 16_384 }

    /// Gives the loop the connection's unsent bytes.
    package mutating func withOutput<R>(_ slot: Int, _ body: (inout OutputQueue, inout ChunkPool) -> R) -> R {
        body(&connections[slot].output, &pool)
    }

    /// Counts what the loop moved, for `$SYS` and the metrics.
    package mutating func counted(bytesReceived: Int = 0, bytesSent: Int = 0) {
        counters.bytesReceived += UInt64(bytesReceived)
        counters.bytesSent += UInt64(bytesSent)
    }

    // MARK: - Marks

    mutating func markDirty(_ slot: Int) {
        if connections[slot].isDirty { return }
        connections[slot].isDirty = true
        dirty.append(Int32(truncatingIfNeeded: slot))
    }

    /// The session slot of a handle, if the handle still names it.
    func slot(of handle: SessionHandle) -> Int? {
        sessions.contains(handle.slot, generation: handle.generation) ? handle.slot : nil
    }

    /// Sends a packet that is not a PUBLISH.
    ///
    /// - Returns: false, and nothing is sent, when even its shortest form is larger than the client takes.
    @discardableResult
    mutating func send(_ packet: Packet, to slot: Int) -> Bool {
        guard let bytes = encoded(packet, for: slot) else { return false }
        sendEncoded(bytes, to: slot)
        return true
    }

    /// The packet's bytes; `nil` when even its shortest form is larger than the client takes.
    func encoded(_ packet: Packet, for slot: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        // A client's maximum binds every packet [MQTT-3.1.2-24]; the encoder leaves optional words out to keep it.
        let maximum = Int(connections[slot].maximumPacketBytes)
        let fits = packet.encode(into: &bytes, version: connections[slot].version, maximumPacketSize: maximum)
        return fits ? bytes : nil
    }

    mutating func sendEncoded(_ bytes: [UInt8], to slot: Int) {
        connections[slot].output.append(bytes.span, pool: &pool)
        counters.packetsSent += 1
        markDirty(slot)
    }
}
