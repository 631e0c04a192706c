import ApusMemory
import ApusMessage
import ApusSession
import ApusTopics
package import MQTTCodec
import Synchronization

@testable import ApusBroker

/// Plays a script of connections against a whole broker without sockets, and looks after its bounds.
///
/// - Returns: the types of the packets that the broker sent, for a look at what a script reaches.
/// - Throws: the first rule that was broken. A trap is a finding too.
@discardableResult
package func checkConnections(_ input: [UInt8]) throws(Finding) -> Set<PacketType> {
    var reader = InputReader(input)
    let world = ConnectionWorld(ScriptSetUp(rawValue: reader.byte()))
    // Bounds the time of one input, not what it may say.
    for _ in 0..<400 {
        if reader.isAtEnd || world.isTired { break }
        let head = reader.byte()
        let step = ScriptStep(&reader, kind: head & 7, more: head >> 5)
        try world.play(step, peer: Int(head >> 3 & 3))
        try world.checkBounds()
    }
    try world.end()
    return world.sentTypes
}

/// A broker, the peers of a script, and a clock that only the script moves.
final class ConnectionWorld {
    let setUp: ScriptSetUp
    let broker: Broker
    var shards = Slab<Shard>()
    let stores: [CountingStore]
    private(set) var sentTypes: Set<PacketType> = []
    private let authenticator = FuzzAuthenticator()
    private let rights = FuzzRights()
    private let mailbox: FuzzMailbox
    private var peers = [ScriptedPeer](repeating: ScriptedPeer(), count: 4)
    private var now = Timestamp(milliseconds: 1_700_000_000_000)
    private var bytesLeft = 64 << 10
    /// The longest piece that the broker was given at once.
    private var longestPiece = 0

    init(_ setUp: ScriptSetUp) {
        self.setUp = setUp
        let count = setUp.contains(.twoShards) ? 2 : 1
        var configuration = BrokerConfiguration(shardCount: count, seed: 7)
        configuration.limits = setUp.limits
        configuration.statisticsSeconds = setUp.contains(.statistics) ? 300 : 0
        if setUp.contains(.refusesDuplicates) { configuration.policies.duplicateClientID = .refuse }
        if setUp.contains(.closesOnDenial) { configuration.policies.onDenied = .close }
        if setUp.contains(.noQoS2) { configuration.policies.maximumQoS = .atLeastOnce }
        broker = Broker(
            configuration: configuration,
            authenticator: authenticator,
            authorizer: setUp.contains(.rights) ? rights : nil,
            events: IgnoresEvents(),
        )
        mailbox = FuzzMailbox(count)
        stores = (0..<count).map { _ in CountingStore() }
        for index in 0..<count {
            _ = shards.insert(Shard(index: index, broker: broker, store: stores[index], now: now))
        }
        broker.connectMail { [mailbox] shard, mail in mailbox.post(mail, to: shard) }
    }

    /// Whether the script has sent as much as one input may.
    var isTired: Bool { bytesLeft <= 0 }

    // MARK: - Steps

    func play(_ step: ScriptStep, peer: Int) throws(Finding) {
        switch step {
        case .send(let bytes): send(bytes, peer)
        case .fill(let byte, let count): send([UInt8](repeating: byte, count: count), peer)
        case .close: close(peer)
        case .wait(let milliseconds): try wait(milliseconds)
        case .stopReading: peers[peer].isReading = false
        case .read(let limit): try read(peer, limit)
        case .repeatLast(let times): for _ in 0..<times where !isTired { send(peers[peer].last, peer) }
        case .outside(let event): play(event, peer)
        }
        try settle()
    }

    private func send(_ bytes: [UInt8], _ peer: Int) {
        if peers[peer].place == nil {
            let shard = peer % shards.count
            let address = Peer(address: "127.0.0.1:1", listener: "fuzz", isLoopback: true)
            peers[peer].reset(ScriptedPeer.Place(shard: shard, slot: shards[shard].opened(address)))
        }
        bytesLeft -= bytes.count
        peers[peer].send(bytes)
    }

    private func close(_ peer: Int) {
        guard let place = peers[peer].place else { return }
        peers[peer].reset(nil)
        shards[place.shard].closed(place.slot, .peerClosed)
    }

