import ApusMessage
import ApusStore
import ApusTopics
import MQTTCodec
import Testing

/// What every `MessageStore` must do, whatever it stands on: the tests of an implementation give it in `all`.
///
/// A link to this file stands in the tests of the log.
struct StoreUnderTest: Sendable, CustomTestStringConvertible {
    let name: String
    let make: @Sendable () -> any MessageStore
    /// Lets the store keep its promise for everything appended so far.
    let commit: @Sendable (any MessageStore) -> Void

    var testDescription: String { name }
}

@Suite("Message store contract")
struct MessageStoreContract {
    /// A session as the broker would name it to the store.
    struct Client {
        let handle: SessionHandle
        let number: SessionNumber
    }

    private let wide = QueueLimits(messages: 1_000, bytes: 1 << 20)

    private func client(_ store: any MessageStore, _ slot: Int = 1) -> Client {
        let number = store.newSessionNumber()
        store.record(.state(SessionRecord(clientID: "client \(slot)", expirySeconds: 60)), of: number)
        return Client(handle: SessionHandle(shard: 0, slot: slot, generation: 1), number: number)
    }

    /// A message that the store holds for one session.
    private func delivery(
        _ store: any MessageStore,
        _ name: String,
        for client: Client,
        qos: QoS = .atLeastOnce,
        payload: Int = 0,
    ) -> Delivery {
        let message = Message(topic: name, payload: [UInt8](repeating: 0, count: payload), qos: qos)
        let recipient = Recipient(session: client.number, qos: qos)
        return Delivery(message: stored(message, in: store, for: recipient), qos: qos, retain: false)
    }

    private func stored(_ message: Message, in store: any MessageStore, for recipient: Recipient) -> Message {
        let header = MessageHeader(qos: message.qos, retain: message.retain, expiresAt: message.expiresAt)
        let bytes = message.bytes
        let isTaken = store.beginMessage(
            header,
            topic: bytes.span.extracting(0..<message.topicEnd),
            properties: bytes.span.extracting(message.topicEnd..<message.propertiesEnd),
            payload: bytes.span.extracting(message.propertiesEnd..<bytes.count),
        )
        #expect(isTaken)
        store.addRecipient(recipient)
        return message.stored(at: store.endMessage())
    }

    @discardableResult
    private func put(
        _ store: any MessageStore,
        _ name: String,
        to client: Client,
        qos: QoS = .atLeastOnce,
        payload: Int = 0,
        limits: QueueLimits? = nil,
    ) -> Int {
        let delivery = delivery(store, name, for: client, qos: qos, payload: payload)
        return store.enqueue(delivery, for: client.handle, client.number, limits: limits ?? wide).count
    }

    private func next(_ store: any MessageStore, _ client: Client) -> Delivery? {
        guard case .delivery(let delivery) = store.dequeue(for: client.handle) else { return nil }
        return delivery
    }

    private func isEmpty(_ store: any MessageStore, _ client: Client) -> Bool {
        if case .empty = store.dequeue(for: client.handle) { true } else { false }
    }

    private func drain(_ store: any MessageStore, _ client: Client) -> [String] {
        var names: [String] = []
        while let delivery = next(store, client) { names.append(delivery.message.topic) }
        return names
    }

    // MARK: - Positions

    @Test(arguments: StoreUnderTest.all)
    func `positions grow and are committed in the end`(subject: StoreUnderTest) {
        let store = subject.make()
        let one = client(store)
        var last = store.committed
        for _ in 0..<100 {
            let position = delivery(store, "t", for: one, payload: 1).position
            #expect(position > last)
            #expect(position > .none)
            last = position
        }
        subject.commit(store)
        #expect(store.committed >= last)
    }

