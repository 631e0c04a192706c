import MQTTClient
import MQTTCodec
import Testing

@testable import apus

/// A client whose broker is the test.
private struct Scene<Task: ClientTask> {
    var client: Client
    var task: Task
    private let version = ProtocolVersion.v5

    init(_ task: Task) {
        var configuration = ClientConfiguration(connect: Connect(clientIdentifier: "c"))
        configuration.acknowledgesManually = true
        client = Client(machine: MQTTClientMachine(configuration: configuration), now: .zero)
        self.task = task
    }

    /// Connects, and lets the task go on.
    mutating func connect(_ answer: ConnAck = ConnAck()) throws -> [Packet] {
        try client.machine.connect(
            cleanStart: answer.sessionPresent ? false : nil,
            now: client.now,
            into: &client.actions
        )
        client.actions.bytes = []
        return receive(.connAck(answer))
    }

    /// The broker sends a packet; what the client sends then.
    mutating func receive(_ packets: Packet...) -> [Packet] {
        for packet in packets {
            var bytes: [UInt8] = []
            packet.encode(into: &bytes, version: version)
            client.machine.received(bytes.span, now: client.now, into: &client.actions)
        }
        return turn()
    }

    mutating func pass(_ time: Duration) -> [Packet] {
        client.now += time
        return turn()
    }

    mutating func lose() {
        client.machine.connectionLost(into: &client.actions)
        for event in client.actions.events { task.handle(event, &client) }
        client.actions = ClientActions()
    }

    private mutating func turn() -> [Packet] {
        repeat {
            let events = client.actions.events
            client.actions.events = []
            for event in events where task.ending == nil {
                if case .connected(let packet) = event { task.connected(packet, &client) }
                task.handle(event, &client)
            }
            if task.ending == nil { task.proceed(&client) }
        } while !client.actions.events.isEmpty && task.ending == nil
        defer { client.actions.bytes = [] }
        return sent(client.actions.bytes)
    }

    private func sent(_ bytes: [UInt8]) -> [Packet] {
        var packets: [Packet] = []
        var offset = 0
        do {
            while let frame = try FrameDecoder.next(bytes.span, at: offset, maximumPacketSize: .max) {
                packets.append(try Packet.decode(bytes.span, frame: frame, version: version, sender: .client))
                offset = frame.end
            }
        } catch {
            Issue.record(error)
        }
        return packets
    }

    /// Bytes that wait to be printed.
    var printed: Int { task.output.count }
}

@Suite("Publishing")
struct PublisherTests {
    private func publisher(_ qos: QoS, count: Int = 1, interval: Duration = .zero, json: Bool = false) -> Publisher {
        Publisher(
            Publish(topic: "t", payload: [], qos: qos),
            .one([1, 2], left: count),
            interval: interval,
            answerTimeout: .seconds(10),
            printsJSON: json,
            voice: Voice(level: .quiet),
        )
    }

    private func acknowledgement(_ identifier: UInt16, _ code: ReasonCode = .success) -> Packet {
        .acknowledgement(Acknowledgement(type: .pubAck, packetIdentifier: identifier, reasonCode: code))
    }

    @Test func `messages of QoS 0 are done when they are out`() throws {
        var scene = Scene(publisher(.atMostOnce, count: 3))
        #expect(try scene.connect().count == 3)
        #expect(scene.task.ending == .success)
        #expect(scene.task.summary == "3 published (6 bytes)")
    }

    @Test func `a message of QoS 1 is done when the broker says so`() throws {
        var scene = Scene(publisher(.atLeastOnce))
        #expect(try scene.connect().count == 1)
        #expect(scene.task.ending == nil)
        _ = scene.receive(acknowledgement(1, .noMatchingSubscribers))
        #expect(scene.task.ending == .success)
    }

    @Test func `a refusal is a failure, and the other messages go out all the same`() throws {
        var scene = Scene(publisher(.atLeastOnce, count: 2, json: true))
        _ = try scene.connect()
        _ = scene.receive(acknowledgement(1, .notAuthorized))
        #expect(scene.task.ending == nil)
        _ = scene.receive(acknowledgement(2))
        #expect(scene.task.ending?.code == 1)
        #expect(scene.task.summary == "1 published (2 bytes), 1 refused")
        #expect(scene.printed > 0)
    }

    @Test func `the refusal of the only message is a failure`() throws {
        var scene = Scene(publisher(.atLeastOnce))
        _ = try scene.connect()
        _ = scene.receive(acknowledgement(1, .notAuthorized))
        #expect(scene.task.ending == .refused(nil))
    }

    @Test func `silence of the broker ends the wait`() throws {
        var scene = Scene(publisher(.atLeastOnce))
        _ = try scene.connect()
        #expect(scene.task.deadline == .seconds(10))
        _ = scene.pass(.seconds(9))
        #expect(scene.task.ending == nil)
        _ = scene.pass(.seconds(1))
        #expect(scene.task.ending?.code == 3)
    }

    @Test func `with an interval messages go out one by one`() throws {
        var scene = Scene(publisher(.atMostOnce, count: 2, interval: .seconds(2)))
        #expect(try scene.connect().count == 1)
        #expect(scene.task.deadline == .seconds(2))
        #expect(scene.pass(.seconds(1)).isEmpty)
        #expect(scene.pass(.seconds(1)).count == 1)
        #expect(scene.task.ending == .success)
    }

