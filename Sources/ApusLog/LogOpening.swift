internal import ApusLocks
internal import ApusLoop
internal import ApusMessage
internal import ApusStore

/// A log that was read and made ready to be written.
struct LogOpening {
    var recovered: RecoveredLog
    var segments: [LogWriter.SegmentRecord] = []
    var files: [UInt32: any DiskFile] = [:]
    /// The last segment, when there is room left in it.
    var active: SegmentFile?

    /// Reads the segments, cuts off what a crash has left at the end, and opens them.
    init(
        _ disk: any Disk,
        options: LogOptions,
        progress: (LogRecovery.Progress) -> Void,
    ) throws(SystemError) {
        try SpareSegment.discard(disk)
        var sources: [LogSource] = []
        for name in try disk.list() {
            guard let number = LogSource.number(ofFile: name) else { continue }
            let file = try disk.open(name, .writing)
            files[UInt32(truncatingIfNeeded: number)] = file
            sources.append(LogSource(name: name, number: number, byteCount: try file.size(), file: file))
        }
        recovered = LogRecovery.recover(sources, report: progress)
        if let refusal = recovered.refusal { throw refusal }
        try cut(disk)
        try dropBlank(disk)
        try resumeLast(disk, options)
    }

    /// Cuts off the torn tail: nothing in it was ever acknowledged, and what is written next must follow the last batch.
    private mutating func cut(_ disk: any Disk) throws(SystemError) {
        if let cut = recovered.cut {
            for number in files.keys where UInt64(number) > cut.segment {
                files[number] = nil
                try disk.delete(LogSource.name(ofSegment: UInt64(number)))
            }
            if let file = files[UInt32(truncatingIfNeeded: cut.segment)] { try file.truncate(to: cut.offset) }
            recovered.segments.removeAll { $0.number > cut.segment }
            if let last = recovered.segments.indices.last, recovered.segments[last].number == cut.segment {
                recovered.segments[last].end = min(recovered.segments[last].end, cut.offset)
            }
        }
        for segment in recovered.segments {
            guard let file = files[UInt32(truncatingIfNeeded: segment.number)] else { continue }
            let record = LogWriter.SegmentRecord(
                number: segment.number,
                bytes: try file.size(),
                createdAt: segment.createdAt,
            )
            segments.append(record)
        }
    }

    /// Deletes segments at the end that were made in advance, and of which not even the header has come to the disk.
    private mutating func dropBlank(_ disk: any Disk) throws(SystemError) {
        while let last = recovered.segments.last, last.createdAt.milliseconds == 0, last.end <= SegmentHeader.byteCount
        {
            files[UInt32(truncatingIfNeeded: last.number)] = nil
            try disk.delete(LogSource.name(ofSegment: last.number))
            try disk.synchronize()
            recovered.segments.removeLast()
            segments.removeAll { $0.number == last.number }
        }
    }

    private mutating func resumeLast(_ disk: any Disk, _ options: LogOptions) throws(SystemError) {
        guard let last = recovered.segments.last, let index = segments.indices.last,
            let file = files[UInt32(truncatingIfNeeded: last.number)]
        else { return }
        // Behind the last batch there may be the beginning of another one.
        try file.truncate(to: last.end)
        segments[index].bytes = last.end
        if last.createdAt.milliseconds == 0, let seed = recovered.seed {
            // The header was lost, and what follows was not: a crash before the first sync.
            let header = SegmentHeader(number: last.number, createdAt: Timestamp(milliseconds: 1), seed: seed)
            try file.writeAll(header.encoded.span, at: 0)
        }
        var capacity = last.end
        if last.end >= SegmentHeader.byteCount, last.end < options.segmentBytes,
            (try? file.allocate(options.segmentBytes)) != nil
        {
            capacity = options.segmentBytes
            segments[index].bytes = capacity
            active = SegmentFile(
                number: last.number,
                file: file,
                capacity: capacity,
                end: last.end,
                name: LogSource.name(ofSegment: last.number),
            )
        }
        // A process that was killed may have written what the disk has not taken yet; from here on it counts.
        try file.synchronize()
        try disk.synchronize()
    }
}

/// The queues that were found at start, until their shards fetch them.
final class RecoveredQueues: Sendable {
    struct Found {
        var entries: [QueueEntry]
        var extras: [StorePosition: QueueExtra] = [:]
        var state: StatePlace?
    }

    private struct Content: Sendable {
        var queues: [SessionNumber: [QueueEntry]]
        var extras: [QueueExtraKey: QueueExtra]
        var states: [SessionNumber: StatePlace]
    }

    private let content: Guarded<Content>

    init(_ log: RecoveredLog) {
        content = Guarded(Content(queues: log.queues, extras: log.extras, states: log.states))
    }

    func take(_ session: SessionNumber) -> Found {
        content.withLock { content in
            var found = Found(entries: content.queues.removeValue(forKey: session) ?? [])
            for entry in found.entries where entry.spec.hasMore {
                let key = QueueExtraKey(session: session, position: entry.position)
                found.extras[entry.position] = content.extras.removeValue(forKey: key)
            }
            found.state = content.states.removeValue(forKey: session)
            return found
        }
    }
}
