import ApusLocks
import ApusMessage
import ApusStore
import MQTTCodec

@testable import ApusBroker

/// Keeps all events for a test to look at.
final class RecordedEvents: EventSink {
    private let events = Guarded<[BrokerEvent]>([])

    func record(_ event: BrokerEvent) { events.withLock { $0.append(event) } }

    var names: [String] { events.withLock { $0.map(\.name) } }

    func fields(of name: String) -> [[String: String]] {
        events.withLock { events in
            events.filter { $0.name == name }.map { Dictionary($0.fields) { first, _ in first } }
        }
    }
}

struct AdmitsEverybody: Authenticator {
    func authenticate(_ request: AuthenticationRequest, reply: @escaping @Sendable (AuthenticationOutcome) -> Void) {
        reply(.accepted(Principal(clientID: request.clientID, userName: request.userName)))
    }

    func enhancedAuthentication(method: String, request: AuthenticationRequest) -> (any EnhancedAuthentication)? { nil }
}

/// Answers with what a test has set.
struct AnswersAtOnce: Authenticator {
    let outcome: AuthenticationOutcome

    func authenticate(_ request: AuthenticationRequest, reply: @escaping @Sendable (AuthenticationOutcome) -> Void) {
        reply(outcome)
    }

    func enhancedAuthentication(method: String, request: AuthenticationRequest) -> (any EnhancedAuthentication)? { nil }
}

/// Answers when the test says so, from whatever thread.
final class AnswersLater: Authenticator {
    private let waiting = Guarded<[(AuthenticationRequest, @Sendable (AuthenticationOutcome) -> Void)]>([])

    func authenticate(_ request: AuthenticationRequest, reply: @escaping @Sendable (AuthenticationOutcome) -> Void) {
        waiting.withLock { $0.append((request, reply)) }
    }

    func enhancedAuthentication(method: String, request: AuthenticationRequest) -> (any EnhancedAuthentication)? { nil }

    var waitingCount: Int { waiting.withLock { $0.count } }

    func acceptAll() {
        for (request, reply) in takeAll() {
            reply(.accepted(Principal(clientID: request.clientID, userName: request.userName)))
        }
    }

    func refuseAll() {
        for (_, reply) in takeAll() {
            reply(.refused(.badUserNameOrPassword, explanation: "wrong password", clientExplanation: "no"))
        }
    }

    private func takeAll() -> [(AuthenticationRequest, @Sendable (AuthenticationOutcome) -> Void)] {
        waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }
}

/// Enhanced authentication `TOY`: the client says a number, is asked for the next one, and must say it.
struct ToyAuthenticator: Authenticator {
    func authenticate(_ request: AuthenticationRequest, reply: @escaping @Sendable (AuthenticationOutcome) -> Void) {
        reply(.refused(.notAuthorized, explanation: "only TOY"))
    }

    func enhancedAuthentication(method: String, request: AuthenticationRequest) -> (any EnhancedAuthentication)? {
        method == "TOY" ? Exchange(clientID: request.clientID) : nil
    }

    struct Exchange: EnhancedAuthentication {
        let clientID: String
        var expected: UInt8?
        var claimedUserName: String? { expected.map { _ in "toy" } }

        mutating func received(_ data: [UInt8]) -> EnhancedAuthenticationStep {
            guard let first = data.first else { return .refused(.notAuthorized, explanation: "no number") }
            guard let expected else {
                self.expected = first &+ 1
                return .challenge([first])
            }
            guard first == expected else { return .refused(.badUserNameOrPassword, explanation: "wrong number") }
            return .accepted(Principal(clientID: clientID, userName: "toy"), data: [0xFF])
        }
    }
}

/// Rights that a test sets and changes.
final class ScriptedRights: Authorizer {
    private struct Rights {
        var mayPublish: @Sendable (Principal, String) -> Bool = { _, _ in true }
        var maySubscribe: @Sendable (Principal, String) -> Bool = { _, _ in true }
        var asked = 0
    }

    private let rights = Guarded(Rights())

    let revision = RightsRevision()
    /// How often a right to publish was asked for.
    var publishQuestions: Int { rights.withLock { $0.asked } }

    func allowPublishing(_ decide: @escaping @Sendable (Principal, String) -> Bool) {
        rights.withLock { $0.mayPublish = decide }
        revision.advance()
    }

    func allowSubscribing(_ decide: @escaping @Sendable (Principal, String) -> Bool) {
        rights.withLock { $0.maySubscribe = decide }
        revision.advance()
    }

    func denial(of access: Access, to topic: String, for principal: Principal) -> AccessDenial? {
        switch access {
        case .publish:
            let decide = rights.withLock { rights in
                rights.asked += 1
                return rights.mayPublish
            }
            return decide(principal, topic) ? nil : .noRight
        case .subscribe:
            return rights.withLock { $0.maySubscribe }(principal, topic) ? nil : .noRight
        }
    }
}

/// A store whose promise lags behind until the test lets it catch up, and which refuses when the test says so.
final class LateStore: ForwardingStore, @unchecked Sendable {
    // Used by one test's thread only.
    private var safe = StorePosition.none
    var refuses: StoreRefusal?
    var isFull = false
    var stalls = false

    override var committed: StorePosition { safe }
    func commit() { safe = memory.committed }

    override var refusal: StoreRefusal? { refuses }
    override var isBehind: Bool { isFull }
    override var isStalled: Bool { stalls }

    override func beginMessage(
        _ header: MessageHeader,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
    ) -> Bool {
        refuses == nil && super.beginMessage(header, topic: topic, properties: properties, payload: payload)
    }
}
