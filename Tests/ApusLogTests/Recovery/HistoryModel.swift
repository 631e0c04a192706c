import ApusMessage
import ApusStore
import ApusTopics
import MQTTCodec

@testable import ApusLog

/// Random histories of what shards tell their stores, written as a log and kept by a model that is too simple to be wrong.
///
/// Two shards write; a session's own shard tells what becomes of it. What a batch says counts from its hand-over on, as
/// mail between shards is sent after it. Sometimes the oldest segment is vacated.
struct HistoryModel {
    struct Entry {
        var spec: DeliverySpec
        var further: [UInt32]
        var group: TopicFilter?
        var size: Int
    }

    struct Session {
        var record: SessionRecord
        var subscriptions: [String: StoredSubscription] = [:]
        var inbound: [PacketIdentifier] = []
        var outbound: [(identifier: PacketIdentifier, position: StorePosition?)] = []
        var stateSegment: UInt64 = 1
    }

    struct Stored {
        var header: MessageHeader
        var topic: [UInt8]
        var properties: [UInt8]
        var payload: [UInt8]
        var segment: UInt64
        var footprint: Int { topic.count + properties.count + payload.count + 96 }
    }

    private(set) var log = LogFixture()
    private(set) var firstSegment: UInt64 = 1
    private var random: RandomRecords
    private var sessions: [UInt32: Session] = [:]
    private var queues: [UInt32: [StorePosition: Entry]] = [:]
    private var retained: Set<StorePosition> = []
    private var messages: [StorePosition: Stored] = [:]
    private var builders: [BatchBuilder?] = [nil, nil]
    /// What takes effect when the shard's batch is handed over.
    private var effects: [[(inout HistoryModel) -> Void]] = [[], []]
    private var nextBatch: UInt64 = 1
    private var nextSession: UInt32 = 1

    init(seed: UInt64) { random = RandomRecords(seed: seed) }

    private var segment: UInt64 { firstSegment + UInt64(log.segments.count) - 1 }

    // MARK: Steps

    mutating func run(steps: Int) {
        for _ in 0..<steps {
            switch random.number(0..<100) {
            case 0..<4: begin()
            case 4..<5: end()
            case 5..<35: publish()
            case 35..<55: finish()
            case 55..<60: assign()
            case 60..<65: send()
            case 65..<70: acknowledge()
            case 70..<78: change()
            case 78..<80: letGo()
            case 80..<94: handOver(random.number(0..<2))
            case 94..<97: roll()
            case 97..<99: vacate()
            default: repeatBatch()
            }
        }
        handOverAll()
    }

    private mutating func write<R>(_ shard: Int, _ body: (inout BatchBuilder) -> R) -> R {
        if builders[shard] == nil {
            builders[shard] = BatchBuilder(number: nextBatch, shard: shard, seed: LogFixture.seed)
            nextBatch += 1
        }
        return body(&builders[shard]!)
    }

    private mutating func handOver(_ shard: Int) {
        guard let builder = builders[shard] else { return }
        builders[shard] = nil
        log.append(builder.finish(at: LogFixture.time), joined: random.number(0..<3) == 0)
        let due = effects[shard]
        effects[shard] = []
        for effect in due { effect(&self) }
    }

    private mutating func handOverAll() {
        handOver(0)
        handOver(1)
    }

    mutating func roll() {
        log.segments.append(LogFixture.header(segment + 1))
    }

    /// An error of a sync: the last batch is written again to another segment.
    private mutating func repeatBatch() {
        handOverAll()
        write(0) { _ = $0.finished(StorePosition(rawValue: 1), by: SessionNumber(rawValue: 1 << 20)) }
        let batch = builders[0]!.finish(at: LogFixture.time)
        builders[0] = nil
        log.append(batch)
        roll()
        log.append(batch)
    }

    private mutating func anySession() -> UInt32? { sessions.keys.sorted().randomElement(using: &random.generator) }

    private func shard(of session: UInt32) -> Int { Int(session % 2) }

    private mutating func begin() {
        let number = nextSession
        nextSession += 1
        let record = random.sessionRecord()
        write(shard(of: number)) { _ = $0.record(.state(record), of: SessionNumber(rawValue: number)) }
        effects[shard(of: number)].append { model in
            model.sessions[number] = Session(record: record, stateSegment: model.segment)
        }
    }

    private mutating func end() {
        guard let session = anySession() else { return }
        write(shard(of: session)) { _ = $0.record(.ended, of: SessionNumber(rawValue: session)) }
        handOver(shard(of: session))
        sessions[session] = nil
        queues[session] = nil
    }

