internal import ApusLoop
internal import ApusMemory
internal import MQTTCodec

/// The connections of one thread and all that is done with them.
///
/// Publisher n belongs to the thread n modulo their number, and so do subscribers; members of a group with one shared
/// subscription are all with the first, so that one tracker sees what any of them gets. Everything here is owned by its
/// thread; other threads send letters.
struct Worker: ~Copyable {
    let index: Int
    let plan: BenchPlan
    let routes: Routes
    let names: BenchNames
    let target: BenchTarget
    let post: PostOffice

    var poller: Poller
    var pool = ChunkPool()
    var clients = Slab<BenchClient>()
    var layers = Slab<ClientLayer>()
    var publishers: [PublisherState] = []
    var subscribers: [SubscriberState] = []
    var trackers: [SequenceTracker] = []

    /// Nanoseconds of the monotonic clock: when the last read or wait ended.
    var now: Int64
    var tally = Tally()
    var latency = LatencyHistogram()
    /// From when a connection was due until CONNACK.
    var connectLatency = LatencyHistogram()
    /// When something last went on.
    var progress: Int64

    /// Slots with output to send at the end of the tick.
    private var dirty: [UInt64] = []
    /// Positions of publishers that may have room.
    var hungry: [Int32] = []
    private var unread: [UInt64] = []
    var activity = Activity.serving
    var dialling = Dialling()
    var schedule: RateSchedule?
    var isStopped = false
    var deadline: Int64?
    /// All that this worker's publishers still wait for.
    var owed = 0
    var unacknowledged = 0
    /// Publishers with messages to send.
    var unfinished = 0
    /// Deliveries of other workers' messages, by publisher; empty with one thread.
    private var credits: [Int32]
    private var credited: [Int32] = []
    /// What follows the topic in a PUBLISH: packet identifier, properties and payload, as far as there are any.
    var body: [UInt8]
    /// Where in `body` the payload begins.
    let payloadOffset: Int
    /// Whether a payload holds its number and its time.
    let isStamped: Bool
    var scratch: [UInt8] = []
    /// Fixed header and topic of the message at hand, where each has its own.
    var head: [UInt8] = []
    /// Of the routes, which would compute them for each message.
    let copies: Int
    let isOrdered: Bool
    /// Whether messages are of anybody, and counted only.
    let onlyCounts: Bool
    let trackingWindow: Int
    var pongs = 0
    /// A connection was lost that had to stay.
    var isBroken = false
    /// The next message is due and cannot leave.
    var isHeldBack = false
    var connectionCounts = ConnectionCounts()
    /// How many of each side have had a connection since the run began.
    var known = ConnectionCounts()
    private var keepAliveSeconds: UInt16
    private var nextPing: Int64
    private var nextReport: Int64
    private(set) var isEnded = false
    private var letters: [WorkerLetter] = []
    /// Connections so far, for the choice of the address to come from.
    var dialled = 0

    /// What the worker is at; its end is reported.
    enum Activity {
        case serving
        case connecting
        case publishing
        case receiving(Int)
        case pinging
        /// Retained messages are being removed.
        case clearing
        case leaving(BenchNames.Role, until: Int64)
    }

    /// - Parameter poller: knows the worker's wake-up already, as `wakeUpToken`.
    init(index: Int, _ job: BenchJob, _ post: PostOffice, _ poller: consuming Poller) {
        self.index = index
        self.post = post
        plan = job.plan
        names = job.names
        target = job.target
        routes = Routes(job.plan, job.names)
        copies = routes.copies
        isOrdered = routes.isOrdered
        onlyCounts = plan.workload == .subscribe
        trackingWindow = routes.trackingWindow
        self.poller = poller
        now = Clock.monotonicNanoseconds()
        progress = now
        nextReport = now
        keepAliveSeconds = plan.keepAliveSeconds
        nextPing = now
        credits = plan.threads > 1 ? [Int32](repeating: 0, count: plan.publishers) : []
        payloadOffset = (plan.qos == .atMostOnce ? 0 : 2) + (plan.version == .v5 ? 1 : 0)
        body = [UInt8](repeating: 0, count: payloadOffset)
        isStamped = plan.payload == nil
        // Text, so that a person who looks into a message is not puzzled.
        body += plan.payload ?? [UInt8](repeating: UInt8(ascii: "x"), count: plan.payloadBytes)
        makePublishers()
        makeSubscribers()
        nextPing = now + pingInterval
    }

    /// The largest packet that may come: a message of our own with properties that a broker may add.
    var largestPacket: Int { 128 * 1024 + plan.payloadBytes }

    /// The lower of what is published and what is subscribed.
    var effectiveQoS: QoS { min(plan.qos, plan.subscribeQoS ?? plan.qos) }

    // MARK: - Who is here

