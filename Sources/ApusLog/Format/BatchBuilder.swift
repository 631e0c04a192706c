internal import ApusMemory
package import ApusMessage
package import ApusStore
internal import ApusTopics
internal import MQTTCodec

/// Writes the records of one shard's batch, one after the other, into one array of bytes.
///
/// Not `Sendable` state of two: a shard fills it, then hands the finished bytes over. No allocation per record; the
/// array grows by doubling.
package struct BatchBuilder: Sendable {
    package let number: UInt64
    package let shard: Int
    package let seed: UInt64
    /// Recipients, and retained messages' hold on theirs; a session named several times in a row counts once.
    package private(set) var references = 0
    /// Of all message records, header and padding included.
    package private(set) var messageBytes = 0
    package private(set) var records = 0

    /// Zero from `end` on.
    private var bytes: [UInt8]
    private var end = BatchHeader.byteCount
    /// Start of the message that is being written.
    private var messageStart = 0
    private var recipientCount: UInt32 = 0
    private var lastSession = SessionNumber.none
    /// Filters of the shared subscriptions among the recipients; they follow the last recipient.
    private var groups: [TopicFilter] = []

    /// - Parameter reserving: bytes that the batch is likely to need.
    package init(number: UInt64, shard: Int, seed: UInt64, reserving: Int = 4096) {
        self.number = number
        self.shard = shard
        self.seed = seed
        bytes = [UInt8](repeating: 0, count: max(reserving, 2 * BatchHeader.byteCount))
    }

    package var isEmpty: Bool { records == 0 }

    /// Of the finished batch.
    package var byteCount: Int { end + BatchHeader.byteCount }

    /// Whether the batch must be handed over and the next record go to another one.
    package var isFull: Bool { byteCount >= LogFormat.batchBytes }

    /// The records so far, for a message that is asked for before its batch is handed over: at `offsetInBatch`.
    package var written: [UInt8] { bytes }

    // MARK: Messages

    /// Begins a message; its recipients follow, then `endMessage()`.
    ///
    /// - Parameter origin: the position that the message keeps when it is moved here from another segment.
    package mutating func beginMessage(
        _ header: MessageHeader,
        origin: StorePosition? = nil,
        storedAt: Timestamp,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
    ) {
        precondition(end < LogFormat.maximumOffset, "a full batch must be handed over")
        let flags = MessageFlags(header, hasOrigin: origin != nil)
        let variable = topic.count + properties.count + payload.count
        var at = begin(.message, MessageLayout.fixedBytes + flags.optionalBytes + variable)
        messageStart = end
        bytes[at + 1] = flags.rawValue
        bytes.store(UInt16(truncatingIfNeeded: topic.count), at: at + 2)
        bytes.store(UInt32(truncatingIfNeeded: properties.count), at: at + 4)
        bytes.store(UInt32(truncatingIfNeeded: payload.count), at: at + 8)
        bytes.store(storedAt.milliseconds, at: at + 16)
        at += MessageLayout.fixedBytes
        if flags.contains(.expires) {
            bytes.store(header.expiresAt.milliseconds, at: at)
            at += 8
        }
        if let origin {
            bytes.store(origin.rawValue, at: at)
            at += 8
        }
        if flags.contains(.hasPublisher) {
            bytes.store(header.publisher.rawValue, at: at)
            bytes.store(header.packetIdentifier, at: at + 4)
            at += 8
        }
        if flags.contains(.hasInstance) {
            bytes.store(header.instance.rawValue, at: at)
            at += 8
        }
        for part in 0..<3 {
            let source = part == 0 ? topic : part == 1 ? properties : payload
            copy(source, to: at)
            at += source.count
        }
        end = at
        recipientCount = 0
        lastSession = .none
        references += header.isKeptAsRetained ? 1 : 0
    }

    /// A session that needs the message that was begun.
    package mutating func addRecipient(_ recipient: Recipient) {
        ensure(8)
        bytes.store(recipient.session.rawValue, at: end)
        bytes.store(DeliverySpec(recipient).rawValue, at: end + 4)
        end += 8
        recipientCount += 1
        if recipient.session != lastSession { references += 1 }
        lastSession = recipient.session
        if let group = recipient.group { groups.append(group) }
    }

    /// - Returns: the position of the message.
    package mutating func endMessage() -> StorePosition {
        if !groups.isEmpty {
            for group in groups { append(lengthPrefixed: group) }
            groups.removeAll(keepingCapacity: true)
        }
        bytes.store(recipientCount, at: messageStart + RecordLayout.headerBytes + 12)
        let start = messageStart
        let position = endRecord(from: start)
        messageBytes += end - start
        return position
    }

    // MARK: Other records

    /// A session does not need a message any more.
    package mutating func finished(_ position: StorePosition, by session: SessionNumber) -> StorePosition {
        let start = end
        let at = begin(.finished, 16)
        bytes.store(session.rawValue, at: at + 4)
        bytes.store(position.rawValue, at: at + 8)
        end = at + 16
        return endRecord(from: start)
    }

    /// A further session needs a message.
    package mutating func assigned(_ position: StorePosition, to recipient: Recipient) -> StorePosition {
        let start = end
        let at = begin(.assigned, 20)
        bytes.store(recipient.session.rawValue, at: at + 4)
        storeReference(position, recipient, at: at + 8)
        end = at + 20
        if let group = recipient.group { append(lengthPrefixed: group) }
        return endRecord(from: start)
    }

    /// A step in the life of a session.
    package mutating func record(_ change: SessionChange, of session: SessionNumber) -> StorePosition {
        let start = end
        switch change {
        case .state(let record): append(record, resets: true, of: session)
        case .record(let record): append(record, resets: false, of: session)
        case .subscribed(let subscription): append(subscription, of: session)
        case .unsubscribed(let filter):
            end = beginSessionRecord(.unsubscribed, 8, session)
            append(lengthPrefixed: filter)
        case .inbound(let identifier): append(.inbound, identifier, of: session)
        case .released(let identifier): append(.released, identifier, of: session)
        case .completed(let identifier): append(.completed, identifier, of: session)
        case .sent(let identifier, let position, let recipient):
            let at = beginSessionRecord(.sent, 20, session) - 20
            bytes.store(identifier, at: at + 2)
            storeReference(position, recipient, at: at + 8)
            end = at + 20
            if let group = recipient.group { append(lengthPrefixed: group) }
        case .received(let identifier, let position):
            let at = beginSessionRecord(.received, 16, session) - 16
            bytes.store(identifier, at: at + 2)
            bytes.store(position.rawValue, at: at + 8)
            end = at + 16
        case .ended:
            end = beginSessionRecord(.sessionEnded, 8, session)
        }
        return endRecord(from: start)
    }

    /// The finished batch: header, records, trailer.
    package consuming func finish(at time: Timestamp) -> [UInt8] {
        ensure(BatchHeader.byteCount)
        let header = BatchHeader(
            bodyLength: end - BatchHeader.byteCount,
            number: number,
            time: time,
            records: records,
            shard: shard,
        )
        header.encode(into: &bytes, at: 0, seed: seed)
        header.encode(into: &bytes, at: end, seed: seed, magic: BatchHeader.trailerMagic)
        bytes.removeLast(bytes.count - byteCount)
        return bytes
    }
}

