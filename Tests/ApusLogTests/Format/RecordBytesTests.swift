import ApusMessage
import ApusStore
import ApusTopics
import MQTTCodec
import Testing

@testable import ApusLog

/// The format on disk, byte for byte: what is written today must be read by every later version.
@Suite("Records on disk")
struct RecordBytesTests {
    /// The bodies stand behind four bytes of checksum and four of length.
    private func check(_ expected: [UInt8], _ body: (inout BatchBuilder) -> Void) throws {
        let batch = LogFixture.batch(7, body)
        let start = BatchHeader.byteCount
        let length = batch.span.bytes.uint32(start + 4)
        #expect(Int(length) == expected.count)
        #expect(Array(batch[start + 8..<start + 8 + Int(length)]) == expected)
        let sum = Checksum.xxh64(batch.span, start + 4..<start + 8 + expected.count, seed: LogFixture.seed)
        #expect(batch.span.bytes.uint32(start) == UInt32(truncatingIfNeeded: sum))
        #expect(batch.count == 80 + LogFormat.padded(8 + expected.count))
    }

    @Test
    func `a message with all that it can have`() throws {
        let header = MessageHeader(
            qos: .exactlyOnce,
            retain: true,
            isKeptAsRetained: true,
            expiresAt: Timestamp(milliseconds: 0x0102),
            publisher: SessionNumber(rawValue: 0x0A0B),
            packetIdentifier: 0x0C0D,
        )
        let expected: [UInt8] = [
            1,  // message
            0b0111_1110,  // publisher, origin, expiry, kept as retained, retain, QoS 2
            2, 0,  // topic length
            3, 0, 0, 0,  // properties length
            4, 0, 0, 0,  // payload length
            2, 0, 0, 0,  // recipients
            0x00, 0x68, 0xE5, 0xCF, 0x8B, 0x01, 0, 0,  // stored at 1,700,000,000,000
            0x02, 0x01, 0, 0, 0, 0, 0, 0,  // expires at
            0x08, 0, 0x70, 0, 0, 0, 0, 0,  // origin: batch 7, 64 bytes in
            0x0B, 0x0A, 0, 0,  // publisher
            0x0D, 0x0C,  // packet identifier
            0, 0,
            0x61, 0x62,  // topic "ab"
            1, 2, 3,  // properties
            0x77, 0x78, 0x79, 0x7A,  // payload "wxyz"
            5, 0, 0, 0,  // session 5
            9, 0, 0, 0x60,  // subscription identifier 9, QoS 2, retain
            6, 0, 0, 0,  // session 6
            0, 0, 0, 0x90,  // QoS 1, shared
            10, 0,  // length of the filter
            0x24, 0x73, 0x68, 0x61, 0x72, 0x65, 0x2F, 0x67, 0x2F, 0x23,  // "$share/g/#"
        ]
        try check(expected) { builder in
            builder.beginMessage(
                header,
                origin: StorePosition(rawValue: 7 << 20 | 8),
                storedAt: LogFixture.time,
                topic: ([0x61, 0x62] as [UInt8]).span,
                properties: ([1, 2, 3] as [UInt8]).span,
                payload: ([0x77, 0x78, 0x79, 0x7A] as [UInt8]).span,
            )
            var first = recipient(5, qos: .exactlyOnce, identifier: 9)
            first.retain = true
            builder.addRecipient(first)
            builder.addRecipient(recipient(6, group: "$share/g/#"))
            #expect(builder.endMessage() == StorePosition(rawValue: 7 << 20 | 5))
            #expect(builder.references == 3)
            #expect(builder.messageBytes == 96)
        }
    }

    @Test
    func `a message with as little as it can have`() throws {
        let expected: [UInt8] = [
            1, 0b01, 1, 0,  // message, QoS 1, topic length
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  // no properties, payload, recipients
            0x00, 0x68, 0xE5, 0xCF, 0x8B, 0x01, 0, 0,  // stored at
            0x74,  // topic "t"
        ]
        try check(expected) { $0.message("", to: []) }
    }

