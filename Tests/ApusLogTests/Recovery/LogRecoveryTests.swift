import ApusMessage
import ApusStore
import ApusTopics
import MQTTCodec
import Testing

@testable import ApusLog

@Suite("Recovery")
struct LogRecoveryTests {
    private func number(_ value: UInt32) -> SessionNumber { SessionNumber(rawValue: value) }

    @Test
    func `a batch written twice counts once`() {
        var fixture = LogFixture()
        fixture.append(1) { $0.session(1) }
        let batch = LogFixture.batch(2) { $0.message(to: [recipient(1)]) }
        fixture.append(batch)
        fixture.append(3) { _ = $0.finished(StorePosition(rawValue: 2 << 20 | 5), by: number(1)) }
        fixture.beginSegment()
        fixture.append(batch)
        let log = fixture.recover()
        #expect(log.queue(1).isEmpty)
        #expect(log.place(of: 2)?.segment == 1)
        #expect(log.damage.isEmpty)
    }

    @Test
    func `a batch whose first copy is damaged counts where it is whole`() {
        var fixture = LogFixture()
        fixture.append(1) { $0.session(1) }
        let batch = LogFixture.batch(2) { builder in
            for text in ["one", "two", "three"] { builder.message(text, to: [recipient(1)]) }
        }
        let start = fixture.segments[0].count
        fixture.append(batch)
        fixture.segments[0][start + BatchHeader.byteCount + 30] ^= 1
        fixture.beginSegment()
        fixture.append(batch)
        let log = fixture.recover()
        #expect(log.queue(1).count == 3)
        #expect(log.queue(1) == log.queue(1).sorted())
        #expect(log.place(of: 2)?.segment == 2)
    }

