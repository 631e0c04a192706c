import ApusMessage
import ApusStore
import ApusTopics
import MQTTCodec

@testable import ApusLog

/// Records of all kinds with random contents.
struct RandomRecords {
    var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &generator) }

    mutating func bytes(upTo count: Int) -> [UInt8] {
        (0..<number(0..<count + 1)).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    mutating func text() -> String {
        String((0..<number(1..<12)).map { _ in "abcäß€😀/".randomElement(using: &generator)! })
    }

    mutating func filter(sharedIsAllowed: Bool = true) -> TopicFilter {
        let text = text() + ["", "/+", "/#"].randomElement(using: &generator)!
        return try! TopicFilter(sharedIsAllowed && number(0..<4) == 0 ? "$share/g\(number(0..<9))/\(text)" : text)
    }

    mutating func session() -> SessionNumber { SessionNumber(rawValue: UInt32(number(1..<9))) }

    mutating func position() -> StorePosition { StorePosition(rawValue: .random(in: 0 ... .max, using: &generator)) }

    mutating func identifier() -> PacketIdentifier { PacketIdentifier(number(1..<65_536)) }

    mutating func recipient() -> Recipient {
        var group: TopicFilter?
        if number(0..<4) == 0 { group = try! TopicFilter("$share/h\(number(0..<9))/\(text())") }
        return Recipient(
            session: session(),
            subscriptionIdentifier: number(0..<3) == 0 ? UInt32(number(1..<268_435_456)) : 0,
            qos: number(0..<2) == 0 ? .atLeastOnce : .exactlyOnce,
            retain: number(0..<2) == 0,
            group: group,
        )
    }

    mutating func sessionRecord() -> SessionRecord {
        var record = SessionRecord(clientID: number(0..<5) == 0 ? "" : text(), expirySeconds: UInt32(number(0..<1000)))
        if number(0..<2) == 0 { record.userName = number(0..<5) == 0 ? "" : text() }
        if number(0..<2) == 0 { record.disconnectedAt = Timestamp(milliseconds: Int64(number(0..<1 << 40))) }
        if number(0..<2) == 0 { record.willDueAt = Timestamp(milliseconds: Int64(number(0..<1 << 40))) }
        if number(0..<2) == 0 {
            record.will = StoredWill(
                topic: bytes(upTo: 20),
                properties: bytes(upTo: 20),
                payload: bytes(upTo: 50),
                qos: QoS.allCases.randomElement(using: &generator)!,
                retain: number(0..<2) == 0,
                delaySeconds: UInt32(number(0..<100)),
                expirySeconds: number(0..<2) == 0 ? nil : UInt32(number(0..<100)),
            )
        }
        return record
    }

    mutating func change() -> SessionChange {
        switch number(0..<10) {
        case 0: .state(sessionRecord())
        case 1: .record(sessionRecord())
        case 2:
            .subscribed(
                StoredSubscription(
                    filter: filter(),
                    options: SubscriptionOptions(
                        qos: QoS.allCases.randomElement(using: &generator)!,
                        noLocal: number(0..<2) == 0,
                        retainAsPublished: number(0..<2) == 0,
                        retainHandling: RetainHandling.allCases.randomElement(using: &generator)!,
                    ),
                    identifier: UInt32(number(0..<1000)),
                )
            )
        case 3: .unsubscribed(filter())
        case 4: .inbound(identifier())
        case 5: .released(identifier())
        case 6: .sent(identifier(), position(), recipient())
        case 7: .received(identifier(), position())
        case 8: .completed(identifier())
        default: .ended
        }
    }

    mutating func header() -> MessageHeader {
        var header = MessageHeader(qos: QoS.allCases.randomElement(using: &generator)!, retain: number(0..<2) == 0)
        header.isKeptAsRetained = number(0..<4) == 0
        if number(0..<3) == 0 { header.expiresAt = Timestamp(milliseconds: Int64(number(0..<1 << 40))) }
        if number(0..<3) == 0 {
            header.publisher = session()
            header.packetIdentifier = identifier()
        }
        if number(0..<3) == 0 { header.instance = InstanceNumber(rawValue: UInt32(number(1..<1 << 30))) }
        return header
    }

    /// Appends a record and says in the words of `words(_:_:)` what it is.
    mutating func append(to builder: inout BatchBuilder) -> String {
        switch number(0..<4) {
        case 0:
            let (header, position, storedAt) = (
                header(), position(), Timestamp(milliseconds: Int64(number(0..<1 << 40)))
            )
            let origin = number(0..<3) == 0 ? position : nil
            let (topic, properties, payload) = (Array(text().utf8), bytes(upTo: 30), bytes(upTo: 200))
            let recipients = (0..<number(0..<6)).map { _ in recipient() }
            builder.beginMessage(
                header,
                origin: origin,
                storedAt: storedAt,
                topic: topic.span,
                properties: properties.span,
                payload: payload.span,
            )
            for recipient in recipients { builder.addRecipient(recipient) }
            _ = builder.endMessage()
            return "message \(header) \(storedAt) \(String(describing: origin)) \(topic) \(properties) \(payload) "
                + "\(recipients.map(words))"
        case 1:
            let (position, session) = (position(), session())
            _ = builder.finished(position, by: session)
            return words(.finished(position, session), [])
        case 2:
            let (position, recipient) = (position(), recipient())
            _ = builder.assigned(position, to: recipient)
            return words(.assigned(position, recipient), [])
        default:
            let session = session()
            var change = change()
            // On disk the session of the record is also the recipient's.
            if case .sent(let identifier, let position, var recipient) = change {
                recipient.session = session
                change = .sent(identifier, position, recipient)
            }
            _ = builder.record(change, of: session)
            return words(.change(change, session), [])
        }
    }
}
