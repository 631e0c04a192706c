/// What the crew tells a worker; each order but `stop` and `end` is answered by one `Report.done`.
enum Order: Sendable {
    /// Open the connections of one side.
    ///
    /// - Parameters:
    ///   - isClean: whether they begin a new session.
    ///   - subscribes: whether the subscribers send their filters.
    ///   - isTolerant: whether the others go on when one fails.
    ///   - known: whether only those that had a connection before.
    case connect(BenchNames.Role, isClean: Bool, subscribes: Bool, isTolerant: Bool, known: Bool)
    /// Publish everything and wait for answers and deliveries; `start` is when the first message is due.
    case publish(start: Int64)
    /// Begin nothing more: no message, no connection. What was begun is still waited for.
    case stop
    /// Wait until each connected subscriber has had as many different messages since the run began.
    case receive(Int)
    /// Ask each publisher's connection for an answer, which says that all before it was taken in.
    case ping
    /// Remove the retained messages that were set.
    case clear
    /// Answer at once with what was counted.
    case count
    /// Say goodbye and close one side.
    case leave(BenchNames.Role)
    /// End the thread.
    case end
}

/// Letters to a worker.
enum WorkerLetter: Sendable {
    case order(Order)
    /// Messages of this worker's publishers that came to other workers' subscribers.
    case delivered([Credit])
}

/// So many messages of one publisher were delivered.
struct Credit: Sendable {
    /// Among all publishers.
    var publisher: Int32
    var count: Int32
}

/// How an order ended.
package enum Outcome: String, Sendable {
    case done
    /// Nothing came for too long.
    case stalled
    /// A connection was lost.
    case disconnected
    /// The person who runs it ended it before its time: what had begun was waited for, and nothing more was begun.
    case interrupted
    /// The person would not wait either.
    case abandoned

    /// Whether nothing is known of what was under way.
    package var isBreak: Bool { self != .done && self != .interrupted }
}

/// What a worker tells the crew.
enum Report: Sendable {
    case done(worker: Int, Outcome, Tally, LatencyHistogram, LatencyHistogram, at: Int64)
    case progress(worker: Int, Tally)
    /// The thread cannot work at all.
    case failed(worker: Int, String)
}
