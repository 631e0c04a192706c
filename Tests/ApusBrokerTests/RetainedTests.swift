import ApusMemory
import ApusMessage
import ApusSession
import ApusStore
import ApusTopics
import MQTTCodec
import Testing

@testable import ApusBroker

@Suite("Retained messages")
struct RetainedTests {
    private let harness = ShardHarness(shards: 2)

    @Test(.spec("MQTT-3.3.1-5", "MQTT-3.3.1-6", "MQTT-3.3.1-8"))
    func `a retained message is kept, replaced and removed`() {
        let publisher = harness.client("p")
        publisher.publish("t", "one", retain: true)
        publisher.publish("t", "not kept")
        publisher.publish("t", "two", retain: true)
        let first = harness.client("a")
        first.subscribe("t")
        let got = first.takePublishes()
        #expect(got.map(\.text) == ["two"])
        #expect(got.map(\.retain) == [true])
        publisher.publish("t", "", retain: true)
        #expect(first.takePublishes().map(\.retain) == [false])
        let second = harness.client("b")
        second.subscribe("t")
        #expect(second.takePublishes().isEmpty)
        #expect(harness.broker.instance(.none).retained.count == 0)
        #expect(harness.broker.retainedBudget.byteCount == 0)
    }

    @Test(.spec("MQTT-3.3.1-9", "MQTT-3.3.1-10", "MQTT-3.3.1-11"), arguments: RetainHandling.allCases)
    func `retain handling says when retained messages come`(handling: RetainHandling) {
        harness.client("p").publish("t", "kept", retain: true)
        let client = harness.client("c")
        client.subscribe("t", retainHandling: handling)
        #expect(client.takePayloads() == (handling == .doNotSend ? [] : ["kept"]))
        client.subscribe("t", retainHandling: handling)
        #expect(client.takePayloads() == (handling == .sendAtSubscribe ? ["kept"] : []))
    }

    @Test(.spec("MQTT-3.3.1-12", "MQTT-3.3.1-13"), arguments: [true, false])
    func `retain as published keeps the flag of live messages`(asPublished: Bool) {
        for shard in 0..<2 {
            let client = harness.client(harness.clientID(onShard: shard))
            client.subscribe("t", retainAsPublished: asPublished)
            harness.client("p").publish("t", retain: true)
            harness.client("p").publish("t", retain: false)
            #expect(client.takePublishes().map(\.retain) == [asPublished, false])
            harness.client("p").publish("t", "", retain: true)
        }
    }

    @Test(arguments: QoS.allCases, QoS.allCases)
    func `a retained message comes with the lower QoS and the subscription's identifier`(published: QoS, granted: QoS) {
        harness.client("p").publish("t", qos: published, id: published == .atMostOnce ? 0 : 1, retain: true)
        let client = harness.client("c")
        client.subscribe("#", qos: granted, identifier: 9)
        let got = client.takePublishes()
        #expect(got.map(\.qos) == [min(published, granted)])
        #expect(got.map(\.subscriptionIdentifiers) == [[9]])
    }

    @Test func `a shared subscription gets no retained messages`() {
        harness.client("p").publish("t", retain: true)
        let client = harness.client("c")
        client.subscribe("$share/g/t")
        #expect(client.takePublishes().isEmpty)
    }

    @Test func `a retained message expires, and carries what is left until then`() {
        harness.client("p").publish("t", retain: true) { $0.messageExpiryInterval = 10 }
        harness.advance(seconds: 4)
        let early = harness.client("a")
        early.subscribe("t")
        #expect(early.takePublishes().map(\.messageExpiryInterval) == [6])
        harness.advance(seconds: 6)
        let late = harness.client("b")
        late.subscribe("t")
        #expect(late.takePublishes().isEmpty)
        #expect(harness.broker.instance(.none).retained.count == 0)
    }

    @Test func `an unacknowledged retained message is repeated as retained`() {
        harness.client("p").publish("t", qos: .atLeastOnce, id: 1, retain: true)
        let first = harness.client("c", expiry: 100)
        first.subscribe("t", qos: .atLeastOnce)
        first.lose()
        let again = harness.client("c", clean: false).takePublishes()
        #expect(again.map(\.retain) == [true])
        #expect(again.map(\.dup) == [true])
    }

