internal import Synchronization

/// One shared subscription group: a share name at a filter, from its first member to its last.
///
/// The object is its identity while it has members; a group that empties and forms again is a new one. It keeps no
/// members itself: those of a moment are in the ``Match``, those of now come from
/// ``SubscriptionIndex/currentMembers(of:)``.
package final class SharedGroup: Sendable {
    package let name: String
    /// The filter with its share name.
    package let filter: TopicFilter
    private let cursor = Atomic<UInt64>(0)

    init(name: String, filter: TopicFilter) {
        self.name = name
        self.filter = filter
    }

    /// The next place of the round robin among `count` members; all shards take turns through the same cursor.
    ///
    /// - Parameter count: at least 1.
    package func nextIndex(count: Int) -> Int {
        let turn = cursor.wrappingAdd(1, ordering: .relaxed).oldValue
        return Int(turn % UInt64(count))
    }
}

/// A shared group that a topic hit, with its members at that time.
package struct SharedGroupMatch: Sendable {
    package let group: SharedGroup
    /// Members that are connected.
    package let available: [Subscriber]
    /// Members whose session waits for them to come back.
    package let unavailable: [Subscriber]

    /// The member whose turn it is: one of the available, and only without any, one of the unavailable.
    package func next() -> Subscriber? {
        let members = available.isEmpty ? unavailable : available
        guard !members.isEmpty else { return nil }
        return members[group.nextIndex(count: members.count)]
    }
}

/// The members of one group inside a stripe.
struct GroupMembers {
    let group: SharedGroup
    private(set) var available = SubscriberSet.none
    private(set) var unavailable = SubscriberSet.none

    init(_ group: SharedGroup) { self.group = group }

    var isEmpty: Bool { available.isEmpty && unavailable.isEmpty }
    var snapshot: SharedGroupMatch {
        SharedGroupMatch(group: group, available: available.list, unavailable: unavailable.list)
    }

    /// Adds an available member, or replaces the options of one and leaves its availability; true if added.
    mutating func insert(_ subscriber: Subscriber) -> Bool {
        if unavailable.contains(subscriber.target) { return unavailable.insert(subscriber) }
        return available.insert(subscriber)
    }

    mutating func remove(_ target: UInt64) -> Bool {
        available.remove(target) != nil || unavailable.remove(target) != nil
    }

    /// Moves a member between the two sets; false if it is not a member or already there.
    mutating func setAvailable(_ isAvailable: Bool, target: UInt64) -> Bool {
        if isAvailable {
            guard let member = unavailable.remove(target) else { return false }
            return available.insert(member)
        }
        guard let member = available.remove(target) else { return false }
        return unavailable.insert(member)
    }
}
