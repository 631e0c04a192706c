/// A double-ended queue in one array whose size is a power of two.
///
/// An empty queue that was large gives its memory back, so that thousands of idle queues cost nothing.
///
/// Public, because Swift 6.3 neither specialises nor inlines `package` generics across modules, even inlinable ones:
/// append and pop took 130 ns that way and take 6 ns now.
public struct RingBuffer<Element> {
    @usableFromInline var storage: ContiguousArray<Element?> = []
    @usableFromInline var head = 0
    @usableFromInline var length = 0

    /// Capacity that an emptied queue may keep.
    @usableFromInline static var keptCapacity: Int { 16 }

    /// An empty queue; it holds no memory.
    @inlinable public init() {}

    /// How many elements there are.
    @inlinable public var count: Int { length }
    /// Whether there is no element.
    @inlinable public var isEmpty: Bool { length == 0 }
    /// The front element.
    @inlinable public var first: Element? { length == 0 ? nil : storage[head] }
    /// The rear element.
    @inlinable public var last: Element? { length == 0 ? nil : storage[position(length - 1)] }

    /// The element at a distance from the front; the index must be below `count`.
    @inlinable
    public subscript(index: Int) -> Element {
        get {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: length), "Index outside of the queue.")
            guard let element = storage[position(index)] else { preconditionFailure("A hole in the queue.") }
            return element
        }
        set {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: length), "Index outside of the queue.")
            storage[position(index)] = newValue
        }
    }

    /// Puts an element behind all others.
    @inlinable
    public mutating func append(_ element: Element) {
        if length == storage.count { grow() }
        storage[position(length)] = element
        length += 1
    }

    /// Puts an element before all others.
    @inlinable
    public mutating func prepend(_ element: Element) {
        if length == storage.count { grow() }
        head = (head &- 1) & (storage.count - 1)
        storage[head] = element
        length += 1
    }

    /// Takes the front element out.
    @inlinable
    public mutating func popFirst() -> Element? {
        guard length > 0 else { return nil }
        let element = storage[head]
        storage[head] = nil
        head = position(1)
        length -= 1
        if length == 0 { removeAll(keepingCapacity: storage.count <= Self.keptCapacity) }
        return element
    }

    /// Takes the rear element out.
    @inlinable
    public mutating func popLast() -> Element? {
        guard length > 0 else { return nil }
        let element = storage[position(length - 1)]
        storage[position(length - 1)] = nil
        length -= 1
        if length == 0 { removeAll(keepingCapacity: storage.count <= Self.keptCapacity) }
        return element
    }

    /// Removes what the predicate names and keeps the order of the rest; linear.
    @inlinable
    public mutating func removeAll<Failure>(where shouldBeRemoved: (Element) throws(Failure) -> Bool) throws(Failure) {
        var kept = Self()
        for index in 0..<length where try !shouldBeRemoved(self[index]) { kept.append(self[index]) }
        self = kept
    }

    /// Removes all elements, and gives the memory back unless told to keep it.
    @inlinable
    public mutating func removeAll(keepingCapacity: Bool = false) {
        if keepingCapacity {
            for index in 0..<length { storage[position(index)] = nil }
        } else {
            storage = []
        }
        head = 0
        length = 0
    }

    @inlinable
    func position(_ index: Int) -> Int { (head &+ index) & (storage.count &- 1) }

    @inlinable
    mutating func grow() {
        let size = Swift.max(4, storage.count * 2)
        storage = ContiguousArray(unsafeUninitializedCapacity: size) { larger, count in
            // Taken, not copied: an element that is a reference is not counted.
            for index in 0..<length { larger.initializeElement(at: index, to: storage[position(index)].take()) }
            for index in length..<size { larger.initializeElement(at: index, to: nil) }
            count = size
        }
        head = 0
    }
}

extension RingBuffer: Sequence {
    /// Goes from the front to the rear of a copy.
    public struct Iterator: IteratorProtocol {
        @usableFromInline let ring: RingBuffer
        @usableFromInline var index = 0

        @inlinable
        init(ring: RingBuffer) { self.ring = ring }

        /// The next element.
        @inlinable
        public mutating func next() -> Element? {
            guard index < ring.count else { return nil }
            index += 1
            return ring[index - 1]
        }
    }

    /// Starts at the front.
    @inlinable
    public func makeIterator() -> Iterator { Iterator(ring: self) }
    /// The exact count.
    @inlinable
    public var underestimatedCount: Int { length }
}

extension RingBuffer: Sendable where Element: Sendable {}