    @Test func `the bounds keep what there is and count what there is no room for`() {
        let harness = ShardHarness { $0.limits.retainedMessages = 2 }
        let publisher = harness.client("p")
        for topic in ["a", "b", "c"] { publisher.publish(topic, "1", retain: true) }
        publisher.publish("a", "2", retain: true)
        #expect(harness.dropped(.retainedFull) == 1)
        let client = harness.client("c")
        client.subscribe("#")
        #expect(client.takePublishes().map { $0.topic + $0.text }.sorted() == ["a2", "b1"])
    }

    @Test func `at the bound of bytes a topic may still be replaced`() {
        let harness = ShardHarness { $0.limits.retainedBytes = 250 }
        let publisher = harness.client("p")
        publisher.publish("t", String(repeating: "a", count: 100), retain: true)
        publisher.publish("t", String(repeating: "b", count: 100), retain: true)
        #expect(harness.dropped(.retainedFull) == 0)
        publisher.publish("u", String(repeating: "b", count: 100), retain: true)
        #expect(harness.dropped(.retainedFull) == 1)
        let client = harness.client("c")
        client.subscribe("t")
        #expect(client.takePayloads() == [String(repeating: "b", count: 100)])
    }

    // MARK: - Many

    @Test(arguments: QoS.allCases, [1, 7, 40] as [UInt16])
    func `5,000 retained messages come page by page within the output bound, past the queue`(
        qos: QoS,
        receiveMaximum: UInt16,
    ) {
        let bound = 20_000
        let harness = ShardHarness(shards: 2) {
            $0.limits.outputBytesPerConnection = bound
            $0.limits.queuedMessagesPerSession = 1
        }
        let publisher = harness.client("p")
        let payload = String(repeating: "x", count: 50)
        for index in 0..<5_000 {
            publisher.publish("t/\(index)", payload, qos: qos, id: qos == .atMostOnce ? 0 : 1, retain: true) { _ in }
            if qos == .exactlyOnce { publisher.acknowledge(.pubRel, 1) }
        }
        let client = harness.client("c") { $0.receiveMaximum = receiveMaximum }
        client.reads = false
        client.send(
            .subscribe(
                Subscribe(packetIdentifier: 1, requests: [Subscribe.Request("t/+", SubscriptionOptions(qos: qos))])
            ),
        )
        var topics: Set<String> = []
        var isIdle = 0
        while isIdle < 3 {
            // A packet of slack: the bound is looked at before each.
            #expect(harness.unsentBytes(client) < bound + 200)
            harness.read(client, limit: 5_000)
            let got = client.takePublishes()
            isIdle = got.isEmpty ? isIdle + 1 : 0
            for publish in got {
                #expect(topics.insert(publish.topic).inserted)
                #expect(publish.retain)
                if publish.qos == .atLeastOnce { client.acknowledge(.pubAck, publish.packetIdentifier) }
                if publish.qos == .exactlyOnce {
                    client.acknowledge(.pubRec, publish.packetIdentifier)
                    client.acknowledge(.pubComp, publish.packetIdentifier)
                }
            }
        }
        #expect(topics.count == 5_000)
        #expect(harness.counters.droppedTotal == 0)
    }

    @Test
    func `who subscribes again while retained messages are under way gets them once from then on, others' order stays`()
    {
        let harness = ShardHarness { $0.limits.outputBytesPerConnection = 2_000 }
        let publisher = harness.client("p")
        for index in 0..<300 {
            publisher.publish("a/\(index)", retain: true)
            publisher.publish("b/\(index)", retain: true)
        }
        let client = harness.client("c")
        client.reads = false
        client.subscribe("a/#")
        client.subscribe("b/#")
        client.subscribe("a/#")
        harness.resumeReading(client)
        let topics = client.takePublishes().map(\.topic)
        // What had left before the second SUBSCRIBE comes a second time.
        let begun = topics.firstIndex { $0.hasPrefix("b/") } ?? 0
        #expect(begun > 0 && begun < 300)
        #expect(topics[begun..<(begun + 300)].allSatisfy { $0.hasPrefix("b/") })
        #expect(Set(topics[(begun + 300)...]).count == 300 && topics.count == begun + 600)
    }

