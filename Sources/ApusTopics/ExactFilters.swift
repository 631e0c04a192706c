internal import ApusMemory

/// Filters without a wildcard: a hash table by the bytes of the topic; numbers of texts and of filters are the same.
struct ExactFilters: FilterTable {
    var store = FilterStore()
    private var texts = TextStore()
    private var table = SlotTable()

    func number(of filter: TopicFilter, hash: UInt64) -> UInt32? { find(filter.bytes.span, hash: hash) }

    mutating func makeNumber(for filter: TopicFilter, hash: UInt64) -> UInt32 {
        if let number = number(of: filter, hash: hash) { return number }
        let number = store.makeFilter()
        let text = texts.insert(filter.bytes.span)
        precondition(number == text, "texts and filters are numbered alike")
        table.insert(hash, number)
        return number
    }

    mutating func remove(_ filter: TopicFilter, hash: UInt64, number: UInt32) {
        table.remove(hash, number)
        texts.remove(number)
    }

    @inline(__always)
    func match(_ topic: Span<UInt8>, hash: UInt64, into hits: inout MatchBuilder) {
        guard let number = find(topic, hash: hash) else { return }
        store.collect(number, into: &hits)
    }

    @inline(__always)
    private func find(_ topic: Span<UInt8>, hash: UInt64) -> UInt32? {
        let inlined = TextStore.inlined(topic)
        return table.find(hash) { texts.holds(topic, inlined: inlined, at: $0) }
    }

    /// What the table has grown to; tests watch it under churn.
    var footprint: Int { store.footprint + texts.bufferCount }
}
