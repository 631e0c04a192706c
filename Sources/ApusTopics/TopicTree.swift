internal import ApusMemory

/// Topics as a tree of levels in flat arrays, from a topic to a number; the structure of ``RetainedIndex``.
///
/// **What it costs.** A node is 24 bytes and its edge in the one hash table about 24; levels are interned, so a name
/// that returns below a million devices is stored once. Children are linked as a list through the nodes, so a wildcard
/// walks them without a look-up, in memory order if they came in order. A filter in words costs a look-up a level; `+`
/// and `#` cost the nodes below them and nothing else.
///
/// **Walking without a stack.** A ``Walk`` is the node it stands on and its depth: the filter's level at that depth
/// says whether siblings belong to it, and `parent` leads back up. So there is no recursion, whatever the depth, and a
/// walk can rest between pages on a node that is pinned: a pinned node is not recycled, even when its topic has gone.
struct TopicTree {
    private var nodes = [Node(parent: none, level: none)]
    private var freeNodes: [UInt32] = []
    private var edges = SlotTable()
    private var levels: LevelTable
    private var pins: [UInt32: Int] = [:]
    private var freeNumbers: [UInt32] = []
    private var nextNumber: UInt32 = 0

    private struct Node {
        var parent: UInt32
        var level: UInt32
        var firstChild: UInt32 = none
        var nextSibling: UInt32 = none
        var previousSibling: UInt32 = none
        /// Number of the topic that ends here.
        var topic: UInt32 = none
    }

    private static let none = UInt32.max

    init(hasher: TopicHasher) { levels = LevelTable(hasher: hasher) }

    // MARK: - Topics

    func find(_ topic: Span<UInt8>) -> UInt32? {
        guard let node = node(of: topic) else { return nil }
        let number = nodes[Int(node)].topic
        return number == Self.none ? nil : number
    }

    /// The number of a topic, entered if it was not there: numbers are dense and used again.
    mutating func insert(_ topic: Span<UInt8>) -> UInt32 {
        var node: UInt32 = 0
        var start = 0
        while true {
            let end = topic.endOfLevel(from: start)
            node = makeChild(of: node, behind: topic.extracting(start..<end))
            if end == topic.count { break }
            start = end + 1
        }
        if nodes[Int(node)].topic == Self.none {
            if let number = freeNumbers.popLast() {
                nodes[Int(node)].topic = number
            } else {
                nodes[Int(node)].topic = nextNumber
                nextNumber += 1
            }
        }
        return nodes[Int(node)].topic
    }

    /// Removes a topic and returns the number that it had.
    mutating func remove(_ topic: Span<UInt8>) -> UInt32? {
        guard let node = node(of: topic), nodes[Int(node)].topic != Self.none else { return nil }
        let number = nodes[Int(node)].topic
        nodes[Int(node)].topic = Self.none
        freeNumbers.append(number)
        prune(node)
        return number
    }

    private func node(of topic: Span<UInt8>) -> UInt32? {
        var node: UInt32 = 0
        var start = 0
        while true {
            let end = topic.endOfLevel(from: start)
            guard let child = child(of: node, behind: topic.extracting(start..<end)) else { return nil }
            node = child
            if end == topic.count { return node }
            start = end + 1
        }
    }

    private func child(of parent: UInt32, behind text: Span<UInt8>) -> UInt32? {
        let inlined = TextStore.inlined(text)
        return edges.find(levels.hasher.hash(step: levels.hasher.hash(text), from: parent)) {
            nodes[Int($0)].parent == parent && levels.holds(text, inlined: inlined, at: nodes[Int($0)].level)
        }
    }

    private mutating func makeChild(of parent: UInt32, behind text: Span<UInt8>) -> UInt32 {
        if let child = child(of: parent, behind: text) { return child }
        let level = levels.use(text)
        let sibling = nodes[Int(parent)].firstChild
        let node = Node(parent: parent, level: level, nextSibling: sibling)
        let child: UInt32
        if let free = freeNodes.popLast() {
            child = free
            nodes[Int(free)] = node
        } else {
            child = UInt32(nodes.count)
            nodes.append(node)
        }
        if sibling != Self.none { nodes[Int(sibling)].previousSibling = child }
        nodes[Int(parent)].firstChild = child
        edges.insert(levels.hasher.hash(step: levels.hasher.hash(text), from: parent), child)
        return child
    }

