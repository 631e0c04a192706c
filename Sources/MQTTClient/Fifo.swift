/// A queue that gives its elements back in the order in which they came, at constant cost.
struct Fifo<Element: Sendable>: Sendable {
    private var elements: [Element?] = []
    private var head = 0

    var count: Int { elements.count - head }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        let element = elements[head]
        elements[head] = nil
        head += 1
        // Moving the rest down when half of the array is empty costs each element two moves in its life.
        if head * 2 >= elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    /// Puts elements before all others, the first of them first.
    mutating func prepend(_ more: [Element]) {
        elements.replaceSubrange(..<head, with: more.map(Optional.some))
        head = 0
    }
}