    @Test func `not more than a window is under way, so that memory stays bounded`() throws {
        var scene = Scene(publisher(.atLeastOnce, count: 5000))
        #expect(try scene.connect().count == 1000)
        #expect(scene.receive(acknowledgement(1)).count == 1)
    }

    @Test func `after a loss a message goes out again and counts once`() throws {
        var scene = Scene(publisher(.atLeastOnce))
        _ = try scene.connect()
        scene.lose()
        #expect(try scene.connect(ConnAck(sessionPresent: true)).count == 1)
        _ = scene.receive(acknowledgement(1))
        #expect(scene.task.summary == "1 published (2 bytes)")
    }

    @Test func `what a lost session leaves unknown is a failure`() throws {
        var scene = Scene(publisher(.exactlyOnce))
        _ = try scene.connect()
        scene.lose()
        _ = try scene.connect()
        #expect(scene.task.ending?.code == 1)
        #expect(scene.task.summary == "0 published (0 bytes), 1 with an unknown fate")
    }
}

@Suite("Subscribing")
struct SubscriberTests {
    private func scene(
        _ change: (inout Subscriber.Wish) -> Void = { _ in },
    ) -> Scene<Subscriber> {
        var wish = Subscriber.Wish(requests: [Subscribe.Request("t/#", SubscriptionOptions(qos: .atLeastOnce))])
        change(&wish)
        return Scene(Subscriber(wish, voice: Voice(level: .quiet)))
    }

    private func answer(_ codes: ReasonCode...) -> Packet { .subAck(SubAck(packetIdentifier: 1, reasonCodes: codes)) }

    private func message(_ identifier: UInt16, retain: Bool = false) -> Packet {
        .publish(
            Publish(topic: "t/x", payload: [65], qos: .atLeastOnce, packetIdentifier: identifier, retain: retain)
        )
    }

    @Test func `messages beyond the count are neither printed nor acknowledged`() throws {
        var scene = scene { $0.count = 2 }
        _ = try scene.connect()
        _ = scene.receive(answer(.grantedQoS1))
        let sent = scene.receive(message(1), message(2), message(3))
        #expect(sent.map(\.type) == [.pubAck, .pubAck])
        #expect(scene.task.ending == .success)
        #expect(scene.printed == 4)
    }

    @Test func `a refusal ends it`() throws {
        var scene = scene()
        _ = try scene.connect()
        _ = scene.receive(answer(.notAuthorized))
        #expect(scene.task.ending?.code == 1)
        #expect(scene.task.ending?.words == "the broker refused the subscription to t/#: not authorised (0x87)")
    }

    @Test func `one granted filter of two is enough to go on`() throws {
        var scene = scene { $0.requests.append(Subscribe.Request("u", SubscriptionOptions(qos: .atMostOnce))) }
        _ = try scene.connect()
        _ = scene.receive(answer(.notAuthorized, .success))
        #expect(scene.task.ending == nil)
    }

    @Test func `no answer to the subscription ends it`() throws {
        var scene = scene()
        _ = try scene.connect()
        _ = scene.pass(.seconds(10))
        #expect(scene.task.ending?.code == 3)
    }

    @Test(arguments: [(nil, 0), (5, 1)] as [(Int?, Int32)])
    func `the wait ends it, with a failure when messages are missing`(count: Int?, code: Int32) throws {
        var scene = scene {
            $0.wait = .seconds(1)
            $0.count = count
        }
        _ = try scene.connect()
        _ = scene.receive(answer(.grantedQoS1), message(1))
        #expect(scene.task.ending == nil)
        _ = scene.pass(.seconds(1))
        #expect(scene.task.ending?.code == code)
    }

    @Test(arguments: [(.all, 4), (.only, 2), (.none, 2)] as [(Subscriber.Wish.Retained, Int)])
    func `retained messages are wanted or not, and acknowledged in any case`(
        retained: Subscriber.Wish.Retained,
        printed: Int,
    ) throws {
        var scene = scene { $0.retained = retained }
        _ = try scene.connect()
        let sent = scene.receive(answer(.grantedQoS1), message(1, retain: true), message(2))
        #expect(sent.count == 2)
        #expect(scene.printed == printed)
    }

    @Test func `a session that the broker has kept is not subscribed again, a lost one is`() throws {
        var scene = scene()
        #expect(try scene.connect().map(\.type) == [.subscribe])
        _ = scene.receive(answer(.grantedQoS1))
        scene.lose()
        #expect(try scene.connect(ConnAck(sessionPresent: true)).isEmpty)
        scene.lose()
        #expect(try scene.connect().map(\.type) == [.subscribe])
    }

    @Test func `a subscription without an answer is repeated on the next connection`() throws {
        var scene = scene()
        _ = try scene.connect()
        scene.lose()
        #expect(try scene.connect(ConnAck(sessionPresent: true)).map(\.type) == [.subscribe])
    }

    @Test func `statistics come once a second`() throws {
        var scene = scene { $0.form = .statistics(json: false) }
        _ = try scene.connect()
        _ = scene.receive(answer(.grantedQoS1), message(1))
        #expect(scene.printed == 0)
        #expect(scene.task.deadline == .seconds(1))
        _ = scene.pass(.seconds(1))
        #expect(scene.printed > 0)
    }
}
