import ApusMemory
import ApusMessage
import ApusTopics
import MQTTCodec
import Testing

@testable import ApusBroker

@Suite("Connecting")
struct ConnectingTests {
    @Test(arguments: ProtocolVersion.allCases)
    func `a CONNECT is accepted in every version`(version: ProtocolVersion) throws {
        let harness = ShardHarness()
        let client = harness.connect("c", version)
        let answer = try #require(client.takeConnAck())
        #expect(answer.reasonCode == .success)
        #expect(!answer.sessionPresent)
        #expect(!client.isClosed)
        #expect(harness.sessionCount == 1)
        #expect(harness.events.names == ["client.connected"])
    }

    @Test func `CONNACK announces what the broker allows`() throws {
        let harness = ShardHarness {
            $0.limits.receiveMaximum = 17
            $0.limits.packetBytes = 4_096
            $0.limits.topicAliases = 9
            $0.limits.keepAliveSeconds = 60
            $0.limits.sessionExpirySeconds = 100
        }
        let answer = try #require(harness.client("c", expiry: 500).connAck)
        #expect(answer.receiveMaximum == 17)
        #expect(answer.maximumPacketSize == 4_096)
        #expect(answer.topicAliasMaximum == 9)
        #expect(answer.serverKeepAliveSeconds == 60)
        #expect(answer.sessionExpiryInterval == 100)
        #expect(answer.assignedClientIdentifier == nil)
    }

    @Test(.spec("MQTT-3.1.3-6", "MQTT-3.2.2-16"))
    func `a client without an id gets one, on any shard`() throws {
        let harness = ShardHarness(shards: 3)
        var seen: Set<String> = []
        for shard in 0..<3 {
            let client = harness.connect("", onShard: shard)
            let id = try #require(client.takeConnAck()?.assignedClientIdentifier)
            #expect(seen.insert(id).inserted)
            #expect(client.shard == shard)
        }
    }

    @Test(.spec("v3 MQTT-3.1.3-8"), arguments: [(.v3_1_1, false), (.v3_1, true)] as [(ProtocolVersion, Bool)])
    func `before 5_0 an empty id needs a clean session of 3_1_1`(version: ProtocolVersion, clean: Bool) throws {
        let harness = ShardHarness()
        let client = harness.connect("", version, clean: clean)
        let answer = try #require(client.takeConnAck())
        #expect(answer.reasonCode == .clientIdentifierNotValid)
        #expect(client.isClosed)
        #expect(harness.sessionCount == 0)
        #expect(harness.connectionCount == 0)
    }

    @Test(arguments: 0..<4)
    func `a connection moves to the shard of its session with all its bytes`(start: Int) throws {
        let harness = ShardHarness(shards: 4)
        let client = harness.open(onShard: start)
        var bytes: [UInt8] = []
        Packet.connect(Connect(clientIdentifier: "somebody")).encode(into: &bytes, version: .v5)
        Packet.pingReq.encode(into: &bytes, version: .v5)
        client.send(bytes: bytes + [0xC0])
        client.send(bytes: [0x00])
        #expect(client.takeConnAck()?.reasonCode == .success)
        #expect(client.takeAll().map(\.type) == [.pingResp, .pingResp])
        #expect(client.shard == harness.broker.homeShard(of: "somebody"))
        #expect(harness.connectionCount == 1)
    }

    // MARK: - Refusals

    @Test(.spec("MQTT-3.1.0-1"), arguments: [[0xC0, 0x00], [0x30, 0x03, 0, 1, 0x61], [0xE0, 0x00]] as [[UInt8]])
    func `another packet before CONNECT closes without an answer`(bytes: [UInt8]) {
        let harness = ShardHarness()
        let client = harness.open()
        client.send(bytes: bytes)
        #expect(client.isClosed)
        #expect(client.received.isEmpty)
        #expect(harness.events.fields(of: "packet.rejected").first?["rule"] == "MQTT-3.1.0-1")
    }

    @Test(.spec("MQTT-3.1.0-2"), arguments: ProtocolVersion.allCases)
    func `a second CONNECT closes the connection`(version: ProtocolVersion) {
        let harness = ShardHarness()
        let client = harness.client("c", version)
        client.send(.connect(Connect(version: version, clientIdentifier: "c")))
        #expect(client.isClosed)
        #expect(client.takeDisconnect()?.reasonCode == (version == .v5 ? .protocolError : nil))
        #expect(harness.sessionCount == 0)
    }

