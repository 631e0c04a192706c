internal import ApusMemory

/// Filters with a wildcard, as a trie of levels in flat arrays.
///
/// **What it costs.** A trie of objects spends its time on cache misses: each node is an allocation, its dictionary of
/// children another, and each step hashes the level's text again (2.8–4.0 µs a match at 100,000 filters). Here a level
/// of the topic is hashed once for all nodes that wait for it, and a step from a node is one probe of a single table
/// keyed by the node and that hash. Most probes find nothing and have then touched one cache line. A hit is confirmed
/// by the child's record, which has to be read anyway, and by the level's text, which is interned: stored once however
/// many nodes it leads to, beside its length if it is short. `+` and `#` are fields of the node. A node is 24 bytes,
/// its edge about 24.
///
/// **How far it can go.** The walk goes level by level with the set of nodes reached so far. A node has one path, so it
/// is reached once at most: the work of a match is bounded by the nodes of the trie (that is, by the levels of the
/// subscribed filters), never by two to the power of the depth alone, and by the levels of the topic. It ends when no
/// node is left, so a topic of 30,000 levels costs nothing unless filters go as deep. There is no recursion.
///
/// **What is recycled.** A node without filters and children is taken out, up to the first one still needed; its
/// number, the number of its level and the bytes of that level are used again.
struct WildcardTrie: FilterTable {
    var store = FilterStore()
    private var nodes = [Node(parent: none, level: none)]
    private var freeNodes: [UInt32] = []
    private var edges = SlotTable()
    private var levels: LevelTable
    private var reached: [UInt32] = []

    private struct Node {
        var parent: UInt32
        /// Number of the level that leads here, or ``WildcardTrie/plus``.
        var level: UInt32
        /// The child behind `+`.
        var plusChild: UInt32 = none
        /// Children behind levels in words.
        var children: UInt32 = 0
        /// The filter that ends here.
        var filter: UInt32 = none
        /// The filter that ends here with `#`.
        var restFilter: UInt32 = none

        var isUnused: Bool { plusChild == none && children == 0 && filter == none && restFilter == none }
    }

    private static let none = UInt32.max
    private static let plus = UInt32.max - 1

    init(hasher: TopicHasher) { levels = LevelTable(hasher: hasher) }

    // MARK: - Matching

    /// Collects the filters that match a topic; whether wildcards may match its first level is the caller's affair.
    mutating func match(_ topic: Span<UInt8>, into hits: inout MatchBuilder) {
        // A queue: the nodes reached at one level, and behind them those of the next.
        reached.removeAll(keepingCapacity: reached.capacity <= 4096)
        reached.append(0)
        var window = 0..<1
        var start = 0
        while true {
            let end = topic.endOfLevel(from: start)
            step(from: window, topic.extracting(start..<end), into: &hits)
            window = window.upperBound..<reached.count
            if window.isEmpty { return }
            if end == topic.count { break }
            start = end &+ 1
        }
        for index in window {
            let node = nodes[Int(reached[index])]
            if node.filter != Self.none { store.collect(node.filter, into: &hits) }
            // `sport/#` takes in its parent `sport`.
            if node.restFilter != Self.none { store.collect(node.restFilter, into: &hits) }
        }
    }

    /// Goes one level down from some of the nodes reached.
    @inline(__always)
    private mutating func step(from window: Range<Int>, _ text: Span<UInt8>, into hits: inout MatchBuilder) {
        let hash = levels.hasher.hash(text)
        let inlined = TextStore.inlined(text)
        for index in window {
            let number = reached[index]
            let node = nodes[Int(number)]
            if node.restFilter != Self.none { store.collect(node.restFilter, into: &hits) }
            if node.plusChild != Self.none { reached.append(node.plusChild) }
            guard node.children > 0 else { continue }
            if let child = child(of: number, behind: text, hash: hash, inlined: inlined) { reached.append(child) }
        }
    }

    @inline(__always)
    private func child(of parent: UInt32, behind text: Span<UInt8>) -> UInt32? {
        child(of: parent, behind: text, hash: levels.hasher.hash(text), inlined: TextStore.inlined(text))
    }

    @inline(__always)
    private func child(
        of parent: UInt32,
        behind text: Span<UInt8>,
        hash: UInt64,
        inlined: TextStore.Reference?,
    ) -> UInt32? {
        edges.find(levels.hasher.hash(step: hash, from: parent)) {
            nodes[Int($0)].parent == parent && levels.holds(text, inlined: inlined, at: nodes[Int($0)].level)
        }
    }

