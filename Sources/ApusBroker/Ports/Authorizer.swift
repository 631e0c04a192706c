/// Decides who may publish or subscribe to what.
///
/// Called on a shard's thread; must answer from memory. The broker remembers an answer for a publisher's last topic
/// until `revision` changes.
package protocol Authorizer: Sendable {
    /// Grows whenever an answer may have changed.
    var revision: UInt64 { get }

    /// Whether the principal may publish to the topic name.
    func mayPublish(_ principal: Principal, topic: String) -> Bool

    /// Whether the principal may subscribe to the filter (for a shared subscription: the filter behind the group).
    /// A `+` or `#` of the filter is allowed only where a right covers all that it can match.
    func maySubscribe(_ principal: Principal, filter: String) -> Bool
}
