import ApusMemory
import ApusMessage
import ApusTopics
import MQTTCodec
import Testing

@testable import ApusBroker

@Suite("Shared subscriptions")
struct SharedSubscriptionTests {
    private let harness = ShardHarness(shards: 3)

    private func member(_ shard: Int, _ name: String = "m", qos: QoS = .atLeastOnce, expiry: UInt32 = 0)
        -> ScriptedClient
    {
        let client = harness.client(harness.clientID(onShard: shard, name), expiry: expiry)
        client.subscribe("$share/g/t", qos: qos)
        return client
    }

    private func publish(_ count: Int, qos: QoS = .atLeastOnce) {
        let publisher = harness.client("p")
        for index in 1...count {
            publisher.publish("t", "\(index)", qos: qos, id: qos == .atMostOnce ? 0 : PacketIdentifier(index))
        }
        publisher.lose()
    }

    @Test(.spec("MQTT-4.8.2-4"), arguments: QoS.allCases)
    func `each message goes to one member, fairly, wherever it lives`(qos: QoS) {
        let members = (0..<3).map { member($0, qos: .exactlyOnce) }
        let other = harness.client("o")
        other.subscribe("$share/other/t")
        let plain = harness.client("plain")
        plain.subscribe("t")
        publish(90, qos: qos)
        let got = members.map { $0.takePayloads() }
        #expect(got.map(\.count) == [30, 30, 30])
        #expect(Set(got.joined()).count == 90)
        #expect(other.takePublishes().count == 90)
        #expect(plain.takePublishes().count == 90)
    }

    @Test func `a member that is away gets nothing while another is there`() {
        let staying = member(0)
        let leaving = member(1, expiry: 100)
        leaving.lose()
        publish(10)
        #expect(staying.takePublishes().count == 10)
        let back = harness.client(harness.clientID(onShard: 1, "m"), clean: false, expiry: 100)
        #expect(back.takePublishes().isEmpty)
        publish(10)
        #expect(back.takePublishes().count == 5)
    }

    @Test func `when all are away the messages wait for one that comes back`() {
        let ids = (0..<2).map { harness.clientID(onShard: $0, "m") }
        for shard in 0..<2 { member(shard, expiry: 100).lose() }
        publish(10)
        let got = ids.flatMap { harness.client($0, clean: false, expiry: 100).takePayloads() }
        #expect(Set(got).count == 10)
        #expect(got.count == 10)
    }

    @Test(.spec("MQTT-4.8.2-5"), arguments: [0, 100] as [UInt32])
    func `unacknowledged QoS 1 messages go to another member when theirs leaves`(expiry: UInt32) {
        let leaving = member(0, expiry: expiry)
        publish(6)
        let got = leaving.takePublishes()
        #expect(got.count == 6)
        leaving.acknowledge(.pubAck, got[0].packetIdentifier)
        leaving.acknowledge(.pubAck, got[3].packetIdentifier)
        let staying = member(1)
        leaving.lose()
        #expect(staying.takePayloads() == ["2", "3", "5", "6"])
        #expect(harness.client(harness.clientID(onShard: 0, "m"), clean: false, expiry: expiry).takePublishes().isEmpty)
    }

    @Test(.spec("MQTT-4.8.2-5"))
    func `QoS 2 messages are never handed over`() {
        let leaving = member(0, qos: .exactlyOnce, expiry: 100)
        publish(3, qos: .exactlyOnce)
        #expect(leaving.takePublishes().count == 3)
        let staying = member(1, qos: .exactlyOnce)
        leaving.lose()
        #expect(staying.takePublishes().isEmpty)
        let back = harness.client(harness.clientID(onShard: 0, "m"), clean: false, expiry: 100)
        #expect(back.takePublishes().map(\.dup) == [true, true, true])
    }

    @Test func `QoS 2 messages of a member whose session ends are counted`() {
        let leaving = member(0, qos: .exactlyOnce)
        publish(3, qos: .exactlyOnce)
        let staying = member(1, qos: .exactlyOnce)
        leaving.lose()
        #expect(staying.takePublishes().isEmpty)
        #expect(harness.dropped(.sessionEnded) == 3)
    }

    @Test(.spec("MQTT-4.4.0-1"))
    func `with nobody else there they wait, in order, under their identifiers`() {
        let id = harness.clientID(onShard: 0, "m")
        let first = harness.client(id, expiry: 100) { $0.receiveMaximum = 2 }
        first.subscribe("$share/g/t", qos: .atLeastOnce)
        publish(5)
        let sent = first.takePublishes()
        #expect(sent.map(\.text) == ["1", "2"])
        first.lose()
        let back = harness.client(id, clean: false, expiry: 100)
        let again = back.takePublishes()
        #expect(again.map(\.text) == ["1", "2", "3", "4", "5"])
        #expect(again.prefix(2).map(\.dup) == [true, true])
        #expect(again.prefix(2).map(\.packetIdentifier) == sent.map(\.packetIdentifier))
    }

    @Test func `the new member gets the messages as its own subscription says`() {
        let leaving = harness.client(harness.clientID(onShard: 0))
        leaving.subscribe("$share/g/t", qos: .atLeastOnce, identifier: 4)
        publish(2)
        let staying = harness.client(harness.clientID(onShard: 1))
        staying.subscribe("$share/g/t", qos: .atMostOnce, identifier: 8)
        leaving.lose()
        let got = staying.takePublishes()
        #expect(got.map(\.text) == ["1", "2"])
        #expect(got.map(\.qos) == [.atMostOnce, .atMostOnce])
        #expect(got.map(\.subscriptionIdentifiers) == [[8], [8]])
    }

    @Test func `the last member of all leaves and what it had is counted`() {
        let only = member(0)
        publish(4)
        only.lose()
        #expect(harness.dropped(.sessionEnded) + harness.dropped(.noGroupMember) == 4)
        #expect(harness.broker.instance(.none).subscriptions.counts.shared == 0)
        #expect(harness.usedBytes == 0)
    }

    @Test func `messages on their way to a member that leaves in the same tick reach another`() {
        let leaving = member(1)
        let staying = member(2)
        let publisher = harness.client(harness.clientID(onShard: 0, "p"))
        // Publish without letting mail travel, then take the member away.
        var bytes: [UInt8] = []
        for id in 1...4 as ClosedRange<PacketIdentifier> {
            Packet.publish(Publish(topic: "t", payload: [], qos: .atLeastOnce, packetIdentifier: id))
                .encode(into: &bytes, version: .v5)
        }
        harness.shards[publisher.shard].received(publisher.slot, bytes.span)
        leaving.lose()
        #expect(staying.takePublishes().count + leaving.takePublishes().count == 4)
        #expect(leaving.received.isEmpty)
        #expect(harness.counters.droppedTotal == 0)
    }

    @Test(.spec("MQTT-3.8.3-4"))
    func `no local on a shared subscription is a protocol error`() {
        let client = harness.client("c")
        client.subscribe("$share/g/t", noLocal: true)
        #expect(client.takeDisconnect()?.reasonCode == .protocolError)
    }
}
