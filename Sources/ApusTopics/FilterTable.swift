/// What exact and wildcard filters have in common: finding the number of a filter; all else is ``FilterStore``.
protocol FilterTable {
    var store: FilterStore { get set }
    func number(of filter: TopicFilter, hash: UInt64) -> UInt32?
    /// The number of the filter, entered if it was not there.
    mutating func makeNumber(for filter: TopicFilter, hash: UInt64) -> UInt32
    /// Takes an empty filter out.
    mutating func remove(_ filter: TopicFilter, hash: UInt64, number: UInt32)
}

extension FilterTable {
    mutating func subscribe(_ filter: TopicFilter, hash: UInt64, _ subscriber: Subscriber) -> Bool {
        store.subscribe(makeNumber(for: filter, hash: hash), filter, subscriber)
    }

    mutating func unsubscribe(_ filter: TopicFilter, hash: UInt64, target: UInt64) -> Bool {
        guard let number = number(of: filter, hash: hash) else { return false }
        guard store.unsubscribe(number, filter, target: target) else { return false }
        if store.isEmpty(number) {
            remove(filter, hash: hash, number: number)
            store.removeFilter(number)
        }
        return true
    }

    mutating func setAvailable(
        _ isAvailable: Bool,
        _ filter: TopicFilter,
        hash: UInt64,
        group: String,
        target: UInt64,
    ) -> Bool {
        guard let number = number(of: filter, hash: hash) else { return false }
        return store.setAvailable(isAvailable, number, group: group, target: target)
    }

    func members(of filter: TopicFilter, hash: UInt64, group: String) -> SharedGroupMatch? {
        guard let number = number(of: filter, hash: hash) else { return nil }
        return store.members(number, group: group)
    }
}