    @Test
    func `finished`() throws {
        let expected: [UInt8] = [2, 0, 0, 0, 9, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
        try check(expected) {
            _ = $0.finished(StorePosition(rawValue: 0x0807_0605_0403_0201), by: SessionNumber(rawValue: 9))
        }
    }

    @Test
    func `assigned`() throws {
        let expected: [UInt8] = [
            3, 0, 0, 0, 9, 0, 0, 0,  // session 9
            1, 0, 0, 0, 0, 0, 0, 0,  // position
            0, 0, 0, 0x90,  // QoS 1, shared
            10, 0, 0x24, 0x73, 0x68, 0x61, 0x72, 0x65, 0x2F, 0x67, 0x2F, 0x61,  // "$share/g/a"
        ]
        try check(expected) {
            _ = $0.assigned(StorePosition(rawValue: 1), to: recipient(9, group: "$share/g/a"))
        }
    }

    @Test
    func `a session with all that it can have`() throws {
        let will = StoredWill(
            topic: [0x77],
            properties: [1, 2],
            payload: [3, 4, 5],
            qos: .exactlyOnce,
            retain: true,
            delaySeconds: 6,
            expirySeconds: 7,
        )
        let record = SessionRecord(
            clientID: "c",
            userName: "me",
            expirySeconds: 0x0102_0304,
            disconnectedAt: Timestamp(milliseconds: 8),
            will: will,
            willDueAt: Timestamp(milliseconds: 9),
        )
        let fields: [UInt8] = [
            1, 0,  // client id length
            5, 0, 0, 0,  // session
            4, 3, 2, 1,  // expiry
            2, 0,  // user name length
            1, 0,  // will topic length
            8, 0, 0, 0, 0, 0, 0, 0,  // disconnected at
            9, 0, 0, 0, 0, 0, 0, 0,  // will due at
            6, 0, 0, 0, 7, 0, 0, 0,  // will delay, expiry
            2, 0, 0, 0, 3, 0, 0, 0,  // will properties, payload lengths
            0x63, 0x6D, 0x65, 0x77, 1, 2, 3, 4, 5,  // "c", "me", "w", properties, payload
        ]
        let session = SessionNumber(rawValue: 5)
        // Type; will QoS 2, expiry, retain, will, user name, reset.
        try check([4, 0b0101_1111] + fields) { _ = $0.record(.state(record), of: session) }
        try check([4, 0b0101_1110] + fields) { _ = $0.record(.record(record), of: session) }
    }

    @Test
    func `a connected session without a will`() throws {
        let expected: [UInt8] = [
            4, 1, 1, 0, 5, 0, 0, 0,  // session, reset, client id length, number
            0, 0, 0, 0,  // expiry
            0, 0, 0, 0,  // no user name, no will
            0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F,  // connected
            0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F,  // will never due
            0x63,  // "c"
        ]
        try check(expected) {
            _ = $0.record(.state(SessionRecord(clientID: "c", expirySeconds: 0)), of: SessionNumber(rawValue: 5))
        }
    }

    @Test
    func `a subscription comes and goes`() throws {
        let filter = try TopicFilter("a/#")
        let options = SubscriptionOptions(
            qos: .exactlyOnce,
            noLocal: true,
            retainAsPublished: true,
            retainHandling: .doNotSend,
        )
        let subscription = StoredSubscription(filter: filter, options: options, identifier: 0x0102)
        let session = SessionNumber(rawValue: 5)
        try check([6, 0b10_1110, 0, 0, 5, 0, 0, 0, 2, 1, 0, 0, 3, 0, 0x61, 0x2F, 0x23]) {
            _ = $0.record(.subscribed(subscription), of: session)
        }
        try check([7, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0x61, 0x2F, 0x23]) {
            _ = $0.record(.unsubscribed(filter), of: session)
        }
    }

    @Test
    func `what happens to packet identifiers`() throws {
        let session = SessionNumber(rawValue: 5)
        let position = StorePosition(rawValue: 3)
        try check([5, 0, 0, 0, 5, 0, 0, 0]) { _ = $0.record(.ended, of: session) }
        try check([8, 0, 2, 1, 5, 0, 0, 0]) { _ = $0.record(.inbound(0x0102), of: session) }
        try check([9, 0, 2, 1, 5, 0, 0, 0]) { _ = $0.record(.released(0x0102), of: session) }
        try check([12, 0, 2, 1, 5, 0, 0, 0]) { _ = $0.record(.completed(0x0102), of: session) }
        try check([11, 0, 2, 1, 5, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]) {
            _ = $0.record(.received(0x0102, position), of: session)
        }
        try check([10, 0, 2, 1, 5, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0x20]) {
            _ = $0.record(.sent(0x0102, position, recipient(5, qos: .exactlyOnce, identifier: 4)), of: session)
        }
    }

    @Test
    func `a batch has a header and the same as its trailer`() {
        let batch = LogFixture.batch(0x0102, shard: 3) { _ = $0.record(.ended, of: SessionNumber(rawValue: 1)) }
        let fields: [UInt8] = [
            16, 0, 0, 0,  // length of the records
            2, 1, 0, 0, 0, 0, 0, 0,  // number
            0x00, 0x68, 0xE5, 0xCF, 0x8B, 0x01, 0, 0,  // time
            1, 0, 0, 0,  // records
            3, 0,  // shard
            0, 0,  // flags
        ]
        #expect(Array(batch[..<32]) == Array("AHTB".utf8) + fields)
        #expect(Array(batch[56..<88]) == Array("ATTB".utf8) + fields)
        for start in [0, 56] {
            let sum = Checksum.xxh64(batch.span, start..<start + 32, seed: LogFixture.seed)
            #expect(batch.span.bytes.word(start + 32) == sum)
        }
    }

    @Test
    func `a segment begins with its header, twice`() {
        let header = SegmentHeader(number: 0x0102, createdAt: Timestamp(milliseconds: 3), seed: 4)
        let bytes = header.encoded
        let fields: [UInt8] = [2, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]
        #expect(bytes.count == 128)
        #expect(Array(bytes[..<32]) == Array("APUSLOG1".utf8) + fields)
        #expect(Array(bytes[64...]) == Array(bytes[..<64]))
        #expect(Array(bytes[40..<64]) == [UInt8](repeating: 0, count: 24))
    }
}
