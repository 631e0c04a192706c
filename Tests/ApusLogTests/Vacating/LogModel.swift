import ApusMessage
import ApusStore
import ApusTopics
import MQTTCodec
import Testing

@testable import ApusLog

/// Shards that use a log at random, and what must be true of the log after a crash.
///
/// It stands in for the broker: sessions with queues and messages under way, mail between shards, retained messages, the
/// walk when a segment is vacated.
final class LogModel {
    /// A record that some shard has appended.
    struct Written {
        var shard: Int
        var position: StorePosition
    }

    /// A session's need for a message, from the record that began it to the one that ended it.
    final class Need {
        let message: StorePosition
        let name: String
        let began: Written
        var ended: Written?

        init(_ message: StorePosition, _ name: String, _ began: Written) {
            (self.message, self.name, self.began) = (message, name, began)
        }
    }

    final class Session {
        let number: SessionNumber
        let handle: SessionHandle
        let shard: Int
        var needs: [StorePosition: Need] = [:]
        var underWay: [Delivery] = []
        var queue: [StorePosition] = []
        /// Sessions that seldom look after their messages hold on to old parts of the log.
        var isLazy: Bool { number.rawValue % 2 == 0 }
        /// Filters after each change, oldest first.
        var filters: [(written: Written, filters: Set<String>)] = []
        var ended: Written?

        init(_ number: SessionNumber, _ handle: SessionHandle, _ shard: Int) {
            (self.number, self.handle, self.shard) = (number, handle, shard)
        }
    }

    let disk: SimulatedDisk
    let options: LogOptions
    var random: SeededGenerator
    var log: LogUnderTest
    var sessions: [Session] = []
    var retained: [String: Need] = [:]
    var goneRetained: [Need] = []
    /// What shards have sent and others have not received.
    var outbox: [[() -> Void]] = [[], []]
    var inbox: [[() -> Void]] = [[], []]
    /// Where each shard is in its walk.
    var walking: [Int?] = [nil, nil]
    var names = 0
    var slots = 0
    /// Steps of the writer in which room was kept for vacating.
    var held = 0
    var vacated = 0
    var copied = 0
    var delivered = 0

    init(seed: UInt64, options: LogOptions) throws {
        random = SeededGenerator(seed: seed)
        disk = SimulatedDisk(seed: seed &* 77)
        self.options = options
        log = try LogUnderTest(disk, shards: 2, options: options)
        log.log.writer.copyBytes = 100
    }

    func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    var living: [Session] { sessions.filter { $0.ended == nil } }

    // MARK: - What shards do

    func begin() {
        let shard = Int.random(in: 0...1, using: &random)
        let store = log.stores[shard]
        slots += 1
        let number = store.newSessionNumber()
        let session = Session(number, handle(slots, shard: shard), shard)
        #expect(!sessions.contains { $0.number == number })
        let position = store.record(
            .state(SessionRecord(clientID: "c\(number.rawValue)", expirySeconds: 9)),
            of: number
        )
        session.filters.append((Written(shard: shard, position: position), []))
        sessions.append(session)
    }

    func changeFilters() throws {
        guard let session = living.randomElement(using: &random), var filters = session.filters.last?.filters else {
            return
        }
        let text = "f/\(Int.random(in: 0..<5, using: &random))"
        let filter = try TopicFilter(text)
        let change: SessionChange
        if filters.remove(text) != nil {
            change = .unsubscribed(filter)
        } else {
            filters.insert(text)
            change = .subscribed(StoredSubscription(filter: filter, options: .init(qos: .atLeastOnce), identifier: 0))
        }
        let position = log.stores[session.shard].record(change, of: session.number)
        session.filters.append((Written(shard: session.shard, position: position), filters))
    }

    func publish() {
        let shard = Int.random(in: 0...1, using: &random)
        let store = log.stores[shard]
        let receivers = living.filter { chance($0.isLazy ? 4 : 25) }
        let isRetained = chance(10)
        guard !receivers.isEmpty || isRetained else { return }
        names += 1
        let name = isRetained ? "r\(Int.random(in: 0..<4, using: &random))" : "m\(names)"
        let header = MessageHeader(qos: .atLeastOnce, retain: isRetained, isKeptAsRetained: isRetained)
        let payload = Int.random(in: 0...(chance(5) ? 3000 : 100), using: &random)
        guard let message = store.store(name, for: receivers.map(\.number), payload: payload, header: header) else {
            return
        }
        let written = Written(shard: shard, position: message.position)
        for session in receivers {
            session.needs[message.position] = Need(message.position, name, written)
            send(from: shard, to: session.shard) { [self] in enqueue(message, session) }
        }
        guard isRetained else { return }
        if let old = retained[name] {
            old.ended = Written(shard: shard, position: store.finished(old.message, by: .retained))
            goneRetained.append(old)
        }
        retained[name] = Need(message.position, name, written)
    }