    @Test func `filters below which nothing is retained keep nobody from what is`() {
        let harness = ShardHarness()
        harness.client("p").publish("kept/1", retain: true)
        let client = harness.client("c")
        for packet in 0..<20 {
            let requests = (0..<100).map {
                Subscribe.Request("none/\(packet)/\($0)/+", SubscriptionOptions(qos: .atMostOnce))
            }
            client.send(.subscribe(Subscribe(packetIdentifier: 1, requests: requests)))
        }
        client.subscribe("kept/+")
        #expect(client.takePublishes().map(\.topic) == ["kept/1"])
    }

    @Test func `one match among many that do not match is found`() {
        let harness = ShardHarness()
        let publisher = harness.client("p")
        for index in 0..<6_000 { publisher.publish("\(index)/no", retain: true) }
        publisher.publish("7777/yes", "found", retain: true)
        let client = harness.client("c")
        client.subscribe("+/yes")
        #expect(client.takePayloads() == ["found"])
    }

    @Test func `a thousand filters without a retained message do not delay the one that has one`() {
        let harness = ShardHarness()
        harness.client("p").publish("device/999/state", "kept", retain: true)
        let client = harness.client("c")
        let requests = (0..<1_000).map {
            Subscribe.Request("device/\($0)/state", SubscriptionOptions(qos: .atMostOnce))
        }
        client.send(.subscribe(Subscribe(packetIdentifier: 1, requests: requests)))
        #expect(client.takePayloads() == ["kept"])
    }

    @Test func `messages that are too large for the client do not keep the shard for all their number`() {
        let harness = ShardHarness()
        let publisher = harness.client("p")
        let payload = String(repeating: "x", count: 200)
        for index in 0..<5_000 { publisher.publish("t/\(index)", payload, retain: true) }
        publisher.publish("u", "small", retain: true)
        let client = harness.client("c") { $0.maximumPacketSize = 100 }
        client.subscribe("#")
        #expect(harness.dropped(.tooLargeForReceiver) < 2_000)
        harness.advance(seconds: 2)
        #expect(harness.dropped(.tooLargeForReceiver) == 5_000)
        #expect(client.takePayloads() == ["small"])
    }

    @Test(arguments: [1, 7, 15] as [Int])
    func `messages that a client leaves unacknowledged keep no others from a window that has room`(unacknowledged: Int)
    {
        let harness = ShardHarness()
        let publisher = harness.client("p")
        for index in 0..<40 { publisher.publish("kept/\(index)", qos: .atLeastOnce, id: 1, retain: true) }
        let client = harness.client("c") { $0.receiveMaximum = 16 }
        client.subscribe("live", qos: .atLeastOnce)
        for _ in 0..<unacknowledged { publisher.publish("live", qos: .atLeastOnce, id: 1) }
        #expect(client.takePublishes().count == unacknowledged)
        client.subscribe("kept/+", qos: .atLeastOnce)
        var topics: Set<String> = []
        while true {
            let page = client.takePublishes()
            guard !page.isEmpty else { break }
            for message in page {
                topics.insert(message.topic)
                client.acknowledge(.pubAck, message.packetIdentifier)
            }
        }
        #expect(topics.count == 40)
    }

    @Test func `retained messages come when all that waited on the disk has expired`() throws {
        let store = WaitingStore()
        let harness = ShardHarness(stores: [store])
        let publisher = harness.client("p")
        publisher.publish("kept/1", qos: .atLeastOnce, id: 1, retain: true)
        let before = harness.client("c", expiry: 1_000)
        before.subscribe("live", qos: .atLeastOnce)
        before.lose()
        publisher.publish("live", qos: .atLeastOnce, id: 2) { $0.messageExpiryInterval = 1 }
        store.isWaiting = true
        let client = harness.client("c", clean: false, expiry: 1_000)
        client.subscribe("kept/+", qos: .atLeastOnce)
        #expect(client.takePublishes().isEmpty)
        harness.advance(seconds: 5)
        store.isWaiting = false
        let waiting = try #require(store.asked)
        harness.shards[0].receive(.readable(waiting))
        harness.settle()
        #expect(client.takePublishes().map(\.topic) == ["kept/1"])
        #expect(harness.dropped(.expired) == 1)
    }