    private func play(_ event: ScriptStep.Outside, _ peer: Int) {
        switch event {
        case .admitWaiting: authenticator.answer(admitting: true)
        case .refuseWaiting: authenticator.answer(admitting: false)
        case .changeRights:
            rights.change()
            broker.postToAll(.rightsChanged(.none))
        case .lowerLimits:
            var limits = setUp.limits
            limits.packetBytes = 256
            limits.receiveMaximum = 1
            limits.subscriptionsPerClient = 2
            limits.topicAliases = 1
            limits.queuedMessagesPerSession = 2
            broker.apply(limits)
        case .endConnection, .endSession:
            broker.postToAll(
                .end(
                    .none,
                    clientID: "a",
                    .administrativeAction,
                    explanation: "the script says so",
                    endsSession: event == .endSession,
                ),
            )
        case .shutDown:
            for shard in 0..<shards.count { shards[shard].beginShutdown() }
        case .sendByteByByte:
            peers[peer].sendsByteByByte.toggle()
        }
    }

    private func wait(_ milliseconds: Int64) throws(Finding) {
        let end = now.adding(milliseconds: milliseconds)
        var turns = 0
        while now < end {
            turns += 1
            try Finding.check(turns < 20_000, "the timers never come to rest")
            var next = end
            for shard in 0..<shards.count { next = min(next, shards[shard].nextDeadline) }
            now = min(end, max(next, now.adding(milliseconds: 1)))
            for shard in 0..<shards.count {
                shards[shard].now = now
                shards[shard].advance()
            }
            try settle()
        }
    }

    // MARK: - The loop

    private func settle() throws(Finding) {
        var turns = 0
        var isBusy = true
        while isBusy {
            turns += 1
            try Finding.check(turns < 100_000, "the shards never come to rest")
            isBusy = false
            // Pieces come while mail is on its way, so that publishers meet a congestion.
            for peer in peers.indices where try deliver(peer) { isBusy = true }
            for shard in 0..<shards.count {
                for mail in mailbox.take(for: shard) {
                    shards[shard].receive(mail)
                    isBusy = true
                }
            }
            for shard in 0..<shards.count {
                while let slot = shards[shard].nextDirty() {
                    try flush(ScriptedPeer.Place(shard: shard, slot: slot))
                    isBusy = true
                }
                for other in 0..<shards.count where other != shard {
                    while let mail = shards[shard].takeOutgoing(for: other) {
                        mailbox.post(mail, to: other)
                        isBusy = true
                    }
                }
            }
        }
    }

    /// Lets the broker read a piece, as its loop would: not while it does not want to.
    private func deliver(_ peer: Int) throws(Finding) -> Bool {
        guard let place = peers[peer].place, !peers[peer].unread.isEmpty,
            shards[place.shard].disposition(place.slot) == .open, !shards[place.shard].isReadingPaused(place.slot)
        else { return false }
        let piece = peers[peer].unread.removeFirst()
        longestPiece = max(longestPiece, piece.count)
        shards[place.shard].received(place.slot, piece.span)
        try checkConnection(place)
        return true
    }

    private func flush(_ place: ScriptedPeer.Place) throws(Finding) {
        guard let peer = peers.firstIndex(where: { $0.place == place }) else {
            throw Finding("a connection is dirty that nobody has")
        }
        if peers[peer].isReading {
            while try take(peer, place, .max) > 0 {}
        }
        let isFlushed = shards[place.shard].withOutput(place.slot) { queue, _ in queue.isEmpty }
        switch shards[place.shard].disposition(place.slot) {
        case .open:
            break
        case .closeAfterFlush where !isFlushed:
            break
        case .closeAfterFlush, .closeNow:
            peers[peer].reset(nil)
            shards[place.shard].closed(place.slot, .requested)
        case .move(let target):
            let (address, bytes) = shards[place.shard].takeMoving(place.slot)
            let slot = shards[target].opened(address)
            peers[peer].place = ScriptedPeer.Place(shard: target, slot: slot)
            shards[target].received(slot, bytes.span)
        }
    }

    /// The peer takes at most `limit` bytes.
    ///
    /// - Returns: how many there were.
    private func take(_ peer: Int, _ place: ScriptedPeer.Place, _ limit: Int) throws(Finding) -> Int {
        let version = shards[place.shard].connections[place.slot].version
        let maximum = Int(shards[place.shard].connections[place.slot].maximumPacketBytes)
        let bytes = shards[place.shard].withOutput(place.slot) { queue, pool in
            let bytes = Array(queue.copyBytes().prefix(limit))
            queue.removeFirst(bytes.count, pool: &pool)
            return bytes
        }
        guard !bytes.isEmpty else { return 0 }
        sentTypes.formUnion(try peers[peer].take(bytes, version, maximum: maximum))
        shards[place.shard].flushed(place.slot)
        return bytes.count
    }

    private func read(_ peer: Int, _ limit: Int?) throws(Finding) {
        guard let place = peers[peer].place else { return }
        if let limit {
            _ = try take(peer, place, limit)
        } else {
            peers[peer].isReading = true
            try flush(place)
        }
    }

    // MARK: - Bounds

