/// The subscriptions of the filters of one stripe, by the number of the filter.
///
/// Plain subscribers lie in a flat array; shared groups are rare and live in a dictionary beside it.
struct FilterStore {
    private var sets: [SubscriberSet] = []
    /// Share names by their bytes: `String` would take different ones for equal.
    private var groups: [UInt32: [[UInt8]: GroupMembers]] = [:]
    private var freeNumbers: [UInt32] = []
    private(set) var counts = SubscriptionCounts()

    /// A number for a new filter, without subscriptions.
    mutating func makeFilter() -> UInt32 {
        counts.filters += 1
        if let number = freeNumbers.popLast() { return number }
        sets.append(.none)
        return UInt32(sets.count - 1)
    }

    /// Gives the number of an empty filter back.
    mutating func removeFilter(_ number: UInt32) {
        counts.filters -= 1
        freeNumbers.append(number)
    }

    func isEmpty(_ number: UInt32) -> Bool { sets[Int(number)].isEmpty && groups[number] == nil }

    mutating func subscribe(_ number: UInt32, _ filter: TopicFilter, _ subscriber: Subscriber) -> Bool {
        let isNew: Bool
        if let name = filter.group {
            isNew = groups[number, default: [:]][
                Array(name.utf8),
                default: GroupMembers(SharedGroup(name: name, filter: filter)),
            ].insert(subscriber)
            if isNew { counts.shared += 1 }
        } else {
            isNew = sets[Int(number)].insert(subscriber)
        }
        if isNew { counts.subscriptions += 1 }
        return isNew
    }

    mutating func unsubscribe(_ number: UInt32, _ filter: TopicFilter, target: UInt64) -> Bool {
        if let group = filter.group {
            let name = Array(group.utf8)
            guard groups[number]?[name]?.remove(target) == true else { return false }
            if groups[number]?[name]?.isEmpty == true { groups[number]?[name] = nil }
            if groups[number]?.isEmpty == true { groups[number] = nil }
            counts.shared -= 1
        } else {
            guard sets[Int(number)].remove(target) != nil else { return false }
        }
        counts.subscriptions -= 1
        return true
    }

    mutating func setAvailable(_ isAvailable: Bool, _ number: UInt32, group: String, target: UInt64) -> Bool {
        groups[number]?[Array(group.utf8)]?.setAvailable(isAvailable, target: target) ?? false
    }

    func members(_ number: UInt32, group: String) -> SharedGroupMatch? {
        groups[number]?[Array(group.utf8)]?.snapshot
    }

    /// Adds all subscriptions of a filter to a match.
    @inline(__always)
    func collect(_ number: UInt32, into hits: inout MatchBuilder) {
        sets[Int(number)].append(to: &hits.subscribers)
        if !groups.isEmpty { collectGroups(number, into: &hits) }
    }

    @inline(never)
    private func collectGroups(_ number: UInt32, into hits: inout MatchBuilder) {
        guard let byName = groups[number] else { return }
        for members in byName.values { hits.groups.append(members.snapshot) }
    }

    /// Filters ever held at once; tests watch it under churn.
    var footprint: Int { sets.count }
}

/// How much a ``SubscriptionIndex`` holds.
package struct SubscriptionCounts: Sendable, Equatable {
    /// Distinct filters, share names aside.
    package var filters = 0
    /// All subscriptions, shared ones included.
    package var subscriptions = 0
    /// Memberships in shared groups.
    package var shared = 0
}
