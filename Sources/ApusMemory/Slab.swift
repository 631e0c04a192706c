/// A table of values at stable addresses, named by an index and a generation.
///
/// Values live in pages of 256 that never move, so growth copies no value; access is a shift and a mask. A freed slot is
/// used again, most recently freed first, and its generation rises at each removal, so that an old index and generation
/// names nobody. Generations have 24 bits and skip 0. A slot that was used 256 times in a row rests behind up to 1024
/// others before it is used again, so that 2^24 removals of one slot take thousands of millions of removals in all.
///
/// Public only for speed, see `RingBuffer`. Owned by one thread at a time. Memory of pages is kept until the slab goes. Wrong indices are mistakes of our own
/// logic and trap; ask `contains(_:generation:)` first where a handle may be old.
public struct Slab<Element: ~Copyable>: ~Copyable {
    // Inlinable, or every access would fetch the generic type's metadata to call them.
    @inlinable static var pageShift: Int { 8 }
    @inlinable static var pageSize: Int { 256 }
    @inlinable static var occupied: UInt32 { 0x8000_0000 }
    @inlinable static var generationMask: UInt32 { 0xFF_FFFF }

    /// `capacity / pageSize` pages of `pageSize` values; only occupied slots are initialised.
    @usableFromInline var pages: UnsafeMutablePointer<UnsafeMutablePointer<Element>>
    /// One word a slot: bit 31 says occupied, the low 24 bits are the generation.
    @usableFromInline var states: UnsafeMutablePointer<UInt32>
    @usableFromInline var pageCount = 0
    /// Room in `pages` (and, times `pageSize`, in `states`).
    @usableFromInline var pageRoom: Int
    @usableFromInline var free: [UInt32] = []
    @usableFromInline var resting = RingBuffer<UInt32>()

    /// How many slots are occupied.
    @inlinable public var count: Int { liveCount }
    @usableFromInline var liveCount = 0
    /// One past the highest slot that was ever occupied.
    @inlinable public var endIndex: Int { slotCount }
    @usableFromInline var slotCount = 0

    /// An empty slab, with room for 1024 slots before its tables grow.
    public init() {
        pageRoom = 4
        pages = .allocate(capacity: 4)
        states = .allocate(capacity: 4 << Self.pageShift)
    }

    deinit {
        for index in 0..<slotCount where states[index] & Self.occupied != 0 {
            (pages[index >> Self.pageShift] + (index & (Self.pageSize - 1))).deinitialize(count: 1)
        }
        for page in 0..<pageCount { pages[page].deallocate() }
        pages.deallocate()
        states.deallocate()
    }

    /// Stores a value and returns its index; allocates only when the slab grows.
    @inlinable
    public mutating func insert(_ element: consuming Element) -> Int {
        let index = takeFreeSlot()
        (pages[index >> Self.pageShift] + (index & (Self.pageSize - 1))).initialize(to: element)
        states[index] |= Self.occupied
        liveCount += 1
        return index
    }

    /// Takes a value out; from now on its old index and generation name nobody.
    @inlinable
    public mutating func remove(at index: Int) -> Element {
        let address = address(of: index)
        var generation = (states[index] & Self.generationMask) &+ 1
        if generation > Self.generationMask { generation = 1 }
        states[index] = generation
        liveCount -= 1
        if generation & 0xFF == 0 {
            resting.append(UInt32(truncatingIfNeeded: index))
        } else {
            free.append(UInt32(truncatingIfNeeded: index))
        }
        return address.move()
    }

    /// The value in an occupied slot, in place.
    @inlinable
    public subscript(index: Int) -> Element {
        unsafeAddress { UnsafePointer(address(of: index)) }
        unsafeMutableAddress { address(of: index) }
    }

    /// The generation of a slot, occupied or not; 0 for a slot that never was.
    @inlinable
    public func generation(of index: Int) -> UInt32 {
        guard UInt(bitPattern: index) < UInt(bitPattern: slotCount) else { return 0 }
        return states[index] & Self.generationMask
    }

    /// Whether the value that had this index and generation is still here; false for any other numbers.
    @inlinable
    public func contains(_ index: Int, generation: UInt32) -> Bool {
        guard UInt(bitPattern: index) < UInt(bitPattern: slotCount) else { return false }
        return states[index] == generation | Self.occupied && generation <= Self.generationMask
    }

    /// Whether the slot holds a value; false for any index outside.
    @inlinable
    public func isOccupied(_ index: Int) -> Bool {
        guard UInt(bitPattern: index) < UInt(bitPattern: slotCount) else { return false }
        return states[index] & Self.occupied != 0
    }

    /// The first occupied slot at or after `index`; the slab may be changed between two calls.
    @inlinable
    public func firstOccupied(from index: Int) -> Int? {
        var index = Swift.max(0, index)
        while index < slotCount {
            if states[index] & Self.occupied != 0 { return index }
            index += 1
        }
        return nil
    }

    @inlinable @inline(__always)
    func address(of index: Int) -> UnsafeMutablePointer<Element> {
        precondition(isOccupied(index), "This slot of the slab holds nothing.")
        return pages[index >> Self.pageShift] + (index & (Self.pageSize - 1))
    }

    @usableFromInline
    mutating func takeFreeSlot() -> Int {
        if let slot = free.popLast() { return Int(slot) }
        if resting.count >= 1024, let slot = resting.popFirst() { return Int(slot) }
        if slotCount == pageCount << Self.pageShift { addPage() }
        states[slotCount] = 1
        slotCount += 1
        return slotCount - 1
    }

    mutating func addPage() {
        if pageCount == pageRoom {
            let largerPages = UnsafeMutablePointer<UnsafeMutablePointer<Element>>.allocate(capacity: pageRoom * 2)
            largerPages.moveInitialize(from: pages, count: pageCount)
            pages.deallocate()
            pages = largerPages
            let largerStates = UnsafeMutablePointer<UInt32>.allocate(capacity: pageRoom * 2 << Self.pageShift)
            largerStates.moveInitialize(from: states, count: slotCount)
            states.deallocate()
            states = largerStates
            pageRoom *= 2
        }
        pages[pageCount] = .allocate(capacity: Self.pageSize)
        pageCount += 1
    }
}

// The slab is the only owner of its memory and cannot be copied, so moving it to another thread moves all of it.
extension Slab: @unchecked Sendable where Element: Sendable & ~Copyable {}
