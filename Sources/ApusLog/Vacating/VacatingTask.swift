internal import ApusMessage
internal import ApusStore

/// The segment that is being vacated: which batches and which copies stand in it.
///
/// Never changes, so that all shards read it without a lock.
final class VacatingTask: Sendable {
    /// Counts tasks since the start of the process.
    let number: UInt64
    let segment: UInt32
    private let firstBatch: UInt64
    /// One bit for each batch from the first on.
    private let batches: [UInt64]
    /// Messages whose own batch is gone already and whose copy stands here.
    let origins: Set<StorePosition>

    init(number: UInt64, segment: UInt32, batches numbers: [UInt64], origins: [StorePosition]) {
        self.number = number
        self.segment = segment
        self.origins = Set(origins)
        firstBatch = numbers.min() ?? 0
        let range = numbers.isEmpty ? 0 : Int((numbers.max() ?? 0) - firstBatch) + 1
        var bits = [UInt64](repeating: 0, count: (range + 63) / 64)
        for number in numbers { bits[Int(number - firstBatch) / 64] |= 1 << ((number - firstBatch) % 64) }
        batches = bits
    }

    func contains(batch: UInt64) -> Bool {
        guard batch >= firstBatch, batch - firstBatch < UInt64(batches.count * 64) else { return false }
        return batches[Int(batch - firstBatch) / 64] & 1 << ((batch - firstBatch) % 64) != 0
    }

    /// Whether the message stands in the segment.
    func contains(_ position: StorePosition) -> Bool {
        contains(batch: position.batchNumber) || (!origins.isEmpty && origins.contains(position))
    }
}

/// How far a task has come, as one number that grows: shards answer with the stage that they have seen.
///
/// 1. *marking*: shards begin to tell the writer what they finish and assign of the segment;
/// 2. *settling*: all do; what was on its way between shards arrives;
/// 3. *walking*: shards name what they need;
/// 4. *copying*: the writer copies it.
struct VacatingStage: Equatable {
    enum Step: UInt64 { case none, marking, settling, walking, copying }

    let rawValue: UInt64

    init(rawValue: UInt64) { self.rawValue = rawValue }
    init(_ task: UInt64, _ step: Step) { rawValue = task << 3 | step.rawValue }

    var task: UInt64 { rawValue >> 3 }
    var step: Step { Step(rawValue: rawValue & 7) ?? .none }
}

/// A session needs a message of the segment, or does not any more: 24 bytes.
struct ReferenceChange: Sendable {
    let position: StorePosition
    let session: SessionNumber
    /// 0 when it needs it no more.
    let spec: UInt32

    var isNeeded: Bool { spec != 0 }
}

/// What the shards tell the writer beside their batches.
struct VacatingExchange: Sendable {
    /// For the estimate of what lives.
    struct Release: Sendable {
        let batch: UInt64
        /// How many sessions have let go of messages of the batch; fewer than none if more need them.
        var count: Int32
    }

    /// In the order of hand-over.
    struct Effects: Sendable {
        var changes: [ReferenceChange] = []
        /// What few references have.
        var extras: [QueueExtraKey: QueueExtra] = [:]

        var isEmpty: Bool { changes.isEmpty }

        mutating func append(_ other: Effects) {
            changes.append(contentsOf: other.changes)
            if !other.extras.isEmpty { extras.merge(other.extras) { $1 } }
        }
    }

    var releases: [Release] = []
    var effects = Effects()
    var task: VacatingTask?

    mutating func takeEffects() -> Effects {
        var taken = Effects()
        swap(&taken, &effects)
        return taken
    }

    mutating func takeReleases() -> [Release] {
        var taken: [Release] = []
        swap(&taken, &releases)
        return taken
    }
}
