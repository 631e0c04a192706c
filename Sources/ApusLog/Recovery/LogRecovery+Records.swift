internal import ApusLoop
internal import ApusMemory
internal import ApusMessage
internal import ApusStore
internal import ApusTopics
internal import MQTTCodec

extension LogRecovery {
    /// Takes in one record whose checksum is right.
    @inline(__always)
    mutating func apply(
        _ bytes: Span<UInt8>,
        _ body: Range<Int>,
        _ position: StorePosition,
        _ size: Int,
        _ index: Int,
        _ place: inout BatchPlace,
    ) throws(RecordDamage) {
        let raw = bytes.bytes
        let start = body.lowerBound
        switch RecordType(rawValue: raw.byte(start)) {
        case .message:
            try applyMessage(bytes, body, position, size, &place)
        case .finished:
            guard body.count >= 16 else { throw .malformed }
            let finished = StorePosition(rawValue: raw.word(start &+ 8))
            let session = raw.uint32(start &+ 4)
            if session == SessionNumber.retained.rawValue { noteRetainedGone(finished, position) }
            table.finish(finished, by: session)
        case .inbound, .released, .completed, .received:
            try applyIdentifier(raw, body, size)
        default:
            try applyOther(bytes, body, size, index)
        }
    }

    /// The retained messages let go of one; the record that says so stands at `position`.
    private mutating func noteRetainedGone(_ finished: StorePosition, _ position: StorePosition) {
        let isMet = finished.batchNumber == position.batchNumber || log.place(of: finished.batchNumber) != nil
        if !isMet { retainedGone.insert(finished) }
    }

    private mutating func applyMessage(
        _ bytes: Span<UInt8>,
        _ body: Range<Int>,
        _ position: StorePosition,
        _ size: Int,
        _ place: inout BatchPlace,
    ) throws(RecordDamage) {
        let raw = bytes.bytes
        let view = try LogRecordReader.message(in: bytes, body: body)
        let identity = view.origin ?? position
        if let origin = view.origin {
            let relocation = Relocation(origin: origin, copy: position)
            unsortedRelocations.append((relocation, unsortedRelocations.count))
            highestBatch = max(highestBatch, origin.batchNumber)
        } else if view.header.publisher != .none {
            let identifier = view.header.packetIdentifier
            table.change(view.header.publisher.rawValue, bytes: 0) { $0.take(identifier) }
        }
        let footprint = UInt32(clamping: view.contents.count &+ 96)
        place.messageBytes = place.messageBytes &+ UInt32(truncatingIfNeeded: size)
        if view.header.isKeptAsRetained {
            let spec = DeliverySpec(rawValue: 1 << 28)
            if retainedGone.isEmpty || !retainedGone.contains(identity) {
                table.add(identity, spec, size: footprint, to: SessionNumber.retained.rawValue)
            }
            place.references &+= 1
        }
        var groups = BodyReader(bytes, view.groupsStart..<view.end)
        var at = view.payload.upperBound
        var left = view.recipientCount
        while left > 0 {
            let session = raw.uint32(at)
            var spec = DeliverySpec(rawValue: raw.uint32(at &+ 4))
            at &+= MessageLayout.recipientBytes
            left &-= 1
            guard spec.isValid else { throw .malformed }
            let isPlain = !spec.hasMore && (left == 0 || raw.uint32(at) != session)
            if !isPlain { try takeExtra(raw, session, identity, &spec, &at, &left, &groups) }
            place.references &+= 1
            table.add(identity, spec, size: footprint, to: session)
        }
    }

