package import ApusLoop
package import ApusMessage
package import ApusStore
package import ApusTopics

/// A message waiting for a session: 16 bytes.
package struct QueueEntry: Sendable, Equatable {
    package var position: StorePosition
    /// With `hasMore` the entry has a ``QueueExtra``.
    package var spec: DeliverySpec
    /// The message's footprint against byte limits, at most 4 GiB.
    package var size: UInt32

    package init(position: StorePosition, spec: DeliverySpec, size: UInt32) {
        self.position = position
        self.spec = spec
        self.size = size
    }
}

/// What only few queue entries have.
package struct QueueExtra: Sendable, Equatable {
    /// Of further matching subscriptions of the same session.
    package var furtherSubscriptionIdentifiers: [UInt32]
    /// The shared subscription through which the message comes.
    package var group: TopicFilter?

    package init(furtherSubscriptionIdentifiers: [UInt32] = [], group: TopicFilter? = nil) {
        self.furtherSubscriptionIdentifiers = furtherSubscriptionIdentifiers
        self.group = group
    }
}

/// Names an entry of a queue.
package struct QueueExtraKey: Sendable, Hashable {
    package var session: SessionNumber
    package var position: StorePosition

    package init(session: SessionNumber, position: StorePosition) {
        self.session = session
        self.position = position
    }
}

/// Where a batch stands, and what it holds.
package struct BatchPlace: Sendable, Equatable {
    /// The number of the segment; 0 when there is no such batch.
    package var segment: UInt32
    /// Of the batch's header from the start of the file, in units of eight bytes.
    package var offsetWords: UInt32
    /// Of message records.
    package var messageBytes: UInt32
    /// References to its messages when it was written.
    package var references: UInt32
    /// References that are left.
    package var liveReferences: UInt32

    package init(segment: UInt32, offset: Int, messageBytes: UInt32, references: UInt32, liveReferences: UInt32) {
        self.segment = segment
        offsetWords = UInt32(truncatingIfNeeded: offset / LogFormat.alignment)
        self.messageBytes = messageBytes
        self.references = references
        self.liveReferences = liveReferences
    }

    static let missing = BatchPlace(segment: 0, offset: 0, messageBytes: 0, references: 0, liveReferences: 0)

    /// Of the batch's header from the start of the file.
    package var offset: Int { Int(offsetWords) * LogFormat.alignment }

    /// How many of the message bytes are still needed, roughly.
    package var liveBytes: Int {
        references == 0 ? 0 : Int(messageBytes) * Int(liveReferences) / Int(references)
    }
}

/// A message that was moved: it keeps its old position as its identity and stands where the copy stands.
package struct Relocation: Sendable, Equatable {
    package var origin: StorePosition
    package var copy: StorePosition

    package init(origin: StorePosition, copy: StorePosition) {
        self.origin = origin
        self.copy = copy
    }
}

package struct RecoveredSegment: Sendable, Equatable {
    package var number: UInt64
    package var createdAt: Timestamp
    /// Behind the last batch; what follows is zero, or cut.
    package var end: Int
    package var messageBytes: Int
    /// Of the message bytes those still needed, roughly, and what makes up sessions.
    package var liveBytes: Int

    package init(number: UInt64, createdAt: Timestamp, end: Int, messageBytes: Int = 0, liveBytes: Int = 0) {
        self.number = number
        self.createdAt = createdAt
        self.end = end
        self.messageBytes = messageBytes
        self.liveBytes = liveBytes
    }
}

/// Where the records stand that make up a session.
package struct StatePlace: Sendable, Equatable {
    /// Of its last `.state`; what changed since stands there or later.
    package var segment: UInt64
    /// Of that record and the changes since.
    package var bytes: Int
}

/// A place in the log that could not be used.
package struct LogDamage: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// The log ends in a write that was not completed; nothing in it was ever acknowledged.
        case tornTail
        /// Contents and checksum of a record differ.
        case record(RecordDamage)
        /// A batch's header or trailer was damaged; the other one was used.
        case batchHeader
        case batchTrailer
        /// Bytes that belong to no batch.
        case noBatch
        /// The header of a segment is damaged; its copy was used, or the file's name.
        case segmentHeader
        /// A bit is set where nothing is kept; nothing is lost.
        case padding
        /// A segment is missing before this one.
        case missingSegment
        /// The file cannot be read; the system's words.
        case unreadable(String)
    }

    package var kind: Kind
    /// The file's name.
    package var file: String
    package var offset: Int
    package var bytes: Int

    package init(kind: Kind, file: String, offset: Int, bytes: Int) {
        self.kind = kind
        self.file = file
        self.offset = offset
        self.bytes = bytes
    }
}

/// All that a log holds, as start-up needs it.
package struct RecoveredLog: Sendable {
    /// `nil` for an empty log: a new one is to be drawn.
    package var seed: UInt64?
    package var sessions: [RestoredSession] = []
    /// In the order of positions; QoS 2 messages that are under way to the client are not in them.
    package var queues: [SessionNumber: [QueueEntry]] = [:]
    package var extras: [QueueExtraKey: QueueExtra] = [:]
    /// In the order of positions.
    package var retained: [StorePosition] = []
    /// Of `batches[0]`.
    package var firstBatchNumber: UInt64 = 1
    package var batches: [BatchPlace] = []
    /// In the order of origins, each once.
    package var relocations: [Relocation] = []
    package var states: [SessionNumber: StatePlace] = [:]
    /// Oldest first.
    package var segments: [RecoveredSegment] = []
    package var nextBatchNumber: UInt64 = 1
    package var nextSessionNumber: UInt32 = 1
    package var damage: [LogDamage] = []
    /// The torn tail: this segment must be cut there, and those behind it deleted, before anything new is written.
    package var cut: (segment: UInt64, offset: Int)?
    package var records = 0
    /// Whether the last batch is the one without records that a stopped broker leaves; true also of an empty log.
    package var endsInPeace = true
    /// References to messages that no batch has.
    package var danglingReferences = 0

    package init() {}

    /// Why nothing may be written to the log, or deleted in it: a part of it could not be read, though it may be good.
    package var refusal: SystemError? {
        for found in damage {
            if case .unreadable = found.kind {
                return SystemError(code: Self.inputOutput, call: "read \(found.file) at offset \(found.offset)")
            }
        }
        guard seed == nil, let first = damage.first else { return nil }
        return SystemError(code: Self.badMessage, call: "read \(first.file): no segment has a good header")
    }

    /// `EIO` and `EBADMSG`.
    private static let inputOutput: Int32 = 5
    private static let badMessage: Int32 = 74

    /// Where the batch with this number stands.
    package func place(of batch: UInt64) -> BatchPlace? {
        guard batch >= firstBatchNumber, batch - firstBatchNumber < UInt64(batches.count) else { return nil }
        let place = batches[Int(batch - firstBatchNumber)]
        return place.segment == 0 ? nil : place
    }

    /// Where the message stands whose identity this is.
    package func copy(of position: StorePosition) -> StorePosition {
        var low = 0
        var high = relocations.count
        while low < high {
            let middle = (low + high) / 2
            if relocations[middle].origin < position { low = middle + 1 } else { high = middle }
        }
        guard low < relocations.count, relocations[low].origin == position else { return position }
        return relocations[low].copy
    }
}
