import ApusMessage
import ApusSession
import ApusTopics
import MQTTCodec
import Testing

@Suite("Outbound publishes")
struct OutboundPublishesTests {
    @Test(.spec("MQTT-2.2.1-2", "MQTT-2.2.1-3"))
    func `identifiers ascend from 1`() {
        let window = WindowTranscript(window: 3)
        #expect(window.isEmpty)
        #expect(window.sent(.atLeastOnce, keeping: nil) == 1)
        #expect(window.sent(.exactlyOnce, keeping: nil) == 2)
        #expect(window.sent(.atLeastOnce, keeping: nil) == 3)
        #expect(!window.hasRoom)
        #expect(window.outstandingCount == 3)
    }

    @Test func `a PUBACK finishes a QoS 1 message and gives its delivery back`() {
        let window = WindowTranscript(window: 1)
        let id = window.sent(.atLeastOnce, keeping: .named("a"))
        #expect(!window.hasRoom)
        #expect(window.receivedPubAck(id) == "finished a")
        #expect(window.hasRoom)
        #expect(window.isEmpty)
        #expect(window.receivedPubAck(id) == "unknown")
    }

    @Test(.spec("MQTT-4.3.3-4"))
    func `QoS 2 goes from PUBREC to PUBREL to PUBCOMP`() {
        let window = WindowTranscript(window: 1)
        let id = window.sent(.exactlyOnce, keeping: .named("a"))
        #expect(window.receivedPubRec(id, refused: false) == "release a")
        #expect(window.receivedPubRec(id, refused: false) == "release -")
        #expect(!window.hasRoom)
        #expect(window.receivedPubComp(id) == "finished -")
        #expect(window.receivedPubComp(id) == "unknown")
        #expect(window.hasRoom)
    }

    @Test(.spec("MQTT-4.3.3-4"))
    func `a refusing PUBREC ends the exchange`() {
        let window = WindowTranscript(window: 1)
        let id = window.sent(.exactlyOnce, keeping: .named("a"))
        #expect(window.receivedPubRec(id, refused: true) == "finished a")
        #expect(window.hasRoom)
    }

    @Test func `an acknowledgement of the other QoS is the wrong packet`() {
        let window = WindowTranscript(window: 2)
        let one = window.sent(.atLeastOnce, keeping: nil)
        let two = window.sent(.exactlyOnce, keeping: nil)
        #expect(window.receivedPubRec(one, refused: false) == "wrongPacket")
        #expect(window.receivedPubComp(one) == "wrongPacket")
        #expect(window.receivedPubAck(two) == "wrongPacket")
        #expect(window.receivedPubComp(two) == "wrongPacket")
        #expect(window.receivedPubRec(two, refused: false) == "release -")
        #expect(window.receivedPubAck(two) == "wrongPacket")
        #expect(window.outstandingCount == 2)
    }

    @Test(arguments: [0, 2, 65_535] as [PacketIdentifier])
    func `an identifier that is not under way is unknown`(id: PacketIdentifier) {
        let window = WindowTranscript(window: 4)
        _ = window.sent(.atLeastOnce, keeping: nil)
        #expect(window.receivedPubAck(id) == "unknown")
        #expect(window.receivedPubRec(id, refused: false) == "unknown")
        #expect(window.receivedPubComp(id) == "unknown")
        #expect(window.outstandingCount == 1)
    }

    @Test func `acknowledgements out of order finish each its own message`() {
        let window = WindowTranscript(window: 4)
        for name in ["a", "b", "c", "d"] { _ = window.sent(.atLeastOnce, keeping: .named(name)) }
        #expect(window.receivedPubAck(3) == "finished c")
        #expect(window.receivedPubAck(3) == "unknown")
        #expect(window.hasRoom)
        #expect(window.sent(.atLeastOnce, keeping: .named("e")) == 5)
        #expect(window.receivedPubAck(1) == "finished a")
        #expect(window.receivedPubAck(2) == "finished b")
        #expect(window.receivedPubAck(5) == "finished e")
        #expect(window.receivedPubAck(4) == "finished d")
        #expect(window.isEmpty)
    }

    @Test(.spec("MQTT-2.2.1-3"))
    func `identifiers wrap from 65,535 to 1 and skip nothing in use`() {
        let window = WindowTranscript(window: 10)
        for expected in 1...65_534 {
            let id = window.sent(.atLeastOnce, keeping: nil)
            #expect(id == PacketIdentifier(expected))
            _ = window.receivedPubAck(id)
        }
        let ids = (0..<4).map { _ in window.sent(.atLeastOnce, keeping: nil) }
        #expect(ids == [65_535, 1, 2, 3])
        #expect(window.receivedPubAck(2) == "finished -")
        #expect(window.receivedPubAck(65_535) == "finished -")
        #expect(window.receivedPubAck(3) == "finished -")
        #expect(window.receivedPubAck(1) == "finished -")
        #expect(window.isEmpty)
    }

