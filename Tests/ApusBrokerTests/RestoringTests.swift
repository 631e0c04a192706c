import ApusMemory
import ApusMessage
import ApusStore
import ApusTopics
import MQTTCodec
import Testing

@testable import ApusBroker

@Suite("What the store gives back at start")
struct RestoringTests {
    private let store = RecordingStore()
    private let harness: ShardHarness
    private let number = SessionNumber(rawValue: 40)

    init() { harness = ShardHarness(stores: [store]) }

    private func position(_ value: UInt64) -> StorePosition { StorePosition(rawValue: value) }

    private func message(_ topic: String, _ text: String, qos: QoS, at position: UInt64) -> Message {
        Message(topic: topic, payload: Array(text.utf8), qos: qos).stored(at: self.position(position))
    }

    private func record(away seconds: Int64? = 5, expiry: UInt32 = 100, will: StoredWill? = nil) -> SessionRecord {
        SessionRecord(
            clientID: "c",
            userName: nil,
            expirySeconds: expiry,
            disconnectedAt: seconds.map { harness.now.adding(seconds: -$0) },
            will: will,
        )
    }

    private func subscription(_ filter: String) throws -> StoredSubscription {
        StoredSubscription(filter: try TopicFilter(filter), options: .init(qos: .exactlyOnce), identifier: 0)
    }

    private func restore(_ session: RestoredSession) { harness.shards[0].restore([session]) }

    @Test(.spec("MQTT-3.1.2-5"))
    func `a session goes on with its subscriptions`() throws {
        restore(RestoredSession(number: number, record: record(), subscriptions: [try subscription("t")]))
        let publisher = harness.client("p")
        publisher.publish("t", "while away", qos: .atLeastOnce, id: 1)
        let client = harness.client("c", clean: false, expiry: 100)
        #expect(client.connAck?.sessionPresent == true)
        #expect(client.takePayloads() == ["while away"])
        publisher.publish("t", "live", qos: .atLeastOnce, id: 2)
        #expect(client.takePayloads() == ["live"])
    }

    @Test func `what waited comes first, in order, then what comes in`() throws {
        store.queues[number] = (1...3).map {
            Delivery(message: message("t", "m\($0)", qos: .atLeastOnce, at: $0), qos: .atLeastOnce, retain: false)
        }
        restore(RestoredSession(number: number, record: record(), subscriptions: [try subscription("t")]))
        harness.client("p").publish("t", "m4", qos: .atLeastOnce, id: 1)
        #expect(harness.client("c", clean: false, expiry: 100).takePayloads() == ["m1", "m2", "m3", "m4"])
    }

    @Test(.spec("MQTT-4.4.0-1"))
    func `QoS 2 messages under way go on with their identifiers`() {
        store.stored[position(9)] = message("t", "once", qos: .exactlyOnce, at: 9)
        let recipient = Recipient(session: number, qos: .exactlyOnce)
        restore(
            RestoredSession(
                number: number,
                record: record(),
                outbound: [
                    .init(identifier: 12, message: (position(9), recipient)), .init(identifier: 13, message: nil),
                ],
            )
        )
        let client = harness.client("c", clean: false, expiry: 100)
        let packets = client.takeAll()
        guard case .publish(let publish)? = packets.first, case .acknowledgement(let release)? = packets.last else {
            Issue.record("not a PUBLISH and a PUBREL: \(packets)")
            return
        }
        #expect(publish.packetIdentifier == 12 && publish.dup && publish.text == "once")
        #expect(release.type == .pubRel && release.packetIdentifier == 13)
        _ = store.takeLines()
        client.acknowledge(.pubComp, 13)
        client.acknowledge(.pubRec, 12)
        client.acknowledge(.pubComp, 12)
        #expect(store.takeLines() == ["40 completed 13", "40 received 12", "40 completed 12"])
    }

