package import ApusMessage
package import ApusStore
internal import ApusTopics
internal import MQTTCodec

/// A message record that was found good: its parts as ranges of the bytes that it was read from.
package struct StoredMessageView: Sendable, Equatable {
    package var header: MessageHeader
    package var storedAt: Timestamp
    /// The position that the message has kept, when it was moved.
    package var origin: StorePosition?
    package var topic: Range<Int>
    package var properties: Range<Int>
    package var payload: Range<Int>
    /// Entries, so that a session may be there several times in a row.
    package var recipientCount: Int
    /// Where the filters of shared subscriptions begin.
    var groupsStart: Int
    /// Where the body ends.
    var end: Int

    /// Topic, properties and payload, one after the other.
    package var contents: Range<Int> { topic.lowerBound..<payload.upperBound }

    /// The sessions that needed the message when it was written.
    package func recipients(in bytes: Span<UInt8>) throws(RecordDamage) -> [Recipient] {
        let raw = bytes.bytes
        var result: [Recipient] = []
        result.reserveCapacity(recipientCount)
        var filters = BodyReader(bytes, groupsStart..<end)
        var at = payload.upperBound
        for _ in 0..<recipientCount {
            let spec = DeliverySpec(rawValue: raw.uint32(at + 4))
            let group = spec.hasMore ? try filters.filter() : nil
            result.append(try Recipient(SessionNumber(rawValue: raw.uint32(at)), spec, group: group))
            at += MessageLayout.recipientBytes
        }
        return result
    }
}

extension Recipient {
    init(_ session: SessionNumber, _ spec: DeliverySpec, group: TopicFilter?) throws(RecordDamage) {
        guard spec.isValid else { throw .malformed }
        self.init(session: session, spec, group: group)
    }

    /// - Parameter spec: A valid one.
    init(session: SessionNumber, _ spec: DeliverySpec, group: TopicFilter?) {
        self.init(
            session: session,
            subscriptionIdentifier: spec.subscriptionIdentifier,
            qos: spec.qos,
            retain: spec.retain,
            group: group,
        )
    }
}

/// Reads single records whose place is known.
package enum LogRecordReader {
    /// The bytes that a record takes, header and padding included, from its first eight; `nil` when that is no record.
    package static func recordByteCount(_ bytes: Span<UInt8>, at offset: Int) -> Int? {
        guard offset >= 0, offset <= bytes.count - RecordLayout.headerBytes else { return nil }
        let length = Int(bytes.bytes.uint32(offset + 4))
        guard length > 0, length < LogFormat.maximumBody else { return nil }
        return LogFormat.padded(RecordLayout.headerBytes + length)
    }

    /// The body of the record at this place, found good.
    package static func body(_ bytes: Span<UInt8>, at offset: Int, seed: UInt64) throws(RecordDamage) -> Range<Int> {
        try body(bytes, at: offset, within: bytes.count, seed: seed)
    }

    @inline(__always)
    static func body(
        _ bytes: Span<UInt8>,
        at offset: Int,
        within end: Int,
        seed: UInt64,
    ) throws(RecordDamage) -> Range<Int> {
        guard offset >= 0, offset <= end &- RecordLayout.headerBytes else { throw .truncated }
        let raw = bytes.bytes
        let length = Int(raw.uint32(offset &+ 4))
        let start = offset &+ RecordLayout.headerBytes
        guard length > 0, length < LogFormat.maximumBody, start &+ length <= end else { throw .truncated }
        let sum = Checksum.xxh64(bytes, offset &+ 4..<start &+ length, seed: seed)
        guard UInt32(truncatingIfNeeded: sum) == raw.uint32(offset) else { throw .checksum }
        return start..<start &+ length
    }

    /// The message record at this place.
    package static func message(
        in bytes: Span<UInt8>,
        at offset: Int,
        seed: UInt64,
    ) throws(RecordDamage) -> StoredMessageView {
        try message(in: bytes, body: try body(bytes, at: offset, seed: seed))
    }

    static func message(in bytes: Span<UInt8>, body: Range<Int>) throws(RecordDamage) -> StoredMessageView {
        let raw = bytes.bytes
        let start = body.lowerBound
        guard body.count >= MessageLayout.fixedBytes, raw.byte(start) == RecordType.message.rawValue else {
            throw .malformed
        }
        let flags = MessageFlags(rawValue: raw.byte(start &+ 1))
        guard let qos = QoS(rawValue: flags.rawValue & 0b11) else { throw .malformed }
        let topicStart = start &+ MessageLayout.fixedBytes &+ flags.optionalBytes
        let topicEnd = topicStart &+ Int(raw.uint16(start &+ 2))
        let propertiesEnd = topicEnd &+ Int(raw.uint32(start &+ 4))
        let payloadEnd = propertiesEnd &+ Int(raw.uint32(start &+ 8))
        let recipients = Int(raw.uint32(start &+ 12))
        let groupsStart = payloadEnd &+ recipients &* MessageLayout.recipientBytes
        guard groupsStart <= body.upperBound else { throw .malformed }
        var header = MessageHeader(
            qos: qos,
            retain: flags.contains(.retain),
            isKeptAsRetained: flags.contains(.keptAsRetained),
        )
        var at = start &+ MessageLayout.fixedBytes
        if flags.contains(.expires) {
            header.expiresAt = Timestamp(milliseconds: Int64(bitPattern: raw.word(at)))
            at &+= 8
        }
        var origin: StorePosition?
        if flags.contains(.hasOrigin) {
            origin = StorePosition(rawValue: raw.word(at))
            at &+= 8
        }
        if flags.contains(.hasPublisher) {
            header.publisher = SessionNumber(rawValue: raw.uint32(at))
            header.packetIdentifier = raw.uint16(at &+ 4)
            at &+= 8
        }
        if flags.contains(.hasInstance) { header.instance = InstanceNumber(rawValue: raw.uint32(at)) }
        return StoredMessageView(
            header: header,
            storedAt: Timestamp(milliseconds: Int64(bitPattern: raw.word(start &+ 16))),
            origin: origin,
            topic: topicStart..<topicEnd,
            properties: topicEnd..<propertiesEnd,
            payload: propertiesEnd..<payloadEnd,
            recipientCount: recipients,
            groupsStart: groupsStart,
            end: body.upperBound,
        )
    }
}