    @Test func `an unanswered message keeps its identifier however many pass it`() {
        let window = WindowTranscript(window: .max)
        let first = window.sent(.atLeastOnce, keeping: nil)
        for _ in 1..<65_535 {
            let id = window.sent(.atLeastOnce, keeping: nil)
            #expect(id != first)
            _ = window.receivedPubAck(id)
        }
        // All identifiers behind the unanswered one are spent: wait rather than reuse.
        #expect(!window.hasRoom)
        #expect(window.receivedPubAck(first) == "finished -")
        #expect(window.hasRoom)
        #expect(window.isEmpty)
    }

    // MARK: - Repetition

    @Test(.spec("MQTT-4.4.0-1"))
    func `a new connection repeats what is unfinished in order with the same identifiers`() {
        let window = WindowTranscript(window: 5)
        _ = window.sent(.atLeastOnce, keeping: .named("a"))
        _ = window.sent(.exactlyOnce, keeping: .named("b"))
        _ = window.sent(.exactlyOnce, keeping: .named("c"))
        _ = window.sent(.atLeastOnce, keeping: .named("d"))
        _ = window.receivedPubRec(2, refused: false)
        _ = window.receivedPubAck(1)
        #expect(window.nextRepetition() == nil)
        window.connectionStarted(window: 5)
        #expect(window.mustRepeat)
        #expect(!window.hasRoom)
        #expect(window.nextRepetition() == "release 2")
        #expect(window.nextRepetition() == "publish 3 c")
        #expect(window.nextRepetition() == "publish 4 d")
        #expect(window.nextRepetition() == nil)
        #expect(!window.mustRepeat)
        #expect(window.sent(.atLeastOnce, keeping: .named("e")) == 5)
        #expect(window.outstandingCount == 4)
    }

    @Test(.spec("MQTT-3.3.4-9"))
    func `a smaller window on resume holds the repetition back`() {
        let window = WindowTranscript(window: 4)
        for name in ["a", "b", "c", "d"] { _ = window.sent(.atLeastOnce, keeping: .named(name)) }
        window.connectionStarted(window: 2)
        #expect(window.nextRepetition() == "publish 1 a")
        #expect(window.nextRepetition() == "publish 2 b")
        #expect(window.nextRepetition() == nil)
        #expect(window.mustRepeat)
        #expect(!window.hasRoom)
        #expect(window.receivedPubAck(3) == "unknown")
        #expect(window.receivedPubAck(2) == "finished b")
        #expect(window.nextRepetition() == "publish 3 c")
        #expect(window.nextRepetition() == nil)
        #expect(window.receivedPubAck(1) == "finished a")
        #expect(window.receivedPubAck(3) == "finished c")
        #expect(window.nextRepetition() == "publish 4 d")
        #expect(!window.mustRepeat)
        #expect(window.hasRoom)
    }

    @Test func `a second connection repeats again from the start`() {
        let window = WindowTranscript(window: 4)
        for name in ["a", "b", "c"] { _ = window.sent(.atLeastOnce, keeping: .named(name)) }
        window.connectionStarted(window: 1)
        #expect(window.nextRepetition() == "publish 1 a")
        _ = window.receivedPubAck(1)
        #expect(window.nextRepetition() == "publish 2 b")
        window.connectionStarted(window: 9)
        #expect(window.outstandingCount == 0)
        #expect(window.nextRepetition() == "publish 2 b")
        #expect(window.nextRepetition() == "publish 3 c")
        #expect(window.nextRepetition() == nil)
    }

    @Test func `an entry nobody kept is not repeated`() {
        let window = WindowTranscript(window: 4)
        _ = window.sent(.atLeastOnce, keeping: nil)
        _ = window.sent(.atLeastOnce, keeping: .named("b"))
        window.connectionStarted(window: 4)
        #expect(window.nextRepetition() == "publish 2 b")
        #expect(window.nextRepetition() == nil)
        #expect(window.receivedPubAck(1) == "unknown")
        #expect(window.receivedPubAck(2) == "finished b")
        #expect(window.isEmpty)
    }

