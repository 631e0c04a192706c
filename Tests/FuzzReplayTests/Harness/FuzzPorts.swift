import ApusBroker
import ApusLocks
import ApusMessage
import ApusStore
import MQTTCodec
import Synchronization

struct IgnoresEvents: EventSink {
    func record(_ event: BrokerEvent) {}
}

/// Admits everybody but the password `no`; the user `late` waits for the script. Knows the method `TOY`.
final class FuzzAuthenticator: Authenticator {
    private typealias Waiting = (principal: Principal, reply: @Sendable (AuthenticationOutcome) -> Void)
    private let waiting = Guarded<[Waiting]>([])

    func authenticate(_ request: AuthenticationRequest, reply: @escaping @Sendable (AuthenticationOutcome) -> Void) {
        let principal = Principal(clientID: request.clientID, userName: request.userName)
        if request.userName == "late" {
            waiting.withLock { $0.append((principal, reply)) }
        } else if request.password == Array("no".utf8) {
            reply(.refused(.badUserNameOrPassword, explanation: "wrong password", clientExplanation: "no"))
        } else {
            reply(.accepted(principal))
        }
    }

    func enhancedAuthentication(method: String, request: AuthenticationRequest) -> (any EnhancedAuthentication)? {
        method == "TOY" ? Exchange(clientID: request.clientID) : nil
    }

    /// Answers everybody who waits.
    func answer(admitting: Bool) {
        let all = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for (principal, reply) in all {
            reply(admitting ? .accepted(principal) : .refused(.notAuthorized, explanation: "not today"))
        }
    }

    /// 0 is refused, 1 accepted, everything else asked again.
    private struct Exchange: EnhancedAuthentication {
        let clientID: String

        mutating func received(_ data: [UInt8]) -> EnhancedAuthenticationStep {
            switch data.first {
            case 0: .refused(.notAuthorized, explanation: "zero")
            case 1: .accepted(Principal(clientID: clientID, userName: "toy"), data: [1])
            default: .challenge(data)
            }
        }
    }
}

/// Forbids topics and filters that begin with `n`; once changed, with `t` too.
final class FuzzRights: Authorizer {
    let revision = RightsRevision()

    func change() { revision.advance() }

    func denial(of access: Access, to topic: String, for principal: Principal) -> AccessDenial? {
        isAllowed(topic) ? nil : .noRight
    }

    private func isAllowed(_ text: String) -> Bool {
        !text.hasPrefix("n") && (revision.value % 2 == 1 || !text.hasPrefix("t"))
    }
}

/// The store in memory, which counts what it holds and looks after the bounds.
///
/// Used on one thread.
final class CountingStore: ForwardingStore, @unchecked Sendable {
    private var sessions: Set<SessionHandle> = []
    /// Whether a queue has ever been longer than it may.
    private(set) var hasOverflown = false

    /// Messages that wait for any session.
    var waitingCount: Int { sessions.reduce(0) { $0 + memory.backlog(of: $1).messages } }

    override func enqueue(
        _ delivery: Delivery,
        for session: SessionHandle,
        _ number: SessionNumber,
        limits: QueueLimits,
    ) -> [MessageNumber] {
        sessions.insert(session)
        let dropped = super.enqueue(delivery, for: session, number, limits: limits)
        let (messages, bytes) = memory.backlog(of: session)
        if messages > limits.messages || bytes > limits.bytes { hasOverflown = true }
        return dropped
    }
}

/// Mail on its way between the shards of one broker.
final class FuzzMailbox: Sendable {
    private let mail: Guarded<[[ShardMail]]>

    init(_ count: Int) { mail = Guarded([[ShardMail]](repeating: [], count: count)) }

    func post(_ item: ShardMail, to shard: Int) { mail.withLock { $0[shard].append(item) } }

    func take(for shard: Int) -> [ShardMail] {
        mail.withLock { mail in
            defer { mail[shard] = [] }
            return mail[shard]
        }
    }
}