    private mutating func publish() {
        let shard = random.number(0..<2)
        var header = MessageHeader(qos: .exactlyOnce, retain: false)
        header.isKeptAsRetained = random.number(0..<8) == 0
        var publisher: UInt32?
        if random.number(0..<4) == 0, let session = anySession(), self.shard(of: session) == shard {
            publisher = session
            header.publisher = SessionNumber(rawValue: session)
            header.packetIdentifier = random.identifier()
        }
        let stored = Stored(
            header: header,
            topic: Array(random.text().utf8),
            properties: random.bytes(upTo: 9),
            payload: random.bytes(upTo: 90),
            segment: 0,
        )
        var entries: [UInt32: Entry] = [:]
        var recipients: [Recipient] = []
        for session in sessions.keys.sorted() where random.number(0..<3) == 0 {
            var entry = Entry(spec: DeliverySpec(rawValue: 0), further: [], group: nil, size: stored.footprint)
            var run: [Recipient] = []
            for _ in 0..<(random.number(0..<5) == 0 ? 2 : 1) {
                var recipient = random.recipient()
                recipient.session = SessionNumber(rawValue: session)
                if !run.isEmpty || random.number(0..<3) != 0 { recipient.group = nil }
                run.append(recipient)
            }
            let identifiers = run.map(\.subscriptionIdentifier).filter { $0 != 0 }
            entry.further = Array(identifiers.dropFirst())
            entry.group = run[0].group
            entry.spec = DeliverySpec(
                qosBits: run.map(\.qos.rawValue).max()!,
                retain: run.contains { $0.retain },
                identifier: identifiers.first ?? 0,
            )
            entry.spec.hasMore = entry.group != nil || !entry.further.isEmpty
            entries[session] = entry
            recipients += run
        }
        let position = write(shard) { Self.append(stored, origin: nil, recipients, to: &$0) }
        let identifier = header.packetIdentifier
        effects[shard].append { model in
            model.messages[position] = stored
            let segment = model.segment
            model.messages[position]?.segment = segment
            for (session, entry) in entries where model.sessions[session] != nil {
                model.queues[session, default: [:]][position] = entry
            }
            if header.isKeptAsRetained { model.retained.insert(position) }
            if let publisher, model.sessions[publisher]?.inbound.contains(identifier) == false {
                model.sessions[publisher]?.inbound.append(identifier)
            }
        }
    }

    private static func append(
        _ stored: Stored,
        origin: StorePosition?,
        _ recipients: [Recipient],
        to builder: inout BatchBuilder,
    ) -> StorePosition {
        builder.beginMessage(
            stored.header,
            origin: origin,
            storedAt: LogFixture.time,
            topic: stored.topic.span,
            properties: stored.properties.span,
            payload: stored.payload.span,
        )
        for recipient in recipients { builder.addRecipient(recipient) }
        return builder.endMessage()
    }

    /// A session and a message that waits for it, mostly the oldest.
    private mutating func anyWaiting() -> (UInt32, StorePosition)? {
        guard let session = anySession(), let queue = queues[session], !queue.isEmpty else { return nil }
        let underWay = Set(sessions[session]!.outbound.compactMap(\.position))
        let positions = queue.keys.filter { !underWay.contains($0) }.sorted()
        let position = random.number(0..<3) > 0 ? positions.first : positions.randomElement(using: &random.generator)
        return position.map { (session, $0) }
    }

    private mutating func finish() {
        guard let (session, position) = anyWaiting() else { return }
        write(shard(of: session)) { _ = $0.finished(position, by: SessionNumber(rawValue: session)) }
        queues[session]?[position] = nil
    }

    private mutating func assign() {
        guard let (from, position) = anyWaiting(), let to = anySession(), shard(of: from) == shard(of: to) else {
            return
        }
        guard !sessions[to]!.outbound.contains(where: { $0.position == position }) else { return }
        var recipient = random.recipient()
        recipient.session = SessionNumber(rawValue: to)
        write(shard(of: from)) { builder in
            _ = builder.finished(position, by: SessionNumber(rawValue: from))
            _ = builder.assigned(position, to: recipient)
        }
        queues[from]?[position] = nil
        let size = messages[position]!.footprint
        queues[to, default: [:]][position] = Entry(
            spec: DeliverySpec(recipient),
            further: [],
            group: recipient.group,
            size: size,
        )
    }

    private mutating func send() {
        guard let (session, position) = anyWaiting() else { return }
        let identifier = random.identifier()
        let recipient = Self.recipients(of: queues[session]![position]!, session)[0]
        write(shard(of: session)) {
            _ = $0.record(.sent(identifier, position, recipient), of: SessionNumber(rawValue: session))
        }
        sessions[session]?.outbound.removeAll { $0.identifier == identifier }
        sessions[session]?.outbound.append((identifier, position))
    }

    private mutating func acknowledge() {
        guard let session = anySession(),
            let index = sessions[session]!.outbound.indices.randomElement(using: &random.generator)
        else { return }
        let (identifier, position) = sessions[session]!.outbound[index]
        if let position {
            write(shard(of: session)) {
                _ = $0.record(.received(identifier, position), of: SessionNumber(rawValue: session))
            }
            sessions[session]?.outbound[index].position = nil
            queues[session]?[position] = nil
        } else {
            write(shard(of: session)) { _ = $0.record(.completed(identifier), of: SessionNumber(rawValue: session)) }
            sessions[session]?.outbound.remove(at: index)
        }
    }

