package import ApusLoop
package import ApusMessage
internal import ApusStore

/// What stands in a log, for people and programs that look after it.
package struct LogReport: Sendable {
    package struct Segment: Sendable, Equatable {
        package var number: UInt64
        package var name: String
        package var createdAt: Timestamp
        package var bytes: Int
        /// Still needed, roughly.
        package var liveBytes: Int
        /// The rest, but for the segment's header.
        package var deadBytes: Int { max(0, bytes - liveBytes - SegmentHeader.byteCount) }
    }

    package struct Session: Sendable, Equatable {
        package var number: SessionNumber
        package var clientID: String
        package var subscriptions: Int
        package var messages: Int
        package var bytes: Int
        /// QoS 2 messages on their way to the client.
        package var underWay: Int
        /// When its oldest waiting message was stored.
        package var oldest: Timestamp?
        /// `nil` while connected, as far as the log knows.
        package var disconnectedAt: Timestamp?
    }

    package var segments: [Segment]
    package var records: Int
    /// When the oldest batch was written, and where it stands.
    package var oldest: (time: Timestamp, file: String, offset: Int)?
    package var sessionCount: Int
    package var retainedMessages: Int
    package var waitingMessages: Int
    /// Of the live bytes those of records about sessions, since each session was last recorded as a whole.
    package var sessionBytes: Int
    /// With messages waiting or under way, most first.
    package var backlogs: [Session]
    package var damage: [LogDamage]
    /// Of each damage.
    package var effects: [DamageEffect]
    package var unfinished: (file: String, offset: Int, bytes: Int)?
    package var endsInPeace: Bool?

    package var bytes: Int { segments.reduce(0) { $0 + $1.bytes } }
    package var liveBytes: Int { segments.reduce(0) { $0 + $1.liveBytes } }
    package var deadBytes: Int { segments.reduce(0) { $0 + $1.deadBytes } }

    /// Reads the log; another process may write to it meanwhile.
    package init(
        of disk: any Disk,
        progress: (LogRecovery.Progress) -> Void = { _ in },
    ) throws(SystemError) {
        let snapshot = try LogSnapshot(of: disk)
        let log = LogRecovery.recover(snapshot.sources, report: progress)
        segments = log.segments.map { segment in
            Segment(
                number: segment.number,
                name: LogSource.name(ofSegment: segment.number),
                createdAt: segment.createdAt,
                bytes: segment.end,
                liveBytes: segment.liveBytes,
            )
        }
        records = log.records
        oldest = try Self.oldest(snapshot)
        sessionCount = log.sessions.count
        retainedMessages = log.retained.count
        waitingMessages = log.queues.values.reduce(0) { $0 + $1.count }
        sessionBytes = log.states.values.reduce(0) { $0 + $1.bytes }
        damage = log.damage
        effects = log.damage.map { DamageEffect(of: $0, in: snapshot.sources) }
        unfinished = snapshot.unfinished
        endsInPeace = try snapshot.endsInPeace()
        let reader = StoredRecordReader(snapshot.sources)
        backlogs = log.sessions.compactMap { Self.backlog(of: $0, log, reader) }
        backlogs.sort { ($1.messages, $0.number.rawValue) < ($0.messages, $1.number.rawValue) }
    }

    private static func backlog(
        of session: RestoredSession,
        _ log: RecoveredLog,
        _ reader: StoredRecordReader,
    ) -> Session? {
        let queue = log.queues[session.number] ?? []
        let underWay = session.outbound.count { $0.message != nil }
        guard !queue.isEmpty || underWay > 0 else { return nil }
        return Session(
            number: session.number,
            clientID: session.record.clientID,
            subscriptions: session.subscriptions.count,
            messages: queue.count,
            bytes: queue.reduce(0) { $0 + Int($1.size) },
            underWay: underWay,
            oldest: queue.first.flatMap { reader.head(of: $0.position, log)?.storedAt },
            disconnectedAt: session.record.disconnectedAt,
        )
    }

    private static func oldest(_ snapshot: LogSnapshot) throws(SystemError) -> (Timestamp, String, Int)? {
        guard let seed = snapshot.seed else { return nil }
        for source in snapshot.sources {
            var scanner = SegmentScanner(source, seed: seed)
            scanning: while true {
                switch try scanner.next() {
                case .batch(let batch): return (batch.header.time, source.name, batch.offset)
                case .gap: continue
                case .end: break scanning
                }
            }
        }
        return nil
    }
}

/// What a look at every byte of a log has found.
package struct LogVerification: Sendable {
    package var segments: Int
    package var bytes: Int
    package var records: Int
    package var damage: [LogDamage]
    /// Of each damage.
    package var effects: [DamageEffect]
    /// No damage that can be told as such: being written, cut short by a crash and never acknowledged, or cut later.
    package var unfinished: (file: String, offset: Int, bytes: Int)?
    /// See `LogSnapshot.endsInPeace`.
    package var endsInPeace: Bool?

    /// Reads the log; another process may write to it meanwhile.
    package init(
        of disk: any Disk,
        progress: (LogRecovery.Progress) -> Void = { _ in },
    ) throws(SystemError) {
        try self.init(of: try LogSnapshot(of: disk), progress: progress)
    }

    package init(
        of snapshot: LogSnapshot,
        progress: (LogRecovery.Progress) -> Void = { _ in },
    ) throws(SystemError) {
        let log = LogRecovery.recover(snapshot.sources, report: progress)
        segments = snapshot.sources.count
        bytes = snapshot.byteCount
        records = log.records
        damage = log.damage
        effects = log.damage.map { DamageEffect(of: $0, in: snapshot.sources) }
        unfinished = snapshot.unfinished
        endsInPeace = try snapshot.endsInPeace()
    }
}

extension LogDamage {
    /// In words, without the place.
    package var explanation: String {
        switch kind {
        case .tornTail: "the last write is not complete: a crash cut it short, or bytes were lost later"
        case .record(.checksum): "a record's checksum does not fit"
        case .record(.truncated): "a record's length is impossible"
        case .record(.malformed): "a record makes no sense"
        case .batchHeader: "a batch's header is damaged; its trailer was used"
        case .batchTrailer: "a batch's trailer is damaged; its header was used"
        case .noBatch: "bytes that belong to no batch"
        case .segmentHeader: "the segment's header is damaged"
        case .padding: "a bit is set where nothing is kept; nothing is lost"
        case .missingSegment: "the segment before this one is missing"
        case .unreadable(let reason): "cannot be read: \(reason)"
        }
    }

    /// The kind as a name for programs.
    package var name: String {
        switch kind {
        case .tornTail: "torn_tail"
        case .record(.checksum): "record_checksum"
        case .record(.truncated): "record_length"
        case .record(.malformed): "record_malformed"
        case .batchHeader: "batch_header"
        case .batchTrailer: "batch_trailer"
        case .noBatch: "no_batch"
        case .segmentHeader: "segment_header"
        case .padding: "padding"
        case .missingSegment: "missing_segment"
        case .unreadable: "unreadable"
        }
    }
}