    private mutating func makePublishers() {
        for publisher in stride(from: index, to: plan.publishers, by: plan.threads) {
            let isOpenLoop = plan.rate != nil
            // In an open loop the answer to one message must not keep the next back; so many that all take some 12 MB.
            let wide = min(20_000, max(256, 4_000_000 / plan.publishers))
            let size = plan.qos == .atMostOnce ? 0 : isOpenLoop ? wide : plan.window
            var state = PublisherState(
                index: publisher,
                total: routes.messageCount(of: publisher),
                window: SendWindow(size: size),
                owedLimit: routes.copies == 0 || isOpenLoop ? .max : plan.window * routes.copies,
            )
            if let topic = routes.steadyTopic(of: publisher) {
                appendHead(Array(topic.utf8), to: &state.head)
            }
            if plan.workload == .wildcard { state.sequences = [UInt32](repeating: 0, count: plan.subscribers) }
            publishers.append(state)
        }
    }

    private mutating func makeSubscribers() {
        let all =
            if routes.isShared {
                index == 0 ? Array(0..<plan.subscribers) : []
            } else {
                Array(stride(from: index, to: plan.subscribers, by: plan.threads))
            }
        let streams = routes.streamsPerSubscriber
        let count = routes.isShared ? streams : streams * all.count
        trackers = [SequenceTracker](repeating: SequenceTracker(), count: count)
        subscribers = all.enumerated().map { position, subscriber in
            SubscriberState(index: subscriber, firstTracker: routes.isShared ? 0 : position * streams)
        }
    }

    /// The thread of a publisher.
    @inline(__always)
    func thread(of publisher: Int) -> Int { plan.threads == 1 ? 0 : publisher % plan.threads }

    /// Where among this worker's one of its publishers stands.
    @inline(__always)
    func position(of publisher: Int) -> Int { plan.threads == 1 ? publisher : publisher / plan.threads }

    // MARK: - One tick

    /// Does all that needs no reading.
    mutating func work() {
        now = Clock.monotonicNanoseconds()
        takeLetters()
        dial()
        if case .publishing = activity { publish() }
        flush()
        sendCredits()
        keepAlive()
        look()
        reportProgress()
    }

    /// Waits for events and returns how many came.
    mutating func wait() -> Int {
        var nanoseconds = unread.isEmpty && !mayPublish ? timeout : 0
        let wakeUp = post.wakeUps[index]
        if nanoseconds > 0 {
            wakeUp.fallAsleep()
            if !post.workers[index].isEmpty { nanoseconds = 0 }
        }
        let count = poller.wait(timeoutNanoseconds: nanoseconds)
        wakeUp.stayAwake()
        now = Clock.monotonicNanoseconds()
        return count
    }

    /// Whether a publisher waits for its turn; outside of publishing nobody takes it.
    private var mayPublish: Bool {
        if case .publishing = activity { !hungry.isEmpty } else { false }
    }

    /// Whether publishers send as soon as they may.
    private var mayPublishFreely: Bool {
        if case .publishing = activity { schedule == nil && !isStopped } else { false }
    }

    private var timeout: Int64 {
        var end = now + 50_000_000
        if case .publishing = activity {
            if let schedule, !isStopped { end = min(end, isHeldBack ? now + 100_000 : schedule.next) }
            if let deadline, !isStopped { end = min(end, deadline) }
        }
        if let due = dialling.nextDue { end = min(end, due) }
        return max(0, end - now)
    }

    func event(_ position: Int) -> Poller.Event { poller[position] }

    private mutating func takeLetters() {
        guard !post.workers[index].isEmpty else { return }
        post.workers[index].drain(into: &letters)
        for position in letters.indices {
            switch letters[position] {
            case .order(let order): obey(order)
            case .delivered(let credits):
                for credit in credits { pay(Int(credit.publisher), Int(credit.count)) }
            }
        }
        letters.removeAll(keepingCapacity: true)
    }

    private mutating func obey(_ order: Order) {
        progress = now
        switch order {
        case .connect(let role, let isClean, let subscribes, let isTolerant, let known):
            activity = .connecting
            beginDialling(role, isClean: isClean, subscribes: subscribes, isTolerant: isTolerant, known: known)
        case .publish(let start): beginPublishing(start)
        case .stop:
            stopDialling()
            stopPublishing()
        case .receive(let count): activity = .receiving(count)
        case .ping: beginPinging()
        case .clear: activity = .clearing
        case .count: report(.done)
        case .leave(let role): beginLeaving(role)
        case .end:
            isEnded = true
            dropAll()
        }
    }

    /// Whether what the worker is at has come to its end.
    private mutating func look() {
        switch activity {
        case .serving: return
        case .connecting:
            guard !dialling.isComplete else { return report(isConnected ? .done : .disconnected) }
        case .publishing:
            if isBroken { return report(.disconnected) }
            guard !isPublished else { return report(.done) }
            writeOff()
        case .receiving(let count):
            if isBroken { return report(.disconnected) }
            guard tally.delivered < count * connectionCounts[.subscriber] else { return report(.done) }
        case .pinging:
            if isBroken { return report(.disconnected) }
            guard pongs < publishers.count else { return report(.done) }
        case .clearing:
            if isBroken { return report(.disconnected) }
            clear()
        case .leaving(let role, let end):
            guard connectionCounts[role] > 0, now < end else {
                drop(role)
                return report(.done)
            }
            return
        }
        if now > progress + plan.patience.wholeNanoseconds { stall() }
    }