    @Test(.spec("MQTT-3.1.4-1"))
    func `a malformed CONNECT of 5_0 is answered with the reason`() throws {
        let harness = ShardHarness()
        let client = harness.open()
        // The reserved connect flag is set.
        client.send(bytes: [0x10, 0x0E, 0, 4, 0x4D, 0x51, 0x54, 0x54, 5, 0x03, 0, 0, 0, 0, 1, 0x61])
        #expect(client.takeConnAck()?.reasonCode == .malformedPacket)
        #expect(client.isClosed)
        #expect(harness.events.fields(of: "packet.rejected").first?["rule"] == "MQTT-3.1.2-3")
        #expect(harness.counters.protocolErrors == 1)
    }

    @Test(.spec("v3 MQTT-3.1.4-1"))
    func `a malformed CONNECT of 3_1_1 closes without CONNACK`() {
        let harness = ShardHarness()
        let client = harness.open(.v3_1_1)
        client.send(bytes: [0x10, 0x0D, 0, 4, 0x4D, 0x51, 0x54, 0x54, 4, 0x03, 0, 0, 0, 1, 0x61])
        #expect(client.isClosed)
        #expect(client.received.isEmpty)
    }

    @Test(.spec("MQTT-3.1.2-2"))
    func `a level above five is answered as 5_0`() {
        let harness = ShardHarness()
        let client = harness.open()
        client.send(bytes: [0x10, 0x0E, 0, 4, 0x4D, 0x51, 0x54, 0x54, 6, 0x02, 0, 0, 0, 0, 1, 0x61])
        #expect(client.takeConnAck()?.reasonCode == .unsupportedProtocolVersion)
        #expect(client.isClosed)
    }

    @Test(.spec("v3 MQTT-3.1.2-2"))
    func `an unknown old level is answered with return code 1`() {
        let harness = ShardHarness()
        let client = harness.open(.v3_1_1)
        client.send(bytes: [0x10, 0x0D, 0, 4, 0x4D, 0x51, 0x54, 0x54, 2, 0x02, 0, 0, 0, 1, 0x61])
        #expect(client.takeConnAck()?.reasonCode == .unsupportedProtocolVersion)
        #expect(client.isClosed)
    }

    @Test(.spec("MQTT-3.1.2-1"))
    func `whoever does not speak MQTT gets no answer`() {
        let harness = ShardHarness()
        let client = harness.open()
        client.send(bytes: Array("GET / HTTP/1.1\r\nHost: \(String(repeating: "x", count: 80))\r\n\r\n".utf8))
        #expect(client.isClosed)
        #expect(client.received.isEmpty)
        let other = harness.open()
        other.send(bytes: [0x10, 0x05, 0, 3, 0x46, 0x4F, 0x4F])
        #expect(other.isClosed)
        #expect(other.received.isEmpty)
    }

    @Test func `an endless CONNECT is refused at its header`() {
        let harness = ShardHarness { $0.limits.connectPacketBytes = 100 }
        let client = harness.open()
        client.send(bytes: [0x10, 0xFF, 0xFF, 0x03])
        #expect(client.isClosed)
        #expect(client.received.isEmpty)
    }

    @Test(arguments: ProtocolVersion.allCases)
    func `a refused password is answered with what the client may know`(version: ProtocolVersion) throws {
        let outcome = AuthenticationOutcome.refused(
            .badUserNameOrPassword,
            explanation: "user unknown",
            clientExplanation: "no access",
        )
        let harness = ShardHarness(authenticator: AnswersAtOnce(outcome: outcome))
        let client = harness.connect("c", version) { $0.userName = "u" }
        let answer = try #require(client.takeConnAck())
        #expect(answer.reasonCode == .badUserNameOrPassword)
        #expect(answer.reasonString == (version == .v5 ? "no access" : nil))
        #expect(client.isClosed)
        #expect(harness.events.fields(of: "client.refused").first?["user_name"] == "u")
        #expect(harness.sessionCount == 0)
    }

    @Test func `the limit of connections is kept and room comes back`() {
        let harness = ShardHarness(shards: 2) { $0.limits.connections = 2 }
        let first = harness.client("a")
        _ = harness.client("b")
        let third = harness.connect("c")
        #expect(third.takeConnAck()?.reasonCode == .quotaExceeded)
        #expect(third.isClosed)
        first.lose()
        #expect(harness.connect("c").takeConnAck()?.reasonCode == .success)
    }

