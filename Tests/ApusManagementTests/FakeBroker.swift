import ApusBroker
import ApusLocks
import ApusMessage

/// A broker that remembers what it was asked to do, and answers what a test has put into it.
final class FakeBroker: BrokerControl {
    struct Content: Sendable {
        var published: [ManagedPublish] = []
        var outcome = PublishReport.Outcome.accepted
        /// Sessions by instance; connected when they have a connection.
        var sessions: [InstanceNumber: [SessionDetails]] = [:]
        var disconnected: [String] = []
        var retained: [RetainedDetails] = []
        var events: [TraceEvent] = []
        var lastQuery: TraceQuery?
    }

    let content = Guarded(Content())

    func publish(_ message: ManagedPublish) async -> PublishReport {
        content.withLock { content in
            content.published.append(message)
            let number = String(content.published.count)
            let id = String(repeating: "0", count: 32 - number.count) + number
            return PublishReport(outcome: content.outcome, messageID: id)
        }
    }

    func areConnected(_ instance: InstanceNumber, clientIDs: [String]) async -> [Bool] {
        content.withLock { content in
            clientIDs.map { id in
                (content.sessions[instance] ?? []).contains { $0.clientID == id && $0.connection != nil }
            }
        }
    }

    func connectionCount(_ instance: InstanceNumber) -> Int {
        content.withLock { $0.sessions[instance]?.count { $0.connection != nil } ?? 0 }
    }

    func session(_ instance: InstanceNumber, clientID: String) async -> SessionDetails? {
        content.withLock { $0.sessions[instance]?.first { $0.clientID == clientID } }
    }

    func sessions(
        _ instance: InstanceNumber,
        after: String,
        limit: Int,
        connectedOnly: Bool,
    ) async -> [SessionDetails] {
        content.withLock { content in
            let fitting = (content.sessions[instance] ?? [])
                .filter { $0.clientID > after && (!connectedOnly || $0.connection != nil) }
            return Array(fitting.sorted { $0.clientID < $1.clientID }.prefix(limit))
        }
    }

    func disconnect(_ instance: InstanceNumber, clientID: String, explanation: String) async -> Bool {
        content.withLock { content in
            guard let index = content.sessions[instance]?.firstIndex(where: { $0.clientID == clientID }),
                content.sessions[instance]?[index].connection != nil
            else { return false }
            content.sessions[instance]?[index].connection = nil
            content.disconnected.append("\(clientID): \(explanation)")
            return true
        }
    }

    func endSession(_ instance: InstanceNumber, clientID: String, explanation: String) async -> Bool {
        content.withLock { content in
            guard let index = content.sessions[instance]?.firstIndex(where: { $0.clientID == clientID }) else {
                return false
            }
            content.sessions[instance]?.remove(at: index)
            return true
        }
    }

    func retained(
        _ instance: InstanceNumber,
        filter: String,
        after: String,
        limit: Int,
        bytes: Int,
    ) async -> RetainedPage {
        let found = content.withLock { Array($0.retained.filter { $0.topic > after }.prefix(limit)) }
        var left = bytes
        let shown = found.prefix { message in
            left -= message.payload.count
            return left >= 0 || message == found.first
        }
        return RetainedPage(messages: Array(shown), hasMore: shown.count < found.count || found.count == limit)
    }

    func removeRetained(_ instance: InstanceNumber, topic: String) async -> Bool {
        content.withLock { content in
            guard let index = content.retained.firstIndex(where: { $0.topic == topic }) else { return false }
            content.retained.remove(at: index)
            return true
        }
    }

    func metrics() async -> BrokerMetrics {
        BrokerMetrics(samples: [
            .init(name: "apus_connections", help: "Live connections.", kind: .gauge, value: 3),
            .init(
                name: "apus_messages_dropped_total",
                help: "Dropped.",
                kind: .counter,
                labels: [("reason", "queue_full")],
                value: 1
            ),
            .init(
                name: "apus_messages_dropped_total",
                help: "Dropped.",
                kind: .counter,
                labels: [("reason", "a \"b\"\\")],
                value: 0.5
            ),
        ])
    }

    func trace(_ query: TraceQuery) async -> TracePage {
        content.withLock { content in
            content.lastQuery = query
            var found = content.events.filter { event in
                query.kinds.contains(event.kind) && (query.clientID ?? event.clientID) == event.clientID
                    && (query.messageID ?? event.messageID) == event.messageID
                    && (query.from...query.until).contains(event.time)
            }
            if query.newestFirst { found.reverse() }
            return TracePage(
                events: Array(found.dropFirst(query.offset).prefix(query.limit)),
                total: found.count
            )
        }
    }
}

extension SessionDetails {
    /// A session for tests.
    init(_ clientID: String, isConnected: Bool, queued: Int = 0) {
        self.init(
            clientID: clientID,
            connection: isConnected
                ? ConnectionDetails(
                    address: "127.0.0.1:50123",
                    listener: "mqtt",
                    version: "5.0",
                    userName: "Signature|LTAIexampleAK|post-cn-apus00001",
                    keepAliveSeconds: 90,
                    connectedAt: 1_700_000_000_000,
                    lastSeenAt: 1_700_000_001_000,
                    channelID: String(repeating: "a", count: 32)
                ) : nil,
            isPersistent: true,
            expirySeconds: 3_600,
            disconnectedAt: isConnected ? nil : 1_700_000_002_000,
            subscriptions: [.init(filter: "orders/#", qos: 1, noLocal: false, retainAsPublished: true)],
            inFlight: 1,
            queuedMessages: queued,
            queuedBytes: queued * 10
        )
    }
}
