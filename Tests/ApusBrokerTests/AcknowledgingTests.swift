import ApusMemory
import ApusMessage
import ApusTopics
import MQTTCodec
import Testing

@testable import ApusBroker

@Suite("Acknowledgements and a store that commits late")
struct AcknowledgingTests {
    private let store = LateStore()
    private let harness: ShardHarness

    init() {
        harness = ShardHarness(stores: [store]) { $0.limits.receiveMaximum = 10 }
        harness.client("s", expiry: 100).subscribe("stored", qos: .exactlyOnce)
        harness.client("v").subscribe("volatile", qos: .exactlyOnce)
    }

    private func commit(_ client: ScriptedClient) {
        store.commit()
        harness.shards[client.shard].storeCommitted(client.slot)
        harness.settle()
    }

    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce])
    func `the acknowledgement of what must be stored waits for the store`(qos: QoS) {
        let publisher = harness.client("p")
        publisher.publish("stored", qos: qos, id: 1)
        harness.shards[0].storeCommitted(publisher.slot)
        harness.settle()
        #expect(publisher.received.isEmpty)
        commit(publisher)
        #expect(publisher.takeAcknowledgements().map(\.type) == [qos == .atLeastOnce ? .pubAck : .pubRec])
    }

    @Test func `what nobody persistent needs is acknowledged at once`() {
        let publisher = harness.client("p")
        publisher.publish("volatile", qos: .exactlyOnce, id: 1)
        publisher.publish("nobody", qos: .atLeastOnce, id: 2)
        #expect(publisher.takeAcknowledgements().map(\.packetIdentifier) == [1, 2])
    }

    @Test(.spec("MQTT-4.6.0-2", "MQTT-4.6.0-3"))
    func `acknowledgements keep the order of their messages`() {
        let publisher = harness.client("p")
        publisher.publish("volatile", qos: .atLeastOnce, id: 1)
        publisher.publish("stored", qos: .atLeastOnce, id: 2)
        publisher.publish("volatile", qos: .atLeastOnce, id: 3)
        publisher.publish("volatile", qos: .exactlyOnce, id: 4)
        #expect(publisher.takeAcknowledgements().map(\.packetIdentifier) == [1])
        let other = harness.client("other")
        other.publish("volatile", qos: .atLeastOnce, id: 9)
        #expect(other.takeAcknowledgements().map(\.packetIdentifier) == [9])
        commit(publisher)
        #expect(publisher.takeAcknowledgements().map(\.packetIdentifier) == [2, 3, 4])
    }

    @Test func `a connection that has been told to go gets no late acknowledgement`() {
        let publisher = harness.client("p")
        publisher.reads = false
        publisher.publish("stored", qos: .atLeastOnce, id: 1)
        publisher.send(.connect(Connect(clientIdentifier: "p")))
        commit(publisher)
        harness.resumeReading(publisher)
        #expect(publisher.takeAll().map(\.type) == [.disconnect])
    }

    @Test func `QoS 2 messages that wait for the store count once against the receive maximum`() {
        let publisher = harness.client("p")
        for id in 1...10 as ClosedRange<PacketIdentifier> { publisher.publish("stored", qos: .exactlyOnce, id: id) }
        #expect(!publisher.isClosed)
        publisher.publish("stored", qos: .exactlyOnce, id: 11)
        #expect(publisher.takeDisconnect()?.reasonCode == .receiveMaximumExceeded)
    }

    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce])
    func `both QoS share the receive maximum`(last: QoS) {
        let publisher = harness.client("p")
        for id in 1...5 as ClosedRange<PacketIdentifier> { publisher.publish("stored", qos: .exactlyOnce, id: id) }
        for id in 6...10 as ClosedRange<PacketIdentifier> { publisher.publish("stored", qos: .atLeastOnce, id: id) }
        #expect(!publisher.isClosed)
        publisher.publish("stored", qos: last, id: 11)
        #expect(publisher.takeDisconnect()?.reasonCode == .receiveMaximumExceeded)
    }

    @Test func `a duplicate on a new connection is not acknowledged before the store has the first`() {
        let first = harness.client("p", expiry: 100)
        first.publish("stored", qos: .exactlyOnce, id: 1)
        first.lose()
        let second = harness.client("p", clean: false, expiry: 100)
        second.publish("stored", qos: .exactlyOnce, id: 1, dup: true)
        #expect(second.received.isEmpty)
        commit(second)
        #expect(second.takeAcknowledgements().map(\.type) == [.pubRec])
    }

    @Test func `delivery does not wait for the store`() {
        let subscriber = harness.client("s", clean: false, expiry: 100)
        harness.client("p").publish("stored", "now", qos: .atLeastOnce, id: 1)
        #expect(subscriber.takePayloads() == ["now"])
    }
}
