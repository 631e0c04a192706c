import ApusLoop
import ApusMessage
import ApusStore
import ApusTopics
import MQTTCodec

@testable import ApusLog

/// A segment file whose contents a test has made.
final class MemoryFile: DiskFile {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func size() throws(SystemError) -> Int { bytes.count }

    func read(into buffer: inout [UInt8], _ range: Range<Int>, at offset: Int) throws(SystemError) -> Int {
        let count = max(0, min(range.count, bytes.count - offset))
        for index in 0..<count { buffer[range.lowerBound + index] = bytes[offset + index] }
        return count
    }

    func readNow(into buffer: inout [UInt8], _ range: Range<Int>, at offset: Int) throws(SystemError)
        -> DataFile.ReadNow
    {
        .bytes(try read(into: &buffer, range, at: offset))
    }

    func write(_ bytes: Span<UInt8>, at offset: Int) throws(SystemError) -> Int { throw Self.refusal }
    func synchronize() throws(SystemError) { throw Self.refusal }
    func allocate(_ bytes: Int) throws(SystemError) { throw Self.refusal }
    func truncate(to bytes: Int) throws(SystemError) { throw Self.refusal }

    private static let refusal = SystemError(code: 30, call: "write")
}

/// A log that a test puts together batch by batch.
struct LogFixture {
    static let seed: UInt64 = 0x0123_4567_89AB_CDEF
    static let time = Timestamp(milliseconds: 1_700_000_000_000)

    /// The bytes of each segment; the first has the number 1.
    var segments: [[UInt8]] = [Self.header(1)]

    static func header(_ number: UInt64) -> [UInt8] {
        SegmentHeader(number: number, createdAt: time, seed: seed).encoded
    }

    /// Adds a batch to the last segment.
    mutating func append(_ number: UInt64, shard: Int = 0, joined: Bool = false, _ body: (inout BatchBuilder) -> Void) {
        append(Self.batch(number, shard: shard, body), joined: joined)
    }

    mutating func append(_ batch: [UInt8], joined: Bool = false) {
        var batch = batch
        if joined { BatchHeader.markJoined(&batch, seed: Self.seed) }
        segments[segments.count - 1] += batch
    }

    mutating func beginSegment() { segments.append(Self.header(UInt64(segments.count + 1))) }

    static func batch(_ number: UInt64, shard: Int = 0, _ body: (inout BatchBuilder) -> Void) -> [UInt8] {
        var builder = BatchBuilder(number: number, shard: shard, seed: seed, reserving: 0)
        body(&builder)
        return builder.finish(at: time)
    }

    func sources(first: UInt64 = 1) -> [LogSource] {
        segments.enumerated().map { index, bytes in
            let number = first + UInt64(index)
            let name = LogSource.name(ofSegment: number)
            return LogSource(name: name, number: number, byteCount: bytes.count, file: MemoryFile(bytes))
        }
    }

    func recover(first: UInt64 = 1) -> RecoveredLog { LogRecovery.recover(sources(first: first)) }
}

extension BatchBuilder {
    /// A message, short to write.
    @discardableResult
    mutating func message(
        _ payload: String = "x",
        topic: String = "t",
        header: MessageHeader = MessageHeader(qos: .atLeastOnce, retain: false),
        origin: StorePosition? = nil,
        to recipients: [Recipient],
    ) -> StorePosition {
        beginMessage(
            header,
            origin: origin,
            storedAt: LogFixture.time,
            topic: Array(topic.utf8).span,
            properties: [UInt8]().span,
            payload: Array(payload.utf8).span,
        )
        for recipient in recipients { addRecipient(recipient) }
        return endMessage()
    }

    mutating func session(_ number: UInt32, clientID: String? = nil) {
        let record = SessionRecord(clientID: clientID ?? "client\(number)", expirySeconds: .max)
        _ = self.record(.state(record), of: SessionNumber(rawValue: number))
    }
}

func recipient(_ session: UInt32, qos: QoS = .atLeastOnce, identifier: UInt32 = 0, group: String? = nil) -> Recipient {
    Recipient(
        session: SessionNumber(rawValue: session),
        subscriptionIdentifier: identifier,
        qos: qos,
        group: group.map { try! TopicFilter($0) },
    )
}

extension RecoveredLog {
    /// The positions that wait for a session.
    func queue(_ session: UInt32) -> [StorePosition] {
        (queues[SessionNumber(rawValue: session)] ?? []).map(\.position)
    }

    func session(_ number: UInt32) -> RestoredSession? { sessions.first { $0.number.rawValue == number } }
}

/// A record in words, so that records can be compared.
func words(_ record: LogRecord, _ bytes: [UInt8]) -> String {
    switch record {
    case .message(let view):
        let recipients = (try? view.recipients(in: bytes.span)) ?? []
        return "message \(view.header) \(view.storedAt) \(String(describing: view.origin)) \(bytes[view.topic]) "
            + "\(bytes[view.properties]) \(bytes[view.payload]) \(recipients.map(words))"
    case .finished(let position, let session): return "finished \(position.rawValue) \(session.rawValue)"
    case .assigned(let position, let recipient): return "assigned \(position.rawValue) \(words(recipient))"
    case .change(.sent(let identifier, let position, let recipient), let session):
        return "sent \(session.rawValue) \(identifier) \(position.rawValue) \(words(recipient))"
    case .change(let change, let session): return "\(session.rawValue) \(change)"
    }
}

func words(_ recipient: Recipient) -> String {
    let group = recipient.group?.fullText ?? "-"
    return
        "\(recipient.session.rawValue)/\(recipient.subscriptionIdentifier)/\(recipient.qos)/\(recipient.retain)/\(group)"
}

/// The header of a batch, or with the other magic its trailer.
func batchHeader(_ bytes: [UInt8], at offset: Int = 0, magic: UInt32 = BatchHeader.magic) -> BatchHeader? {
    BatchHeader(bytes.span, at: offset, seed: LogFixture.seed, magic: magic)
}

/// The records of a batch.
func records(of batch: [UInt8]) throws -> [LogRecord] {
    var result: [LogRecord] = []
    var at = BatchHeader.byteCount
    while at < batch.count - BatchHeader.byteCount {
        let body = try LogRecordReader.body(batch.span, at: at, seed: LogFixture.seed)
        result.append(try LogRecordReader.record(in: batch.span, body: body))
        at += LogRecordReader.recordByteCount(batch.span, at: at) ?? batch.count
    }
    return result
}

/// A generator of which a failing seed can be tried again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