    @Test func `of ten thousand filters each asked for twice, each gets its message once`() {
        let harness = ShardHarness()
        let publisher = harness.client("p")
        publisher.publish("a/9999", "kept", retain: true)
        let client = harness.client("c")
        let requests = (0..<20_000).map {
            Subscribe.Request("a/\($0 % 10_000)", SubscriptionOptions(qos: .atMostOnce))
        }
        client.send(.subscribe(Subscribe(packetIdentifier: 1, requests: requests)))
        harness.advance(seconds: 60)
        #expect(client.takePayloads() == ["kept"])
    }

    @Test func `who subscribes while a retained message is on its way to its place gets it, one way or the other`()
        throws
    {
        let store = MeanwhileStore()
        let harness = ShardHarness(stores: [store])
        let client = harness.client("c")
        let session = harness.shards[0].sessions.firstOccupied(from: 0)
        let handle = harness.shards[0].sessions[try #require(session)].handle
        let instance = harness.broker.instance(.none)
        let filter = try TopicFilter("t")
        var retained: [Message] = []
        // As another shard would.
        store.meanwhile = {
            instance.subscribe(
                filter,
                Subscriber(
                    target: handle.rawValue,
                    sessionNumber: 0,
                    subscriptionIdentifier: 0,
                    qos: 0,
                    noLocal: false,
                    retainAsPublished: false
                )
            )
            retained = instance.retained.messages(matching: filter)
        }
        harness.client("p").publish("t", "kept", retain: true)
        #expect(store.meanwhile == nil)
        #expect(client.takePayloads() + retained.map { _ in "kept" } == ["kept"])
    }

    @Test func `leaving in the middle of a replay leaves nothing behind`() {
        let harness = ShardHarness { $0.limits.outputBytesPerConnection = 2_000 }
        let publisher = harness.client("p")
        for index in 0..<1_000 { publisher.publish("t/\(index)", retain: true) }
        let client = harness.client("c")
        client.reads = false
        client.send(
            .subscribe(
                Subscribe(
                    packetIdentifier: 1,
                    requests: [Subscribe.Request("#", SubscriptionOptions(qos: .atMostOnce))]
                )
            ),
        )
        client.lose()
        publisher.lose()
        #expect(harness.usedBytes == 0)
        #expect(harness.connectionCount == 0)
        #expect(harness.sessionCount == 0)
    }
}

@Suite("Retained messages that nobody asks for")
struct RetainedSweepTests {
    @Test func `expired ones go by themselves, the others stay`() throws {
        let harness = ShardHarness { $0.statisticsSeconds = 1 }
        let publisher = harness.client("p")
        for index in 0..<3_000 {
            publisher.publish("r/\(index)", retain: true) { $0.messageExpiryInterval = index % 2 == 0 ? 5 : nil }
        }
        harness.advance(seconds: 10)
        #expect(try harness.broker.instance(.none).retained.messages(matching: TopicFilter("r/#")).count == 1_500)
        #expect(harness.dropped(.expired) == 1_500)
    }
}

/// A store whose queues are on a disk that has not answered yet.
private final class WaitingStore: ForwardingStore, @unchecked Sendable {
    var isWaiting = false
    /// The session that waits.
    private(set) var asked: SessionHandle?

    override func dequeue(for session: SessionHandle) -> Dequeued {
        guard isWaiting else { return super.dequeue(for: session) }
        asked = session
        return .notYet
    }
}

/// A store in whose work something else happens, once.
private final class MeanwhileStore: ForwardingStore, @unchecked Sendable {
    var meanwhile: (() -> Void)?

    override func beginMessage(
        _ header: MessageHeader,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
    ) -> Bool {
        let body = meanwhile
        meanwhile = nil
        body?()
        return super.beginMessage(header, topic: topic, properties: properties, payload: payload)
    }
}

extension RetainedMessages {
    /// All whose topic the filter matches.
    fileprivate func messages(matching filter: TopicFilter) -> [Message] {
        let scan = scan(filter)
        var found: [Message] = []
        while !scan.isFinished { found += scan.next(limit: .max) }
        return found
    }
}
