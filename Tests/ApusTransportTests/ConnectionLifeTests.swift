import ApusBroker
import ApusLoop
import ApusMessage
import Testing

@testable import ApusTransport

@Suite("Connections come and go")
struct ConnectionLifeTests {
    @Test
    func `500 connections, each ended in another way, leave no descriptor behind`() throws {
        let server = try TestServer { $0.closeTimeout = .milliseconds(500) }
        var clients: [RawClient] = []
        for number in 0..<500 {
            let client = try server.client()
            switch number % 5 {
            // Leaves without a word.
            case 0: break
            case 1: try client.send(Array(MQTT.connect("churn-\(number)").dropLast()))
            case 2:
                #expect(try client.connect("churn-\(number)"))
            case 3:
                #expect(try client.connect("churn-\(number)"))
                try client.send(MQTT.disconnect)
            default:
                #expect(try client.connect("churn-\(number)"))
                try client.send(MQTT.disconnect)
                #expect(try client.receiveUntilClosed().isEmpty)
            }
            clients.append(client)
            if clients.count == 100 { clients.removeAll() }
        }
        clients.removeAll()
        try OpenSockets.waitForNone(onPort: server.port)
        let last = try server.client()
        #expect(try last.connect("last"))
    }

    @Test(arguments: [1, 3])
    func `a listener takes no more than its maximum, and others when somebody leaves`(shards: Int) throws {
        var listener = ListenerConfiguration.local(.tcp)
        listener.maximumConnections = 2
        let server = try TestServer([listener], shards: shards)
        let first = try server.client()
        #expect(try first.connect("first"))
        var second: RawClient? = try server.client()
        #expect(try second?.connect("second") == true)
        #expect(try server.client().receiveUntilClosed().isEmpty)
        #expect(server.log.values("connection.rejected", "reason").first?.contains("maximum") == true)

        second = nil
        let deadline = Deadline()
        while true {
            let third = try server.client()
            if try third.connect("third") { break }
            if deadline.isOver { throw RawClient.TimedOut() }
        }
        #expect(try first.ping())
    }

    @Test(arguments: ListenerConfiguration.Kind.allCases)
    func `packets sent along with CONNECT move with it to the session's shard`(
        kind: ListenerConfiguration.Kind,
    ) throws {
        let setUp = try SetUp(kind, shards: 4)
        for number in 0..<16 {
            let client = try setUp.client()
            let topic = "move/\(number)"
            let message = MQTT.publish(topic, MQTT.pattern(3000, seed: number))
            try client.send(MQTT.connect("move-\(number)") + MQTT.subscribe(topic))
            try client.send(message + MQTT.pingRequest)
            let expected = MQTT.connectionAccepted + [0x90, 3, 0, 1, 0] + message + MQTT.pingResponse
            #expect(try client.collect(expected.count) == expected)
            #expect(try client.exchange(MQTT.pingRequest, 2) == MQTT.pingResponse)
        }
    }

    @Test
    func `messages pass between clients of different shards`() throws {
        let server = try TestServer(shards: 3)
        let subscriber = try server.client()
        #expect(try subscriber.connect("subscriber"))
        try subscriber.send(MQTT.subscribe("all/#"))
        #expect(try subscriber.receive(5).count == 5)
        for number in 0..<12 {
            let publisher = try server.client()
            #expect(try publisher.connect("publisher-\(number)"))
            let message = MQTT.publish("all/\(number)", MQTT.pattern(100, seed: number))
            try publisher.send(message)
            #expect(try subscriber.receive(message.count) == message)
        }
    }

    @Test(arguments: [1, 4])
    func `a takeover ends the older connection`(shards: Int) throws {
        let server = try TestServer(shards: shards)
        let older = try server.client()
        #expect(try older.connect("same"))
        let newer = try server.client()
        #expect(try newer.connect("same"))
        #expect(try older.receiveUntilClosed().isEmpty)
        #expect(!older.wasReset)
        #expect(try newer.ping())
    }
}

extension SetUp {
    func client() throws -> ClientConnection {
        try ClientConnection(ClientEndpoint(server.endpoints[0].url), tls: tls)
    }
}
