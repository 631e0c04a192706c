internal import ApusBroker
internal import ApusLoop
internal import ApusMemory
internal import ApusMessage

/// One shard's loop: the only place where shard, sockets, timers and mail meet.
///
/// Everything here belongs to the thread that holds its seat (`LoopSeat`): its own, or one that helps it. The shard names a connection by its slot, the network by a
/// token of the link; `links` and `linkOfSlot` translate. The work of one tick is bounded: so many events, so many bytes
/// of one connection, so many sends; what is left over comes first in the next tick, which then does not wait.
///
/// The code is laid out by what happens to a connection: `+Accepting`, `+Handshaking` (PROXY header, TLS, upgrade),
/// `+Reading`, `+Sending`, `+Closing`, `+Moving`.
struct ShardLoop<Network: LoopNetwork & ~Copyable>: ~Copyable {
    /// Bytes that one connection may bring in one tick; also the size of the read buffer.
    static var readBudget: Int { 256 * 1024 }
    /// Output is sent in the midst of a tick once this much came in, lest queues overflow that a flush would empty.
    static var bytesBetweenFlushes: Int { 512 * 1024 }
    /// Steps of TLS handshakes in one tick: each may cost a signature, which is long for those who wait with messages.
    static var handshakeStepsPerTick: Int { 32 }

    let index: Int
    let server: LoopEnvironment
    var network: Network
    var shard: Shard
    var now: Timestamp

    /// What the network's listeners are for; none once a shutdown has begun.
    var gates: [ListenerGate]
    var links = Slab<Link>()
    var layers = Layers()
    var stagings = Slab<Staging>()
    /// The link of each slot of the shard.
    var linkOfSlot: [Int32] = []
    /// Deadlines of stagings and of paused listeners.
    var timers: TimingWheel

    var buffer = ReadBuffer(capacity: 256 * 1024)
    /// Takes the place of `buffer` for a client that has not said CONNECT.
    var earlyBuffer = ReadBuffer(capacity: 16 * 1024)
    /// For connections that the shard does not have.
    var pool = ChunkPool(idleLimit: 64 * 1024)
    var nothing = OutputQueue()

    /// Links with bytes left to read, for the next tick.
    var ready: [LinkToken] = []
    /// Those for this one.
    private var readyNow: [LinkToken] = []
    private var letters: [Letter] = []
    /// Slots for the next flush: what became dirty while the others were flushed.
    private var dirtySlots: [Int] = []
    private var dirtySlotsNow: [Int] = []
    private var bytesSinceFlush = 0
    var handshakeStepsLeft = 0
    var bytesSent = 0
    /// A look at the clock costs little, but more than nothing.
    private var sampling: TickSampling

    /// The shard that got the last connection of a unix socket.
    var unixTurn = 0
    var limiter: EventLimiter
    /// When to cut off what is left; nil while serving.
    var end: Timestamp?
    /// When the wait of its own thread ends by itself.
    private var sleepsUntil = Timestamp.distantFuture

    init(index: Int, server: LoopEnvironment, network: consuming Network, gates: [ListenerGate]) {
        self.index = index
        sampling = TickSampling(seed: index)
        self.server = server
        self.gates = gates
        now = Timestamp(milliseconds: network.now())
        shard = server.makeShard(index, now)
        timers = TimingWheel(now: now.milliseconds)
        limiter = EventLimiter(sink: server.broker.events)
        self.network = network
    }

    /// Whether a shutdown is complete.
    var isFinished: Bool {
        guard let end else { return false }
        return links.count == 0 || now >= end
    }

    // MARK: - One tick

    /// Does what there is to do after a wait that brought so many events.
    mutating func work(_ count: Int) {
        server.wakeUps[index].stayAwake()
        now = Timestamp(milliseconds: network.now())
        shard.now = now
        shard.tickBegan(at: sampling.next() ? network.nanoseconds() : nil)
        handshakeStepsLeft = Self.handshakeStepsPerTick
        // What is read in this tick and has more comes in the next: nobody has two shares of one.
        swap(&ready, &readyNow)
        for position in 0..<count { handle(network.event(position)) }
        readMail()
        readLeftOvers()
        runTimers()
        endTick(mayAskForHelp: true)
    }