    @Test(arguments: [false, true])
    func `a moved message keeps its position, with its first copy there or not`(oldSegmentIsThere: Bool) throws {
        var fixture = LogFixture()
        var position = StorePosition.none
        fixture.append(1) { builder in
            builder.session(9)
            position = builder.message("old", to: [recipient(1), recipient(2)])
        }
        fixture.beginSegment()
        fixture.append(2) { builder in
            for session in 1...2 as ClosedRange<UInt32> { builder.session(session) }
            builder.message("new", to: [recipient(1), recipient(2)])
            _ = builder.finished(position, by: number(2))
        }
        fixture.append(3) { $0.message("old", origin: position, to: [recipient(1)]) }
        if !oldSegmentIsThere { fixture.segments.removeFirst() }
        let log = fixture.recover(first: oldSegmentIsThere ? 1 : 2)
        #expect(log.queue(1).map(\.batchNumber) == [1, 2])
        #expect(log.queue(1).first == position)
        #expect(log.queue(2).map(\.batchNumber) == [2])
        #expect(log.relocations.map(\.origin) == [position])
        #expect(log.copy(of: position).batchNumber == 3)
        #expect(try #require(log.place(of: 3)).liveReferences == 1)
        #expect(log.nextBatchNumber == 4)
        if oldSegmentIsThere { #expect(log.segments[0].liveBytes < 100) }
    }

    @Test
    func `a moved copy does not take its publisher's packet identifier again`() {
        var fixture = LogFixture()
        var header = MessageHeader(qos: .exactlyOnce, retain: false)
        (header.publisher, header.packetIdentifier) = (number(1), 7)
        var position = StorePosition.none
        fixture.append(1) { builder in
            builder.session(1)
            builder.session(2)
            position = builder.message(header: header, to: [recipient(2)])
        }
        #expect(fixture.recover().session(1)?.inbound == [7])
        fixture.append(2) { _ = $0.record(.released(7), of: number(1)) }
        fixture.append(3) { $0.message(header: header, origin: position, to: [recipient(2)]) }
        #expect(fixture.recover().session(1)?.inbound == [])
    }

    @Test
    func `a message assigned to a further session gets the size of the message`() {
        var fixture = LogFixture()
        fixture.append(1) { builder in
            builder.session(1)
            builder.session(2)
            let position = builder.message("12345", topic: "topic", to: [recipient(1)])
            _ = builder.finished(position, by: number(1))
            _ = builder.assigned(position, to: recipient(2, group: "$share/g/topic"))
        }
        let log = fixture.recover()
        #expect(log.queue(1).isEmpty)
        #expect(log.queues[number(2)]?.map(\.size) == [106])
        #expect(log.extras.values.map { $0.group?.fullText } == ["$share/g/topic"])
    }

    @Test
    func `the last word on a message counts`() {
        var fixture = LogFixture()
        var position = StorePosition.none
        fixture.append(1) { builder in
            builder.session(1)
            position = builder.message(to: [recipient(1)])
            builder.message(to: [recipient(1)])
            _ = builder.finished(position, by: number(1))
            _ = builder.assigned(position, to: recipient(1))
        }
        #expect(fixture.recover().queue(1).count == 2)
        #expect(fixture.recover().queue(1).first == position)
        fixture.append(2) { _ = $0.finished(position, by: number(1)) }
        #expect(fixture.recover().queue(1).count == 1)
    }

    @Test
    func `references to messages that are nowhere count for nothing`() {
        var fixture = LogFixture()
        let unknown = StorePosition(rawValue: 77 << 20 | 5)
        fixture.append(1) { builder in
            builder.session(1)
            _ = builder.assigned(unknown, to: recipient(1))
            _ = builder.record(.sent(3, unknown, recipient(1, qos: .exactlyOnce)), of: number(1))
            _ = builder.finished(unknown, by: number(2))
            _ = builder.finished(unknown, by: number(1))
            _ = builder.assigned(StorePosition(rawValue: 1 << 20 | 5), to: recipient(1))
        }
        let log = fixture.recover()
        #expect(log.queue(1).isEmpty)
        #expect(log.session(1)?.outbound.isEmpty == true)
        #expect(log.danglingReferences == 2)
        #expect(log.nextBatchNumber > 1)
    }

    @Test
    func `an ended session stays ended, whatever other shards still say of it`() {
        var fixture = LogFixture()
        fixture.append(1) { builder in
            builder.session(1)
            builder.message(to: [recipient(1)])
        }
        fixture.append(2) { _ = $0.record(.ended, of: number(1)) }
        fixture.append(3, shard: 1) { $0.message(to: [recipient(1)]) }
        let log = fixture.recover()
        #expect(log.sessions.isEmpty)
        #expect(log.queues.isEmpty)
        #expect(log.nextSessionNumber == 2)
    }

    @Test
    func `a message may come before its session's state`() {
        var fixture = LogFixture()
        fixture.append(1) { $0.message(to: [recipient(1)]) }
        fixture.append(2) { $0.session(1) }
        #expect(fixture.recover().queue(1).count == 1)
    }

    @Test
    func `messages for sessions without a state are dropped and counted`() {
        var fixture = LogFixture()
        fixture.append(1) { $0.message(to: [recipient(41)]) }
        let log = fixture.recover()
        #expect(log.queues.isEmpty)
        #expect(log.danglingReferences == 1)
        #expect(log.nextSessionNumber == 42)
    }

    @Test
    func `a state recorded anew voids what was recorded before but not the queue`() throws {
        var fixture = LogFixture()
        fixture.append(1) { builder in
            builder.session(1, clientID: "before")
            let subscription = StoredSubscription(
                filter: try! TopicFilter("a"),
                options: .init(qos: .atLeastOnce),
                identifier: 0
            )
            _ = builder.record(.subscribed(subscription), of: number(1))
            _ = builder.record(.inbound(5), of: number(1))
            builder.message(to: [recipient(1)])
        }
        fixture.beginSegment()
        fixture.append(2) { $0.session(1, clientID: "after") }
        let log = fixture.recover()
        let session = try #require(log.session(1))
        #expect(session.record.clientID == "after")
        #expect(session.subscriptions.isEmpty)
        #expect(session.inbound.isEmpty)
        #expect(log.queue(1).count == 1)
        #expect(log.states[number(1)]?.segment == 2)
    }

    @Test
    func `a QoS 2 message under way is not in the queue, and after PUBREC only its identifier is left`() throws {
        var fixture = LogFixture()
        var position = StorePosition.none
        fixture.append(1) { builder in
            builder.session(1)
            position = builder.message(to: [recipient(1, qos: .exactlyOnce)])
            _ = builder.record(.sent(3, position, recipient(1, qos: .exactlyOnce)), of: number(1))
        }
        var log = fixture.recover()
        #expect(log.queue(1).isEmpty)
        #expect(try #require(log.session(1)).outbound.map { $0.message?.position } == [position])
        #expect(log.place(of: 1)?.liveReferences == 1)
        fixture.append(2) { _ = $0.record(.received(3, position), of: number(1)) }
        log = fixture.recover()
        #expect(log.queue(1).isEmpty)
        let outbound = try #require(log.session(1)).outbound
        #expect(outbound.map(\.identifier) == [3])
        #expect(outbound.allSatisfy { $0.message == nil })
        #expect(log.place(of: 1)?.liveReferences == 0)
        fixture.append(3) { _ = $0.record(.completed(3), of: number(1)) }
        #expect(fixture.recover().session(1)?.outbound.isEmpty == true)
    }

    @Test
    func `overlapping subscriptions are one delivery with the highest QoS and all identifiers`() throws {
        var fixture = LogFixture()
        var retained = recipient(1, qos: .atLeastOnce, identifier: 6)
        retained.retain = true
        fixture.append(1) { builder in
            builder.session(1)
            builder.message(to: [recipient(1), recipient(1, qos: .exactlyOnce, identifier: 5), retained, recipient(2)])
            #expect(builder.references == 2)
        }
        let log = fixture.recover()
        let entry = try #require(log.queues[number(1)]?.first)
        #expect(log.queues[number(1)]?.count == 1)
        #expect(entry.spec.qos == .exactlyOnce)
        #expect(entry.spec.retain)
        #expect(entry.spec.subscriptionIdentifier == 5)
        let key = QueueExtraKey(session: number(1), position: entry.position)
        #expect(log.extras[key] == QueueExtra(furtherSubscriptionIdentifiers: [6]))
    }

    @Test
    func `retained messages are held until the retained store lets go`() {
        var fixture = LogFixture()
        let header = MessageHeader(qos: .atLeastOnce, retain: true, isKeptAsRetained: true)
        var positions: [StorePosition] = []
        fixture.append(1) { builder in
            for _ in 0..<3 { positions.append(builder.message(header: header, to: [])) }
            _ = builder.finished(positions[1], by: .retained)
        }
        let log = fixture.recover()
        #expect(log.retained == [positions[0], positions[2]])
        #expect(log.place(of: 1)?.references == 3)
        #expect(log.place(of: 1)?.liveReferences == 2)
    }

    @Test
    func `a retained message that was replaced before its own batch was handed over stays replaced`() {
        let header = MessageHeader(qos: .atLeastOnce, retain: true, isKeptAsRetained: true)
        var replaced = StorePosition.none
        // Begun later by one shard, handed over later too; the other shard has seen its message in memory already.
        let late = LogFixture.batch(2, shard: 1) { replaced = $0.message("old", header: header, to: []) }
        var newer = StorePosition.none
        var fixture = LogFixture()
        fixture.append(1) { builder in
            newer = builder.message("new", header: header, to: [])
            _ = builder.finished(replaced, by: .retained)
        }
        fixture.append(late)
        #expect(fixture.recover().retained == [newer])
    }

    @Test
    func `progress comes to the end`() {
        var fixture = LogFixture()
        fixture.append(1) { $0.session(1) }
        var reports: [LogRecovery.Progress] = []
        _ = LogRecovery.recover(fixture.sources()) { reports.append($0) }
        #expect(reports.last?.bytesRead == fixture.segments[0].count)
        #expect(reports.last?.records == 1)
    }
}
