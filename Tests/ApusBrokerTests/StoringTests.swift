import ApusMemory
import ApusMessage
import ApusStore
import ApusTopics
import MQTTCodec
import Testing

@testable import ApusBroker

@Suite("What the store is told")
struct StoringTests {
    private let store = RecordingStore()
    private let harness: ShardHarness

    init() { harness = ShardHarness(stores: [store]) }

    @Test func `the life of a session, step by step`() {
        let client = harness.client("c", expiry: 100)
        #expect(store.takeLines() == ["1 state c 100"])
        client.subscribe("a/#", qos: .atLeastOnce)
        #expect(store.takeLines() == ["1 subscribed a/#"])
        client.send(.unsubscribe(Unsubscribe(packetIdentifier: 6, topicFilters: ["a/#", "none"])))
        #expect(store.takeLines() == ["1 unsubscribed a/#"])
        client.lose()
        #expect(store.takeLines() == ["1 record c 100 away"])
        let second = harness.client("c", clean: false, expiry: 200)
        #expect(store.takeLines() == ["1 record c 200"])
        second.disconnect(expiry: 0)
        #expect(store.takeLines() == ["1 ended"])
    }

    @Test func `a session that ends with its connection is not told of`() {
        let client = harness.client("c")
        client.subscribe("t", qos: .exactlyOnce)
        client.publish("t", qos: .exactlyOnce, id: 1)
        client.acknowledge(.pubRel, 1)
        client.acknowledge(.pubRec, 1)
        client.acknowledge(.pubComp, 1)
        client.lose()
        #expect(store.takeLines() == [])
    }

    @Test(arguments: [ProtocolVersion.v3_1_1, .v5])
    func `a new start makes the old session end first`(version: ProtocolVersion) {
        let expiry: UInt32 = version == .v5 ? .max : 0
        harness.client("c", version, clean: version == .v5, expiry: expiry).lose()
        _ = store.takeLines()
        _ = harness.client("c", version, clean: true, expiry: expiry)
        #expect(store.takeLines().first == "1 ended")
    }

    @Test func `a message is told of once, with all that need it`() {
        for name in ["a", "b"] { harness.client(name, expiry: 100).subscribe("t", qos: .atLeastOnce) }
        harness.client("c", expiry: 100).subscribe("t", qos: .exactlyOnce, identifier: 9)
        harness.client("lax", expiry: 100).subscribe("t", qos: .atMostOnce)
        harness.client("fleeting").subscribe("t", qos: .exactlyOnce)
        _ = store.takeLines()
        harness.client("p").publish("t", "m", qos: .atLeastOnce, id: 1)
        #expect(store.takeLines() == ["message t m qos 1 for 1/1 2/1 3/1#9"])
    }

    @Test func `QoS 0, and what only passing sessions want, is not told of`() {
        harness.client("a", expiry: 100).subscribe("t", qos: .atLeastOnce)
        harness.client("b").subscribe("u", qos: .atLeastOnce)
        _ = store.takeLines()
        let publisher = harness.client("p")
        publisher.publish("t", qos: .atMostOnce)
        publisher.publish("u", qos: .atLeastOnce, id: 1)
        publisher.publish("nobody", qos: .exactlyOnce, id: 2)
        #expect(store.takeLines() == [])
    }

    @Test func `a publisher that wants no message of its own is not among those who need it`() {
        let client = harness.client("a", expiry: 100)
        client.subscribe("t", qos: .atLeastOnce, noLocal: true)
        _ = store.takeLines()
        client.publish("t", qos: .atLeastOnce, id: 1)
        #expect(store.takeLines() == [])
    }

    @Test func `a QoS 1 message is finished by its acknowledgement`() {
        let client = harness.client("a", expiry: 100)
        client.subscribe("t", qos: .atLeastOnce)
        harness.client("p").publish("t", qos: .atLeastOnce, id: 1)
        _ = store.takeLines()
        client.acknowledge(.pubAck, 1)
        #expect(store.takeLines() == ["finished by 1"])
        client.acknowledge(.pubAck, 1)
        #expect(store.takeLines() == [])
    }

    @Test func `both sides of a QoS 2 message, step by step`() {
        let receiver = harness.client("a", expiry: 100)
        receiver.subscribe("t", qos: .exactlyOnce)
        let sender = harness.client("p", expiry: 100)
        _ = store.takeLines()
        sender.publish("t", "m", qos: .exactlyOnce, id: 7)
        #expect(store.takeLines() == ["message t m qos 2 of 2/7 for 1/2", "1 sent 1 1/2"])
        sender.acknowledge(.pubRel, 7)
        #expect(store.takeLines() == ["2 released 7"])
        receiver.acknowledge(.pubRec, 1)
        #expect(store.takeLines() == ["1 received 1"])
        receiver.acknowledge(.pubComp, 1)
        #expect(store.takeLines() == ["1 completed 1"])
    }

    @Test func `a refusal by the receiver ends a QoS 2 message`() {
        let receiver = harness.client("a", expiry: 100)
        receiver.subscribe("t", qos: .exactlyOnce)
        harness.client("p").publish("t", qos: .exactlyOnce, id: 7)
        _ = store.takeLines()
        receiver.acknowledge(.pubRec, 1, .quotaExceeded)
        #expect(store.takeLines() == ["1 completed 1", "finished by 1"])
    }

