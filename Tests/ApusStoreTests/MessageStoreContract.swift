import ApusMessage
import ApusStore
import MQTTCodec
import Testing

/// What every `MessageStore` must do, whatever it stands on: add an implementation to `all` and it is tested.
struct StoreUnderTest: Sendable, CustomTestStringConvertible {
    let name: String
    let make: @Sendable () -> any MessageStore
    /// Lets the store keep its promise for everything appended so far.
    let commit: @Sendable (any MessageStore) -> Void

    var testDescription: String { name }

    static let all = [
        StoreUnderTest(name: "MemoryStore", make: { MemoryStore() }, commit: { _ in })
    ]
}

@Suite("Message store contract")
struct MessageStoreContract {
    private let one = SessionHandle(shard: 0, slot: 1, generation: 1)
    private let two = SessionHandle(shard: 0, slot: 2, generation: 1)
    private let wide = QueueLimits(messages: 1_000, bytes: 1 << 20)

    private func delivery(_ name: String, qos: QoS = .atLeastOnce, payload: Int = 0) -> Delivery {
        Delivery(
            message: Message(topic: name, payload: [UInt8](repeating: 0, count: payload), qos: qos),
            qos: qos,
            retain: false,
        )
    }

    private func drain(_ store: any MessageStore, _ session: SessionHandle) -> [String] {
        var names: [String] = []
        while let next = store.dequeue(for: session) { names.append(next.message.topic) }
        return names
    }

    @Test(arguments: StoreUnderTest.all)
    func `positions grow and are committed in the end`(subject: StoreUnderTest) {
        let store = subject.make()
        var last = store.committed
        for _ in 0..<100 {
            let position = store.append(Message(topic: "t", payload: [1]))
            #expect(position > last)
            #expect(position > .none)
            last = position
        }
        subject.commit(store)
        #expect(store.committed >= last)
    }