    @Test(.spec("MQTT-4.3.3-10"))
    func `a QoS 2 message taken over before is not passed on again`() throws {
        let watcher = harness.client("watcher")
        watcher.subscribe("t", qos: .exactlyOnce)
        restore(RestoredSession(number: number, record: record(), inbound: [5]))
        let client = harness.client("c", clean: false, expiry: 100)
        client.publish("t", "twice", qos: .exactlyOnce, id: 5, dup: true)
        #expect(client.takeAcknowledgements().map(\.type) == [.pubRec])
        #expect(watcher.takePayloads().isEmpty)
        _ = store.takeLines()
        client.acknowledge(.pubRel, 5)
        #expect(store.takeLines() == ["40 released 5"])
        client.publish("t", "new", qos: .exactlyOnce, id: 5)
        #expect(watcher.takePayloads() == ["new"])
    }

    @Test func `a session whose time has passed ends at once, one with time left when that is over`() throws {
        restore(RestoredSession(number: number, record: record(away: 200), subscriptions: [try subscription("t")]))
        harness.advance(seconds: 0.1)
        #expect(harness.sessionCount == 0)
        #expect(store.takeLines() == ["40 ended"])
        restore(RestoredSession(number: SessionNumber(rawValue: 41), record: record(away: 60)))
        harness.advance(seconds: 39)
        #expect(harness.sessionCount == 1)
        harness.advance(seconds: 2)
        #expect(harness.sessionCount == 0)
    }

    @Test(.spec("MQTT-3.1.2-23"))
    func `a client that comes before its old session's timer does not get it`() {
        restore(RestoredSession(number: number, record: record(away: 200)))
        #expect(harness.client("c", clean: false, expiry: 100).connAck?.sessionPresent == false)
        #expect(store.takeLines() == ["40 ended", "1 state c 100"])
    }

    @Test func `a session that was connected counts from the start, and its will is published`() {
        let watcher = harness.client("watcher")
        watcher.subscribe("w", qos: .atLeastOnce)
        let will = StoredWill(
            topic: Array("w".utf8),
            properties: [],
            payload: Array("gone".utf8),
            qos: .atLeastOnce,
            retain: false,
            delaySeconds: 10,
            expirySeconds: nil,
        )
        restore(RestoredSession(number: number, record: record(away: nil, will: will)))
        #expect(store.takeLines() == ["40 record c 100 away will due"])
        harness.advance(seconds: 9)
        #expect(watcher.takePayloads().isEmpty)
        harness.advance(seconds: 2)
        #expect(watcher.takePayloads() == ["gone"])
        #expect(harness.sessionCount == 2)
        harness.advance(seconds: 100)
        #expect(harness.sessionCount == 1)
    }

    private func will(_ text: String) -> StoredWill {
        StoredWill(
            topic: Array("w".utf8),
            properties: [],
            payload: Array(text.utf8),
            qos: .atLeastOnce,
            retain: false,
            delaySeconds: 0,
            expirySeconds: nil,
        )
    }

    @Test func `a will without delay reaches those too that are restored after its session`() throws {
        let lost = RestoredSession(number: number, record: record(away: nil, will: will("gone")))
        let watcher = RestoredSession(
            number: SessionNumber(rawValue: 41),
            record: SessionRecord(clientID: "watcher", expirySeconds: 100, disconnectedAt: harness.now),
            subscriptions: [try subscription("w")],
        )
        harness.shards[0].restore([lost, watcher])
        harness.advance(seconds: 0.1)
        #expect(harness.client("watcher", clean: false, expiry: 100).takePayloads() == ["gone"])
    }

    @Test(.spec("MQTT-3.1.3-9"))
    func `a will that is due is published though its client is back before the first timer`() {
        let watcher = harness.client("watcher")
        watcher.subscribe("w", qos: .atLeastOnce)
        restore(RestoredSession(number: number, record: record(away: nil, will: will("gone"))))
        #expect(harness.client("c", clean: false, expiry: 100).connAck?.sessionPresent == true)
        #expect(watcher.takePayloads() == ["gone"])
        harness.advance(seconds: 1)
        #expect(watcher.takePayloads().isEmpty)
    }

    @Test func `a member of a shared subscription gets what waited for the group while it was away`() throws {
        restore(RestoredSession(number: number, record: record(), subscriptions: [try subscription("$share/g/t")]))
        harness.client("p").publish("t", "m", qos: .atLeastOnce, id: 1)
        #expect(harness.client("c", clean: false, expiry: 100).takePayloads() == ["m"])
    }

