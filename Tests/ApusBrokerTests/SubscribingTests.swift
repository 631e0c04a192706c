import ApusMemory
import ApusMessage
import ApusTopics
import MQTTCodec
import Testing

@testable import ApusBroker

@Suite("Subscribing")
struct SubscribingTests {
    private let harness = ShardHarness(shards: 2)

    @Test func `nobody receives what he did not subscribe to, or no longer`() {
        let client = harness.client("c")
        let publisher = harness.client("p")
        client.subscribe("a/+")
        publisher.publish("b")
        publisher.publish("a/b/c")
        #expect(client.takePublishes().isEmpty)
        publisher.publish("a/b")
        #expect(client.takePublishes().count == 1)
        client.send(.unsubscribe(Unsubscribe(packetIdentifier: 3, topicFilters: ["a/+", "never"])))
        guard case .unsubAck(let answer)? = client.received.first else {
            Issue.record("no UNSUBACK")
            return
        }
        #expect(answer.reasonCodes == [.success, .noSubscriptionExisted])
        publisher.publish("a/b")
        #expect(client.takePublishes().isEmpty)
        #expect(harness.broker.instance(.none).subscriptions.counts.subscriptions == 0)
    }

    @Test(.spec("MQTT-4.7.1-1"), arguments: ["a/#/b", "a+", "#a", "$share/g", "$share//t", "$share/+/t"])
    func `an invalid filter ends the connection and leaves nothing subscribed`(filter: String) {
        let client = harness.client("c", expiry: 100)
        let options = SubscriptionOptions(qos: .atMostOnce)
        let requests = [Subscribe.Request("good", options), Subscribe.Request(filter, options)]
        client.send(.subscribe(Subscribe(packetIdentifier: 1, requests: requests)))
        #expect(client.takeDisconnect()?.reasonCode == .topicFilterInvalid)
        #expect(client.isClosed)
        #expect(harness.broker.instance(.none).subscriptions.counts.subscriptions == 0)
    }

    @Test(.spec("MQTT-3.8.3-3"), arguments: [true, false])
    func `no local keeps a client's own messages away`(noLocal: Bool) {
        let client = harness.client("c")
        client.subscribe("t", noLocal: noLocal)
        client.publish("t")
        #expect(client.takePublishes().count == (noLocal ? 0 : 1))
        harness.client("p").publish("t")
        #expect(client.takePublishes().count == 1)
    }

    @Test func `no local of one subscription does not silence another`() {
        let client = harness.client("c")
        client.subscribe("t", noLocal: true, identifier: 1)
        client.subscribe("+", qos: .atLeastOnce, identifier: 2)
        client.publish("t", qos: .atLeastOnce, id: 1)
        let got = client.takePublishes()
        #expect(got.map(\.subscriptionIdentifiers) == [[2]])
        #expect(got.map(\.qos) == [.atLeastOnce])
    }

    @Test(.spec("MQTT-3.3.4-2", "MQTT-3.3.4-3", "MQTT-3.3.4-4"), arguments: [0, 1])
    func `overlapping subscriptions bring one copy with the highest QoS and all identifiers`(shard: Int) {
        let client = harness.client(harness.clientID(onShard: shard))
        client.subscribe("a/b", identifier: 5)
        client.subscribe("a/+", qos: .exactlyOnce)
        client.subscribe("#", qos: .atLeastOnce, identifier: 268_435_455)
        client.subscribe("+/b", identifier: 5)
        let publisher = harness.client(harness.clientID(onShard: 0, "p"))
        publisher.publish("a/b", qos: .exactlyOnce, id: 1)
        let got = client.takePublishes()
        #expect(got.map(\.qos) == [.exactlyOnce])
        #expect(got.map { $0.subscriptionIdentifiers.sorted() } == [[5, 5, 268_435_455]])
    }

    @Test func `identifiers survive the queue and the repetition`() {
        let client = harness.client("c", expiry: 100)
        client.subscribe("a", qos: .atLeastOnce, identifier: 1)
        client.subscribe("+", qos: .atLeastOnce, identifier: 2)
        client.lose()
        harness.client("p").publish("a", qos: .atLeastOnce, id: 1)
        for _ in 0..<2 {
            let again = harness.client("c", clean: false, expiry: 100)
            #expect(again.takePublishes().map { $0.subscriptionIdentifiers.sorted() } == [[1, 2]])
            again.lose()
        }
    }

    @Test(.spec("MQTT-3.8.4-3"))
    func `subscribing again replaces the options`() {
        let client = harness.client("c")
        client.subscribe("t", qos: .exactlyOnce, identifier: 1)
        client.subscribe("t", qos: .atMostOnce, identifier: 2)
        harness.client("p").publish("t", qos: .exactlyOnce, id: 1)
        let got = client.takePublishes()
        #expect(got.map(\.qos) == [.atMostOnce])
        #expect(got.map(\.subscriptionIdentifiers) == [[2]])
    }

    @Test func `the bounds of subscriptions and levels are answered filter by filter`() {
        let harness = ShardHarness {
            $0.limits.subscriptionsPerClient = 2
            $0.limits.topicLevels = 3
        }
        let client = harness.client("c")
        let options = SubscriptionOptions(qos: .atMostOnce)
        let filters = ["a", "a/b/c/d", "b", "c", "a"]
        client.send(
            .subscribe(Subscribe(packetIdentifier: 1, requests: filters.map { Subscribe.Request($0, options) })),
        )
        guard case .subAck(let answer)? = client.received.first else {
            Issue.record("no SUBACK")
            return
        }
        #expect(answer.reasonCodes == [.success, .topicFilterInvalid, .success, .quotaExceeded, .success])
    }

    @Test func `subscriptions of a session that waits go on`() {
        let first = harness.client("c", expiry: 100)
        first.subscribe("t", qos: .atLeastOnce)
        first.disconnect()
        let publisher = harness.client("p")
        publisher.publish("t", "zero")
        publisher.publish("t", "one", qos: .atLeastOnce, id: 1)
        #expect(harness.client("c", clean: false, expiry: 100).takePayloads() == ["one"])
        #expect(harness.dropped(.offlineQoS0) == 1)
    }
}
