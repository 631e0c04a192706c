/// What a run does with a broker; `docs/bench.md` describes each.
package enum Workload: String, CaseIterable, Sendable {
    /// Publishers with a topic and a subscriber of their own.
    case pairs
    /// Many publishers, few subscribers that get everything, or share it.
    case fanIn = "fan-in"
    /// Few publishers, many subscribers that get everything.
    case fanOut = "fan-out"
    /// Messages to client ids, which nobody subscribes to (apsaramq-facts 3).
    case p2p
    /// Many filters with wildcards, of which each message matches exactly one.
    case wildcard
    /// Retained messages are set, then subscribers get all of them.
    case retained
    /// Messages are stored for sessions that are away, then the sessions return.
    case offline
    /// Connections that do nothing, then one message to each.
    case idle
    /// Many connections at once, again and again.
    case storm
    /// Publishers alone; who gets the messages is not looked at.
    case publish
    /// Subscribers alone; whatever comes is counted.
    case subscribe

    /// Whether messages flow from publishers to connected subscribers for a measured time.
    package var isTraffic: Bool {
        switch self {
        case .pairs, .fanIn, .fanOut, .p2p, .wildcard: true
        case .retained, .offline, .idle, .storm, .publish, .subscribe: false
        }
    }

    /// Whether messages can be published at a rate, for a time or up to a number.
    var isPaced: Bool { isTraffic || self == .publish }
    package var hasPublishers: Bool { self != .storm && self != .subscribe }
    package var hasSubscribers: Bool { self != .publish }
    /// Whether one side is another program, so that the topics of the two have to be the same from run to run.
    package var isOneSided: Bool { self == .publish || self == .subscribe }

    /// Whether each publisher has one subscriber, with the same number.
    package var isPaired: Bool { self == .pairs || self == .p2p }
}
