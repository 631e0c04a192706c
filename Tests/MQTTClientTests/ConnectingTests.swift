import MQTTClient
import MQTTCodec
import Testing

@Suite("Connecting")
struct ConnectingTests {
    @Test(arguments: [.v3_1, .v3_1_1, .v5] as [ProtocolVersion])
    func `a connection opens and closes`(version: ProtocolVersion) throws {
        var conversation = Conversation(version, keepAlive: 30)
        try conversation.machine.connect(now: conversation.now, into: &conversation.actions)
        let connect = conversation.machine.configuration.connect
        #expect(conversation.sent() == [.connect(connect)])
        #expect(conversation.machine.phase == .connecting)
        conversation.server(.connAck(ConnAck()))
        #expect(conversation.events() == [.connected(ConnAck())])
        conversation.machine.disconnect(into: &conversation.actions)
        #expect(conversation.sent() == [.disconnect(Disconnect())])
        #expect(conversation.events() == [])
        #expect(conversation.machine.phase == .disconnected)
        conversation.machine.connectionLost(into: &conversation.actions)
        #expect(conversation.actions == ClientActions())
    }

    @Test func `a second connect is refused while one stands`() throws {
        var conversation = Conversation()
        try conversation.connect()
        #expect(throws: ClientError.alreadyConnected) {
            try conversation.machine.connect(now: .zero, into: &conversation.actions)
        }
    }

    @Test(arguments: [.v3_1_1, .v5] as [ProtocolVersion])
    func `a refusal is told`(version: ProtocolVersion) throws {
        var conversation = Conversation(version)
        try conversation.machine.connect(now: .zero, into: &conversation.actions)
        conversation.server(.connAck(ConnAck(reasonCode: .notAuthorized)), .pingResp)
        #expect(conversation.events() == [.refused(ConnAck(reasonCode: .notAuthorized))])
        #expect(conversation.machine.phase == .disconnected)
    }

    @Test(.spec("MQTT-3.2.0-1"), arguments: [.pingResp, .publish("a", .atMostOnce), .ack(.pubAck, 1)] as [Packet])
    func `the first packet must be a CONNACK`(packet: Packet) throws {
        var conversation = Conversation()
        try conversation.machine.connect(now: .zero, into: &conversation.actions)
        _ = conversation.sent()
        conversation.server(packet)
        #expect(conversation.events().map(\.violation) == [.protocolError])
        #expect(conversation.sent() == [])
    }

    @Test(.spec("MQTT-3.2.0-2"))
    func `a second CONNACK is a violation`() throws {
        var conversation = Conversation()
        try conversation.connect()
        conversation.server(.connAck(ConnAck()))
        #expect(conversation.events().map(\.violation) == [.protocolError])
        #expect(conversation.sent() == [.disconnect(Disconnect(reasonCode: .protocolError))])
    }

    @Test(.spec("MQTT-3.2.2-2"))
    func `a session after a clean start is a violation`() throws {
        var conversation = Conversation()
        try conversation.machine.connect(now: .zero, into: &conversation.actions)
        conversation.server(.connAck(ConnAck(sessionPresent: true)))
        #expect(conversation.events().map(\.violation) == [.protocolError])
    }

    @Test(.spec("MQTT-3.2.2-16"))
    func `an assigned client identifier is used from then on`() throws {
        var conversation = Conversation { $0.connect.clientIdentifier = "" }
        var answer = ConnAck()
        answer.assignedClientIdentifier = "given"
        try conversation.connect(answer)
        #expect(conversation.machine.clientIdentifier == "given")
        conversation.lose()
        try conversation.machine.connect(cleanStart: false, now: .zero, into: &conversation.actions)
        guard case .connect(let packet) = conversation.sent().first else { Issue.record("no CONNECT"); return }
        #expect(packet.clientIdentifier == "given")
        #expect(!packet.cleanStart)
    }

    @Test func `a client without identifier that gets none is a violation`() throws {
        var conversation = Conversation { $0.connect.clientIdentifier = "" }
        try conversation.machine.connect(now: .zero, into: &conversation.actions)
        conversation.server(.connAck(ConnAck()))
        #expect(conversation.events().map(\.violation) == [.protocolError])
    }

    @Test(.spec("v3 MQTT-3.1.3-7"))
    func `a session without identifier is refused in 3 x`() {
        var conversation = Conversation(.v3_1_1, cleanStart: false) { $0.connect.clientIdentifier = "" }
        #expect(throws: ClientError.clientIdentifierMissing) {
            try conversation.machine.connect(now: .zero, into: &conversation.actions)
        }
        #expect(conversation.actions == ClientActions())
    }

    @Test func `a server that does not answer is given up`() throws {
        var conversation = Conversation { $0.connectTimeout = .seconds(5) }
        try conversation.machine.connect(now: .zero, into: &conversation.actions)
        #expect(conversation.machine.deadline == .seconds(5))
        conversation.tick(4)
        #expect(conversation.events() == [])
        conversation.tick(1)
        #expect(conversation.events() == [.connectionLost(.noAnswerToConnect)])
        #expect(conversation.machine.deadline == nil)
    }

    @Test func `a server's DISCONNECT is told and ends everything`() throws {
        var conversation = Conversation()
        try conversation.connect()
        let packet = Disconnect(reasonCode: .sessionTakenOver, reasonString: "elsewhere")
        conversation.server(.disconnect(packet), .publish("late", .atMostOnce))
        #expect(conversation.events() == [.disconnected(packet)])
        #expect(conversation.sent() == [])
    }

    @Test func `a disconnect with will says so in 5 and is silent in 3`() throws {
        for (version, expected) in [
            (.v5, [.disconnect(Disconnect(reasonCode: .disconnectWithWill))]), (.v3_1_1, []),
        ] as [(ProtocolVersion, [Packet])] {
            var conversation = Conversation(version)
            try conversation.connect()
            conversation.machine.disconnect(reasonCode: .disconnectWithWill, into: &conversation.actions)
            #expect(conversation.sent() == expected)
        }
    }
}

