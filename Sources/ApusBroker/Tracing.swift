internal import ApusMemory
internal import ApusMessage
internal import ApusSession
internal import MQTTCodec

// What the trace learns: one line at each place where something happens to a connection or a message.

extension Shard {
    /// The documented words of the real service's device trace (apsaramq-facts 3.4), and one for what they have none for.
    enum CloseReason {
        static let accepted = "accepted"
        static let notAuthorized = "not authorized"
        static let conflict = "clientId conflict"
        static let resource = "resource auth failed"
        static let silent = "no heart"
        static let closedByClient = "closed by client"
        static let disconnected = "disconnected by client"
        static let invalid = "invalid param"
        static let network = "Socket IOException"
        static let broker = "closed by broker"
        static let failures = "too many failed logins"

        /// For a DISCONNECT of the broker.
        static func of(_ reasonCode: ReasonCode) -> String {
            switch reasonCode {
            case .notAuthorized: resource
            case .sessionTakenOver: conflict
            case .keepAliveTimeout: silent
            case .administrativeAction, .serverShuttingDown, .useAnotherServer, .quotaExceeded, .serverBusy: broker
            default: invalid
            }
        }

        /// For a CONNACK that refuses.
        static func ofRefusal(_ reasonCode: ReasonCode) -> String {
            switch reasonCode {
            case .clientIdentifierNotValid: conflict
            case .notAuthorized, .badUserNameOrPassword, .banned, .badAuthenticationMethod: notAuthorized
            case .quotaExceeded, .serverBusy, .serverUnavailable: broker
            case .connectionRateExceeded: failures
            default: invalid
            }
        }
    }

    /// Something happened to a connection.
    mutating func trace(_ kind: TraceEvent.Kind, connection slot: Int, _ detail: String, _ explanation: String = "") {
        let tenant = Int(connections[slot].tenant)
        guard tenant >= 0, tenants[tenant].isTraced else { return }
        let details = connections[slot].details
        trace.append(
            TraceRing.Entry(
                time: now.milliseconds,
                number: .none,
                instance: tenants[tenant].number,
                kind: kind,
                clientID: details.clientID,
                topic: [],
                connection: TraceRing.ConnectionEvent(
                    channel: details.channel,
                    detail: detail,
                    explanation: explanation
                ),
            ),
        )
    }

    /// Something happened to a message on its way to a session.
    @inline(__always)
    mutating func trace(
        _ kind: TraceEvent.Kind,
        _ number: MessageNumber,
        session: Int,
        _ drop: DropReason? = nil,
    ) {
        guard tenants[Int(sessions[session].tenant)].isTraced else { return }
        appendTrace(kind, number, session, drop)
    }

    private mutating func appendTrace(
        _ kind: TraceEvent.Kind,
        _ number: MessageNumber,
        _ session: Int,
        _ drop: DropReason?,
    ) {
        trace.append(
            TraceRing.Entry(
                time: now.milliseconds,
                number: number,
                instance: tenants[Int(sessions[session].tenant)].number,
                kind: kind,
                drop: drop,
                clientID: sessions[session].clientID,
                topic: [],
            ),
        )
    }

    /// A message was published, by the client of a session or by management.
    mutating func trace(
        _ kind: TraceEvent.Kind,
        _ number: MessageNumber,
        _ tenant: Int,
        sender: String,
        topic: [UInt8],
        _ drop: DropReason? = nil,
    ) {
        guard tenants[tenant].isTraced else { return }
        trace.append(
            TraceRing.Entry(
                time: now.milliseconds,
                number: number,
                instance: tenants[tenant].number,
                kind: kind,
                drop: drop,
                clientID: sender,
                topic: topic,
            ),
        )
    }

    /// A client has published.
    @inline(never)
    mutating func tracePublished(
        _ slot: Int,
        _ number: MessageNumber,
        _ tenant: Int,
        _ target: Range<Int>?,
        _ outcome: PublishOutcome,
    ) {
        let details = connections[slot].details
        let topic = connections[slot].authorized.topic
        trace(.published, number, tenant, sender: details.clientID, topic: topic)
        guard case .dropped(let reason) = outcome, let target else { return }
        let clientID = String(decoding: topic[target], as: UTF8.self)
        trace(.dropped, number, tenant, sender: clientID, topic: topic, reason)
    }

    /// A message does not reach a session, for a reason that is counted and traced.
    mutating func drop(_ reason: DropReason, _ number: MessageNumber, session: Int) {
        counters.drop(reason)
        trace(.dropped, number, session: session, reason)
    }

    /// Likewise, of a client whose session is no more.
    mutating func drop(_ reason: DropReason, _ number: MessageNumber, _ tenant: Int, _ clientID: String) {
        counters.drop(reason)
        trace(.dropped, number, tenant, sender: clientID, topic: [], reason)
    }

    /// What the next message that is not stored, or the next connection, is known by.
    mutating func nextNumber() -> MessageNumber {
        sequence &+= 1
        return MessageNumber(shard: index, sequence: sequence)
    }
}