    /// Does a small piece of work at once, on the thread of another loop, while its own sleeps.
    ///
    /// Waking a thread costs more than handling a message, and the message waits for it.
    ///
    /// - Returns: false when something waits that came before, or that nobody else may do.
    mutating func help(_ mail: ShardMail) -> Bool {
        guard end == nil, server.mailboxes[index].isEmpty else { return false }
        now = Timestamp(milliseconds: network.now())
        shard.now = now
        shard.tickBegan(at: nil)
        shard.receive(mail)
        // Who helps holds two seats already.
        endTick(mayAskForHelp: false)
        // Something may be due before its own thread would look.
        let isDueBefore = timeout().map { now.adding(milliseconds: $0) < sleepsUntil } ?? false
        if isDueBefore { server.wakeUps[index].signal() }
        return true
    }

    /// Sends what has come up, and tells store and other loops.
    private mutating func endTick(mayAskForHelp: Bool) {
        flushDirty()
        if shard.isTickMeasured { shard.tickSent(at: network.nanoseconds()) }
        while let slot = shard.nextProbe() {
            if linkOfSlot[slot] >= 0 { network.probe(links[Int(linkOfSlot[slot])].socket.number) }
        }
        // Before the mail: what other shards do because of it must not be on the disk before.
        shard.handOverToStore()
        sendMail(mayAskForHelp: mayAskForHelp)
        if bytesSent > 0 {
            shard.counted(bytesSent: bytesSent)
            bytesSent = 0
        }
    }

    /// How long to wait; mail that comes from now on ends the wait, mail that has come already forbids it.
    mutating func timeoutUnlessMail() -> Int64? {
        let timeout = timeout()
        if timeout == 0 { return 0 }
        sleepsUntil = timeout.map { now.adding(milliseconds: $0) } ?? .distantFuture
        server.wakeUps[index].fallAsleep()
        return server.mailboxes[index].isEmpty ? timeout : 0
    }

    /// How long nothing is due; nil for ever.
    private func timeout() -> Int64? {
        if !ready.isEmpty || !dirtySlots.isEmpty { return 0 }
        var deadline = min(shard.nextDeadline, end ?? .distantFuture)
        if let next = timers.nextDeadline { deadline = min(deadline, Timestamp(milliseconds: next)) }
        return deadline == .distantFuture ? nil : max(0, deadline.milliseconds - now.milliseconds)
    }

    private mutating func handle(_ event: Poller.Event) {
        let token = LinkToken(rawValue: event.token)
        guard token.generation != 0 else {
            // A wake-up has done its work by ending the wait.
            if token != .wakeUp, gates.indices.contains(token.index) { accept(token.index) }
            return
        }
        // A descriptor that was closed earlier in this batch; its slot may have a new owner already.
        guard links.contains(token.index, generation: token.generation) else { return }
        if event.isHangUp {
            links[token.index].flags.formUnion([.hungUp, .readable])
        } else if event.isReadable {
            links[token.index].flags.insert(.readable)
        }
        if links[token.index].phase == .tlsHandshake, !readyNow.isEmpty {
            // Behind those that have waited since the last tick.
            links[token.index].flags.subtract(.blocked)
            links[token.index].flags.insert(.readable)
            guard !links[token.index].flags.contains(.queued) else { return }
            links[token.index].flags.insert(.queued)
            return readyNow.append(token)
        }
        if event.isWritable, links[token.index].flags.contains(.blocked) {
            links[token.index].flags.remove(.blocked)
            unblocked(token.index)
            guard links.contains(token.index, generation: token.generation) else { return }
        }
        // Who waits for its turn has it when it comes.
        if links[token.index].flags.contains(.readable), !links[token.index].flags.contains(.queued) {
            progress(token.index)
        }
    }