    @Test(arguments: StoreUnderTest.all)
    func `every kind of change is committed in the end`(subject: StoreUnderTest) throws {
        let store = subject.make()
        let one = client(store)
        let filter = try TopicFilter("a/#")
        let message = delivery(store, "t", for: one, qos: .exactlyOnce)
        let recipient = Recipient(session: one.number, qos: .exactlyOnce)
        let positions = [
            store.record(
                .subscribed(StoredSubscription(filter: filter, options: .init(qos: .exactlyOnce), identifier: 1)),
                of: one.number
            ),
            store.record(.sent(1, message.position, recipient), of: one.number),
            store.record(.received(1, message.position), of: one.number),
            store.record(.completed(1), of: one.number),
            store.record(.inbound(7), of: one.number),
            store.record(.released(7), of: one.number),
            store.record(.unsubscribed(filter), of: one.number),
            store.assigned(message.position, to: recipient),
            store.finished(message.position, by: one.number),
            store.record(.ended, of: one.number),
        ]
        for (before, after) in zip(positions, positions.dropFirst()) { #expect(before <= after) }
        subject.commit(store)
        #expect(positions.allSatisfy { $0 <= store.committed })
    }

    @Test(arguments: StoreUnderTest.all)
    func `committed never goes back`(subject: StoreUnderTest) {
        let store = subject.make()
        let one = client(store)
        var before = store.committed
        for round in 0..<50 {
            _ = delivery(store, "t", for: one)
            if round % 7 == 0 { subject.commit(store) }
            #expect(store.committed >= before)
            before = store.committed
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `no two sessions have a number in common`(subject: StoreUnderTest) {
        let store = subject.make()
        let numbers = (0..<1_000).map { _ in store.newSessionNumber() }
        #expect(Set(numbers).count == 1_000)
        #expect(numbers.allSatisfy { $0.isStored && $0 != .retained })
    }

    // MARK: - Queues

    @Test(arguments: StoreUnderTest.all, [false, true])
    func `a queue gives back in order what was put in`(subject: StoreUnderTest, isCommitted: Bool) {
        let store = subject.make()
        let one = client(store)
        let names = (0..<300).map { "m\($0)" }
        for name in names { #expect(put(store, name, to: one) == 0) }
        if isCommitted { subject.commit(store) }
        #expect(store.backlog(of: one.handle).messages == 300)
        #expect(drain(store, one) == names)
        #expect(store.backlog(of: one.handle) == (0, 0))
        #expect(isEmpty(store, one))
    }

    @Test(arguments: StoreUnderTest.all, [false, true])
    func `a delivery comes back with all that it was put in with`(subject: StoreUnderTest, isCommitted: Bool) throws {
        let store = subject.make()
        let one = client(store)
        let plain = Message(
            topic: "a/b",
            payload: [1, 2, 3],
            properties: [1, 1],
            qos: .exactlyOnce,
            retain: true,
            expiresAt: Timestamp(milliseconds: 77),
        )
        let recipient = Recipient(session: one.number, subscriptionIdentifier: 7, qos: .exactlyOnce, retain: true)
        let message = stored(plain, in: store, for: recipient)
        let put = Delivery(
            message: message,
            qos: .exactlyOnce,
            retain: true,
            subscriptionIdentifier: 7,
            extra: Delivery.Extra(furtherSubscriptionIdentifiers: [8, 9], group: nil),
        )
        _ = store.enqueue(put, for: one.handle, one.number, limits: wide)
        if isCommitted { subject.commit(store) }
        let got = try #require(next(store, one))
        #expect(got.message.bytes == message.bytes)
        #expect(got.message.topicEnd == 3)
        #expect(got.message.propertiesEnd == 5)
        #expect(got.message.expiresAt == message.expiresAt)
        #expect(got.message.qos == .exactlyOnce)
        #expect(got.message.retain)
        #expect(got.qos == .exactlyOnce)
        #expect(got.retain)
        #expect(got.subscriptionIdentifier == 7)
        #expect(got.extra?.furtherSubscriptionIdentifiers == [8, 9])
        #expect(got.position == message.position)
    }

    @Test(arguments: StoreUnderTest.all, [false, true])
    func `a message comes back with the time at which it came in`(subject: StoreUnderTest, isCommitted: Bool) throws {
        let store = subject.make()
        let one = client(store)
        // The time at which the stores under test are.
        let time = Timestamp(milliseconds: 1_000_000)
        let recipient = Recipient(session: one.number, qos: .atLeastOnce)
        let message = stored(Message(topic: "t", payload: [], qos: .atLeastOnce), in: store, for: recipient)
        let put = Delivery(
            message: message.stored(at: message.position, receivedAt: time),
            qos: .atLeastOnce,
            retain: false,
        )
        _ = store.enqueue(put, for: one.handle, one.number, limits: wide)
        if isCommitted { subject.commit(store) }
        #expect(try #require(next(store, one)).message.receivedAt == time)
    }

    @Test(arguments: StoreUnderTest.all)
    func `messages that are not stored keep their place among those that are`(subject: StoreUnderTest) {
        let store = subject.make()
        let one = client(store)
        put(store, "a", to: one)
        let fleeting = Delivery(message: Message(topic: "b", payload: [1]), qos: .atLeastOnce, retain: false)
        #expect(store.enqueue(fleeting, for: one.handle, one.number, limits: wide).isEmpty)
        put(store, "c", to: one)
        subject.commit(store)
        #expect(store.backlog(of: one.handle).messages == 3)
        #expect(drain(store, one) == ["a", "b", "c"])
    }

    @Test(arguments: StoreUnderTest.all)
    func `a session that ends with its connection has a queue too`(subject: StoreUnderTest) {
        let store = subject.make()
        let stored = client(store)
        let one = Client(handle: SessionHandle(shard: 0, slot: 9, generation: 4), number: .none)
        let shared = delivery(store, "shared", for: stored)
        for name in ["a", "b"] {
            let fleeting = Delivery(message: Message(topic: name, payload: []), qos: .atLeastOnce, retain: false)
            #expect(store.enqueue(fleeting, for: one.handle, .none, limits: wide).isEmpty)
        }
        #expect(store.enqueue(shared, for: one.handle, .none, limits: wide).isEmpty)
        #expect(drain(store, one) == ["a", "b", "shared"])
    }

    @Test(arguments: StoreUnderTest.all, 1...8 as ClosedRange<UInt64>)
    func `what waits for all together is the sum of the queues`(subject: StoreUnderTest, seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let store = subject.make()
        var clients = (0..<4).map { client(store, $0) }
        let narrow = QueueLimits(messages: 5, bytes: 2_000)
        let group = try group("$share/red/t")
        for step in 0..<400 {
            let index = Int.random(in: 0..<4, using: &random)
            let one = clients[index]
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<9:
                let limits = Bool.random(using: &random) ? narrow : wide
                put(store, "m\(step)", to: one, payload: .random(in: 0..<900, using: &random), limits: limits)
            case 9..<12:
                let message = Message(topic: "fleeting", payload: [1, 2, 3])
                let extra = Delivery.Extra(furtherSubscriptionIdentifiers: [], group: group)
                let fleeting = Delivery(message: message, qos: .atLeastOnce, retain: false, extra: extra)
                _ = store.enqueue(fleeting, for: one.handle, one.number, limits: wide)
            case 12..<17: _ = next(store, one)
            case 17: _ = store.takeShared(from: one.handle) { _ in true }
            case 18:
                _ = store.sessionEnded(one.handle, one.number)
                store.record(.ended, of: one.number)
                clients[index] = client(store, index)
            default: subject.commit(store)
            }
            var sum = QueueTotal()
            for client in clients {
                let (messages, bytes) = store.backlog(of: client.handle)
                sum.add(messages, bytes: bytes)
            }
            #expect(store.waitingTotal == sum, "step \(step)")
        }
        for client in clients { _ = store.sessionEnded(client.handle, client.number) }
        #expect(store.waitingTotal == QueueTotal())
    }

    @Test(arguments: StoreUnderTest.all)
    func `sessions have queues of their own`(subject: StoreUnderTest) {
        let store = subject.make()
        let (one, two) = (client(store, 1), client(store, 2))
        put(store, "a", to: one)
        put(store, "b", to: two)
        #expect(drain(store, one) == ["a"])
        #expect(drain(store, two) == ["b"])
    }

    @Test(arguments: StoreUnderTest.all)
    func `another generation of a slot is another session`(subject: StoreUnderTest) {
        let store = subject.make()
        let one = client(store)
        put(store, "a", to: one)
        let later = Client(handle: SessionHandle(shard: 0, slot: 1, generation: 2), number: store.newSessionNumber())
        #expect(isEmpty(store, later))
        #expect(store.backlog(of: later.handle) == (0, 0))
    }

    // MARK: - Limits

    @Test(arguments: StoreUnderTest.all)
    func `past the number of messages the oldest go and are reported`(subject: StoreUnderTest) {
        let store = subject.make()
        let one = client(store)
        let limits = QueueLimits(messages: 3, bytes: 1 << 20)
        for name in ["a", "b", "c"] { #expect(put(store, name, to: one, limits: limits) == 0) }
        #expect(put(store, "d", to: one, limits: limits) == 1)
        #expect(store.backlog(of: one.handle).messages == 3)
        #expect(drain(store, one) == ["b", "c", "d"])
    }

    @Test(arguments: StoreUnderTest.all)
    func `past the bytes the oldest go, as many as it takes`(subject: StoreUnderTest) {
        let store = subject.make()
        let one = client(store)
        let footprint = Message(topic: "a", payload: [UInt8](repeating: 0, count: 100)).footprint
        let limits = QueueLimits(messages: 1_000, bytes: footprint * 4)
        for name in ["a", "b", "c", "d"] { #expect(put(store, name, to: one, payload: 100, limits: limits) == 0) }
        #expect(put(store, "e", to: one, payload: 350, limits: limits) == 3)
        #expect(store.backlog(of: one.handle).bytes <= limits.bytes)
        #expect(drain(store, one) == ["d", "e"])
    }

    @Test(arguments: StoreUnderTest.all)
    func `one that is too large by itself goes and takes nothing but the older ones along`(subject: StoreUnderTest) {
        let store = subject.make()
        let one = client(store)
        let limits = QueueLimits(messages: 10, bytes: 500)
        put(store, "a", to: one, limits: limits)
        let dropped = put(store, "large", to: one, payload: 600, limits: limits)
        #expect(dropped >= 1)
        #expect(store.backlog(of: one.handle).bytes <= 500)
        #expect(store.backlog(of: one.handle).messages + dropped == 2)
        #expect(!drain(store, one).contains("large"))
    }

    @Test(arguments: StoreUnderTest.all)
    func `limits that shrank apply with the next message`(subject: StoreUnderTest) {
        let store = subject.make()
        let one = client(store)
        for index in 0..<10 { put(store, "m\(index)", to: one) }
        #expect(put(store, "last", to: one, limits: QueueLimits(messages: 2, bytes: 1 << 20)) == 9)
        #expect(drain(store, one) == ["m9", "last"])
    }

    @Test(arguments: StoreUnderTest.all)
    func `a limit of no messages drops each at once`(subject: StoreUnderTest) {
        let store = subject.make()
        let one = client(store)
        #expect(put(store, "a", to: one, limits: QueueLimits(messages: 0, bytes: 0)) == 1)
        #expect(store.backlog(of: one.handle) == (0, 0))
        #expect(isEmpty(store, one))
    }

    // MARK: - Taking out and ending

    /// A group of the index, as the broker has it.
    private func group(_ filter: String) throws -> SharedGroup {
        let index = SubscriptionIndex()
        let filter = try TopicFilter(filter)
        _ = index.subscribe(filter, Subscriber(target: 1, qos: 1))
        return try #require(index.group(of: filter))
    }

    private func putShared(
        _ store: any MessageStore,
        _ name: String,
        to client: Client,
        _ group: SharedGroup,
        qos: QoS = .atLeastOnce,
    ) {
        let message = Message(topic: name, payload: [1], qos: qos)
        let recipient = Recipient(session: client.number, qos: qos, group: group.filter)
        let delivery = Delivery(
            message: stored(message, in: store, for: recipient),
            qos: qos,
            retain: false,
            extra: Delivery.Extra(furtherSubscriptionIdentifiers: [], group: group),
        )
        #expect(store.enqueue(delivery, for: client.handle, client.number, limits: wide).isEmpty)
    }

    @Test(arguments: StoreUnderTest.all, [false, true])
    func `only QoS 1 messages of the named groups are taken`(subject: StoreUnderTest, isCommitted: Bool) throws {
        let store = subject.make()
        let one = client(store)
        let (red, blue) = (try group("$share/red/t"), try group("$share/blue/t"))
        put(store, "own", to: one)
        putShared(store, "red 1", to: one, red)
        putShared(store, "red 2", to: one, red, qos: .exactlyOnce)
        putShared(store, "blue", to: one, blue)
        putShared(store, "red 3", to: one, red)
        if isCommitted { subject.commit(store) }
        let taken = store.takeShared(from: one.handle) { $0 === red }
        #expect(taken.map(\.message.topic) == ["red 1", "red 3"])
        #expect(taken.allSatisfy { $0.extra?.group === red })
        #expect(store.backlog(of: one.handle).messages == 3)
        #expect(drain(store, one) == ["own", "red 2", "blue"])
    }

    @Test(arguments: StoreUnderTest.all)
    func `the end of a session gives back what came through groups, and counts the rest`(subject: StoreUnderTest) throws
    {
        let store = subject.make()
        let (one, two) = (client(store, 1), client(store, 2))
        let red = try group("$share/red/t")
        var waiting: [MessageNumber] = []
        for name in ["a", "b", "c"] {
            let delivery = delivery(store, name, for: one)
            if name != "a" { waiting.append(delivery.message.number) }
            #expect(store.enqueue(delivery, for: one.handle, one.number, limits: wide).isEmpty)
        }
        putShared(store, "shared", to: one, red)
        put(store, "other", to: two)
        #expect(next(store, one)?.message.topic == "a")
        let left = store.sessionEnded(one.handle, one.number)
        #expect(left.shared.map(\.message.topic) == ["shared"])
        #expect(left.others == waiting)
        let nothing = store.sessionEnded(one.handle, one.number)
        #expect(nothing.shared.isEmpty && nothing.others.isEmpty)
        #expect(store.backlog(of: one.handle) == (0, 0))
        #expect(isEmpty(store, one))
        #expect(drain(store, two) == ["other"])
    }

    @Test(arguments: StoreUnderTest.all)
    func `finishing a delivery leaves those that wait`(subject: StoreUnderTest) throws {
        let store = subject.make()
        let (one, two) = (client(store, 1), client(store, 2))
        for name in ["a", "b"] { put(store, name, to: one) }
        let first = try #require(next(store, one))
        store.finished(first.position, by: one.number)
        store.finished(first.position, by: two.number)
        #expect(drain(store, one) == ["b"])
    }

    @Test(arguments: StoreUnderTest.all, 1...20 as ClosedRange<UInt64>)
    func `random use agrees with plain arrays`(subject: StoreUnderTest, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let store = subject.make()
        let clients = (0..<3).map { client(store, $0) }
        var model = [[(name: String, size: Int)]](repeating: [], count: 3)
        for step in 0..<400 {
            let at = Int.random(in: 0..<3, using: &random)
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<11:
                let payload = Int.random(in: 0...200, using: &random)
                let size = Message(topic: "m\(step)", payload: [UInt8](repeating: 0, count: payload)).footprint
                let limits = QueueLimits(messages: .random(in: 1...12, using: &random), bytes: 1_500)
                model[at].append(("m\(step)", size))
                var gone = 0
                while model[at].count > limits.messages || model[at].reduce(0, { $0 + $1.size }) > limits.bytes {
                    _ = model[at].removeFirst()
                    gone += 1
                }
                #expect(put(store, "m\(step)", to: clients[at], payload: payload, limits: limits) == gone)
            case 11..<18:
                let expected = model[at].isEmpty ? nil : model[at].removeFirst().name
                let got = next(store, clients[at])
                #expect(got?.message.topic == expected)
                if let got { store.finished(got.position, by: clients[at].number) }
            case 18:
                subject.commit(store)
            default:
                #expect(store.sessionEnded(clients[at].handle, clients[at].number).others.count == model[at].count)
                model[at] = []
            }
            let backlog = store.backlog(of: clients[at].handle)
            #expect(backlog == (model[at].count, model[at].reduce(0) { $0 + $1.size }))
        }
    }
}
