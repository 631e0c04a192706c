import ApusMessage
import MQTTCodec
import Testing

@testable import ApusBroker

/// CONNECT and authentication have ten seconds from the accept, whatever the connection went through meanwhile.
@Suite("The deadline of CONNECT")
struct ConnectDeadlineTests {
    @Test(arguments: [0, 1, 4_000, 9_900] as [Int64])
    func `handshakes before the shard count towards the deadline`(handshakes: Int64) {
        let harness = ShardHarness()
        let client = harness.open(acceptedBefore: handshakes)
        harness.advance(seconds: Double(9_999 - handshakes) / 1_000)
        #expect(!client.isClosed)
        harness.advance(seconds: 0.129)
        #expect(client.isClosed)
        #expect(harness.connectionCount == 0)
    }

    @Test(arguments: [10_000, 25_000, 10_000_000] as [Int64])
    func `a connection whose time is over before the shard has it is closed at once`(handshakes: Int64) {
        let harness = ShardHarness()
        let client = harness.open(acceptedBefore: handshakes)
        harness.advance(seconds: 0.128)
        #expect(client.isClosed)
        #expect(harness.timerCount == 0)
    }

    @Test(.spec("MQTT-3.1.4-1"))
    func `a connection that moves to its session's shard keeps its deadline`() {
        let harness = ShardHarness(shards: 2, authenticator: AnswersLater())
        let client = harness.open(onShard: 0)
        harness.advance(seconds: 9)
        client.send(.connect(Connect(version: .v5, clientIdentifier: harness.clientID(onShard: 1))))
        #expect(client.shard == 1)
        harness.advance(seconds: 0.9)
        #expect(!client.isClosed)
        harness.advance(seconds: 0.3)
        #expect(client.isClosed)
        #expect(client.takeConnAck()?.reasonCode.isError == true)
        #expect(harness.connectionCount == 0)
    }

    @Test
    func `who connected in time stays, however long its handshakes took`() {
        let harness = ShardHarness()
        let client = harness.open(acceptedBefore: 9_000)
        client.send(.connect(Connect(version: .v5, clientIdentifier: "c")))
        harness.advance(seconds: 100)
        #expect(client.takeConnAck()?.reasonCode == .success)
        #expect(!client.isClosed)
    }
}
