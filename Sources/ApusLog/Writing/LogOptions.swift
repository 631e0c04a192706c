package import ApusLoop
package import ApusMessage

/// How a log is to be kept.
package struct LogOptions: Sendable, Equatable {
    /// What an acknowledgement survives.
    package enum Durability: Sendable, Equatable {
        /// The loss of power: each commit waits for the disk.
        case power
        /// The end of the process, however it ends.
        case process
    }

    package var durability = Durability.power
    /// Size of a segment; a larger batch gets a larger one.
    package var segmentBytes = 64 << 20
    /// What the folder may take on the disk; 0 is no limit.
    package var maximumBytes = 0
    /// Messages that are older are given up when their segment is vacated; 0 keeps them.
    package var messageRetentionSeconds = 0

    package init() {}
}

/// Why a log cannot be opened.
package enum LogError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Another process works on it; its number if that is known.
    case inUse(path: String, process: Int?)
    case newerFormat(path: String, version: Int)
    case unknownFormat(path: String)
    case system(SystemError)

    package var description: String {
        switch self {
        case .inUse(let path, let process):
            "the data directory \(path) is in use by another process" + (process.map { " (\($0))" } ?? "")
        case .newerFormat(let path, let version):
            "\(path) was written by a newer version of Apus (log format \(version), this one knows "
                + "\(LogFormat.version)); use that version, or restore a backup"
        case .unknownFormat(let path): "\(path) is not a message log of Apus"
        case .system(let error): error.description
        }
    }
}

/// What the operator should hear of; reported from any thread of the log or of the shards.
package enum LogEvent: Sendable, Equatable {
    /// A write or a sync failed: its segment is sealed, and what was not committed is written again elsewhere.
    case segmentFailed(segment: UInt64, SystemError)
    /// Nothing can be committed; tried again each second.
    case failed(SystemError)
    /// There is no room for a further segment: no messages are taken, sessions go on in the reserve.
    case full(reason: String)
    /// Everything is taken again.
    case resumed
    /// A message could not be read again.
    case unreadable(file: String, offset: Int, reason: String)
    /// A segment was given back: bytes of it that were still needed and were written again.
    case vacated(segment: UInt64, bytes: Int, copied: Int)
    /// Messages that were given up because they were older than the retention allows.
    case retired(messages: Int)
}

/// Figures of a log since its start.
package struct LogStatistics: Sendable, Equatable {
    package enum State: String, Sendable {
        case running, full, failed
    }

    package var state = State.running
    package var commits = 0
    /// From the beginning of the write until it was safe.
    package var commitDurations = DurationHistogram()
    /// From the hand-over of a shard's batch until it was safe: what an acknowledgement in it waits for.
    package var appendDurations = DurationHistogram()
    package var batches = 0
    package var messages = 0
    /// Written to segments.
    package var bytesWritten = 0
    package var synchronizations = 0
    package var synchronizationNanoseconds: Int64 = 0
    package var slowestSynchronizationNanoseconds: Int64 = 0
    /// Failed calls of the disk.
    package var failures = 0
    package var segments = 0
    /// On the disk, with what is allocated and not used yet.
    package var segmentBytes = 0
    /// Of the messages in the segments those still needed, roughly.
    package var liveBytes = 0
    package var segmentsVacated = 0
    package var messagesCopied = 0
    package var messagesRetired = 0
    package var unreadable = 0
    /// Handed over and not yet committed.
    package var waitingBytes = 0

    package init() {}
}