    /// Takes out a node that nobody needs any more, and its parents as far as that goes.
    private mutating func prune(_ start: UInt32) {
        var at = start
        while at != 0 {
            let node = nodes[Int(at)]
            guard node.topic == Self.none, node.firstChild == Self.none else { return }
            guard pins.isEmpty || pins[at] == nil else { return }
            if node.previousSibling == Self.none {
                nodes[Int(node.parent)].firstChild = node.nextSibling
            } else {
                nodes[Int(node.previousSibling)].nextSibling = node.nextSibling
            }
            if node.nextSibling != Self.none { nodes[Int(node.nextSibling)].previousSibling = node.previousSibling }
            edges.remove(levels.hasher.hash(step: levels.hash(of: node.level), from: node.parent), at)
            levels.release(node.level)
            freeNodes.append(at)
            at = node.parent
        }
    }

    // MARK: - Walking

    /// Where a walk over all topics of a filter stands.
    struct Walk: Sendable {
        fileprivate(set) var node: UInt32 = 0
        fileprivate(set) var depth = 0
        fileprivate(set) var isFinished = false
    }

    /// Goes on to the next node that the filter's levels lead to; returns the topic there if it is one of the filter's.
    mutating func advance(_ walk: inout Walk, _ filter: WalkedFilter) -> UInt32? {
        if let child = firstChild(of: walk.node, depth: walk.depth, filter) {
            walk.node = child
            walk.depth += 1
        } else {
            climb(&walk, filter)
            if walk.isFinished { return nil }
        }
        guard filter.isComplete(atDepth: walk.depth) else { return nil }
        let topic = nodes[Int(walk.node)].topic
        return topic == Self.none ? nil : topic
    }

    private func firstChild(of node: UInt32, depth: Int, _ filter: WalkedFilter) -> UInt32? {
        switch filter.step(atDepth: depth) {
        case .end: return nil
        case .any: return admitted(nodes[Int(node)].firstChild, depth: depth, filter)
        case .level(let range): return child(of: node, behind: filter.bytes.span.extracting(range))
        }
    }

    private func climb(_ walk: inout Walk, _ filter: WalkedFilter) {
        while walk.depth > 0 {
            if case .any = filter.step(atDepth: walk.depth - 1),
                let sibling = admitted(nodes[Int(walk.node)].nextSibling, depth: walk.depth - 1, filter)
            {
                walk.node = sibling
                return
            }
            walk.node = nodes[Int(walk.node)].parent
            walk.depth -= 1
        }
        walk.isFinished = true
    }

    /// The first of a node and its following siblings that a wildcard may match [MQTT-4.7.2-1].
    private func admitted(_ first: UInt32, depth: Int, _ filter: WalkedFilter) -> UInt32? {
        var node = first
        if depth == 0, !filter.reachesReserved {
            while node != Self.none, levels.firstByte(of: nodes[Int(node)].level) == .dollar {
                node = nodes[Int(node)].nextSibling
            }
        }
        return node == Self.none ? nil : node
    }

    /// Keeps the node that a walk rests on.
    mutating func pin(_ walk: Walk) {
        if walk.node != 0 { pins[walk.node, default: 0] += 1 }
    }

    /// Ends a ``pin(_:)``.
    mutating func unpin(_ walk: Walk) {
        guard let count = pins[walk.node] else { return }
        pins[walk.node] = count > 1 ? count - 1 : nil
        if count == 1 { prune(walk.node) }
    }

    /// Nodes in use, the root aside.
    var nodeCount: Int { nodes.count - freeNodes.count - 1 }
    /// What the tree has grown to; tests watch it under churn.
    var footprint: Int { nodes.count + levels.footprint + Int(nextNumber) }
}

/// A filter cut into levels for a ``TopicTree/Walk``.
struct WalkedFilter: Sendable {
    enum Step {
        case level(Range<Int>)
        case any
        case end
    }

    let bytes: [UInt8]
    private let steps: [Step]
    private let hasRest: Bool
    /// Whether its wildcards match topics with `$` too, as no client's filter does.
    let reachesReserved: Bool

    /// Every topic there is.
    static var everything: WalkedFilter { WalkedFilter() }

    private init() {
        bytes = []
        steps = []
        hasRest = true
        reachesReserved = true
    }

    init(_ filter: TopicFilter) {
        bytes = filter.bytes
        hasRest = filter.endsWithRest
        reachesReserved = false
        let text = filter.bytes.span
        var steps: [Step] = []
        var start = 0
        while start <= text.count {
            let end = text.endOfLevel(from: start)
            let level = text.extracting(start..<end)
            if level.isOnly(.singleLevelWildcard) {
                steps.append(.any)
            } else if !level.isOnly(.multiLevelWildcard) {
                steps.append(.level(start..<end))
            }
            start = end + 1
        }
        self.steps = steps
    }

    /// How to go on from a node at this depth.
    func step(atDepth depth: Int) -> Step {
        if depth < steps.count { return steps[depth] }
        return hasRest ? .any : .end
    }

    /// Whether a topic that ends at this depth belongs to the filter.
    func isComplete(atDepth depth: Int) -> Bool { hasRest ? depth >= steps.count : depth == steps.count }
}
