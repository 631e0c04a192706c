import ApusLocks
import ApusMemory
import ApusMessage
import ApusStore
import MQTTCodec

@testable import ApusBroker

/// One broker without sockets: shards, mail between them, clients that a test scripts, and a clock that only it moves.
final class ShardHarness {
    let broker: Broker
    let events: RecordedEvents
    var shards = Slab<Shard>()
    private(set) var now: Timestamp
    /// Every connection by shard and slot.
    private var clients: [Place: ScriptedClient] = [:]
    private let mailbox: Mailbox
    /// How bytes of a client are cut before they reach the shard; by default not at all.
    var cut: ([UInt8]) -> [[UInt8]] = { [$0] }
    /// Whether mail between the shards stays on its way.
    private var isMailHeld = false

    private struct Place: Hashable {
        let shard: Int
        let slot: Int
    }

    init(
        shards count: Int = 1,
        authenticator: any Authenticator = AdmitsEverybody(),
        authorizer: (any Authorizer)? = nil,
        stores: [any MessageStore] = [],
        instances: (any InstanceResolver)? = nil,
        now: Timestamp = Timestamp(milliseconds: 1_700_000_000_000),
        change: (inout BrokerConfiguration) -> Void = { _ in },
    ) {
        self.now = now
        var configuration = BrokerConfiguration(shardCount: count, seed: 7)
        configuration.statisticsSeconds = 0
        change(&configuration)
        events = RecordedEvents()
        broker = Broker(
            configuration: configuration,
            authenticator: authenticator,
            authorizer: authorizer,
            events: events,
            instances: instances,
        )
        mailbox = Mailbox(count)
        for index in 0..<count {
            _ = shards.insert(
                Shard(
                    index: index,
                    broker: broker,
                    store: index < stores.count ? stores[index] : MemoryStore(),
                    now: now
                )
            )
        }
        broker.connectMail { [mailbox] shard, mail in mailbox.post(mail, to: shard) }
    }

    // MARK: - Clients

    /// A transport connection that has sent nothing yet; its handshakes may have taken a while.
    func open(
        _ version: ProtocolVersion = .v5,
        onShard shard: Int = 0,
        acceptedBefore milliseconds: Int64 = 0,
        through listener: String = "test",
    ) -> ScriptedClient {
        let client = ScriptedClient(self, version: version)
        let acceptedAt = now.adding(milliseconds: -milliseconds)
        attach(client, shard, shards[shard].opened(Self.peer(listener), acceptedAt: acceptedAt))
        settle()
        return client
    }

    /// A client that has sent CONNECT; what the broker answered stands in `received`.
    func connect(
        _ clientID: String,
        _ version: ProtocolVersion = .v5,
        clean: Bool = true,
        expiry: UInt32 = 0,
        onShard shard: Int = 0,
        through listener: String = "test",
        change: (inout Connect) -> Void = { _ in },
    ) -> ScriptedClient {
        let client = open(version, onShard: shard, through: listener)
        var connect = Connect(version: version, clientIdentifier: clientID, cleanStart: clean)
        if version == .v5 { connect.sessionExpiryInterval = expiry }
        change(&connect)
        client.send(.connect(connect))
        return client
    }

    /// A client that is connected and whose CONNACK is read.
    func client(
        _ clientID: String,
        _ version: ProtocolVersion = .v5,
        clean: Bool = true,
        expiry: UInt32 = 0,
        onShard shard: Int = 0,
        through listener: String = "test",
        change: (inout Connect) -> Void = { _ in },
    ) -> ScriptedClient {
        let client = connect(
            clientID,
            version,
            clean: clean,
            expiry: expiry,
            onShard: shard,
            through: listener,
            change: change,
        )
        client.connAck = client.takeConnAck()
        return client
    }

    private static func peer(_ listener: String) -> Peer {
        Peer(address: "127.0.0.1:1", listener: listener, isLoopback: true)
    }

    private func attach(_ client: ScriptedClient, _ shard: Int, _ slot: Int) {
        client.shard = shard
        client.slot = slot
        clients[Place(shard: shard, slot: slot)] = client
    }

    func feed(_ client: ScriptedClient, _ bytes: [UInt8]) {
        client.unread += cut(bytes)
        settle()
    }

    /// The client's side of the transport breaks.
    func lose(_ client: ScriptedClient) {
        guard !client.isClosed else { return }
        client.isClosed = true
        clients[Place(shard: client.shard, slot: client.slot)] = nil
        shards[client.shard].closed(client.slot, .peerClosed)
        settle()
    }

    // MARK: - Time

    func advance(seconds: Double) {
        let end = now.adding(milliseconds: Int64(seconds * 1000))
        while now < end {
            var next = end
            for shard in 0..<shards.count { next = min(next, shards[shard].nextDeadline) }
            now = min(end, max(next, now.adding(milliseconds: 1)))
            for shard in 0..<shards.count {
                shards[shard].now = now
                shards[shard].advance()
            }
            settle()
        }
    }

    // MARK: - The loop