    @Test func `a PUBREC that crosses the repetition does not make the message be sent twice`() {
        let window = WindowTranscript(window: 4)
        for name in ["a", "b"] { _ = window.sent(.exactlyOnce, keeping: .named(name)) }
        window.connectionStarted(window: 1)
        #expect(window.nextRepetition() == "publish 1 a")
        // The receiver repeats what it owes from the last connection before the broker came to message 2.
        #expect(window.receivedPubRec(2, refused: false) == "noted b")
        #expect(window.receivedPubRec(1, refused: false) == "release a")
        #expect(window.receivedPubComp(1) == "finished -")
        #expect(window.nextRepetition() == "release 2")
        #expect(window.receivedPubComp(2) == "finished -")
        #expect(window.isEmpty)
    }

    // MARK: - Shared subscriptions and the end

    @Test(.spec("MQTT-4.8.2-5"))
    func `only QoS 1 messages of shared subscriptions are taken out`() throws {
        let group = try SharedGroup.sample()
        let window = WindowTranscript(window: 9)
        _ = window.sent(.atLeastOnce, keeping: .named("own"))
        _ = window.sent(.atLeastOnce, keeping: .named("shared", group: group))
        _ = window.sent(.exactlyOnce, keeping: .named("shared 2", group: group))
        _ = window.sent(.atLeastOnce, keeping: .named("more", group: group))
        #expect(window.takeShared() == ["shared", "more"])
        #expect(window.outstandingCount == 2)
        #expect(window.unfinished == ["own", "shared 2"])
        #expect(window.takeShared().isEmpty)
        #expect(window.receivedPubAck(2) == "unknown")
        window.connectionStarted(window: 9)
        #expect(window.nextRepetition() == "publish 1 own")
        #expect(window.nextRepetition() == "publish 3 shared 2")
        #expect(window.nextRepetition() == nil)
        #expect(window.sent(.atLeastOnce, keeping: nil) == 5)
    }

    @Test func `taking shared messages out of the front leaves the ring usable`() throws {
        let group = try SharedGroup.sample()
        let window = WindowTranscript(window: 2)
        _ = window.sent(.atLeastOnce, keeping: .named("a", group: group))
        _ = window.sent(.atLeastOnce, keeping: .named("b", group: group))
        window.connectionStarted(window: 2)
        #expect(window.takeShared() == ["a", "b"])
        #expect(window.nextRepetition() == nil)
        #expect(window.isEmpty)
        #expect(window.hasRoom)
        #expect(window.sent(.atLeastOnce, keeping: nil) == 3)
    }

    @Test(.spec("MQTT-4.3.3-6"))
    func `a message that its receiver owns is not among the unfinished`() {
        let window = WindowTranscript(window: 9)
        _ = window.sent(.exactlyOnce, keeping: .named("a"))
        _ = window.sent(.exactlyOnce, keeping: .named("b"))
        _ = window.receivedPubRec(1, refused: false)
        #expect(window.unfinished == ["b"])
    }

    // MARK: - Over a restart

    private func underWay(_ id: PacketIdentifier, _ name: String?) -> OutboundPublishes.UnderWay {
        OutboundPublishes.UnderWay(
            identifier: id,
            delivery: name.map { .named($0, qos: .exactlyOnce) },
            isReceived: name == nil
        )
    }

    private func repetitions(_ window: inout OutboundPublishes) -> [String] {
        var texts: [String] = []
        window.connectionStarted(window: 100)
        while let next = window.nextRepetition() { texts.append(next.text) }
        return texts
    }

    @Test(.spec("MQTT-4.4.0-1"))
    func `what was under way at a restart is repeated with its identifiers, and new ones follow`() {
        var window = OutboundPublishes(window: 100)
        window.restore([underWay(65_534, "a"), underWay(65_535, nil), underWay(3, "b")])
        #expect(repetitions(&window) == ["publish 65534 a", "release 65535", "publish 3 b"])
        #expect(window.sent(.exactlyOnce, keeping: nil) == 4)
        #expect(window.receivedPubComp(65_535).text == "finished -")
        #expect(window.receivedPubRec(2, refused: false).text == "unknown")
    }

    @Test func `identifiers that do not ascend are left out`() {
        var window = OutboundPublishes(window: 100)
        window.restore([underWay(5, "a"), underWay(5, "again"), underWay(4, "behind"), underWay(9, "b")])
        #expect(repetitions(&window).first == "publish 5 a")
        #expect(window.unfinished.map(\.name).contains("again") == false)
    }

    @Test func `what goes over a restart is what comes back`() {
        var window = OutboundPublishes(window: 100)
        for name in ["a", "b", "c"] { _ = window.sent(.exactlyOnce, keeping: .named(name, qos: .exactlyOnce)) }
        _ = window.receivedPubRec(2, refused: false)
        var restored = OutboundPublishes(window: 100)
        restored.restore(window.underWay)
        #expect(repetitions(&restored) == ["publish 1 a", "release 2", "publish 3 c"])
    }
}