    @Test func `a shared subscription's message is told of for the member that gets it`() throws {
        let one = harness.client("a", expiry: 100)
        one.subscribe("$share/g/t", qos: .atLeastOnce)
        _ = store.takeLines()
        harness.client("p").publish("t", "m", qos: .atLeastOnce, id: 1)
        #expect(store.takeLines() == ["message t m qos 1 for 1/1@$share/g/t"])
        harness.client("b", expiry: 100).subscribe("$share/g/t", qos: .atLeastOnce)
        _ = store.takeLines()
        one.lose()
        #expect(store.takeLines() == ["1 record a 100 away", "assigned to 2/1@$share/g/t", "finished by 1"])
    }

    @Test func `a session that gets a message by two ways has two, and is done with one after the other`() {
        let one = harness.client("a", expiry: 100)
        one.subscribe("t", qos: .atLeastOnce)
        one.subscribe("$share/g/t", qos: .atLeastOnce)
        one.subscribe("$share/h/t", qos: .atLeastOnce)
        _ = store.takeLines()
        harness.client("p").publish("t", "m", qos: .atLeastOnce, id: 1)
        let lines = store.takeLines()
        #expect(lines.dropLast().sorted() == ["g", "h"].map { "message t m qos 1 for 1/1@$share/\($0)/t" })
        #expect(lines.last == "message t m qos 1 for 1/1")
        for identifier in 1...3 as ClosedRange<PacketIdentifier> { one.acknowledge(.pubAck, identifier) }
        #expect(store.takeLines().count == 3)
        #expect(store.finishedPositions.count == 3)
    }

    @Test func `a handed-over message is a second one for a member that has it already`() {
        let one = harness.client("a", expiry: 100)
        one.subscribe("$share/g/t", qos: .atLeastOnce)
        let other = harness.client("b", expiry: 100)
        other.subscribe("t", qos: .atLeastOnce)
        harness.client("p").publish("t", "m", qos: .atLeastOnce, id: 1)
        other.subscribe("$share/g/t", qos: .atLeastOnce)
        _ = store.takeLines()
        one.lose()
        let expected = ["1 record a 100 away", "message t m qos 1 for 2/1@$share/g/t", "finished by 1"]
        #expect(store.takeLines() == expected)
        #expect(other.takePayloads() == ["m", "m"])
    }

    @Test func `retained messages are kept, replaced and let go of`() {
        let publisher = harness.client("p")
        publisher.publish("t", "one", retain: true)
        #expect(store.takeLines() == ["message t one qos 0 kept for"])
        publisher.publish("t", "two", qos: .atLeastOnce, id: 1, retain: true)
        #expect(store.takeLines() == ["message t two qos 1 kept for", "finished by retained"])
        let client = harness.client("a", expiry: 100)
        client.subscribe("t", qos: .atLeastOnce)
        #expect(store.takeLines() == ["1 state a 100", "1 subscribed t", "assigned to 1/1r"])
        publisher.publish("t", "", retain: true)
        #expect(store.takeLines() == ["finished by retained"])
    }

    @Test func `what is too large for its receiver is finished`() {
        let client = harness.client("a", expiry: 100) { $0.maximumPacketSize = 40 }
        client.subscribe("t", qos: .atLeastOnce)
        _ = store.takeLines()
        harness.client("p").publish("t", String(repeating: "x", count: 60), qos: .atLeastOnce, id: 1)
        #expect(store.takeLines().last == "finished by 1")
    }

    @Test func `a will stands in the record until it is published`() {
        let client = harness.client("c", expiry: 100) {
            $0.will = Will(topic: "w", payload: [1], qos: .atLeastOnce, willDelayInterval: 10)
        }
        #expect(store.takeLines() == ["1 state c 100 will"])
        client.lose()
        #expect(store.takeLines() == ["1 record c 100 away will due"])
        harness.advance(seconds: 11)
        #expect(store.takeLines() == ["1 record c 100 away"])
    }

    // MARK: - Vacating

    @Test func `a shard names the state and the messages that it still needs`() {
        let client = harness.client("a", expiry: 100)
        client.subscribe("t", qos: .exactlyOnce)
        client.subscribe("u", qos: .atLeastOnce)
        let publisher = harness.client("p", expiry: 50)
        publisher.publish("t", qos: .exactlyOnce, id: 3)
        publisher.publish("u", qos: .atLeastOnce, id: 4)
        publisher.publish("t", qos: .exactlyOnce, id: 5)
        client.acknowledge(.pubRec, 1)
        publisher.publish("r", "kept", retain: true)
        _ = store.takeLines()
        store.vacates = true
        store.mustMove = [SessionNumber(rawValue: 1), SessionNumber(rawValue: 2)]
        harness.shards[0].receive(.store(.vacate))
        #expect(
            store.takeLines() == [
                "1 state a 100", "1 subscribed t", "1 subscribed u", "1 received 1", "1 sent 3 1/2", "keep queue",
                "keep for 1/1", "keep for 1/2",
                "2 state p 50", "2 inbound 3", "2 inbound 5", "keep queue",
                "keep for retained", "vacated",
            ]
        )
    }

    @Test func `many sessions are seen to in slices, and each once`() {
        for index in 0..<700 { harness.client("c\(index)", expiry: 100).lose() }
        _ = store.takeLines()
        store.vacates = true
        harness.shards[0].receive(.store(.vacate))
        let first = store.takeLines()
        #expect(first.count < 700)
        #expect(!first.contains("vacated"))
        harness.advance(seconds: 1)
        let lines = first + store.takeLines()
        #expect(lines.filter { $0 == "keep queue" }.count == 700)
        #expect(lines.last == "vacated")
    }
}