    /// Runs until nobody has anything to do: mail, output, dispositions, bytes that clients have sent.
    func settle() {
        var isBusy = true
        while isBusy {
            isBusy = false
            for shard in 0..<shards.count {
                for mail in isMailHeld ? [] : mailbox.take(for: shard) {
                    shards[shard].receive(mail)
                    isBusy = true
                }
                while let slot = shards[shard].nextDirty() { flush(Place(shard: shard, slot: slot)) }
                shards[shard].handOverToStore()
                for other in 0..<shards.count where other != shard {
                    while let mail = shards[shard].takeOutgoing(for: other) {
                        mailbox.post(mail, to: other)
                        isBusy = true
                    }
                }
            }
            for client in Array(clients.values) where deliver(client) { isBusy = true }
        }
    }

    /// What happens in `body` happens on all shards at the same moment: mail comes only after it.
    func holdMail(_ body: () -> Void) {
        isMailHeld = true
        body()
        isMailHeld = false
        settle()
    }

    /// Lets the shard read a piece of what the client has sent.
    private func deliver(_ client: ScriptedClient) -> Bool {
        guard !client.isClosed, !client.unread.isEmpty else { return false }
        guard !shards[client.shard].isReadingPaused(client.slot) else { return false }
        let piece = client.unread.removeFirst()
        shards[client.shard].received(client.slot, piece.span)
        return true
    }

    /// What the loop does with a dirty connection: send, then look at the disposition.
    private func flush(_ place: Place) {
        guard let client = clients[place] else { return }
        let isFlushed =
            client.reads ? send(client) : shards[place.shard].withOutput(place.slot) { queue, _ in queue.isEmpty }
        switch shards[place.shard].disposition(place.slot) {
        case .open:
            break
        case .closeAfterFlush where !isFlushed:
            break
        case .closeAfterFlush, .closeNow:
            clients[place] = nil
            client.isClosed = true
            shards[place.shard].closed(place.slot, .requested)
        case .move(let target):
            clients[place] = nil
            let acceptedAt = shards[place.shard].acceptedAt(place.slot)
            let (peer, bytes) = shards[place.shard].takeMoving(place.slot)
            attach(client, target, shards[target].opened(peer, acceptedAt: acceptedAt))
            shards[target].received(client.slot, bytes.span)
        }
    }

    /// Takes all output, and what follows once there is room again.
    private func send(_ client: ScriptedClient) -> Bool {
        while true {
            let bytes = shards[client.shard].withOutput(client.slot) { queue, pool in
                let bytes = queue.copyBytes()
                queue.removeFirst(bytes.count, pool: &pool)
                return bytes
            }
            if bytes.isEmpty { return true }
            client.take(bytes)
            shards[client.shard].flushed(client.slot)
        }
    }

    /// A client that had stopped reading takes at most `limit` bytes.
    func read(_ client: ScriptedClient, limit: Int) {
        guard !client.isClosed else { return }
        let bytes = shards[client.shard].withOutput(client.slot) { queue, pool in
            let bytes = Array(queue.copyBytes().prefix(limit))
            queue.removeFirst(bytes.count, pool: &pool)
            return bytes
        }
        client.take(bytes)
        if !bytes.isEmpty { shards[client.shard].flushed(client.slot) }
        settle()
    }

    /// The client reads again, from now on.
    func resumeReading(_ client: ScriptedClient) {
        client.reads = true
        guard !client.isClosed else { return }
        flush(Place(shard: client.shard, slot: client.slot))
        settle()
    }

    func unsentBytes(_ client: ScriptedClient) -> Int {
        shards[client.shard].withOutput(client.slot) { queue, _ in queue.count }
    }

    // MARK: - Figures

    func dropped(_ reason: DropReason) -> UInt64 { counters.dropped(reason) }

    var sessionCount: Int { (0..<shards.count).reduce(0) { $0 + shards[$1].sessionCount } }
    var connectionCount: Int { (0..<shards.count).reduce(0) { $0 + shards[$1].connectionCount } }
    var usedBytes: Int { (0..<shards.count).reduce(0) { $0 + shards[$1].pool.usedBytes } }

    /// What all shards have counted.
    var counters: Counters {
        var sum = Counters()
        for shard in 0..<shards.count { sum += shards[shard].counters }
        return sum
    }

    /// Timers that have not fired.
    var timerCount: Int { (0..<shards.count).reduce(0) { $0 + shards[$1].timers.count } }

    func isReadingPaused(_ client: ScriptedClient) -> Bool { shards[client.shard].isReadingPaused(client.slot) }

    /// Publishers of a shard that are not read from.
    func pausedCount(_ shard: Int) -> Int { shards[shard].paused.count }

    /// A client id whose session lives on the shard.
    func clientID(onShard shard: Int, _ name: String = "c") -> String {
        (0...).lazy.map { "\(name)\($0)" }.first { self.broker.homeShard(of: $0) == shard } ?? name
    }
}

/// Mail on its way, from any thread.
private final class Mailbox: Sendable {
    private let mail: Guarded<[[ShardMail]]>

    init(_ count: Int) { mail = Guarded([[ShardMail]](repeating: [], count: count)) }

    func post(_ item: ShardMail, to shard: Int) { mail.withLock { $0[shard].append(item) } }

    func take(for shard: Int) -> [ShardMail] {
        mail.withLock { mail in
            defer { mail[shard] = [] }
            return mail[shard]
        }
    }
}
