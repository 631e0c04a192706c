internal import Synchronization

/// Counts the changes of rights, so that an answer of the authorizer can be remembered until the next one.
///
/// An object of its own, which a shard asks for each read of a publisher without counting a reference: all shards ask.
package final class RightsRevision: Sendable {
    private let count = Atomic<UInt64>(1)

    package init() {}

    /// Never smaller than before, and never `UInt64.max`.
    package var value: UInt64 { count.load(ordering: .acquiring) }

    /// Answers may be others from now on.
    ///
    /// Call it after the new rights are in place: what is remembered under the new revision must be a new answer.
    package func advance() { count.add(1, ordering: .releasing) }
}