@Suite("Enhanced authentication")
struct AuthenticationTests {
    private func conversation() throws -> Conversation {
        var conversation = Conversation { $0.connect.authenticationMethod = "M" }
        try conversation.machine.connect(now: .zero, into: &conversation.actions)
        _ = conversation.sent()
        return conversation
    }

    private var accepted: ConnAck {
        var packet = ConnAck()
        packet.authenticationMethod = "M"
        return packet
    }

    @Test func `steps go back and forth until the CONNACK`() throws {
        var conversation = try conversation()
        let challenge = Auth(reasonCode: .continueAuthentication, authenticationMethod: "M", authenticationData: [1])
        conversation.server(.auth(challenge))
        #expect(conversation.events() == [.authentication(challenge)])
        try conversation.machine.authenticate(data: [2], now: .zero, into: &conversation.actions)
        #expect(
            conversation.sent() == [
                .auth(Auth(reasonCode: .continueAuthentication, authenticationMethod: "M", authenticationData: [2]))
            ]
        )
        conversation.server(.connAck(accepted))
        #expect(conversation.events() == [.connected(accepted)])
    }

    @Test(.spec("MQTT-4.12.1-1"))
    func `the client can authenticate anew`() throws {
        var conversation = try conversation()
        #expect(throws: ClientError.notConnected) {
            try conversation.machine.reauthenticate(data: nil, now: .zero, into: &conversation.actions)
        }
        conversation.server(.connAck(accepted))
        _ = conversation.events()
        try conversation.machine.reauthenticate(data: [3], now: .zero, into: &conversation.actions)
        #expect(
            conversation.sent() == [
                .auth(Auth(reasonCode: .reauthenticate, authenticationMethod: "M", authenticationData: [3]))
            ]
        )
        let success = Auth(reasonCode: .success, authenticationMethod: "M")
        conversation.server(.auth(success))
        #expect(conversation.events() == [.authentication(success)])
    }

    @Test(.spec("MQTT-4.12.0-5"))
    func `another method is a violation`() throws {
        var challenged = try conversation()
        challenged.server(.auth(Auth(reasonCode: .continueAuthentication, authenticationMethod: "N")))
        #expect(challenged.events().map(\.violation) == [.protocolError])
        var connected = try conversation()
        connected.server(.connAck(ConnAck()))
        #expect(connected.events().map(\.violation) == [.protocolError])
    }

    @Test(.spec("MQTT-4.12.0-6"))
    func `an AUTH that nobody asked for is a violation`() throws {
        var conversation = Conversation()
        try conversation.connect()
        conversation.server(.auth(Auth(reasonCode: .continueAuthentication, authenticationMethod: "M")))
        #expect(conversation.events().map(\.violation) == [.protocolError])
    }

    @Test func `a client without a method cannot authenticate`() throws {
        var conversation = Conversation()
        try conversation.connect()
        #expect(throws: ClientError.notInThisVersion) {
            try conversation.machine.authenticate(data: nil, now: .zero, into: &conversation.actions)
        }
    }
}