    /// A delivery through a shared subscription, or through several subscriptions at once.
    @inline(never)
    private mutating func takeExtra(
        _ raw: RawSpan,
        _ session: UInt32,
        _ identity: StorePosition,
        _ spec: inout DeliverySpec,
        _ at: inout Int,
        _ left: inout Int,
        _ groups: inout BodyReader,
    ) throws(RecordDamage) {
        var extra = QueueExtra()
        var merged = spec
        identifiers.removeAll(keepingCapacity: true)
        var next = spec
        while true {
            if next.subscriptionIdentifier != 0 { identifiers.append(next.subscriptionIdentifier) }
            if next.hasMore { extra.group = try groups.filter(orAgain: &lastGroup) }
            merged = DeliverySpec(
                qosBits: max(merged.qosBits, next.qosBits),
                retain: merged.retain || next.retain,
                identifier: identifiers.first ?? 0,
            )
            guard left > 0, raw.uint32(at) == session else { break }
            next = DeliverySpec(rawValue: raw.uint32(at &+ 4))
            guard next.isValid else { throw .malformed }
            at &+= MessageLayout.recipientBytes
            left &-= 1
        }
        extra.furtherSubscriptionIdentifiers = Array(identifiers.dropFirst())
        spec = merged
        set(extra, of: identity, session, &spec)
    }

    private mutating func set(
        _ extra: QueueExtra,
        of position: StorePosition,
        _ session: UInt32,
        _ spec: inout DeliverySpec,
    ) {
        let isNeeded = extra.group != nil || !extra.furtherSubscriptionIdentifiers.isEmpty
        spec.hasMore = isNeeded
        if isNeeded {
            let key = QueueExtraKey(session: SessionNumber(rawValue: session), position: position)
            log.extras[key] = extra
        }
    }

    private mutating func applyIdentifier(
        _ raw: RawSpan,
        _ body: Range<Int>,
        _ size: Int,
    ) throws(RecordDamage) {
        let start = body.lowerBound
        guard body.count >= 8 else { throw .malformed }
        let identifier = raw.uint16(start &+ 2)
        let session = raw.uint32(start &+ 4)
        switch RecordType(rawValue: raw.byte(start)) {
        case .inbound: table.change(session, bytes: size) { $0.take(identifier) }
        case .released: table.change(session, bytes: size) { $0.release(identifier) }
        case .completed: table.change(session, bytes: size) { $0.complete(identifier) }
        default:
            guard body.count >= 16 else { throw .malformed }
            let position = StorePosition(rawValue: raw.word(start &+ 8))
            table.change(session, bytes: size) { $0.receive(identifier) }
            if position != .none { table.finish(position, by: session) }
        }
    }

    @inline(never)
    private mutating func applyOther(
        _ bytes: Span<UInt8>,
        _ body: Range<Int>,
        _ size: Int,
        _ index: Int,
    ) throws(RecordDamage) {
        switch try LogRecordReader.record(in: bytes, body: body) {
        case .message, .finished: throw .malformed
        case .assigned(let position, let recipient):
            var spec = DeliverySpec(recipient)
            highestBatch = max(highestBatch, position.batchNumber)
            set(QueueExtra(group: recipient.group), of: position, recipient.session.rawValue, &spec)
            table.add(position, spec, size: 0, to: recipient.session.rawValue)
        case .change(let change, let session):
            let number = session.rawValue
            switch change {
            case .state(let record):
                table.reset(number, to: record, segment: sources[index].number, bytes: size)
            case .record(let record): table.change(number, bytes: size) { $0.record = record }
            case .subscribed(let subscription):
                table.change(number, bytes: size) { $0.subscriptions.set(subscription) }
            case .unsubscribed(let filter):
                table.change(number, bytes: size) { $0.subscriptions.remove(filter) }
            case .sent(let identifier, let position, let recipient):
                let outbound = SessionTable.Outbound(
                    identifier: identifier,
                    position: position,
                    spec: DeliverySpec(recipient),
                    group: recipient.group,
                )
                table.change(number, bytes: size) { $0.send(outbound) }
            case .ended: table.end(number)
            case .inbound, .released, .received, .completed: throw .malformed
            }
        }
    }
}

extension DeliverySpec {
    init(qosBits: UInt8, retain: Bool, identifier: UInt32) {
        rawValue = identifier & 0xFFF_FFFF | UInt32(qosBits & 3) << 28 | (retain ? 1 << 30 : 0)
    }
}