// MARK: - Fields

extension BatchBuilder {
    private mutating func append(_ record: SessionRecord, resets: Bool, of session: SessionNumber) {
        let flags = SessionFlags(record, resets: resets)
        let at = beginSessionRecord(.session, SessionLayout.fixedBytes, session) - SessionLayout.fixedBytes
        bytes[at + 1] = flags.rawValue
        bytes.store(UInt16(truncatingIfNeeded: record.clientID.utf8.count), at: at + 2)
        bytes.store(record.expirySeconds, at: at + 8)
        bytes.store(UInt16(truncatingIfNeeded: record.userName?.utf8.count ?? 0), at: at + 12)
        bytes.store(UInt16(truncatingIfNeeded: record.will?.topic.count ?? 0), at: at + 14)
        bytes.store((record.disconnectedAt ?? .distantFuture).milliseconds, at: at + 16)
        bytes.store(record.willDueAt.milliseconds, at: at + 24)
        end = at + SessionLayout.fixedBytes
        if let will = record.will {
            ensure(SessionLayout.willBytes)
            bytes.store(will.delaySeconds, at: end)
            bytes.store(will.expirySeconds ?? 0, at: end + 4)
            bytes.store(UInt32(truncatingIfNeeded: will.properties.count), at: end + 8)
            bytes.store(UInt32(truncatingIfNeeded: will.payload.count), at: end + 12)
            end += SessionLayout.willBytes
        }
        if flags.contains(.hasInstance) {
            ensure(SessionLayout.instanceBytes)
            bytes.store(record.instance.rawValue, at: end)
            end += SessionLayout.instanceBytes
        }
        append(Array(record.clientID.utf8))
        if let userName = record.userName { append(Array(userName.utf8)) }
        if let will = record.will {
            append(will.topic)
            append(will.properties)
            append(will.payload)
        }
    }

