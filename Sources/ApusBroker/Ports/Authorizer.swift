package import ApusMessage
package import MQTTCodec

/// What a client wants to do with a topic.
package enum Access: Sendable {
    case publish
    case subscribe
}

/// Why a client may not do as it wants.
package enum AccessDenial: Sendable, Equatable {
    /// No right covers it.
    case noRight
    /// A rule forbids it; the sentence names the rule and the remedy.
    case rule(String)
}

/// Whether what a client has proven still holds.
package enum Standing: Sendable, Equatable {
    case good
    /// The connection is to end. The notice, if there is one, is sent before, with QoS 0 (apsaramq-facts 1, 8.2).
    case ended(ReasonCode, explanation: String, notice: SystemNotice?)
}

/// A message of the broker to one client, which needs no subscription.
package struct SystemNotice: Sendable, Equatable {
    package var topic: String
    package var payload: [UInt8]

    package init(topic: String, payload: [UInt8]) {
        self.topic = topic
        self.payload = payload
    }
}

/// Decides who may publish or subscribe to what.
///
/// Called on a shard's thread; must answer from memory. The broker remembers an answer for a publisher's last topic
/// until `revision` changes.
package protocol Authorizer: AnyObject, Sendable {
    /// Advances whenever an answer may have changed; always the same object.
    var revision: RightsRevision { get }

    /// Why the principal may not publish to the topic name, or subscribe to the filter (for a shared subscription: the
    /// filter behind the group); `nil` when it may. A `+` or `#` of the filter is allowed only where a right covers all
    /// that it can match.
    func denial(of access: Access, to topic: String, for principal: Principal) -> AccessDenial?

    /// Whether the principal may stay connected; asked when rights have changed, and at `Principal.validUntil`.
    func standing(of principal: Principal, now: Timestamp) -> Standing

    /// What to tell the principal at `Principal.noticeAt`.
    func notice(to principal: Principal, now: Timestamp) -> SystemNotice?

    /// What to tell a principal before its connection is closed for what it may not do (apsaramq-facts 8.2).
    func notice(ofDenied access: Access, to topic: String, for principal: Principal) -> SystemNotice?
}

extension Authorizer {
    /// Where what is proven at CONNECT holds until the connection ends.
    package func standing(of principal: Principal, now: Timestamp) -> Standing { .good }

    package func notice(to principal: Principal, now: Timestamp) -> SystemNotice? { nil }

    package func notice(ofDenied access: Access, to topic: String, for principal: Principal) -> SystemNotice? { nil }

    /// Whether the principal may publish to the topic name.
    package func mayPublish(_ principal: Principal, topic: String) -> Bool {
        denial(of: .publish, to: topic, for: principal) == nil
    }

    /// Whether the principal may subscribe to the filter.
    package func maySubscribe(_ principal: Principal, filter: String) -> Bool {
        denial(of: .subscribe, to: filter, for: principal) == nil
    }
}
