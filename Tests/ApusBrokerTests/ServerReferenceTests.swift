import ApusMemory
import ApusMessage
import MQTTCodec
import Testing

@testable import ApusBroker

@Suite("A shutdown that names another server")
struct ServerReferenceTests {
    private func shutDown(_ harness: ShardHarness) {
        harness.shards[0].beginShutdown()
        harness.settle()
    }

    @Test(.spec("MQTT-3.14.2-1", "MQTT-4.13.2-1"))
    func `5_0 clients read 0x9C and the reference, others see the connection closed`() {
        let harness = ShardHarness()
        harness.broker.serverReference = "other.example.org:8883 [2001:db8::1]:1883"
        let five = harness.client("five")
        let three = harness.client("three", .v3_1_1)
        shutDown(harness)
        let packet = five.takeDisconnect()
        #expect(packet?.reasonCode == .useAnotherServer)
        #expect(packet?.serverReference == "other.example.org:8883 [2001:db8::1]:1883")
        #expect(packet?.reasonString == "the server is shutting down")
        #expect(five.isClosed)
        #expect(three.isClosed)
        #expect(three.received.isEmpty)
    }

    @Test func `the reference that counts is the one at the time of the shutdown`() {
        let harness = ShardHarness()
        harness.broker.serverReference = "other.example.org"
        let client = harness.client("c")
        harness.broker.serverReference = nil
        shutDown(harness)
        let packet = client.takeDisconnect()
        #expect(packet?.reasonCode == .serverShuttingDown)
        #expect(packet?.serverReference == nil)
    }

    @Test(.spec("MQTT-3.1.2-24", "MQTT-3.14.2-3"), arguments: [(64, true), (24, true), (23, false), (3, false)])
    func `a client with a small maximum gets as much of it as fits`(size: UInt32, hasReference: Bool) {
        let harness = ShardHarness()
        let client = harness.client("c")
        // 4 bytes of header, reason and property length, 3 + 17 of the reference.
        harness.broker.serverReference = "other.example.org"
        harness.shards[0].limitPackets(of: client.slot, to: size)
        shutDown(harness)
        let packet = client.takeDisconnect()
        #expect(packet?.reasonCode == (hasReference ? .useAnotherServer : .serverShuttingDown))
        #expect(packet?.serverReference == (hasReference ? "other.example.org" : nil))
        #expect(client.isClosed)
    }
}

extension Shard {
    /// As if CONNECT had said so; no such CONNECT has room for its CONNACK.
    fileprivate mutating func limitPackets(of slot: Int, to bytes: UInt32) {
        connections[slot].maximumPacketBytes = bytes
    }
}
