import MQTTClient
import MQTTCodec
import Testing

@Suite("Keep alive")
struct KeepAliveTests {
    @Test(.spec("MQTT-3.1.2-20"))
    func `a silent client pings before the interval is over`() throws {
        var conversation = Conversation(keepAlive: 40)
        try conversation.connect()
        #expect(conversation.machine.deadline == .seconds(30))
        conversation.tick(29)
        #expect(conversation.sent() == [])
        conversation.tick(1)
        #expect(conversation.sent() == [.pingReq])
        conversation.server(.pingResp)
        #expect(conversation.machine.deadline == .seconds(60))
        conversation.tick(30)
        #expect(conversation.sent() == [.pingReq])
        #expect(conversation.events() == [])
    }

    @Test func `a ping without an answer ends the connection`() throws {
        var conversation = Conversation(keepAlive: 40) { $0.pingTimeout = .seconds(5) }
        try conversation.connect()
        conversation.tick(30)
        conversation.tick(4)
        #expect(conversation.events() == [])
        conversation.tick(1)
        #expect(conversation.events() == [.connectionLost(.noAnswerToPing)])
        #expect(conversation.machine.phase == .disconnected)
    }

    @Test func `what else comes from the server holds the answer's time off`() throws {
        var conversation = Conversation(keepAlive: 40) { $0.pingTimeout = .seconds(5) }
        try conversation.connect()
        conversation.tick(30)
        conversation.tick(4)
        conversation.server(.publish("a", .atMostOnce))
        conversation.tick(4)
        #expect(conversation.events().map(\.topic) == ["a"])
        conversation.tick(1)
        #expect(conversation.events() == [.connectionLost(.noAnswerToPing)])
    }

    @Test func `a busy sender still pings a silent server`() throws {
        var conversation = Conversation(keepAlive: 40)
        try conversation.connect()
        for _ in 0..<3 {
            conversation.tick(10)
            try conversation.publish("a", qos: .atMostOnce)
        }
        #expect(conversation.sent().filter { $0 == .pingReq }.count == 1)
    }

    @Test func `a client that sends and receives does not ping`() throws {
        var conversation = Conversation(keepAlive: 40)
        try conversation.connect()
        for _ in 0..<20 {
            conversation.tick(10)
            try conversation.publish("a", qos: .atMostOnce)
            conversation.server(.publish("b", .atMostOnce))
        }
        #expect(!conversation.sent().contains(.pingReq))
    }

    @Test(.spec("MQTT-3.2.2-21"))
    func `the server's keep alive takes the place of ours`() throws {
        var conversation = Conversation(keepAlive: 40)
        var answer = ConnAck()
        answer.serverKeepAliveSeconds = 8
        try conversation.connect(answer)
        #expect(conversation.machine.deadline == .seconds(6))
        answer.serverKeepAliveSeconds = 0
        conversation.lose()
        try conversation.connect(answer)
        #expect(conversation.machine.deadline == nil)
    }

    @Test func `without keep alive nothing is sent for ever`() throws {
        var conversation = Conversation()
        try conversation.connect()
        conversation.tick(1_000_000)
        #expect(conversation.actions == ClientActions())
    }
}