    /// Something may be read.
    mutating func progress(_ index: Int) {
        switch links[index].phase {
        case .open: read(index)
        case .proxyHeader: readProxyHeader(index)
        case .tlsHandshake: shakeHands(index)
        case .upgrade: readUpgrade(index)
        case .flushing: break
        case .lingering: discard(index)
        }
        if bytesSinceFlush >= Self.bytesBetweenFlushes { flushDirty() }
    }

    /// The socket takes bytes again.
    private mutating func unblocked(_ index: Int) {
        switch links[index].phase {
        case .open: unblockedOpen(index)
        case .flushing: continueClosing(index)
        case .tlsHandshake: shakeHands(index)
        case .proxyHeader, .upgrade, .lingering: break
        }
    }

    private mutating func readLeftOvers() {
        for token in readyNow where links.contains(token.index, generation: token.generation) {
            links[token.index].flags.remove(.queued)
            if links[token.index].flags.contains(.readable) { progress(token.index) }
        }
        readyNow.removeAll(keepingCapacity: true)
    }

    /// Reads this link again in the next tick.
    mutating func readLater(_ index: Int) {
        guard !links[index].flags.contains(.queued) else { return }
        links[index].flags.insert(.queued)
        ready.append(token(index))
    }

    func token(_ index: Int) -> LinkToken { LinkToken(index: index, generation: links.generation(of: index)) }

    // MARK: - Output

    /// Sends what the shard has queued and does what it has decided, each connection once.
    ///
    /// A peer that reads as fast as its session fills the queue makes itself dirty again and again; it waits for the
    /// next flush like all others. A slot may be free by then, or have a new owner, to whom a look does no harm.
    private mutating func flushDirty() {
        bytesSinceFlush = 0
        collectDirty()
        swap(&dirtySlots, &dirtySlotsNow)
        for slot in dirtySlotsNow where linkOfSlot[slot] >= 0 { settle(slot) }
        dirtySlotsNow.removeAll(keepingCapacity: true)
        collectDirty()
    }

    private mutating func collectDirty() {
        while let slot = shard.nextDirty() { dirtySlots.append(slot) }
    }

    mutating func came(_ count: Int) { bytesSinceFlush += count }

    // MARK: - Time and mail

    private mutating func runTimers() {
        while let value = timers.popDue(now: now.milliseconds) { expire(LinkToken(rawValue: value)) }
        if shard.nextDeadline <= now { shard.advance() }
    }

    private mutating func readMail() {
        var letters: [Letter] = []
        swap(&letters, &self.letters)
        server.mailboxes[index].drain(into: &letters)
        for letter in letters {
            switch letter {
            case .mail(let mail):
                if case .publications(let batch) = mail { came(batch.footprint) }
                shard.receive(mail)
                // Many batches at once must not look like a slow consumer.
                if bytesSinceFlush >= Self.bytesBetweenFlushes { flushDirty() }
            case .moved(let parcel): if let link = parcel.take() { adopt(link) }
            case .accepted(let parcel):
                if let link = parcel.take() { begin(link) }
            case .shutdown(let grace): beginShutdown(graceMilliseconds: grace)
            }
        }
        swap(&letters, &self.letters)
    }

    private mutating func sendMail(mayAskForHelp: Bool) {
        for other in 0..<server.mailboxes.count where other != index {
            while let mail = shard.takeOutgoing(for: other) {
                let isDone =
                    mayAskForHelp && server.wakeUps[other].isAsleep && mail.isSmall(for: other)
                    && server.help(other, mail)
                if !isDone { server.mailboxes[other].post(.mail(mail)) }
            }
        }
    }
}

/// What all loops of a process share.
struct LoopEnvironment: Sendable {
    let broker: Broker
    let configuration: TransportConfiguration
    let makeShard: @Sendable (Int, Timestamp) -> Shard
    let gates: [ListenerGate]
    let wakeUps: [WakeUp]
    let mailboxes: [Mailbox<Letter>]
    /// Lets a loop whose thread sleeps take mail at once; false when it cannot, and the mail is to be posted.
    var help: @Sendable (_ loop: Int, _ mail: ShardMail) -> Bool = { _, _ in false }
}