    private func enqueue(_ message: Message, _ session: Session) {
        guard session.ended == nil else { return }
        let delivery = Delivery(message: message, qos: .atLeastOnce, retain: false)
        let store = log.stores[session.shard]
        let limits = QueueLimits(messages: 6, bytes: .max)
        session.queue.append(message.position)
        let dropped = store.enqueue(delivery, for: session.handle, session.number, limits: limits)
        #expect(dropped.count == max(0, session.queue.count - 6))
        for number in dropped {
            #expect(number == session.queue.first.map { MessageNumber($0) })
            // Finished somewhere in the batch that is open now.
            let end = Written(shard: session.shard, position: LogFormat.endOfBatch(store.builder.number))
            session.needs[session.queue.removeFirst()]?.ended = end
        }
    }

    private func send(from: Int, to: Int, _ letter: @escaping () -> Void) {
        if from == to { letter() } else { outbox[to].append(letter) }
    }

    func take() {
        guard let session = living.randomElement(using: &random), !session.isLazy || chance(3) else { return }
        let delivery: Delivery
        switch log.stores[session.shard].dequeue(for: session.handle) {
        case .delivery(let next): delivery = next
        case .empty: return
        case .notYet, .expired, .lost:
            Issue.record("a message that waited cannot be read")
            return
        }
        #expect(session.needs[delivery.position]?.name == delivery.message.topic)
        #expect(session.queue.first == delivery.position)
        session.queue.removeFirst()
        delivered += 1
        session.underWay.append(delivery)
    }

    func finish() {
        guard let session = living.randomElement(using: &random), !session.underWay.isEmpty,
            !session.isLazy || chance(3)
        else { return }
        end(session.underWay.removeFirst().position, session)
    }

    private func end(_ position: StorePosition, _ session: Session) {
        let record = log.stores[session.shard].finished(position, by: session.number)
        session.needs[position]?.ended = Written(shard: session.shard, position: record)
    }

    /// Gives a message that is under way to another session.
    func giveAway() {
        guard let session = living.randomElement(using: &random), let delivery = session.underWay.last,
            let other = living.randomElement(using: &random), other.needs[delivery.position] == nil
        else { return }
        session.underWay.removeLast()
        let store = log.stores[session.shard]
        let recipient = Recipient(session: other.number, qos: .atLeastOnce)
        let written = Written(shard: session.shard, position: store.assigned(delivery.position, to: recipient))
        other.needs[delivery.position] = Need(delivery.position, delivery.message.topic, written)
        send(from: session.shard, to: other.shard) { [self] in enqueue(delivery.message, other) }
        end(delivery.position, session)
    }

    func endSession() {
        guard let session = living.randomElement(using: &random) else { return }
        let store = log.stores[session.shard]
        _ = store.sessionEnded(session.handle, session.number)
        session.ended = Written(shard: session.shard, position: store.record(.ended, of: session.number))
    }

    /// A turn of the shard's loop: mail, a part of its walk, hand-over, mail out.
    func tick(_ shard: Int) throws {
        let letters = inbox[shard]
        inbox[shard] = []
        for letter in letters { letter() }
        try walk(shard)
        log.stores[shard].handOver()
        inbox[1 - shard] += outbox[1 - shard]
        outbox[1 - shard] = []
    }

    private func walk(_ shard: Int) throws {
        let store = log.stores[shard]
        guard store.isVacating else {
            walking[shard] = nil
            return
        }
        let mine = sessions.filter { $0.shard == shard }
        var next = walking[shard] ?? 0
        for _ in 0..<2 where next < mine.count {
            let session = mine[next]
            next += 1
            guard session.ended == nil else { continue }
            if store.mustRecordAgain(session.number) {
                let record = SessionRecord(clientID: "c\(session.number.rawValue)", expirySeconds: 9)
                _ = store.record(.state(record), of: session.number)
                for text in session.filters.last?.filters ?? [] {
                    let subscription = StoredSubscription(
                        filter: try TopicFilter(text),
                        options: .init(qos: .atLeastOnce),
                        identifier: 0,
                    )
                    _ = store.record(.subscribed(subscription), of: session.number)
                }
            }
            store.keepWholeQueue(of: session.handle)
            for delivery in session.underWay {
                store.keep(delivery.position, for: Recipient(session: session.number, qos: .atLeastOnce))
            }
        }
        walking[shard] = next
        guard next == mine.count else { return }
        walking[shard] = nil
        if shard == 0 {
            for need in retained.values {
                store.keep(need.message, for: Recipient(session: .retained, qos: .atMostOnce, retain: true))
            }
        }
        store.vacated()
    }

