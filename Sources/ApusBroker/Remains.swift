internal import ApusMessage

/// What was found at start of instances that are gone: their deletion was committed, and the process ended before the
/// store had taken note.
struct Remains {
    private struct Counts {
        var sessions = 0
        /// Waiting for them, or under way to them.
        var messages = 0
        var retained = 0
    }

    private var counts: [InstanceNumber: Counts] = [:]

    mutating func add(_ instance: InstanceNumber, sessions: Int = 0, messages: Int = 0, retained: Int = 0) {
        counts[instance, default: Counts()].sessions += sessions
        counts[instance, default: Counts()].messages += messages
        counts[instance, default: Counts()].retained += retained
    }

    /// One for each instance.
    var events: [BrokerEvent] {
        counts.sorted { $0.key < $1.key }.map { instance, counts in
            let fields = [
                ("number", "\(instance.rawValue)"), ("sessions", "\(counts.sessions)"),
                ("messages", "\(counts.messages)"), ("retained", "\(counts.retained)"),
                ("reason", "the catalog has no instance of this number any more"),
            ]
            return BrokerEvent(.notice, "instance.remains_dropped", fields)
        }
    }
}

extension Shard {
    func report(_ remains: Remains) { for event in remains.events { broker.events.record(event) } }
}
