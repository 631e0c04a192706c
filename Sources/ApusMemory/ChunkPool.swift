/// The memory of one shard's output queues: free lists of chunks of 2 KiB and 32 KiB, and of headers of shared segments.
///
/// Owned by one thread at a time. Free chunks beyond `idleLimit` bytes go back to the system. A queue whose chunks come
/// from one pool may give them back to another (a connection that moves to another shard does); only the figures of
/// `usedBytes` then drift apart, their sum over all pools stays right.
public struct ChunkPool: ~Copyable {
    /// Bytes kept free in a chunk before the first byte, for a header that comes later.
    public static var headroom: Int { 16 }
    /// Memory of the first chunk of a queue, its header included.
    public static var smallChunkBytes: Int { 2048 }
    /// Memory of further chunks, their headers included.
    public static var largeChunkBytes: Int { 32 * 1024 }

    /// Free memory that the pool may hold.
    public let idleLimit: Int
    /// Free memory that the pool holds.
    public private(set) var idleBytes = 0
    /// Memory that queues took from this pool, less what they gave back to it.
    public private(set) var usedBytes = 0

    private var small: UnsafeMutableRawPointer?
    private var large: UnsafeMutableRawPointer?
    private var shared: UnsafeMutableRawPointer?

    /// An empty pool.
    public init(idleLimit: Int = 8 << 20) {
        self.idleLimit = idleLimit
    }

    deinit {
        for list in [small, large, shared] {
            var list = list
            while let block = list {
                list = block.load(as: UnsafeMutableRawPointer?.self)
                block.deallocate()
            }
        }
    }

    /// A chunk with no bytes in it.
    mutating func makeChunk(_ kind: Segment.Kind) -> SegmentPointer {
        let block = takeBlock(kind)
        let segment = block.bindMemory(to: Segment.self, capacity: 1)
        let base = (block + Self.headerBytes).bindMemory(to: UInt8.self, capacity: Self.capacity(of: kind))
        segment.initialize(
            to: Segment(
                base: base,
                start: Self.headroom,
                end: Self.headroom,
                capacity: Self.capacity(of: kind),
                owner: [],
                kind: kind,
            ),
        )
        return segment
    }

    /// A segment that refers to a part of an array and keeps it.
    mutating func makeShared(_ bytes: [UInt8], range: Range<Int>) -> SegmentPointer? {
        // The address outlives the closure because the segment keeps the array's storage, see `Segment`.
        guard let base = bytes.withUnsafeBufferPointer({ $0.baseAddress }) else { return nil }
        let segment = takeBlock(.shared).bindMemory(to: Segment.self, capacity: 1)
        segment.initialize(
            to: Segment(
                base: UnsafeMutablePointer(mutating: base),
                start: range.lowerBound,
                end: range.upperBound,
                capacity: range.upperBound,
                owner: bytes,
                kind: .shared,
            ),
        )
        return segment
    }

    /// Takes a segment back, which must be in no queue any more.
    mutating func recycle(_ segment: SegmentPointer) {
        let kind = segment.pointee.kind
        segment.deinitialize(count: 1)
        let size = Self.blockBytes(of: kind)
        usedBytes -= size
        let block = UnsafeMutableRawPointer(segment)
        guard idleBytes + size <= idleLimit else {
            block.deallocate()
            return
        }
        idleBytes += size
        switch kind {
        case .small:
            block.storeBytes(of: small, as: UnsafeMutableRawPointer?.self)
            small = block
        case .large:
            block.storeBytes(of: large, as: UnsafeMutableRawPointer?.self)
            large = block
        case .shared:
            block.storeBytes(of: shared, as: UnsafeMutableRawPointer?.self)
            shared = block
        }
    }

    // MARK: - Blocks

    /// Room of a segment's header, a multiple of 16.
    static var headerBytes: Int { (MemoryLayout<Segment>.size + 15) & ~15 }

    static func blockBytes(of kind: Segment.Kind) -> Int {
        switch kind {
        case .small: smallChunkBytes
        case .large: largeChunkBytes
        case .shared: headerBytes
        }
    }

    /// Bytes that a chunk holds, headroom included.
    static func capacity(of kind: Segment.Kind) -> Int { blockBytes(of: kind) - headerBytes }

    private mutating func takeBlock(_ kind: Segment.Kind) -> UnsafeMutableRawPointer {
        let size = Self.blockBytes(of: kind)
        usedBytes += size
        let first: UnsafeMutableRawPointer?
        switch kind {
        case .small: first = small
        case .large: first = large
        case .shared: first = shared
        }
        guard let block = first else { return .allocate(byteCount: size, alignment: 16) }
        idleBytes -= size
        let next = block.load(as: UnsafeMutableRawPointer?.self)
        switch kind {
        case .small: small = next
        case .large: large = next
        case .shared: shared = next
        }
        return block
    }
}

// The pool is the only owner of its free blocks and cannot be copied, so moving it to another thread moves all of it.
extension ChunkPool: @unchecked Sendable {}
