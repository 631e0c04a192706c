/// The subscribers of one filter, at most one for each target, in no order.
///
/// Most filters have one subscriber, who lives in the enum itself. Up to 64 a list is searched from end to end; past
/// that a dictionary of positions keeps subscribing and unsubscribing at constant cost.
enum SubscriberSet {
    case none
    case one(Subscriber)
    case few([Subscriber])
    case many(PositionedSubscribers)

    private static let longestList = 64

    var isEmpty: Bool {
        if case .none = self { true } else { false }
    }

    var count: Int {
        switch self {
        case .none: 0
        case .one: 1
        case .few(let list): list.count
        case .many(let positioned): positioned.list.count
        }
    }

    /// All subscribers; shares the storage, so a later change copies it once.
    var list: [Subscriber] {
        switch self {
        case .none: []
        case .one(let only): [only]
        case .few(let list): list
        case .many(let positioned): positioned.list
        }
    }

    func contains(_ target: UInt64) -> Bool {
        switch self {
        case .none: false
        case .one(let only): only.target == target
        case .few(let list): list.contains { $0.target == target }
        case .many(let positioned): positioned.contains(target)
        }
    }

    /// Adds a subscriber or replaces the one with the same target; true if it was added.
    mutating func insert(_ subscriber: Subscriber) -> Bool {
        switch self {
        case .none:
            self = .one(subscriber)
            return true
        case .one(let only):
            let isNew = only.target != subscriber.target
            self = isNew ? .few([only, subscriber]) : .one(subscriber)
            return isNew
        case .few(var list):
            self = .none  // Leaves the list with one owner, so that it is changed in place.
            if let index = list.firstIndex(where: { $0.target == subscriber.target }) {
                list[index] = subscriber
                self = .few(list)
                return false
            }
            list.append(subscriber)
            self = list.count > Self.longestList ? .many(PositionedSubscribers(list)) : .few(list)
            return true
        case .many(let positioned):
            return positioned.insert(subscriber)
        }
    }

    /// Removes and returns the subscriber with this target.
    mutating func remove(_ target: UInt64) -> Subscriber? {
        switch self {
        case .none:
            return nil
        case .one(let only):
            guard only.target == target else { return nil }
            self = .none
            return only
        case .few(var list):
            guard let index = list.firstIndex(where: { $0.target == target }) else { return nil }
            self = .none
            list.swapAt(index, list.count - 1)
            let removed = list.removeLast()
            self = list.count == 1 ? .one(list[0]) : .few(list)
            return removed
        case .many(let positioned):
            let removed = positioned.remove(target)
            // Half the bound, so that a set which sways around it does not change shape each time.
            if positioned.list.count <= Self.longestList / 2 { self = .few(positioned.list) }
            return removed
        }
    }

    @inline(__always)
    func append(to subscribers: inout [Subscriber]) {
        switch self {
        case .none: break
        case .one(let only): subscribers.append(only)
        case .few(let list): subscribers.append(contentsOf: list)
        case .many(let positioned): subscribers.append(contentsOf: positioned.list)
        }
    }
}

/// A large set of subscribers with a dictionary from target to position.
///
/// Not `Sendable`: it lives inside one ``SubscriberSet`` behind the lock of its stripe.
final class PositionedSubscribers {
    private(set) var list: [Subscriber]
    private var positions: [UInt64: UInt32]

    init(_ list: [Subscriber]) {
        self.list = list
        positions = Dictionary(minimumCapacity: list.count * 2)
        for (index, subscriber) in list.enumerated() { positions[subscriber.target] = UInt32(index) }
    }

    func contains(_ target: UInt64) -> Bool { positions[target] != nil }

    func insert(_ subscriber: Subscriber) -> Bool {
        if let position = positions[subscriber.target] {
            list[Int(position)] = subscriber
            return false
        }
        positions[subscriber.target] = UInt32(list.count)
        list.append(subscriber)
        return true
    }

    func remove(_ target: UInt64) -> Subscriber? {
        guard let position = positions.removeValue(forKey: target) else { return nil }
        let last = list.removeLast()
        guard last.target != target else { return last }
        let removed = list[Int(position)]
        list[Int(position)] = last
        positions[last.target] = position
        return removed
    }
}
