/// A run of unsent bytes: a chunk that owns its bytes, or a part of a shared array.
///
/// A segment is a header in raw memory. The bytes of a chunk follow the header; a shared segment holds a reference to an
/// array instead, which keeps the array's storage at its address: whoever changes that array copies it first, because
/// it is not uniquely referenced.
@usableFromInline
struct Segment {
    @usableFromInline
    enum Kind: UInt8 {
        case shared, small, large
    }

    @usableFromInline var next: UnsafeMutablePointer<Segment>?
    /// Position 0 of `start`, `end` and `capacity`.
    @usableFromInline var base: UnsafeMutablePointer<UInt8>
    @usableFromInline var start: Int
    @usableFromInline var end: Int
    /// Where writing must stop; equal to `end` for a shared segment.
    @usableFromInline var capacity: Int
    /// Keeps the storage behind `base` alive; empty in a chunk.
    @usableFromInline var owner: [UInt8]
    @usableFromInline var kind: Kind

    @usableFromInline
    init(
        base: UnsafeMutablePointer<UInt8>,
        start: Int,
        end: Int,
        capacity: Int,
        owner: [UInt8],
        kind: Kind,
    ) {
        self.base = base
        self.start = start
        self.end = end
        self.capacity = capacity
        self.owner = owner
        self.kind = kind
    }

    /// Lets the closure write into the free room, of which there must be so much.
    ///
    /// - Returns: how many bytes it wrote.
    @inlinable
    mutating func append(atMost most: Int, _ write: (inout OutputSpan<UInt8>) -> Void) -> Int {
        let room = UnsafeMutableBufferPointer(start: base + end, count: most)
        var output = OutputSpan(buffer: room, initializedCount: 0)
        write(&output)
        let written = output.finalize(for: room)
        end &+= written
        return written
    }

    var unsentBytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: base + start, count: end - start) }
}

/// A list link; the segment it names belongs to exactly one queue, or to the pool's free list.
@usableFromInline typealias SegmentPointer = UnsafeMutablePointer<Segment>