    /// Goes on without anything new, so that the vacating comes on.
    func settle(turns: Int) throws {
        for _ in 0..<turns {
            for shard in 0...1 { try tick(shard) }
            log.work()
        }
    }

    // MARK: - Crash

    private func isCommitted(_ written: Written) -> Bool {
        written.position <= log.stores[written.shard].committed
    }

    /// Crashes the disk, opens the log again and compares.
    func crash(_ kind: SimulatedDisk.Crash) throws {
        vacated += log.log.writer.statistics.segmentsVacated
        copied += log.log.writer.statistics.messagesCopied
        let before = sessions
        let committed = log.stores.map(\.committed)
        func isSafe(_ written: Written) -> Bool { written.position <= committed[written.shard] }
        disk.crash(kind)
        log = try LogUnderTest(disk, shards: 2, options: options, time: log.time.now)
        log.log.writer.copyBytes = chance(50) ? 100 : 100_000
        outbox = [[], []]
        inbox = [[], []]
        walking = [nil, nil]
        let found = log.log.takeSessions()
        #expect(Set(found.map(\.number)).count == found.count, "a session is there twice")
        sessions = []
        for session in before {
            let restored = found.first { $0.number == session.number }
            guard let restored else {
                let mustExist = session.ended == nil && session.filters.first.map { isSafe($0.written) } == true
                #expect(!mustExist, "session \(session.number.rawValue) is lost")
                continue
            }
            #expect(session.ended.map(isSafe) != true, "session \(session.number.rawValue) came back")
            try check(session, restored, isSafe)
        }
        #expect(found.allSatisfy { one in before.contains { $0.number == one.number } }, "a session was invented")
        checkRetained(isSafe)
    }

    private func check(_ old: Session, _ restored: RestoredSession, _ isSafe: (Written) -> Bool) throws {
        let filters = Set(restored.subscriptions.map(\.filter.fullText))
        #expect(filters.count == restored.subscriptions.count)
        let safe = old.filters.lastIndex { isSafe($0.written) } ?? 0
        let possible = old.filters[safe...].map(\.filters)
        #expect(possible.contains(filters), "session \(old.number.rawValue) has \(filters), not one of \(possible)")
        slots += 1
        let session = Session(old.number, handle(slots, shard: old.shard), old.shard)
        let nothing = Written(shard: old.shard, position: .none)
        session.filters = [(nothing, filters)]
        let store = log.stores[session.shard]
        let count = store.restoreQueue(of: old.number, to: session.handle) { _ in nil }
        var positions: [StorePosition] = []
        for _ in 0..<count {
            guard let delivery = store.next(session.handle) else {
                Issue.record("a message of session \(old.number.rawValue) cannot be read")
                continue
            }
            positions.append(delivery.position)
            let need = old.needs[delivery.position]
            #expect(need?.name == delivery.message.topic, "a message was invented, or is another one")
            #expect(need?.ended.map(isSafe) != true, "\(delivery.message.topic) came back")
            session.needs[delivery.position] = Need(delivery.position, delivery.message.topic, nothing)
            session.underWay.append(delivery)
        }
        #expect(positions == positions.sorted() && Set(positions).count == positions.count, "order or duplicates")
        for need in old.needs.values where isSafe(need.began) && need.ended == nil {
            #expect(session.needs[need.message] != nil, "\(need.name) of session \(old.number.rawValue) is lost")
        }
        if restored.number == old.number, old.ended == nil || !isSafe(old.ended ?? nothing) { sessions.append(session) }
    }

    private func checkRetained(_ isSafe: (Written) -> Bool) {
        let found = log.log.retained
        #expect(Set(found).count == found.count)
        for need in retained.values where isSafe(need.began) {
            #expect(found.contains(need.message), "retained \(need.name) is lost")
        }
        var now: [String: Need] = [:]
        for position in found {
            let recipient = Recipient(session: .retained, qos: .atMostOnce, retain: true)
            guard let topic = log.stores[0].load(position, for: recipient)?.message.topic else {
                Issue.record("a retained message cannot be read")
                continue
            }
            if let old = now[topic] { _ = log.stores[0].finished(old.message, by: .retained) }
            now[topic] = Need(position, topic, Written(shard: 0, position: .none))
        }
        retained = now
    }
}
