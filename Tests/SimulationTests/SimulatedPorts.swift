import ApusLocks
import ApusMessage

@testable import ApusBroker

struct IgnoresEvents: EventSink {
    func record(_ event: BrokerEvent) {}
}

/// Admits everybody, at once or when the simulation lets it answer.
final class SimulatedAuthenticator: Authenticator {
    private let answersLater: Bool
    private let waiting = Guarded<[(AuthenticationRequest, @Sendable (AuthenticationOutcome) -> Void)]>([])

    init(answersLater: Bool) { self.answersLater = answersLater }

    func authenticate(_ request: AuthenticationRequest, reply: @escaping @Sendable (AuthenticationOutcome) -> Void) {
        if answersLater { return waiting.withLock { $0.append((request, reply)) } }
        reply(.accepted(Principal(clientID: request.clientID, userName: nil)))
    }

    func enhancedAuthentication(method: String, request: AuthenticationRequest) -> (any EnhancedAuthentication)? { nil }

    var waitingCount: Int { waiting.withLock { $0.count } }

    /// The process that asked is gone.
    func forgetAll() { waiting.withLock { $0 = [] } }

    /// Answers one request, not always the oldest.
    func answer(_ index: Int) {
        let (request, reply) = waiting.withLock { $0.remove(at: index) }
        reply(.accepted(Principal(clientID: request.clientID, userName: nil)))
    }
}

/// Mail on its way between shards; each shard opens its letters in order, but whenever it likes.
final class SimulatedMail: Sendable {
    private let mail: Guarded<[[ShardMail]]>

    init(_ count: Int) { mail = Guarded([[ShardMail]](repeating: [], count: count)) }

    func post(_ item: ShardMail, to shard: Int) { mail.withLock { $0[shard].append(item) } }

    func takeFirst(for shard: Int) -> ShardMail? {
        mail.withLock { $0[shard].isEmpty ? nil : $0[shard].removeFirst() }
    }

    func removeAll() { mail.withLock { $0 = $0.map { _ in [] } } }

    var isEmpty: Bool { mail.withLock { $0.allSatisfy { $0.isEmpty } } }
}
