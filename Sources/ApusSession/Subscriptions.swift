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
    private enum Content: Sendable {
        case none
        case one(Subscription)
        /// Two or more, and after that at least one.
        case list([Subscription], positions: [TopicFilter: Int]?)
    }

    private var content = Content.none

    private static let tableFrom = 16

    package init() {}

    package var count: Int {
        switch content {
        case .none: 0
        case .one: 1
        case .list(let list, _): list.count
        }
    }

    /// Adds a subscription or replaces the one with the same filter [MQTT-3.8.4-3].
    ///
    /// - Returns: whether it is new.
    package mutating func set(_ subscription: Subscription) -> Bool {
        switch content {
        case .none:
            content = .one(subscription)
            return true
        case .one(let only):
            let isNew = only.filter != subscription.filter
            content = isNew ? .list([only, subscription], positions: nil) : .one(subscription)
            return isNew
        case .list(var list, var positions):
            content = .none  // Leaves both with one owner, so that they are changed in place.
            defer { content = .list(list, positions: positions) }
            if let known = Self.position(of: subscription.filter, list, positions) {
                list[known] = subscription
                return false
            }
            positions?[subscription.filter] = list.count
            list.append(subscription)
            if positions == nil, list.count > Self.tableFrom {
                positions = Dictionary(uniqueKeysWithValues: list.enumerated().map { ($1.filter, $0) })
            }
            return true
        }
    }

    package func contains(_ filter: TopicFilter) -> Bool {
        switch content {
        case .none: false
        case .one(let only): only.filter == filter
        case .list(let list, let positions): Self.position(of: filter, list, positions) != nil
        }
    }

    /// Takes a subscription out; the order of the others may change.
    ///
    /// - Returns: whether there was one.
    package mutating func remove(_ filter: TopicFilter) -> Bool {
        switch content {
        case .none:
            return false
        case .one(let only):
            guard only.filter == filter else { return false }
            content = .none
            return true
        case .list(var list, var positions):
            guard let position = Self.position(of: filter, list, positions) else { return false }
            content = .none
            positions?[filter] = nil
            let last = list.removeLast()
            if position < list.count {
                list[position] = last
                positions?[last.filter] = position
            }
            if !list.isEmpty { content = .list(list, positions: positions) }
            return true
        }
    }

    package mutating func removeAll() { content = .none }

    package struct Iterator: IteratorProtocol {
        fileprivate var single: Subscription?
        fileprivate var list: IndexingIterator<[Subscription]>

        package mutating func next() -> Subscription? {
            guard let single else { return list.next() }
            self.single = nil
            return single
        }
    }

    package func makeIterator() -> Iterator {
        switch content {
        case .none: Iterator(single: nil, list: [].makeIterator())
        case .one(let only): Iterator(single: only, list: [].makeIterator())
        case .list(let list, _): Iterator(single: nil, list: list.makeIterator())
        }
    }

    private static func position(
        of filter: TopicFilter,
        _ list: [Subscription],
        _ positions: [TopicFilter: Int]?,
    ) -> Int? {
        if let positions { return positions[filter] }
        return list.firstIndex { $0.filter == filter }
    }
}