    @Test func `another user does not get a restored session`() {
        var record = record()
        record.userName = "alice"
        restore(RestoredSession(number: number, record: record))
        let thief = harness.connect("c", clean: false) { $0.userName = "mallory" }
        #expect(thief.takeConnAck()?.reasonCode == .clientIdentifierNotValid)
    }

    @Test func `retained messages come back, and the newer of two for one topic stays`() {
        for at in 1...2 as ClosedRange<UInt64> {
            store.stored[position(at)] = Message(topic: "r", payload: [UInt8(at)], retain: true).stored(
                at: position(at)
            )
        }
        harness.shards[0].restoreRetained([position(1), position(2), position(3)])
        #expect(store.takeLines() == ["finished by retained"])
        let client = harness.client("x")
        client.subscribe("r")
        #expect(client.takePublishes().map(\.payload) == [[2]])
        #expect(harness.dropped(.unreadable) == 1)
    }

    // MARK: - Instances that are gone

    @Test func `what is left of a deleted instance is dropped, counted, and told`() throws {
        let gone = InstanceNumber(rawValue: 7)
        let watcher = harness.client("watcher")
        watcher.subscribe("#", qos: .atLeastOnce)
        let will = StoredWill(
            topic: Array("w".utf8),
            properties: [],
            payload: [],
            qos: .atLeastOnce,
            retain: true,
            delaySeconds: 0,
            expirySeconds: nil,
        )
        for (index, away) in ([5, nil] as [Int64?]).enumerated() {
            let number = SessionNumber(rawValue: 40 + UInt32(index))
            var record = record(away: away, will: will)
            record.instance = gone
            record.clientID = "c\(index)"
            let at = UInt64(index * 10)
            store.queues[number] = (1...3).map {
                Delivery(
                    message: message("t", "m\($0)", qos: .atLeastOnce, at: at + $0),
                    qos: .atLeastOnce,
                    retain: false
                )
            }
            store.stored[position(at + 9)] = message("t", "once", qos: .exactlyOnce, at: at + 9)
            let outbound = RestoredSession.Outbound(
                identifier: 12,
                message: (position(at + 9), Recipient(session: number, qos: .exactlyOnce)),
            )
            harness.shards[0].restore(
                [
                    RestoredSession(
                        number: number,
                        record: record,
                        subscriptions: [try subscription("t")],
                        outbound: [outbound],
                    )
                ],
                keeping: { $0 != gone },
            )
        }
        #expect(harness.sessionCount == 1, "the watcher's")
        #expect(store.takeLines().filter { $0.hasSuffix("ended") } == ["40 ended", "41 ended"])
        harness.advance(seconds: 1_000)
        #expect(watcher.takePayloads().isEmpty)
        #expect(harness.dropped(.sessionEnded) == 8)
        #expect(
            remains == ["number 7, sessions 1, messages 4, retained 0", "number 7, sessions 1, messages 4, retained 0"]
        )
    }

    @Test func `retained messages of a deleted instance are dropped, others kept`() {
        for (at, instance) in [(1, 0), (2, 7), (3, 8), (4, 7)] as [(UInt64, UInt32)] {
            store.stored[position(at)] = Message(
                topic: "r\(at)",
                payload: [UInt8(at)],
                retain: true,
                instance: InstanceNumber(rawValue: instance),
            )
            .stored(at: position(at))
        }
        harness.shards[0].restoreRetained((1...4).map(position), keeping: { $0.rawValue != 7 })
        #expect(store.takeLines() == ["finished by retained", "finished by retained"])
        #expect(harness.broker.instance(.none).retained.count == 1)
        #expect(harness.broker.instance(InstanceNumber(rawValue: 8)).retained.count == 1)
        #expect(remains == ["number 7, sessions 0, messages 0, retained 2"])
    }

    /// The events, in short.
    private var remains: [String] {
        harness.events.fields(of: "instance.remains_dropped").map { event in
            ["number", "sessions", "messages", "retained"].map { "\($0) \(event[$0] ?? "none")" }
                .joined(separator: ", ")
        }
    }
}
