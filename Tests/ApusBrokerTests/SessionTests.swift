import ApusMemory
import ApusMessage
import ApusTopics
import MQTTCodec
import Testing

@testable import ApusBroker

@Suite("Sessions")
struct SessionTests {
    @Test(.spec("MQTT-3.1.4-3"), arguments: ProtocolVersion.allCases)
    func `a second connection takes the client id over`(version: ProtocolVersion) {
        let harness = ShardHarness(shards: 2)
        let old = harness.client("c", version)
        let new = harness.client("c", version, onShard: 1)
        #expect(old.isClosed)
        #expect(old.takeDisconnect()?.reasonCode == (version == .v5 ? .sessionTakenOver : nil))
        #expect(!new.isClosed)
        #expect(harness.sessionCount == 1)
        new.send(.pingReq)
        #expect(new.takeAll().map(\.type) == [.pingResp])
    }

    @Test func `a taken over connection sends nothing more and its loss harms nobody`() {
        let harness = ShardHarness()
        let old = harness.client("c", expiry: 100)
        old.subscribe("t")
        old.reads = false
        let new = harness.client("c", clean: false, expiry: 100)
        harness.client("p").publish("t", "hello")
        #expect(new.takePayloads() == ["hello"])
        old.publish("t", "ghost")
        harness.resumeReading(old)
        #expect(old.takePayloads().isEmpty)
        #expect(old.isClosed)
        #expect(new.takePayloads().isEmpty)
        harness.client("p").publish("t", "again")
        #expect(new.takePayloads() == ["again"])
    }

    @Test func `a policy may refuse the newcomer instead`() {
        let harness = ShardHarness { $0.policies.duplicateClientID = .refuse }
        let old = harness.client("c")
        let new = harness.connect("c")
        #expect(new.takeConnAck()?.reasonCode == .clientIdentifierNotValid)
        #expect(new.isClosed)
        #expect(!old.isClosed)
    }

    @Test(.spec("MQTT-3.1.2-4"))
    func `a clean start ends the earlier session`() {
        let harness = ShardHarness()
        let first = harness.client("c", expiry: 100)
        first.subscribe("t", qos: .atLeastOnce)
        first.lose()
        harness.client("p").publish("t", qos: .atLeastOnce, id: 1)
        let second = harness.client("c", clean: true, expiry: 100)
        #expect(second.connAck?.sessionPresent == false)
        #expect(second.takePublishes().isEmpty)
        harness.client("p").publish("t", qos: .atLeastOnce, id: 1)
        #expect(second.takePublishes().isEmpty)
        #expect(harness.dropped(.sessionEnded) == 1)
    }

    @Test(.spec("MQTT-3.1.2-5", "MQTT-3.2.2-3"), arguments: [ProtocolVersion.v3_1_1, .v5])
    func `a session that waits is resumed with what came meanwhile, in order`(version: ProtocolVersion) {
        let harness = ShardHarness(shards: 2)
        let first = harness.client("c", version, clean: false, expiry: 100)
        #expect(first.connAck?.sessionPresent == false)
        first.subscribe("t", qos: .exactlyOnce)
        first.lose()
        let publisher = harness.client("p")
        for index in 1...50 { publisher.publish("t", "\(index)", qos: .atLeastOnce, id: PacketIdentifier(index)) }
        let second = harness.client("c", version, clean: false, expiry: 100)
        #expect(second.connAck?.sessionPresent == true)
        #expect(second.takePayloads() == (1...50).map { "\($0)" })
    }

    @Test(.spec("MQTT-4.4.0-1"))
    func `what was not acknowledged is repeated with DUP and the same identifier, before what is new`() {
        let harness = ShardHarness()
        let first = harness.client("c", expiry: 100)
        first.subscribe("t", qos: .exactlyOnce)
        let publisher = harness.client("p")
        publisher.publish("t", "one", qos: .atLeastOnce, id: 1)
        publisher.publish("t", "two", qos: .exactlyOnce, id: 2)
        publisher.publish("t", "three", qos: .exactlyOnce, id: 3)
        let sent = first.takePublishes()
        #expect(sent.map(\.dup) == [false, false, false])
        first.acknowledge(.pubRec, sent[1].packetIdentifier)
        first.lose()
        publisher.publish("t", "four", qos: .atLeastOnce, id: 4)
        let second = harness.client("c", clean: false, expiry: 100)
        let kinds = second.received.map(\.type)
        #expect(kinds == [.publish, .pubRel, .publish, .publish])
        #expect(second.takeAcknowledgements().map(\.packetIdentifier) == [sent[1].packetIdentifier])
        let repeated = second.takePublishes()
        #expect(repeated.map(\.text) == ["one", "three", "four"])
        #expect(repeated.map(\.dup) == [true, true, false])
        #expect(repeated[0].packetIdentifier == sent[0].packetIdentifier)
        #expect(repeated[1].packetIdentifier == sent[2].packetIdentifier)
    }

