internal import ApusLocks
internal import Synchronization

/// What a topic retains: objects of one class, which the owner of the index knows.
///
/// Not a generic parameter: code that is generic is not specialised for another module, and asks the runtime for types
/// at every step (docs/decisions/0003-compiler-flags.md).
package typealias RetainedValue = AnyObject & Sendable

/// Retained values by topic, found by topic or by filter; shared by all shards.
///
/// Topics are spread over 64 trees by their first level, each behind its own lock. A filter that begins with words
/// walks in one tree, another goes through all of them in turn. What a walk holds a lock for is bounded
/// (``RetainedScan``).
package final class RetainedIndex: Sendable {
    private let hasher: TopicHasher
    private let stripes: [RetainedStripe]
    private let total = Atomic<Int>(0)
    /// Values in each tree, or more for a moment: never fewer.
    private let stripeCounts = Counters<64>()

    package convenience init() { self.init(hasher: TopicHasher()) }

    init(hasher: TopicHasher) {
        self.hasher = hasher
        stripes = (0..<64).map { _ in RetainedStripe(hasher: hasher) }
    }

    /// Sets the value of a topic and returns the one that it replaces.
    @discardableResult
    package func set(_ topic: Span<UInt8>, _ value: any RetainedValue) -> (any RetainedValue)? {
        let stripe = stripe(of: topic)
        stripeCounts.raise(stripe)
        let old = stripes[stripe].content.withLock { $0.set(topic, value) }
        if old == nil { total.add(1, ordering: .relaxed) } else { stripeCounts.lower(stripe) }
        // Who looks for subscribers from now on either finds one, or that one finds the value: see `mayHold`.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return old
    }

    /// Removes the value of a topic and returns it.
    @discardableResult
    package func remove(_ topic: Span<UInt8>) -> (any RetainedValue)? { remove(topic, where: { _ in true }) }

    /// Removes the topic if `condition` holds for its value, in one step.
    package func remove(_ topic: Span<UInt8>, where condition: (any RetainedValue) -> Bool) -> (any RetainedValue)? {
        let stripe = stripe(of: topic)
        let old = stripes[stripe].content.withLock { content -> (any RetainedValue)? in
            guard let current = content.value(for: topic), condition(current) else { return nil }
            return content.remove(topic)
        }
        if old != nil {
            total.subtract(1, ordering: .relaxed)
            stripeCounts.lower(stripe)
        }
        return old
    }

    /// Whether a filter may match anything.
    ///
    /// `false` is certain for what was set before the filter could be found in a subscription index. Takes no lock.
    package func mayHold(_ filter: TopicFilter) -> Bool {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        // Not `count`: while one sets a value and another removes it, that is less than there are.
        guard filter.startsWithWildcard else { return stripeCounts.value(stripe(of: filter.bytes.span)) > 0 }
        return stripes.indices.contains { stripeCounts.value($0) > 0 }
    }

    package func value(for topic: Span<UInt8>) -> (any RetainedValue)? {
        stripes[stripe(of: topic)].content.withLock { $0.value(for: topic) }
    }

    /// Topics that have a value.
    package var count: Int { total.load(ordering: .relaxed) }

    /// All values whose topic the filter matches, in no order; share names do not count.
    package func matches(of filter: TopicFilter) -> [any RetainedValue] {
        guard filter.hasWildcard else { return value(for: filter.bytes.span).map { [$0] } ?? [] }
        let scan = scan(filter)
        var values: [any RetainedValue] = []
        while !scan.isFinished { values += scan.next(limit: .max) }
        return values
    }

    /// Begins to walk over all values whose topic the filter matches, page by page.
    package func scan(_ filter: TopicFilter) -> RetainedScan {
        let text = filter.bytes.span
        if filter.startsWithWildcard { return RetainedScan(filter, stripes[...]) }
        let stripe = stripe(of: text)
        return RetainedScan(filter, stripes[stripe...stripe])
    }

    /// Begins to walk over all values, those of topics with `$` too.
    package func scanAll() -> RetainedScan { RetainedScan(.everything, stripes[...]) }

    private func stripe(of topic: Span<UInt8>) -> Int {
        Int(hasher.hash(topic.extracting(0..<topic.endOfLevel(from: 0))) >> 58)
    }

    /// Nodes of all trees.
    var nodeCount: Int { stripes.reduce(0) { sum, stripe in sum + stripe.content.withLock { $0.tree.nodeCount } } }
    /// What all trees have grown to; tests watch it under churn.
    var footprint: Int { stripes.reduce(0) { sum, stripe in sum + stripe.content.withLock { $0.tree.footprint } } }
}

/// One lock and the topics that it guards.
final class RetainedStripe: Sendable {
    let content: Guarded<RetainedContent>

    init(hasher: TopicHasher) { content = Guarded(RetainedContent(tree: TopicTree(hasher: hasher))) }
}

/// A tree of topics and the values by the numbers of its topics.
struct RetainedContent: Sendable {
    var tree: TopicTree
    var values: [(any RetainedValue)?] = []

    mutating func set(_ topic: Span<UInt8>, _ value: any RetainedValue) -> (any RetainedValue)? {
        let number = Int(tree.insert(topic))
        if number == values.count {
            values.append(value)
            return nil
        }
        let old = values[number]
        values[number] = value
        return old
    }

    mutating func remove(_ topic: Span<UInt8>) -> (any RetainedValue)? {
        guard let number = tree.remove(topic) else { return nil }
        let old = values[Int(number)]
        values[Int(number)] = nil
        return old
    }

    func value(for topic: Span<UInt8>) -> (any RetainedValue)? {
        guard let number = tree.find(topic) else { return nil }
        return values[Int(number)]
    }
}