    @Test(arguments: StoreUnderTest.all)
    func `committed never goes back`(subject: StoreUnderTest) {
        let store = subject.make()
        var before = store.committed
        for round in 0..<50 {
            _ = store.append(Message(topic: "t", payload: []))
            if round % 7 == 0 { subject.commit(store) }
            #expect(store.committed >= before)
            before = store.committed
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `a queue gives back in order what was put in`(subject: StoreUnderTest) {
        let store = subject.make()
        let names = (0..<300).map { "m\($0)" }
        for name in names { #expect(store.enqueue(delivery(name), for: one, limits: wide).isEmpty) }
        #expect(store.backlog(of: one).messages == 300)
        #expect(drain(store, one) == names)
        #expect(store.backlog(of: one) == (0, 0))
        #expect(store.dequeue(for: one)?.message.topic == nil)
    }

    @Test(arguments: StoreUnderTest.all)
    func `a delivery comes back with all that it was put in with`(subject: StoreUnderTest) throws {
        let store = subject.make()
        let message = Message(
            topic: "a/b",
            payload: [1, 2, 3],
            properties: [1, 1],
            qos: .exactlyOnce,
            retain: true,
            expiresAt: Timestamp(milliseconds: 77),
        )
        let extra = Delivery.Extra(furtherSubscriptionIdentifiers: [8, 9], group: nil)
        let position = store.append(message)
        let put = Delivery(
            message: message,
            qos: .exactlyOnce,
            retain: true,
            subscriptionIdentifier: 7,
            extra: extra,
            position: position,
        )
        _ = store.enqueue(put, for: one, limits: wide)
        let got = try #require(store.dequeue(for: one))
        #expect(got.message.bytes == message.bytes)
        #expect(got.message.topicEnd == 3)
        #expect(got.message.propertiesEnd == 5)
        #expect(got.message.expiresAt == message.expiresAt)
        #expect(got.qos == .exactlyOnce)
        #expect(got.retain)
        #expect(got.subscriptionIdentifier == 7)
        #expect(got.extra?.furtherSubscriptionIdentifiers == [8, 9])
        #expect(got.position == position)
    }

    @Test(arguments: StoreUnderTest.all)
    func `sessions have queues of their own`(subject: StoreUnderTest) {
        let store = subject.make()
        _ = store.enqueue(delivery("a"), for: one, limits: wide)
        _ = store.enqueue(delivery("b"), for: two, limits: wide)
        #expect(drain(store, one) == ["a"])
        #expect(drain(store, two) == ["b"])
    }

    @Test(arguments: StoreUnderTest.all)
    func `another generation of a slot is another session`(subject: StoreUnderTest) {
        let store = subject.make()
        _ = store.enqueue(delivery("a"), for: one, limits: wide)
        let later = SessionHandle(shard: 0, slot: 1, generation: 2)
        #expect(store.dequeue(for: later)?.message.topic == nil)
        #expect(store.backlog(of: later) == (0, 0))
    }

    // MARK: - Limits

    @Test(arguments: StoreUnderTest.all)
    func `past the number of messages the oldest go and are reported`(subject: StoreUnderTest) {
        let store = subject.make()
        let limits = QueueLimits(messages: 3, bytes: 1 << 20)
        for name in ["a", "b", "c"] { #expect(store.enqueue(delivery(name), for: one, limits: limits).isEmpty) }
        #expect(store.enqueue(delivery("d"), for: one, limits: limits).map(\.message.topic) == ["a"])
        #expect(store.backlog(of: one).messages == 3)
        #expect(drain(store, one) == ["b", "c", "d"])
    }

    @Test(arguments: StoreUnderTest.all)
    func `past the bytes the oldest go, as many as it takes`(subject: StoreUnderTest) {
        let store = subject.make()
        let small = delivery("a", payload: 100)
        let limits = QueueLimits(messages: 1_000, bytes: small.message.footprint * 4)
        for name in ["a", "b", "c", "d"] {
            #expect(store.enqueue(delivery(name, payload: 100), for: one, limits: limits).isEmpty)
        }
        let dropped = store.enqueue(delivery("e", payload: 350), for: one, limits: limits)
        #expect(dropped.map(\.message.topic) == ["a", "b", "c"])
        #expect(store.backlog(of: one).bytes <= limits.bytes)
        #expect(drain(store, one) == ["d", "e"])
    }

    @Test(arguments: StoreUnderTest.all)
    func `one that is too large by itself goes and takes nothing but the older ones along`(subject: StoreUnderTest) {
        let store = subject.make()
        let limits = QueueLimits(messages: 10, bytes: 500)
        _ = store.enqueue(delivery("a"), for: one, limits: limits)
        let dropped = store.enqueue(delivery("large", payload: 600), for: one, limits: limits)
        #expect(dropped.map(\.message.topic).last == "large")
        #expect(store.backlog(of: one).bytes <= 500)
        #expect(store.backlog(of: one).messages + dropped.count == 2)
    }

    @Test(arguments: StoreUnderTest.all)
    func `limits that shrank apply with the next message`(subject: StoreUnderTest) {
        let store = subject.make()
        for index in 0..<10 { _ = store.enqueue(delivery("m\(index)"), for: one, limits: wide) }
        let dropped = store.enqueue(delivery("last"), for: one, limits: QueueLimits(messages: 2, bytes: 1 << 20))
        #expect(dropped.count == 9)
        #expect(drain(store, one) == ["m9", "last"])
    }

    @Test(arguments: StoreUnderTest.all)
    func `a limit of no messages drops each at once`(subject: StoreUnderTest) {
        let store = subject.make()
        let none = QueueLimits(messages: 0, bytes: 0)
        #expect(store.enqueue(delivery("a"), for: one, limits: none).map(\.message.topic) == ["a"])
        #expect(store.backlog(of: one) == (0, 0))
        #expect(store.dequeue(for: one)?.message.topic == nil)
    }

    // MARK: - Taking out and ending

    @Test(arguments: StoreUnderTest.all)
    func `remove takes out what the condition names and keeps the order of the rest`(subject: StoreUnderTest) {
        let store = subject.make()
        for index in 0..<6 {
            _ = store.enqueue(
                delivery("m\(index)", qos: index % 2 == 0 ? .atLeastOnce : .exactlyOnce),
                for: one,
                limits: wide
            )
        }
        let removed = store.remove(for: one) { $0.qos == .exactlyOnce }
        #expect(removed.map(\.message.topic) == ["m1", "m3", "m5"])
        #expect(store.backlog(of: one).messages == 3)
        #expect(drain(store, one) == ["m0", "m2", "m4"])
    }

    @Test(arguments: StoreUnderTest.all)
    func `remove that takes all leaves an empty queue`(subject: StoreUnderTest) {
        let store = subject.make()
        for index in 0..<3 { _ = store.enqueue(delivery("m\(index)"), for: one, limits: wide) }
        #expect(store.remove(for: one) { _ in true }.count == 3)
        #expect(store.backlog(of: one) == (0, 0))
        #expect(store.remove(for: one) { _ in true }.isEmpty)
        _ = store.enqueue(delivery("new"), for: one, limits: wide)
        #expect(drain(store, one) == ["new"])
    }

    @Test(arguments: StoreUnderTest.all)
    func `the end of a session gives back what still waited, and nothing else`(subject: StoreUnderTest) {
        let store = subject.make()
        for name in ["a", "b", "c"] { _ = store.enqueue(delivery(name), for: one, limits: wide) }
        _ = store.enqueue(delivery("other"), for: two, limits: wide)
        let taken = store.dequeue(for: one)
        #expect(taken?.message.topic == "a")
        #expect(store.sessionEnded(one).map(\.message.topic) == ["b", "c"])
        #expect(store.sessionEnded(one).isEmpty)
        #expect(store.backlog(of: one) == (0, 0))
        #expect(store.dequeue(for: one)?.message.topic == nil)
        #expect(drain(store, two) == ["other"])
    }

    @Test(arguments: StoreUnderTest.all)
    func `finishing a delivery leaves those that wait`(subject: StoreUnderTest) throws {
        let store = subject.make()
        for name in ["a", "b"] { _ = store.enqueue(delivery(name), for: one, limits: wide) }
        let first = try #require(store.dequeue(for: one))
        store.finished(first, for: one)
        store.finished(first, for: two)
        #expect(drain(store, one) == ["b"])
    }

    @Test(arguments: StoreUnderTest.all, 1...20 as ClosedRange<UInt64>)
    func `random use agrees with plain arrays`(subject: StoreUnderTest, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let store = subject.make()
        let sessions = (0..<3).map { SessionHandle(shard: 0, slot: $0, generation: 1) }
        var model = [[(name: String, size: Int)]](repeating: [], count: 3)
        for step in 0..<400 {
            let at = Int.random(in: 0..<3, using: &random)
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<11:
                let new = delivery("m\(step)", payload: .random(in: 0...200, using: &random))
                let limits = QueueLimits(messages: .random(in: 1...12, using: &random), bytes: 1_500)
                model[at].append((new.message.topic, new.message.footprint))
                var gone: [String] = []
                while model[at].count > limits.messages || model[at].reduce(0, { $0 + $1.size }) > limits.bytes {
                    gone.append(model[at].removeFirst().name)
                }
                #expect(store.enqueue(new, for: sessions[at], limits: limits).map(\.message.topic) == gone)
            case 11..<18:
                let expected = model[at].isEmpty ? nil : model[at].removeFirst().name
                #expect(store.dequeue(for: sessions[at])?.message.topic == expected)
            case 18:
                let removed = store.remove(for: sessions[at]) { $0.message.topic.hasSuffix("3") }.map(\.message.topic)
                #expect(removed == model[at].map(\.name).filter { $0.hasSuffix("3") })
                model[at].removeAll { $0.name.hasSuffix("3") }
            default:
                #expect(store.sessionEnded(sessions[at]).map(\.message.topic) == model[at].map(\.name))
                model[at] = []
            }
            let backlog = store.backlog(of: sessions[at])
            #expect(backlog == (model[at].count, model[at].reduce(0) { $0 + $1.size }))
        }
    }
}
