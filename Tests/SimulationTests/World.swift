import ApusMemory
import ApusMessage
import ApusStore
import ApusTopics
import MQTTCodec

@testable import ApusBroker

/// A whole broker, its clients and what lies between them, moved by nothing but a seed.
final class World {
    let scenario: Scenario
    private(set) var broker: Broker
    var random: SeededGenerator
    var shards = Slab<Shard>()
    private(set) var stores: [any WatchedStore]
    /// What outlives a crash; `nil` when nothing does.
    let log: ModelLog?
    let mail: SimulatedMail
    let authenticator: SimulatedAuthenticator
    var clients: [SimulatedClient] = []
    var links: [Link] = []
    var messages: [Published] = []
    var now = Timestamp(milliseconds: 1_000_000)
    var failures: [String] = []
    /// For a full queue, before the last crash.
    private(set) var dropped: UInt64 = 0

    /// - Parameter isDurable: whether the store outlives crashes, and crashes happen.
    init(seed: UInt64, isDurable: Bool = false) {
        random = SeededGenerator(seed: seed)
        let scenario = Scenario(seed: seed, random: &random)
        self.scenario = scenario
        authenticator = SimulatedAuthenticator(answersLater: scenario.answersLater)
        mail = SimulatedMail(4)
        log = isDurable ? ModelLog() : nil
        stores = log?.makeStores(scenario.shardCount) ?? (0..<scenario.shardCount).map { _ in CountingStore() }
        broker = Self.makeBroker(scenario, scenario.shardCount, seed, authenticator, mail)
        for index in 0..<scenario.shardCount {
            _ = shards.insert(Shard(index: index, broker: broker, store: stores[index], now: now))
        }
        let cores = Int.random(in: 1...2, using: &random)
        for index in 0..<scenario.clientCount {
            let isCore = index < cores
            clients.append(
                SimulatedClient(index: index, isCore: isCore, mayLose: scenario.isTight, random: &random),
            )
        }
    }

    private static func makeBroker(
        _ scenario: Scenario,
        _ shardCount: Int,
        _ seed: UInt64,
        _ authenticator: SimulatedAuthenticator,
        _ mail: SimulatedMail,
    ) -> Broker {
        var configuration = BrokerConfiguration(shardCount: shardCount, seed: seed)
        configuration.limits = scenario.limits
        configuration.statisticsSeconds = 0
        let broker = Broker(
            configuration: configuration,
            authenticator: authenticator,
            authorizer: nil,
            events: IgnoresEvents(),
        )
        broker.connectMail { shard, letter in mail.post(letter, to: shard) }
        return broker
    }

    // MARK: - Crashes

    /// The disk takes some of what was handed over, and the shards hear of it sooner or later.
    func commit(_ count: Int) {
        guard let log, log.uncommittedCount > 0 else { return }
        log.commit(count)
        for shard in 0..<shards.count { mail.post(.store(.progressed), to: shard) }
    }

    /// The process ends at once, and another one, perhaps with another number of shards, goes on with what is on the disk.
    func crash() {
        guard let log else { return }
        dropped += counters.dropped(.queueFull)
        for link in links { link.isClosedByBroker = true }
        links = []
        for client in clients { client.leave() }
        authenticator.forgetAll()
        mail.removeAll()
        let found = log.crash(keeping: .random(in: 0...3, using: &random))
        let shardCount = Int.random(in: 1...4, using: &random)
        stores = log.makeStores(shardCount)
        broker = Self.makeBroker(scenario, shardCount, random.next(), authenticator, mail)
        shards = Slab<Shard>()
        for index in 0..<shardCount {
            _ = shards.insert(Shard(index: index, broker: broker, store: stores[index], now: now))
            shards[index].restore(found.sessions.filter { broker.homeShard(of: $0.record.clientID) == index })
        }
        shards[0].restoreRetained(found.retained)
        for shard in 0..<shardCount { collectDirty(shard) }
    }

