internal import ApusLocks

/// A walk over the retained values of a filter that gives them out in pages.
///
/// A value that stays from beginning to end is given exactly once; one that is set or removed meanwhile may or may not
/// be (a subscriber receives a change as an ordinary message anyway). Between pages nothing is locked and nothing is
/// materialised: the scan rests on one node of a tree, and lets go of it when it is finished or forgotten.
package final class RetainedScan: Sendable {
    /// Nodes visited under a lock before others get their turn: some 100 µs.
    private static let stepsPerLock = 4096

    private let filter: WalkedFilter
    private let stripes: ArraySlice<RetainedStripe>
    private let position: Guarded<Position>

    private struct Position {
        var stripe: Int
        var walk = TopicTree.Walk()
    }

    convenience init(_ filter: TopicFilter, _ stripes: ArraySlice<RetainedStripe>) {
        self.init(WalkedFilter(filter), stripes)
    }

    init(_ filter: WalkedFilter, _ stripes: ArraySlice<RetainedStripe>) {
        self.filter = filter
        self.stripes = stripes
        position = Guarded(Position(stripe: stripes.startIndex))
    }

    deinit {
        let (stripe, walk) = position.withLock { ($0.stripe, $0.walk) }
        if stripe < stripes.endIndex { stripes[stripe].content.withLock { $0.tree.unpin(walk) } }
    }

    /// Whether all values have been given out.
    package var isFinished: Bool { position.withLock { $0.stripe == stripes.endIndex } }

    /// The next values, at most `limit`.
    ///
    /// A page may be short or empty before the end, because the nodes visited in one call are bounded (4,096): ask
    /// ``isFinished``, and give other work a turn between pages.
    /// - Parameter limit: at least 1.
    package func next(limit: Int) -> [any RetainedValue] { page(limit: limit).values }

    /// As ``next(limit:)``, with the number of nodes that were visited, 0 … 4,096.
    package func page(limit: Int) -> (values: [any RetainedValue], visited: Int) {
        position.withLock { position in
            var page: [any RetainedValue] = []
            var steps = Self.stepsPerLock
            while position.stripe < stripes.endIndex, page.count < limit, steps > 0 {
                stripes[position.stripe].content.withLock { content in
                    let rested = position.walk
                    while !position.walk.isFinished, page.count < limit, steps > 0 {
                        steps -= 1
                        guard let topic = content.tree.advance(&position.walk, filter) else { continue }
                        if let value = content.values[Int(topic)] { page.append(value) }
                    }
                    // The old place is let go of last: it may vanish with its pin.
                    content.tree.pin(position.walk)
                    content.tree.unpin(rested)
                }
                if position.walk.isFinished { position = Position(stripe: position.stripe + 1) }
            }
            return (page, Self.stepsPerLock - steps)
        }
    }
}