    // MARK: - Filters

    func number(of filter: TopicFilter, hash: UInt64) -> UInt32? {
        guard let end = node(of: filter.bytes.span) else { return nil }
        let number = filter.endsWithRest ? nodes[Int(end)].restFilter : nodes[Int(end)].filter
        return number == Self.none ? nil : number
    }

    /// The node where a filter ends, `#` aside.
    private func node(of filter: Span<UInt8>) -> UInt32? {
        var node: UInt32 = 0
        var start = 0
        while true {
            let end = filter.endOfLevel(from: start)
            let text = filter.extracting(start..<end)
            if text.isOnly(.multiLevelWildcard) { return node }
            if text.isOnly(.singleLevelWildcard) {
                node = nodes[Int(node)].plusChild
                if node == Self.none { return nil }
            } else {
                guard let child = child(of: node, behind: text) else { return nil }
                node = child
            }
            if end == filter.count { return node }
            start = end + 1
        }
    }

    mutating func makeNumber(for filter: TopicFilter, hash: UInt64) -> UInt32 {
        if let number = number(of: filter, hash: hash) { return number }
        let end = makeNode(for: filter.bytes.span)
        let number = store.makeFilter()
        if filter.endsWithRest {
            nodes[Int(end)].restFilter = number
        } else {
            nodes[Int(end)].filter = number
        }
        return number
    }

    private mutating func makeNode(for filter: Span<UInt8>) -> UInt32 {
        var node: UInt32 = 0
        var start = 0
        while true {
            let end = filter.endOfLevel(from: start)
            let text = filter.extracting(start..<end)
            if text.isOnly(.multiLevelWildcard) { return node }
            if text.isOnly(.singleLevelWildcard) {
                node = makePlusChild(of: node)
            } else {
                node = makeChild(of: node, behind: text)
            }
            if end == filter.count { return node }
            start = end + 1
        }
    }

    private mutating func makePlusChild(of parent: UInt32) -> UInt32 {
        if nodes[Int(parent)].plusChild != Self.none { return nodes[Int(parent)].plusChild }
        let child = add(Node(parent: parent, level: Self.plus))
        nodes[Int(parent)].plusChild = child
        return child
    }

    private mutating func makeChild(of parent: UInt32, behind text: Span<UInt8>) -> UInt32 {
        if let child = child(of: parent, behind: text) { return child }
        let level = levels.use(text)
        let child = add(Node(parent: parent, level: level))
        nodes[Int(parent)].children += 1
        edges.insert(levels.hasher.hash(step: levels.hasher.hash(text), from: parent), child)
        return child
    }

    private mutating func add(_ node: Node) -> UInt32 {
        if let number = freeNodes.popLast() {
            nodes[Int(number)] = node
            return number
        }
        nodes.append(node)
        return UInt32(nodes.count - 1)
    }

    mutating func remove(_ filter: TopicFilter, hash: UInt64, number: UInt32) {
        guard var at = node(of: filter.bytes.span) else { return }
        if filter.endsWithRest {
            nodes[Int(at)].restFilter = Self.none
        } else {
            nodes[Int(at)].filter = Self.none
        }
        while at != 0, nodes[Int(at)].isUnused {
            let node = nodes[Int(at)]
            if node.level == Self.plus {
                nodes[Int(node.parent)].plusChild = Self.none
            } else {
                nodes[Int(node.parent)].children -= 1
                edges.remove(levels.hasher.hash(step: levels.hash(of: node.level), from: node.parent), at)
                levels.release(node.level)
            }
            freeNodes.append(at)
            at = node.parent
        }
    }

    /// Nodes in use, the root aside.
    var nodeCount: Int { nodes.count - freeNodes.count - 1 }
    /// What the trie has grown to; tests watch it under churn.
    var footprint: Int { nodes.count + levels.footprint + store.footprint }
}

extension TopicFilter {
    /// Whether the last level is `#`.
    var endsWithRest: Bool { bytes.last == .multiLevelWildcard }
}

extension Span<UInt8> {
    @inline(__always)
    func isOnly(_ byte: UInt8) -> Bool { count == 1 && self[0] == byte }
}