    /// Whether one in `count` comes up.
    func chance(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &random) == 0 }

    // MARK: - The loop's side

    func open(_ client: SimulatedClient) {
        let shard = Int.random(in: 0..<shards.count, using: &random)
        let link = Link(shard: shard, slot: shards[shard].opened(Self.peer))
        links.append(link)
        client.connect(through: link, will: makeWill(of: client))
        collectDirty(shard)
    }

    /// Each will is a message of its own, so that a second publication of it would show.
    private func makeWill(of client: SimulatedClient) -> Will? {
        guard chance(3) else { return nil }
        let message = Published(publisher: client.index, topic: "w/\(client.index)", qos: .exactlyOnce)
        messages.append(message)
        return Will(
            topic: message.topic,
            payload: Array("\(messages.count - 1)".utf8),
            qos: message.qos,
            retain: chance(2),
            willDelayInterval: .random(in: 0...5, using: &random),
        )
    }

    private static let peer = Peer(address: "sim", listener: "sim", isLoopback: true)

    /// Every call into a shard ends here: whom did it touch?
    func collectDirty(_ shard: Int) {
        while let slot = shards[shard].nextDirty() {
            guard let link = links.first(where: { $0.shard == shard && $0.slot == slot }) else {
                failures.append("a dirty slot that belongs to no connection")
                continue
            }
            link.isDirty = true
            link.isReadingBlocked = false
        }
    }

    /// Lets the shard read up to `limit` bytes of a connection.
    func read(_ link: Link, limit: Int) {
        guard !link.toBroker.isEmpty, !link.isReadingBlocked else { return }
        if shards[link.shard].isReadingPaused(link.slot) {
            link.isReadingBlocked = true
            return
        }
        let bytes = Array(link.toBroker.prefix(min(limit, shards[link.shard].readLimit(link.slot))))
        link.toBroker.removeFirst(bytes.count)
        shards[link.shard].received(link.slot, bytes.span)
        collectDirty(link.shard)
    }

    /// Sends up to `limit` bytes of a dirty connection, then looks what is to become of it.
    func flush(_ link: Link, limit: Int) {
        guard link.isDirty else { return }
        let shard = link.shard
        let bound = scenario.limits.outputBytesPerConnection
        let (bytes, left) = shards[shard].withOutput(link.slot) { queue, pool in
            let bytes = Array(queue.copyBytes().prefix(limit))
            queue.removeFirst(bytes.count, pool: &pool)
            return (bytes, queue.count)
        }
        // Small packets that nobody can hold back, such as acknowledgements, come on top of the bound.
        if left > bound + 600 { failures.append("an output of \(left) bytes with a bound of \(bound)") }
        if !link.isLeftByClient { link.toClient += bytes }
        link.isDirty = left > 0
        if !bytes.isEmpty { shards[shard].flushed(link.slot) }
        collectDirty(shard)
        // As the loop does: what was sent may have made room.
        if !shards[shard].isReadingPaused(link.slot) { link.isReadingBlocked = false }
        switch shards[shard].disposition(link.slot) {
        case .open: break
        case .closeAfterFlush where left > 0: break
        case .closeAfterFlush, .closeNow: close(link, .requested)
        case .move(let target): move(link, target)
        }
    }

    private func move(_ link: Link, _ target: Int) {
        let acceptedAt = shards[link.shard].acceptedAt(link.slot)
        let (peer, bytes) = shards[link.shard].takeMoving(link.slot)
        link.shard = target
        link.slot = shards[target].opened(peer, acceptedAt: acceptedAt)
        link.isDirty = false
        link.isReadingBlocked = false
        shards[target].received(link.slot, bytes.span)
        collectDirty(target)
    }

    func close(_ link: Link, _ cause: CloseCause) {
        link.isClosedByBroker = true
        links.removeAll { $0 === link }
        shards[link.shard].closed(link.slot, cause)
        collectDirty(link.shard)
    }

    /// The shard gives its letters away.
    func post(from shard: Int) {
        shards[shard].handOverToStore()
        for other in 0..<shards.count where other != shard {
            while let letter = shards[shard].takeOutgoing(for: other) { mail.post(letter, to: other) }
        }
    }

    func openMail(of shard: Int) {
        guard let letter = mail.takeFirst(for: shard) else { return }
        shards[shard].receive(letter)
        collectDirty(shard)
    }

    func pass(milliseconds: Int64) {
        now = now.adding(milliseconds: milliseconds)
        for shard in 0..<shards.count {
            shards[shard].now = now
            shards[shard].advance()
            collectDirty(shard)
        }
    }

    // MARK: - The clients' side

    func readClient(_ client: SimulatedClient, limit: Int) {
        guard let link = client.link else { return }
        let bytes = link.toClient.prefix(limit)
        client.input += bytes
        link.toClient.removeFirst(bytes.count)
        client.receive(&messages)
        if link.isClosedByBroker, link.toClient.isEmpty { client.leave() }
    }
}
