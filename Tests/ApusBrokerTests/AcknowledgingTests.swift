import ApusMemory
import ApusMessage
import ApusStore
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
        let subscriber = harness.connect("s", expiry: 100)
        commit()
        _ = subscriber.takeConnAck()
        subscriber.subscribe("stored", qos: .exactlyOnce)
        commit()
        harness.client("v").subscribe("volatile", qos: .exactlyOnce)
    }

    private func commit() {
        store.commit()
        notice()
    }

    private func notice() {
        harness.shards[0].receive(.store(.progressed))
        harness.settle()
    }

    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce])
    func `the acknowledgement of what must be stored waits for the store`(qos: QoS) {
        let publisher = harness.client("p")
        publisher.publish("stored", qos: qos, id: 1)
        notice()
        #expect(publisher.received.isEmpty)
        commit()
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
        commit()
        #expect(publisher.takeAcknowledgements().map(\.packetIdentifier) == [2, 3, 4])
    }

    @Test func `a connection that has been told to go gets no late acknowledgement`() {
        let publisher = harness.client("p")
        publisher.reads = false
        publisher.publish("stored", qos: .atLeastOnce, id: 1)
        publisher.send(.connect(Connect(clientIdentifier: "p")))
        commit()
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

    @Test(arguments: ["nothing", "will", "expiry", "most of its time"])
    func `CONNACK of a resumed session waits when a crash would break what it says`(what: String) {
        harness.client("c", expiry: 100).lose()
        commit()
        if what == "most of its time" { harness.advance(seconds: 60) }
        let client = harness.connect("c", clean: false, expiry: what == "expiry" ? 200 : 100) {
            if what == "will" { $0.will = Will(topic: "w", payload: [1]) }
        }
        if what == "nothing" {
            #expect(client.takeConnAck()?.sessionPresent == true)
            return
        }
        #expect(client.received.isEmpty)
        commit()
        #expect(client.takeConnAck()?.sessionPresent == true)
        client.lose()
        // The will of the connection before is recorded still.
        let again = harness.connect("c", clean: false, expiry: what == "expiry" ? 200 : 100)
        #expect(again.takeConnAck()?.sessionPresent == true)
    }

    @Test func `CONNACK says that no session was there when the last one is gone, whoever came in between`() {
        harness.client("c", expiry: 100).lose()
        commit()
        let interim = harness.connect("c")
        #expect(interim.received.isEmpty)
        interim.lose()
        let client = harness.connect("c")
        #expect(client.received.isEmpty)
        commit()
        #expect(client.takeConnAck()?.sessionPresent == false)
        // What was committed is waited for no more.
        client.lose()
        #expect(harness.connect("c").takeConnAck()?.sessionPresent == false)
    }

    @Test(arguments: [ProtocolVersion.v3_1_1, .v5])
    func `a store that stalls takes no new sessions, and its own clients may take their messages`(
        version: ProtocolVersion,
    ) {
        let long: UInt32 = version == .v5 ? 100 : 0
        for name in ["known", "leaving"] { harness.client(name, version, clean: false, expiry: long).lose() }
        commit()
        store.refuses = .failed
        store.stalls = true
        for (name, isClean) in [("new", false), ("leaving", true)] {
            let refused = harness.connect(name, version, clean: isClean, expiry: isClean ? 0 : long)
            let answer = refused.takeConnAck()
            #expect(answer?.reasonCode == .serverUnavailable)
            if version == .v5 { #expect(answer?.reasonString == StoreRefusal.failed.explanation) }
            #expect(refused.isClosed)
        }
        #expect(harness.client("fleeting", version).connAck?.reasonCode == .success)
        #expect(harness.client("known", version, clean: false, expiry: long).connAck?.sessionPresent == true)
        store.isFull = true
        harness.client("other").lose()
        #expect(
            harness.connect("known", version, clean: false, expiry: long).takeConnAck()?.reasonCode
                == .serverUnavailable
        )
        store.stalls = false
        store.refuses = nil
        #expect(harness.connect("leaving", version, clean: false, expiry: long).takeConnAck()?.sessionPresent == true)
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
        commit()
        first.publish("stored", qos: .exactlyOnce, id: 1)
        first.lose()
        let second = harness.client("p", clean: false, expiry: 100)
        second.publish("stored", qos: .exactlyOnce, id: 1, dup: true)
        #expect(second.received.isEmpty)
        commit()
        #expect(second.takeAcknowledgements().map(\.type) == [.pubRec])
    }

    @Test func `delivery does not wait for the store`() {
        let subscriber = harness.client("s", clean: false, expiry: 100)
        harness.client("p").publish("stored", "now", qos: .atLeastOnce, id: 1)
        #expect(subscriber.takePayloads() == ["now"])
    }

    @Test func `a QoS 2 message goes to a stored session when the store knows its packet identifier`() {
        let subscriber = harness.client("s", clean: false, expiry: 100)
        harness.client("p").publish("stored", "once", qos: .exactlyOnce, id: 1)
        #expect(subscriber.takePayloads().isEmpty)
        commit()
        #expect(subscriber.takePayloads() == ["once"])
    }

    @Test func `SUBACK and UNSUBACK of a stored session wait for the store`() {
        let subscriber = harness.client("s", clean: false, expiry: 100)
        subscriber.send(.subscribe(Subscribe(packetIdentifier: 5, requests: [.init("more", .init(qos: .atLeastOnce))])))
        #expect(subscriber.received.isEmpty)
        commit()
        #expect(subscriber.takeAll().map(\.type) == [.subAck])
        subscriber.send(.unsubscribe(Unsubscribe(packetIdentifier: 6, topicFilters: ["more"])))
        #expect(subscriber.received.isEmpty)
        commit()
        #expect(subscriber.takeAll().map(\.type) == [.unsubAck])
    }

    @Test func `SUBACK of a session that ends with its connection does not`() {
        let subscriber = harness.client("fleeting")
        subscriber.send(.subscribe(Subscribe(packetIdentifier: 5, requests: [.init("more", .init(qos: .atLeastOnce))])))
        #expect(subscriber.takeAll().map(\.type) == [.subAck])
    }

    @Test func `PUBREL waits until the store knows that the message is the receiver's`() {
        let subscriber = harness.client("s", clean: false, expiry: 100)
        harness.client("p").publish("stored", "once", qos: .exactlyOnce, id: 1)
        commit()
        _ = subscriber.takeAll()
        subscriber.acknowledge(.pubRec, 1)
        #expect(subscriber.received.isEmpty)
        commit()
        #expect(subscriber.takeAll().map(\.type) == [.pubRel])
    }

    @Test func `PUBCOMP waits until the store knows that the identifier is free`() {
        let publisher = harness.client("p", expiry: 100)
        commit()
        publisher.publish("stored", qos: .exactlyOnce, id: 1)
        commit()
        _ = publisher.takeAll()
        publisher.acknowledge(.pubRel, 1)
        #expect(publisher.received.isEmpty)
        commit()
        #expect(publisher.takeAll().map(\.type) == [.pubComp])
    }

    @Test func `a repeated PUBREL is not answered before the store knows that the identifier is free`() {
        let first = harness.client("p", expiry: 100)
        commit()
        first.publish("stored", qos: .exactlyOnce, id: 1)
        commit()
        first.acknowledge(.pubRel, 1)
        first.lose()
        let second = harness.client("p", clean: false, expiry: 100)
        second.acknowledge(.pubRel, 1)
        #expect(second.received.isEmpty)
        commit()
        #expect(second.takeAcknowledgements().map(\.type) == [.pubComp])
    }

    @Test func `a repeated UNSUBSCRIBE is not answered before the store knows of the first`() {
        let unsubscribe = Packet.unsubscribe(Unsubscribe(packetIdentifier: 6, topicFilters: ["stored"]))
        let first = harness.client("s", clean: false, expiry: 100)
        first.send(unsubscribe)
        first.lose()
        let second = harness.client("s", clean: false, expiry: 100)
        second.send(unsubscribe)
        #expect(second.received.isEmpty)
        commit()
        #expect(second.takeAll().map(\.type) == [.unsubAck])
    }

    @Test func `CONNACK does not say that a session is there before the store knows of it`() {
        harness.connect("c", expiry: 100).lose()
        let second = harness.connect("c", clean: false, expiry: 100)
        #expect(second.received.isEmpty)
        commit()
        #expect(second.takeConnAck()?.sessionPresent == true)
    }

    @Test(.spec("MQTT-3.2.0-1"))
    func `CONNACK of a new stored session waits for the store, and nothing comes before it`() {
        let client = harness.connect("new", expiry: 100)
        client.send(.pingReq)
        client.send(.subscribe(Subscribe(packetIdentifier: 5, requests: [.init("stored", .init(qos: .atLeastOnce))])))
        harness.client("p").publish("stored", qos: .atLeastOnce, id: 1)
        #expect(client.received.isEmpty)
        commit()
        commit()
        #expect(client.takeAll().map(\.type) == [.connAck, .pingResp, .subAck])
    }

    @Test(.spec("MQTT-3.1.2-4"))
    func `CONNACK of a clean start waits until the old session is gone for good`() {
        let old = harness.connect("c", expiry: 100)
        commit()
        old.lose()
        let new = harness.connect("c", clean: true)
        #expect(new.received.isEmpty)
        commit()
        #expect(new.takeConnAck()?.sessionPresent == false)
    }

    @Test func `CONNACK of a session that goes on, or that ends with its connection, does not wait`() {
        harness.client("s", clean: false, expiry: 100).lose()
        #expect(harness.connect("s", clean: false, expiry: 100).takeConnAck()?.sessionPresent == true)
        #expect(harness.connect("fleeting").takeConnAck()?.sessionPresent == false)
    }

    @Test func `a client that is taken over before its CONNACK gets nothing`() {
        let first = harness.connect("c", expiry: 100)
        let second = harness.connect("c", clean: true, expiry: 100)
        #expect(first.isClosed && first.received.isEmpty)
        commit()
        #expect(second.takeAll().map(\.type) == [.connAck])
    }

    // MARK: - A store that takes nothing

    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce], [StoreRefusal.full, .failed])
    func `a refused message is answered with a sentence and given to nobody`(qos: QoS, refusal: StoreRefusal) throws {
        let subscriber = harness.client("s", clean: false, expiry: 100)
        store.refuses = refusal
        let publisher = harness.client("p")
        publisher.publish("stored", qos: qos, id: 1)
        let answer = try #require(publisher.takeAcknowledgements().first)
        #expect(answer.reasonCode == .quotaExceeded)
        #expect(answer.reasonString == refusal.explanation)
        commit()
        #expect(subscriber.takePayloads().isEmpty)
        #expect(harness.dropped(.storeUnavailable) == 1)
        // The exchange is over: the identifier is free for another message.
        store.refuses = nil
        publisher.publish("stored", "again", qos: qos, id: 1)
        commit()
        #expect(subscriber.takePayloads() == ["again"])
    }

    @Test func `a client before 5_0 gets no acknowledgement of a refused message`() {
        store.refuses = .full
        let publisher = harness.client("p", .v3_1_1)
        publisher.publish("stored", qos: .atLeastOnce, id: 1)
        commit()
        #expect(publisher.received.isEmpty)
        #expect(!publisher.isClosed)
    }

    @Test func `what needs no store goes on while the store takes nothing`() {
        store.refuses = .full
        let subscriber = harness.client("fleeting")
        subscriber.subscribe("volatile", qos: .atLeastOnce)
        let publisher = harness.client("p")
        publisher.publish("volatile", "on", qos: .atLeastOnce, id: 1)
        #expect(subscriber.takePayloads() == ["on"])
        #expect(publisher.takeAcknowledgements().map(\.reasonCode) == [.success])
    }
}
