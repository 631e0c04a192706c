import ApusMessage
import ApusStore
import ApusTopics

@testable import ApusLog

extension RecoveredLog {
    /// All that start-up would know, in words.
    var picture: [String] {
        var lines = sessions.map { session in
            let subscriptions = session.subscriptions.map { "\($0.filter.fullText) \($0.options) \($0.identifier)" }
                .sorted()
            let outbound = session.outbound.map { item in
                "\(item.identifier):" + (item.message.map { "\($0.position.rawValue) \(words($0.recipient))" } ?? "-")
            }
            return
                "session \(session.number.rawValue) \(session.record) \(subscriptions) \(session.inbound) \(outbound)"
        }
        for (session, queue) in queues {
            let entries = queue.map { entry in
                let extra = extras[QueueExtraKey(session: session, position: entry.position)]
                let group = extra?.group?.fullText ?? "-"
                return "\(entry.position.rawValue) \(entry.spec.rawValue) \(entry.size) "
                    + "\(extra?.furtherSubscriptionIdentifiers ?? []) \(group)"
            }
            lines.append("queue \(session.rawValue) \(entries)")
        }
        lines.append("retained \(retained.map(\.rawValue))")
        return lines.sorted()
    }
}