    private mutating func stall() {
        if case .connecting = activity {
            failDialling()
            return report(isConnected ? .done : .stalled)
        }
        report(.stalled)
    }

    /// Tells the crew how the activity ended, and serves on.
    func send(_ report: Report) { post.crew.post(report) }

    mutating func report(_ outcome: Outcome) {
        if case .publishing = activity { schedule = nil }
        activity = .serving
        send(.done(worker: index, outcome, tally, latency, connectLatency, at: now))
    }

    private mutating func reportProgress() {
        guard now >= nextReport else { return }
        nextReport = now + 200_000_000
        send(.progress(worker: index, tally))
    }

    // MARK: - Delivered messages

    /// Notes that a message of this publisher came somewhere.
    @inline(__always)
    mutating func credit(_ publisher: Int) {
        guard thread(of: publisher) != index else { return pay(publisher, 1) }
        if credits[publisher] == 0 { credited.append(Int32(truncatingIfNeeded: publisher)) }
        credits[publisher] &+= 1
    }

    @inline(__always)
    private mutating func pay(_ publisher: Int, _ count: Int) {
        let position = position(of: publisher)
        publishers[position].owed &-= count
        owed &-= count
        progress = now
        makeHungry(position)
    }

    private mutating func sendCredits() {
        guard !credited.isEmpty else { return }
        var letters = [[Credit]](repeating: [], count: plan.threads)
        for publisher in credited {
            let credit = Credit(publisher: publisher, count: credits[Int(publisher)])
            letters[thread(of: Int(publisher))].append(credit)
            credits[Int(publisher)] = 0
        }
        credited.removeAll(keepingCapacity: true)
        for (thread, credits) in letters.enumerated() where !credits.isEmpty {
            post.workers[thread].post(.delivered(credits))
        }
    }

    @inline(__always)
    mutating func makeHungry(_ position: Int) {
        guard !publishers[position].isHungry else { return }
        publishers[position].isHungry = true
        hungry.append(Int32(truncatingIfNeeded: position))
    }

    // MARK: - Tables

    static let wakeUpToken = UInt64.max

    @inline(__always)
    func token(_ index: Int) -> UInt64 { UInt64(clients.generation(of: index)) << 32 | UInt64(index) }

    /// The slot of a connection that is still there.
    @inline(__always)
    func client(of token: UInt64) -> Int? {
        let index = Int(token & 0xFFFF_FFFF)
        return clients.contains(index, generation: UInt32(truncatingIfNeeded: token >> 32)) ? index : nil
    }

    @inline(__always)
    mutating func markDirty(_ index: Int) {
        guard !clients[index].isDirty else { return }
        clients[index].isDirty = true
        dirty.append(token(index))
    }

    mutating func readLater(_ token: UInt64) { unread.append(token) }

    mutating func takeUnread() -> [UInt64] {
        guard !unread.isEmpty else { return [] }
        defer { unread = [] }
        return unread
    }

    /// Sends what each connection has, each once.
    private mutating func flush() {
        for position in dirty.indices {
            guard let index = client(of: dirty[position]) else { continue }
            clients[index].isDirty = false
            transmit(index)
            // No edge tells of room that the socket made at once.
            guard mayPublishFreely, clients[index].role == .publisher, clients[index].phase == .ready else { continue }
            if maySend(clients[index].number, index) { makeHungry(clients[index].number) }
        }
        dirty.removeAll(keepingCapacity: true)
    }

    // MARK: - Keeping alive

    private var pingInterval: Int64 { keepAliveSeconds == 0 ? .max / 2 : Int64(keepAliveSeconds) * 500_000_000 }

    /// The broker wants to hear from its clients more often [MQTT-3.1.2-21].
    mutating func shortenKeepAlive(to seconds: UInt16) {
        guard seconds > 0, keepAliveSeconds == 0 || seconds < keepAliveSeconds else { return }
        keepAliveSeconds = seconds
        nextPing = min(nextPing, now + pingInterval)
    }

    mutating func beginPinging() {
        activity = .pinging
        pongs = 0
        for position in publishers.indices {
            if let client = publishers[position].client { ping(client) }
        }
    }

    private mutating func keepAlive() {
        guard now >= nextPing else { return }
        nextPing = now + pingInterval
        var next = clients.firstOccupied(from: 0)
        while let index = next {
            if clients[index].phase == .ready { ping(index) }
            next = clients.firstOccupied(from: index + 1)
        }
    }
}

/// How many connections each side has.
struct ConnectionCounts {
    private var publishers = 0
    private var subscribers = 0

    subscript(role: BenchNames.Role) -> Int {
        get { role == .publisher ? publishers : subscribers }
        set { if role == .publisher { publishers = newValue } else { subscribers = newValue } }
    }

    var isEmpty: Bool { publishers == 0 && subscribers == 0 }
}

extension Duration {
    /// Clamped to what 64 bits hold, 292 years.
    package var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, isOver) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return isOver ? .max / 2 : min(product, .max / 2) + attoseconds / 1_000_000_000
    }
}
