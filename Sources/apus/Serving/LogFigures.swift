internal import ApusBroker
internal import ApusLog
internal import ApusMessage

/// The message log's figures under the names of docs/operations.md.
struct LogFigures: MetricSource {
    let log: MessageLog

    var samples: [BrokerMetrics.Sample] { Self.samples(of: log.statistics) }

    static func samples(of figures: LogStatistics) -> [BrokerMetrics.Sample] {
        var samples: [BrokerMetrics.Sample] = []
        func add(_ name: String, _ kind: BrokerMetrics.Kind, _ help: String, _ value: Double) {
            samples.append(BrokerMetrics.Sample(name: "apus_log_\(name)", help: help, kind: kind, value: value))
        }
        func addHistogram(_ name: String, _ help: String, _ durations: DurationHistogram) {
            samples.append(BrokerMetrics.Sample(name: "apus_log_\(name)", help: help, durations: durations))
        }
        add("commits_total", .counter, "Writes that were made safe.", Double(figures.commits))
        addHistogram("commit_seconds", "Time of a write until it was safe.", figures.commitDurations)
        let appending = "Time from a shard's hand-over of its records until they were safe."
        addHistogram("append_seconds", appending, figures.appendDurations)
        add("messages_total", .counter, "Messages stored.", Double(figures.messages))
        add("written_bytes_total", .counter, "Bytes written, moved messages included.", Double(figures.bytesWritten))
        add("failures_total", .counter, "Calls of the disk that failed.", Double(figures.failures))
        add("segments_vacated_total", .counter, "Segments given back.", Double(figures.segmentsVacated))
        add("messages_moved_total", .counter, "Messages moved for that.", Double(figures.messagesCopied))
        let retired = Double(figures.messagesRetired)
        add("messages_retired_total", .counter, "Messages given up for their age.", retired)
        add("messages_unreadable_total", .counter, "Messages that could not be read.", Double(figures.unreadable))
        add("bytes", .gauge, "Bytes that the log takes on the disk.", Double(figures.segmentBytes))
        add("live_bytes", .gauge, "Bytes of messages that are needed still, roughly.", Double(figures.liveBytes))
        add("waiting_bytes", .gauge, "Bytes that wait for a commit.", Double(figures.waitingBytes))
        add("segments", .gauge, "Segments.", Double(figures.segments))
        add("full", .gauge, "1 while no messages are taken for want of room.", figures.state == .full ? 1 : 0)
        add("failed", .gauge, "1 while nothing can be committed.", figures.state == .failed ? 1 : 0)
        return samples
    }
}