    private mutating func change() {
        guard let session = anySession() else { return }
        let change: SessionChange
        switch random.number(0..<4) {
        case 0:
            let record = random.sessionRecord()
            change = .record(record)
            sessions[session]?.record = record
        case 1, 2:
            let filter = random.number(0..<2) == 0 ? random.filter() : try! TopicFilter("a/\(random.number(0..<30))")
            if let old = sessions[session]?.subscriptions.keys.sorted().first, random.number(0..<3) == 0 {
                change = .unsubscribed(try! TopicFilter(old))
                sessions[session]?.subscriptions[old] = nil
            } else {
                let subscription = StoredSubscription(
                    filter: filter,
                    options: SubscriptionOptions(qos: .exactlyOnce),
                    identifier: UInt32(random.number(0..<100)),
                )
                change = .subscribed(subscription)
                sessions[session]?.subscriptions[filter.fullText] = subscription
            }
        default:
            guard let identifier = sessions[session]?.inbound.first else { return }
            change = .released(identifier)
            sessions[session]?.inbound.removeFirst()
        }
        write(shard(of: session)) { _ = $0.record(change, of: SessionNumber(rawValue: session)) }
    }

    private mutating func letGo() {
        guard let position = retained.min() else { return }
        write(0) { _ = $0.finished(position, by: .retained) }
        retained.remove(position)
    }

    private static func recipients(of entry: Entry, _ session: UInt32) -> [Recipient] {
        var spec = entry.spec
        spec.hasMore = false
        var result = [Recipient(session: SessionNumber(rawValue: session), spec, group: entry.group)]
        for identifier in entry.further {
            var further = result[0]
            further.group = nil
            further.subscriptionIdentifier = identifier
            result.append(further)
        }
        return result
    }

    // MARK: Vacating

    /// What lives in the oldest segment is written again, and the segment goes; sometimes a crash leaves it.
    ///
    /// - Parameter deleting: `nil` to let chance decide.
    mutating func vacate(deleting: Bool? = nil) {
        handOverAll()
        guard log.segments.count > 1 else { return }
        for (number, session) in sessions.sorted(by: { $0.key < $1.key }) where session.stateSegment == firstSegment {
            rewrite(number, session)
        }
        handOverAll()
        for (position, stored) in messages.sorted(by: { $0.key < $1.key }) where stored.segment == firstSegment {
            var recipients: [Recipient] = []
            for (session, queue) in queues.sorted(by: { $0.key < $1.key }) {
                if let entry = queue[position] { recipients += Self.recipients(of: entry, session) }
            }
            guard !recipients.isEmpty || retained.contains(position) else { continue }
            messages[position]?.header.isKeptAsRetained = retained.contains(position)
            let copy = messages[position]!
            _ = write(0) { Self.append(copy, origin: position, recipients, to: &$0) }
            let segment = segment
            messages[position]?.segment = segment
        }
        handOverAll()
        guard deleting ?? (random.number(0..<4) > 0) else { return }
        log.segments.removeFirst()
        firstSegment += 1
        messages = messages.filter { $0.value.segment >= firstSegment }
    }

    private mutating func rewrite(_ number: UInt32, _ session: Session) {
        let name = SessionNumber(rawValue: number)
        let queue = queues[number] ?? [:]
        write(shard(of: number)) { builder in
            _ = builder.record(.state(session.record), of: name)
            for subscription in session.subscriptions.values { _ = builder.record(.subscribed(subscription), of: name) }
            for identifier in session.inbound { _ = builder.record(.inbound(identifier), of: name) }
            for item in session.outbound {
                if let position = item.position, let entry = queue[position] {
                    let recipient = Self.recipients(of: entry, number)[0]
                    _ = builder.record(.sent(item.identifier, position, recipient), of: name)
                } else {
                    _ = builder.record(.received(item.identifier, .none), of: name)
                }
            }
        }
        let segment = segment
        sessions[number]?.stateSegment = segment
    }

    // MARK: What must be found

    var expected: RecoveredLog {
        var result = RecoveredLog()
        for (number, session) in sessions {
            let name = SessionNumber(rawValue: number)
            var restored = RestoredSession(number: name, record: session.record)
            restored.subscriptions = Array(session.subscriptions.values)
            restored.inbound = session.inbound
            var queue = queues[number] ?? [:]
            for item in session.outbound {
                var message: (StorePosition, Recipient)?
                if let position = item.position, let entry = queue.removeValue(forKey: position) {
                    message = (position, Self.recipients(of: entry, number)[0])
                }
                restored.outbound.append(.init(identifier: item.identifier, message: message))
            }
            result.sessions.append(restored)
            guard !queue.isEmpty else { continue }
            result.queues[name] = queue.sorted { $0.key < $1.key }.map { position, entry in
                if entry.spec.hasMore {
                    let extra = QueueExtra(furtherSubscriptionIdentifiers: entry.further, group: entry.group)
                    result.extras[QueueExtraKey(session: name, position: position)] = extra
                }
                return QueueEntry(position: position, spec: entry.spec, size: UInt32(entry.size))
            }
        }
        result.retained = retained.sorted()
        return result
    }
}
