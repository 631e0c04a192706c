package import ApusTopics
package import MQTTCodec

/// A subscription of a session.
package struct Subscription: Sendable {
    package let filter: TopicFilter
    package var options: SubscriptionOptions
    /// 0 for none.
    package var identifier: UInt32

    package init(filter: TopicFilter, options: SubscriptionOptions, identifier: UInt32) {
        self.filter = filter
        self.options = options
        self.identifier = identifier
    }
}

/// The subscriptions of one session, one for each filter (and share name).
///
/// Many sessions have one, which needs no memory of its own, and most a handful, so a plain array holds them; beyond 16 a
/// table of positions is added, so that a client with ten thousand filters does not make each further one a walk over all.
package struct Subscriptions: Sendable, Sequence {
    /// While there are not several.
    private var single: Subscription?
    /// Once there have been several; empty before.
    private var list: [Subscription] = []
    private var positions: [TopicFilter: Int]?

    private static let tableFrom = 16

    package init() {}

    package var count: Int { single == nil ? list.count : 1 }

    /// Adds a subscription or replaces the one with the same filter [MQTT-3.8.4-3].
    ///
    /// - Returns: whether it is new.
    package mutating func set(_ subscription: Subscription) -> Bool {
        if let single {
            let isNew = single.filter != subscription.filter
            if isNew {
                list = [single, subscription]
                self.single = nil
            } else {
                self.single = subscription
            }
            return isNew
        }
        if let known = position(of: subscription.filter) {
            list[known] = subscription
            return false
        }
        if list.isEmpty {
            single = subscription
            return true
        }
        positions?[subscription.filter] = list.count
        list.append(subscription)
        if positions == nil, list.count > Self.tableFrom {
            positions = Dictionary(uniqueKeysWithValues: list.enumerated().map { ($1.filter, $0) })
        }
        return true
    }

    package func contains(_ filter: TopicFilter) -> Bool { single?.filter == filter || position(of: filter) != nil }

    /// Takes a subscription out; the order of the others may change.
    ///
    /// - Returns: whether there was one.
    package mutating func remove(_ filter: TopicFilter) -> Bool {
        if single?.filter == filter {
            single = nil
            return true
        }
        guard let position = position(of: filter) else { return false }
        positions?[filter] = nil
        let last = list.removeLast()
        if position < list.count {
            list[position] = last
            positions?[last.filter] = position
        }
        if list.isEmpty { removeAll() }
        return true
    }

    package mutating func removeAll() {
        single = nil
        list = []
        positions = nil
    }

    package struct Iterator: IteratorProtocol {
        fileprivate var single: Subscription?
        fileprivate var list: IndexingIterator<[Subscription]>

        package mutating func next() -> Subscription? {
            guard let single else { return list.next() }
            self.single = nil
            return single
        }
    }

    package func makeIterator() -> Iterator { Iterator(single: single, list: list.makeIterator()) }

    private func position(of filter: TopicFilter) -> Int? {
        if let positions { return positions[filter] }
        return list.firstIndex { $0.filter == filter }
    }
}