    func checkBounds() throws(Finding) {
        for shard in 0..<shards.count {
            var next = shards[shard].connections.firstOccupied(from: 0)
            while let slot = next {
                try checkConnection(ScriptedPeer.Place(shard: shard, slot: slot))
                next = shards[shard].connections.firstOccupied(from: slot + 1)
            }
            var nextSession = shards[shard].sessions.firstOccupied(from: 0)
            while let session = nextSession {
                let count = shards[shard].sessions[session].subscriptions.count
                try Finding.check(count <= setUp.limits.subscriptionsPerClient, "a session has \(count) subscriptions")
                nextSession = shards[shard].sessions.firstOccupied(from: session + 1)
            }
            try Finding.check(!stores[shard].hasOverflown, "a queue is longer than it may be")
        }
        try Finding.check(
            broker.instance(.none).retained.count <= setUp.limits.retainedMessages,
            "too many retained messages"
        )
        try Finding.check(broker.retainedBudget.byteCount <= setUp.limits.retainedBytes, "too many retained bytes")
        let connected = broker.connectionCount.load(ordering: .relaxed)
        try Finding.check((0...setUp.limits.connections).contains(connected), "\(connected) connections count")
        let sessions = broker.sessionCount.load(ordering: .relaxed)
        try Finding.check((0...setUp.limits.sessions).contains(sessions), "\(sessions) sessions count")
    }

    private func checkConnection(_ place: ScriptedPeer.Place) throws(Finding) {
        let limits = setUp.limits
        let unparsed = shards[place.shard].connections[place.slot].unparsed.count
        let isConnected = shards[place.shard].connections[place.slot].phase == .connected
        let isHeld = shards[place.shard].connections[place.slot].isHeld
        let most = isConnected ? limits.packetBytes : limits.connectPacketBytes
        try Finding.check(unparsed <= most + (isHeld ? longestPiece : 0), "\(unparsed) bytes wait to be parsed")
        let output = shards[place.shard].withOutput(place.slot) { queue, _ in queue.count }
        // What is delivered stops one packet behind the bound, what is answered one piece of requests behind it; the
        // most talkative answer is a refusal with its reason.
        let bound = limits.outputBytesPerConnection + limits.packetBytes + 16 * longestPiece
        try Finding.check(output <= bound, "\(output) bytes wait to be sent")
    }

    // MARK: - The end

    /// Two peers read and must be read; then all close, the others with what they are owed, and all sessions expire:
    /// nothing may be left.
    func end() throws(Finding) {
        authenticator.answer(admitting: true)
        try settle()
        for peer in 0..<2 {
            try read(peer, nil)
            try settle()
        }
        for peer in peers[..<2] { try Finding.check(peer.unread.isEmpty, "a client that reads is not read itself") }
        try checkBounds()
        for peer in peers.indices { close(peer) }
        try settle()
        // Longer than the last session lives by what it takes to tell of the events that its will's refusal passed over.
        try wait(Int64(ScriptSetUp.sessionExpirySeconds) * 1000 + 10_000)
        let timers = setUp.contains(.statistics) ? 1 : 0
        // Statistics that have just been refused a place among the retained messages are told of a little later, too.
        if (0..<shards.count).contains(where: { shards[$0].timers.count > timers }) { try wait(5_000) }
        for shard in 0..<shards.count {
            try Finding.check(shards[shard].connectionCount == 0, "a connection is left")
            try Finding.check(shards[shard].sessionCount == 0, "a session is left")
            try Finding.check(shards[shard].sessionsByClientID.isEmpty, "a client id is left")
            try Finding.check(shards[shard].dirty.isEmpty, "a dirty slot is left")
            try Finding.check(shards[shard].paused.isEmpty, "a paused publisher is left")
            try Finding.check(shards[shard].timers.count == timers, "\(shards[shard].timers.count) timers are left")
            try Finding.check(stores[shard].waitingCount == 0, "a message waits for nobody")
            try Finding.check(!broker.mailPressure[shard].isAbove(0), "mail is counted that has arrived")
        }
        // A connection that moved gives its chunks back to another pool than it took them from.
        let used = (0..<shards.count).reduce(0) { $0 + shards[$1].pool.usedBytes }
        try Finding.check(used == 0, "\(used) bytes of the pools are in use")
        let counts = broker.instance(.none).subscriptions.counts
        try Finding.check(
            counts.filters == 0 && counts.subscriptions == 0 && counts.shared == 0,
            "subscriptions are left: \(counts)"
        )
        try Finding.check(broker.connectionCount.load(ordering: .relaxed) == 0, "a connection is still counted")
        try Finding.check(broker.sessionCount.load(ordering: .relaxed) == 0, "a session is still counted")
    }
}
