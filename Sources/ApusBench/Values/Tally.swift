package import MQTTCodec

/// What one thread, or all together, have counted since the beginning of a run.
package struct Tally: Sendable, Equatable {
    package var published = 0
    /// Publishes that the broker answered for; QoS 1 and 2.
    package var acknowledged = 0
    /// Publishes that the broker refused by a reason code.
    package var refused = 0
    /// Messages that came, each counted once.
    package var delivered = 0
    package var repeated = 0
    /// Messages that came behind one that was sent later.
    package var misordered = 0
    /// Messages that came to a client that must not get them.
    package var misrouted = 0
    /// Payloads that are not as they were sent.
    package var damaged = 0
    /// Deliveries with a lower QoS than was subscribed and published.
    package var downgraded = 0
    /// Deliveries without RETAIN where it must be set.
    package var notRetained = 0
    /// Deliveries of QoS 0 that nobody waits for any more.
    package var writtenOff = 0
    /// Messages that could not leave when they were due, because all identifiers or the connection's buffer were taken.
    package var late = 0
    /// Messages that were due by the schedule and have not left at its end.
    package var unsent = 0
    /// The longest that a message left after it was due, in nanoseconds.
    package var greatestLateness: Int64 = 0

    package var connected = 0
    package var failedConnections = 0
    /// Connections that stood and were lost.
    package var brokenConnections = 0
    package var sessionsPresent = 0
    package var filters = 0
    /// The lowest QoS that a SUBACK granted.
    package var leastGranted: QoS?
    /// What went wrong and how often; at most `maximumProblems` kinds.
    package private(set) var problems: [Problem: Int] = [:]
    /// The first messages that came wrongly, in words; at most `maximumExamples`.
    package private(set) var examples: [String] = []
    /// When the last message came, in nanoseconds; 0 if none did.
    package var lastDelivery: Int64 = 0

    package init() {}

    private static let maximumProblems = 32
    private static let maximumExamples = 8

    package mutating func add(_ problem: Problem, count: Int = 1) {
        guard problems[problem] != nil || problems.count < Self.maximumProblems else { return }
        problems[problem, default: 0] += count
    }

    /// Notes a message that came wrongly; the words are only made while there is room.
    package mutating func addExample(_ words: @autoclosure () -> String) {
        if examples.count < Self.maximumExamples { examples.append(words()) }
    }

    package mutating func merge(_ other: Tally) {
        published += other.published
        acknowledged += other.acknowledged
        refused += other.refused
        delivered += other.delivered
        repeated += other.repeated
        misordered += other.misordered
        misrouted += other.misrouted
        damaged += other.damaged
        downgraded += other.downgraded
        notRetained += other.notRetained
        writtenOff += other.writtenOff
        late += other.late
        unsent += other.unsent
        greatestLateness = max(greatestLateness, other.greatestLateness)
        connected += other.connected
        failedConnections += other.failedConnections
        brokenConnections += other.brokenConnections
        sessionsPresent += other.sessionsPresent
        filters += other.filters
        leastGranted = [leastGranted, other.leastGranted].compactMap(\.self).min()
        for (problem, count) in other.problems { add(problem, count: count) }
        for example in other.examples { addExample(example) }
        lastDelivery = max(lastDelivery, other.lastDelivery)
    }
}