    private mutating func append(_ subscription: StoredSubscription, of session: SessionNumber) {
        let at = beginSessionRecord(.subscribed, 12, session) - 12
        bytes[at + 1] = subscription.options.encoded(.v5)
        bytes.store(subscription.identifier, at: at + 8)
        end = at + 12
        append(lengthPrefixed: subscription.filter)
    }

    private mutating func append(_ type: RecordType, _ identifier: PacketIdentifier, of session: SessionNumber) {
        end = beginSessionRecord(type, 8, session)
        bytes.store(identifier, at: end - 6)
    }

    /// Position and what the subscription makes of the message: 12 bytes.
    private mutating func storeReference(_ position: StorePosition, _ recipient: Recipient, at offset: Int) {
        bytes.store(position.rawValue, at: offset)
        bytes.store(DeliverySpec(recipient).rawValue, at: offset + 8)
    }

    private mutating func append(lengthPrefixed filter: TopicFilter) {
        let text = Array(filter.fullText.utf8)
        ensure(2)
        bytes.store(UInt16(truncatingIfNeeded: text.count), at: end)
        end += 2
        append(text)
    }

    private mutating func append(_ part: [UInt8]) {
        ensure(part.count)
        copy(part.span, to: end)
        end += part.count
    }

    /// - Returns: where the fixed part of the body ends.
    private mutating func beginSessionRecord(_ type: RecordType, _ count: Int, _ session: SessionNumber) -> Int {
        let at = begin(type, count)
        bytes.store(session.rawValue, at: at + 4)
        return at + count
    }

    /// Makes room for a record with at least this many bytes in its body, and writes the type.
    ///
    /// - Returns: where the body begins.
    private mutating func begin(_ type: RecordType, _ count: Int) -> Int {
        ensure(RecordLayout.headerBytes + count)
        bytes[end + RecordLayout.headerBytes] = type.rawValue
        return end + RecordLayout.headerBytes
    }

    /// Writes length and checksum of the record that ends at `end`, and pads it.
    private mutating func endRecord(from start: Int) -> StorePosition {
        let length = end - start - RecordLayout.headerBytes
        bytes.store(UInt32(truncatingIfNeeded: length), at: start + 4)
        let sum = Checksum.xxh64(bytes.span, start + 4..<end, seed: seed)
        bytes.store(UInt32(truncatingIfNeeded: sum), at: start)
        let padded = LogFormat.padded(end)
        ensure(padded - end)
        end = padded
        records += 1
        return LogFormat.position(batch: number, offset: start)
    }

    /// Makes room for `count` more bytes.
    @inline(__always)
    private mutating func ensure(_ count: Int) {
        if end + count > bytes.count { grow(to: end + count) }
    }

    @inline(never)
    private mutating func grow(to needed: Int) {
        let target = max(needed, 2 * bytes.count)
        bytes.append(contentsOf: repeatElement(0, count: target - bytes.count))
    }

    private mutating func copy(_ source: Span<UInt8>, to offset: Int) {
        var target = bytes.mutableSpan
        precondition(offset + source.count <= target.count)
        for index in 0..<source.count { target[unchecked: offset &+ index] = source[unchecked: index] }
    }
}
