internal import ApusMemory
package import ApusMessage
package import ApusStore
internal import ApusTopics
internal import MQTTCodec

/// Any record, taken apart: for tools, tests and the rarer records at start; messages stay where they were read.
package enum LogRecord: Sendable {
    case message(StoredMessageView)
    case finished(StorePosition, SessionNumber)
    case assigned(StorePosition, Recipient)
    case change(SessionChange, SessionNumber)
}

extension LogRecordReader {
    /// The record whose body this is; its checksum was right.
    package static func record(in bytes: Span<UInt8>, body: Range<Int>) throws(RecordDamage) -> LogRecord {
        let raw = bytes.bytes
        guard let first = body.first, let type = RecordType(rawValue: raw.byte(first)),
            body.count >= type.minimumBytes
        else { throw .malformed }
        if type == .message {
            let view = try message(in: bytes, body: body)
            _ = try view.recipients(in: bytes)
            return .message(view)
        }
        let session = SessionNumber(rawValue: raw.uint32(first + 4))
        var reader = BodyReader(bytes, first + type.minimumBytes..<body.upperBound)
        let identifier = raw.uint16(first + 2)
        let record: LogRecord
        switch type {
        case .finished:
            record = .finished(StorePosition(rawValue: raw.word(first + 8)), session)
        case .assigned:
            let reference = try reference(raw, at: first + 8, session, &reader)
            record = .assigned(reference.position, reference.recipient)
        case .sent:
            let reference = try reference(raw, at: first + 8, session, &reader)
            record = .change(.sent(identifier, reference.position, reference.recipient), session)
        case .received:
            record = .change(.received(identifier, StorePosition(rawValue: raw.word(first + 8))), session)
        case .session:
            record = .change(try sessionChange(raw, at: first, &reader), session)
        case .subscribed:
            let filter = try reader.filter()
            let subscription = try storedSubscription(raw.byte(first + 1), raw.uint32(first + 8), filter)
            record = .change(.subscribed(subscription), session)
        case .unsubscribed: record = .change(.unsubscribed(try reader.filter()), session)
        case .message, .sessionEnded: record = .change(.ended, session)
        case .inbound: record = .change(.inbound(identifier), session)
        case .released: record = .change(.released(identifier), session)
        case .completed: record = .change(.completed(identifier), session)
        }
        guard reader.isAtEnd else { throw .malformed }
        return record
    }

    private static func reference(
        _ raw: RawSpan,
        at offset: Int,
        _ session: SessionNumber,
        _ reader: inout BodyReader,
    ) throws(RecordDamage) -> (position: StorePosition, recipient: Recipient) {
        let spec = DeliverySpec(rawValue: raw.uint32(offset + 8))
        let group = spec.hasMore ? try reader.filter() : nil
        return (StorePosition(rawValue: raw.word(offset)), try Recipient(session, spec, group: group))
    }

    private static func storedSubscription(
        _ options: UInt8,
        _ identifier: UInt32,
        _ filter: TopicFilter,
    ) throws(RecordDamage) -> StoredSubscription {
        do {
            let options = try SubscriptionOptions(decoding: options, version: .v5)
            return StoredSubscription(filter: filter, options: options, identifier: identifier)
        } catch {
            throw .malformed
        }
    }

    private static func sessionChange(
        _ raw: RawSpan,
        at start: Int,
        _ reader: inout BodyReader,
    ) throws(RecordDamage) -> SessionChange {
        let flags = SessionFlags(rawValue: raw.byte(start + 1))
        let disconnectedAt = Timestamp(milliseconds: Int64(bitPattern: raw.word(start + 16)))
        var parts: WillParts?
        if flags.contains(.hasWill) { parts = try WillParts(&reader) }
        var instance = InstanceNumber.none
        if flags.contains(.hasInstance) { instance = InstanceNumber(rawValue: try reader.uint32()) }
        var record = SessionRecord(
            instance: instance,
            clientID: try reader.text(Int(raw.uint16(start + 2))),
            expirySeconds: raw.uint32(start + 8),
            disconnectedAt: disconnectedAt == .distantFuture ? nil : disconnectedAt,
            willDueAt: Timestamp(milliseconds: Int64(bitPattern: raw.word(start + 24))),
        )
        if flags.contains(.hasUserName) { record.userName = try reader.text(Int(raw.uint16(start + 12))) }
        if let parts {
            guard let qos = QoS(rawValue: flags.rawValue >> SessionFlags.willQoSShift & 0b11) else { throw .malformed }
            record.will = StoredWill(
                topic: try reader.take(Int(raw.uint16(start + 14))),
                properties: try reader.take(parts.propertiesLength),
                payload: try reader.take(parts.payloadLength),
                qos: qos,
                retain: flags.contains(.willRetain),
                delaySeconds: parts.delaySeconds,
                expirySeconds: flags.contains(.willExpires) ? parts.expirySeconds : nil,
            )
        }
        return flags.contains(.resets) ? .state(record) : .record(record)
    }
}

/// The fixed fields of a will.
private struct WillParts {
    let delaySeconds: UInt32
    let expirySeconds: UInt32
    let propertiesLength: Int
    let payloadLength: Int

    init(_ reader: inout BodyReader) throws(RecordDamage) {
        delaySeconds = try reader.uint32()
        expirySeconds = try reader.uint32()
        propertiesLength = Int(try reader.uint32())
        payloadLength = Int(try reader.uint32())
    }
}

extension RecordType {
    /// The part of the body that every record of the type has.
    var minimumBytes: Int {
        switch self {
        case .message: MessageLayout.fixedBytes
        case .finished, .received: 16
        case .assigned, .sent: 20
        case .session: SessionLayout.fixedBytes
        case .subscribed: 12
        case .sessionEnded, .unsubscribed, .inbound, .released, .completed: 8
        }
    }
}