    @Test func `a takeover needs no room at the limit`() {
        let harness = ShardHarness { $0.limits.connections = 1 }
        let old = harness.client("a")
        #expect(harness.connect("a").takeConnAck()?.reasonCode == .success)
        #expect(old.isClosed)
    }

    @Test(.spec("MQTT-3.2.2-12"))
    func `a will above the maximum QoS is refused`() {
        let harness = ShardHarness { $0.policies.maximumQoS = .atLeastOnce }
        let client = harness.connect("c") { $0.will = Will(topic: "w", payload: [], qos: .exactlyOnce) }
        #expect(client.takeConnAck()?.reasonCode == .qosNotSupported)
    }

    @Test func `a will that is declared text and is not is refused`() {
        let harness = ShardHarness()
        let client = harness.connect("c") {
            $0.will = Will(topic: "w", payload: [0xFF], properties: MessageProperties(payloadFormat: .utf8))
        }
        #expect(client.takeConnAck()?.reasonCode == .payloadFormatInvalid)
    }

    @Test(arguments: ["$SYS/broker/uptime", "$SYS"])
    func `a will must not forge the broker's own topics`(topic: String) {
        let harness = ShardHarness()
        let client = harness.connect("c") { $0.will = Will(topic: topic, payload: [1]) }
        #expect(client.takeConnAck()?.reasonCode == .notAuthorized)
        #expect(client.isClosed)
    }

    // MARK: - Time

    @Test(arguments: [[], [0x10], [0x10, 0x20, 0, 4]] as [[UInt8]])
    func `CONNECT must be complete in time`(bytes: [UInt8]) {
        let harness = ShardHarness()
        let client = harness.open()
        client.send(bytes: bytes)
        harness.advance(seconds: 9.9)
        #expect(!client.isClosed)
        harness.advance(seconds: 0.2)
        #expect(client.isClosed)
        #expect(client.received.isEmpty)
        #expect(harness.connectionCount == 0)
    }

    // Below the time for CONNECT, about it, and further ahead than a timer is set.
    @Test(.spec("MQTT-3.1.2-22"), arguments: ProtocolVersion.allCases, [1, 6, 7, 10, 1000] as [UInt16])
    func `a silent client is closed after one and a half times its keep alive`(
        version: ProtocolVersion,
        keepAlive: UInt16,
    ) {
        let harness = ShardHarness()
        let client = harness.client("c", version) { $0.keepAliveSeconds = keepAlive }
        harness.advance(seconds: Double(keepAlive) * 1.4)
        client.send(.pingReq)
        harness.advance(seconds: Double(keepAlive) * 1.5 - 0.1)
        #expect(!client.isClosed)
        harness.advance(seconds: 0.2)
        #expect(client.isClosed)
        #expect(client.takeDisconnect()?.reasonCode == (version == .v5 ? .keepAliveTimeout : nil))
    }

    @Test func `a keep alive of 0 never ends a connection`() {
        let harness = ShardHarness()
        let client = harness.client("c")
        harness.advance(seconds: 1_000_000)
        #expect(!client.isClosed)
    }

    @Test(.spec("MQTT-3.1.2-21"))
    func `the server's keep alive holds for 5_0 and the client's own before`() {
        let harness = ShardHarness { $0.limits.keepAliveSeconds = 10 }
        let five = harness.client("five") { $0.keepAliveSeconds = 100 }
        let short = harness.client("short") { $0.keepAliveSeconds = 4 }
        let three = harness.client("three", .v3_1_1) { $0.keepAliveSeconds = 100 }
        #expect(five.connAck?.serverKeepAliveSeconds == 10)
        #expect(short.connAck?.serverKeepAliveSeconds == nil)
        harness.advance(seconds: 7)
        #expect(short.isClosed)
        harness.advance(seconds: 9)
        #expect(five.isClosed)
        #expect(!three.isClosed)
        harness.advance(seconds: 140)
        #expect(three.isClosed)
    }

    @Test(.spec("MQTT-3.1.2-24"))
    func `a client too small for a CONNACK is closed and leaves no connection behind`() {
        let harness = ShardHarness { $0.limits.connections = 1 }
        let small = harness.connect("small") { $0.maximumPacketSize = 5 }
        #expect(small.isClosed)
        #expect(harness.sessionCount == 0)
        #expect(harness.connect("other").takeConnAck()?.reasonCode == .success)
    }
}