    @Test(.spec("MQTT-4.4.0-1"))
    func `nothing is repeated while the connection lasts`() {
        let harness = ShardHarness()
        let client = harness.client("c", expiry: 100)
        client.subscribe("t", qos: .atLeastOnce)
        harness.client("p").publish("t", qos: .atLeastOnce, id: 1)
        #expect(client.takePublishes().count == 1)
        harness.advance(seconds: 10_000)
        #expect(client.takePublishes().isEmpty)
    }

    @Test(.spec("MQTT-3.1.2-23"))
    func `a session ends when its expiry interval has passed, not before`() {
        let harness = ShardHarness()
        let client = harness.client("c", expiry: 10)
        client.subscribe("t")
        client.lose()
        harness.advance(seconds: 9.9)
        #expect(harness.sessionCount == 1)
        harness.advance(seconds: 0.2)
        #expect(harness.sessionCount == 0)
        #expect(harness.broker.instance(.none).subscriptions.counts.subscriptions == 0)
        #expect(harness.client("c", clean: false, expiry: 10).connAck?.sessionPresent == false)
    }

    @Test func `coming back stops the expiry and leaving starts it anew`() {
        let harness = ShardHarness()
        for _ in 0..<20 {
            let client = harness.client("c", clean: false, expiry: 10)
            harness.advance(seconds: 30)
            client.lose()
            harness.advance(seconds: 9)
            #expect(harness.sessionCount == 1)
        }
        harness.advance(seconds: 2)
        #expect(harness.sessionCount == 0)
    }

    @Test func `the largest expiry never ends`() {
        let harness = ShardHarness { $0.limits.sessionExpirySeconds = .max }
        harness.client("c", expiry: .max).lose()
        harness.client("d", .v3_1_1, clean: false).lose()
        harness.advance(seconds: 100_000_000)
        #expect(harness.sessionCount == 2)
    }

    @Test(.spec("MQTT-3.14.2-2"))
    func `DISCONNECT may change the expiry, but not from 0`() {
        let harness = ShardHarness()
        let client = harness.client("c", expiry: 10)
        client.disconnect(expiry: 1_000)
        harness.advance(seconds: 500)
        #expect(harness.sessionCount == 1)
        harness.client("c", clean: false, expiry: 5).disconnect(expiry: 0)
        #expect(harness.sessionCount == 0)
        let none = harness.client("n")
        none.disconnect(expiry: 5)
        #expect(none.takeDisconnect()?.reasonCode == .protocolError)
        #expect(harness.sessionCount == 0)
    }

    @Test(.spec("MQTT-3.14.2-2"))
    func `what counts is the expiry that CONNECT asked for, not what was granted`() {
        let harness = ShardHarness { $0.limits.sessionExpirySeconds = 0 }
        let client = harness.client("c", expiry: 10)
        #expect(client.connAck?.sessionExpiryInterval == 0)
        client.disconnect(expiry: 5)
        #expect(client.takeDisconnect()?.reasonCode == nil)
        #expect(harness.sessionCount == 0)
    }

    @Test func `a client that comes and goes does not fill the timers`() {
        let harness = ShardHarness()
        for _ in 0..<500 {
            harness.client("c", clean: false, expiry: 1_000_000) { $0.keepAliveSeconds = 60_000 }.lose()
            harness.advance(seconds: 30)
        }
        #expect(harness.timerCount < 150)
    }

    @Test func `mail ends a connection, or the whole session`() {
        let harness = ShardHarness()
        let client = harness.client("c", expiry: 100)
        let mail = { (ends: Bool) in
            ShardMail.end(.none, clientID: "c", .administrativeAction, explanation: "by hand", endsSession: ends)
        }
        harness.broker.post(to: 0, mail(false))
        harness.settle()
        #expect(client.isClosed)
        #expect(client.takeDisconnect()?.reasonCode == .administrativeAction)
        #expect(harness.sessionCount == 1)
        harness.broker.post(to: 0, mail(true))
        harness.settle()
        #expect(harness.sessionCount == 0)
        let again = harness.client("c", expiry: 100)
        harness.broker.post(to: 0, mail(true))
        harness.settle()
        #expect(again.takeDisconnect()?.reasonCode == .administrativeAction)
        #expect(harness.sessionCount == 0)
        harness.broker.post(to: 0, mail(true))
        harness.settle()
    }

    @Test func `shutdown tells 5_0 clients, closes all and keeps what must outlive it`() {
        let harness = ShardHarness(shards: 2)
        let five = harness.client("five", expiry: 100) { $0.will = Will(topic: "w", payload: [1]) }
        let three = harness.client("three", .v3_1_1)
        let silent = harness.open()
        for shard in 0..<2 { harness.shards[shard].beginShutdown() }
        harness.settle()
        #expect(five.takeDisconnect()?.reasonCode == .serverShuttingDown)
        #expect(five.isClosed)
        #expect(three.isClosed)
        #expect(three.received.isEmpty)
        #expect(silent.isClosed)
        #expect(harness.sessionCount == 1)
        let late = harness.connect("late")
        #expect(late.isClosed)
        #expect(harness.connectionCount == 0)
    }
}
