package import Glibc

/// The bytes that one connection has not sent yet, in order.
///
/// Three words; an empty queue holds no memory. Bytes are copied into chunks of the shard's pool, the first one of
/// 2 KiB, further ones of 32 KiB; large payloads are referred to instead (`appendShared`). Owned by the connection's
/// shard thread. The pool is passed to each call; give the bytes back with `removeAll(pool:)` before the queue goes,
/// else they go back to the system and the pool's `usedBytes` stays too high.
///
/// Public only for speed, see `RingBuffer`. The queue has no bound of its own: the caller looks at `count` before it appends.
public struct OutputQueue: ~Copyable {
    @usableFromInline var head: UnsafeMutablePointer<Segment>?
    @usableFromInline var tail: UnsafeMutablePointer<Segment>?
    @usableFromInline var unsent = 0

    /// An empty queue.
    @inlinable public init() {}

    deinit {
        var next = head
        while let segment = next {
            next = segment.pointee.next
            segment.deinitialize(count: 1)
            UnsafeMutableRawPointer(segment).deallocate()
        }
    }

    /// How many bytes wait.
    @inlinable public var count: Int { unsent }
    /// Whether nothing waits.
    @inlinable public var isEmpty: Bool { unsent == 0 }

    // MARK: - Adding

    /// Copies the bytes behind those that wait.
    @inlinable
    public mutating func append(_ bytes: Span<UInt8>, pool: inout ChunkPool) {
        bytes.withUnsafeBufferPointer { append($0, pool: &pool) }
    }

    /// Copies a part of the bytes; the range must lie inside.
    @inlinable
    public mutating func append(_ bytes: Span<UInt8>, range: Range<Int>, pool: inout ChunkPool) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "Range outside of the bytes.")
        bytes.withUnsafeBufferPointer { append(UnsafeBufferPointer(rebasing: $0[range]), pool: &pool) }
    }

    /// Lets the closure write behind the bytes that wait, without a copy.
    ///
    /// - Parameter most: the room that the closure gets; what it leaves is not lost.
    @inlinable
    public mutating func append(atMost most: Int, pool: inout ChunkPool, _ write: (inout OutputSpan<UInt8>) -> Void) {
        if let tail, tail.pointee.capacity &- tail.pointee.end >= most {
            unsent &+= tail.pointee.append(atMost: most, write)
        } else {
            appendToNext(most, pool: &pool, write)
        }
    }

    @usableFromInline
    mutating func appendToNext(_ most: Int, pool: inout ChunkPool, _ write: (inout OutputSpan<UInt8>) -> Void) {
        guard most <= ChunkPool.capacity(of: .large) - ChunkPool.headroom else {
            let bytes = [UInt8](capacity: most, initializingWith: write)
            return append(bytes.span, pool: &pool)
        }
        let target = pool.makeChunk(nextKind(for: most))
        link(target)
        unsent += target.pointee.append(atMost: most, write)
    }

    /// Adds one byte.
    @inlinable
    public mutating func append(_ byte: UInt8, pool: inout ChunkPool) {
        withUnsafePointer(to: byte) { append(UnsafeBufferPointer(start: $0, count: 1), pool: &pool) }
    }

    @inlinable
    mutating func append(_ bytes: UnsafeBufferPointer<UInt8>, pool: inout ChunkPool) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        if let tail, tail.pointee.capacity &- tail.pointee.end >= bytes.count {
            (tail.pointee.base + tail.pointee.end).update(from: source, count: bytes.count)
            tail.pointee.end &+= bytes.count
            unsent &+= bytes.count
        } else {
            appendInChunks(bytes, pool: &pool)
        }
    }

    /// Refers to a part of an array instead of copying it; the array is kept until the bytes are sent or dropped.
    ///
    /// Costs a segment: worth it for some KiB and more.
    public mutating func appendShared(_ bytes: [UInt8], range: Range<Int>, pool: inout ChunkPool) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "Range outside of the bytes.")
        guard !range.isEmpty, let segment = pool.makeShared(bytes, range: range) else { return }
        link(segment)
        unsent += range.count
    }

    /// Moves all bytes of another queue behind those of this one, without copying large ones.
    public mutating func appendAll(of other: inout OutputQueue, pool: inout ChunkPool) {
        guard let first = other.head else { return }
        let room = tail.map { $0.pointee.capacity - $0.pointee.end } ?? 0
        if other.unsent <= room {
            var next = other.head
            while let segment = next {
                append(segment.pointee.unsentBytes, pool: &pool)
                next = segment.pointee.next
            }
            other.removeAll(pool: &pool)
            return
        }
        let last = other.tail
        link(first)
        tail = last
        unsent += other.unsent
        other.head = nil
        other.tail = nil
        other.unsent = 0
    }

    /// Puts at most 14 bytes before the first unsent byte.
    ///
    /// Usually into the headroom of the first chunk, or over bytes that were sent; never over bytes of a shared array,
    /// before which a small chunk is put.
    public mutating func prependHeader(_ bytes: Span<UInt8>, pool: inout ChunkPool) {
        precondition(bytes.count <= 14, "A header has at most 14 bytes.")
        guard bytes.count > 0 else { return }
        let target: UnsafeMutablePointer<Segment>
        if let head, head.pointee.kind != .shared, head.pointee.start >= bytes.count {
            target = head
        } else {
            target = pool.makeChunk(.small)
            target.pointee.start += bytes.count
            target.pointee.end = target.pointee.start
            target.pointee.next = head
            head = target
            if tail == nil { tail = target }
        }
        target.pointee.start -= bytes.count
        for index in bytes.indices { target.pointee.base[target.pointee.start + index] = bytes[index] }
        unsent += bytes.count
    }

    // MARK: - Removing

    /// Removes bytes that were sent; at most `count`.
    public mutating func removeFirst(_ sent: Int, pool: inout ChunkPool) {
        precondition(sent >= 0 && sent <= unsent, "More bytes sent than there were.")
        unsent -= sent
        var rest = sent
        while let segment = head {
            let length = segment.pointee.end - segment.pointee.start
            guard rest >= length else {
                segment.pointee.start += rest
                return
            }
            rest -= length
            head = segment.pointee.next
            pool.recycle(segment)
        }
        tail = nil
    }

    /// Drops all bytes and gives their memory to the pool.
    public mutating func removeAll(pool: inout ChunkPool) {
        removeFirst(unsent, pool: &pool)
    }

    // MARK: - Reading

    /// Describes the first unsent bytes for a system call and returns how many vectors it filled; for ApusLoop.
    ///
    /// The addresses hold until the queue is changed in any way.
    package func fill(_ vectors: UnsafeMutableBufferPointer<iovec>) -> Int {
        var next = head
        var filled = 0
        while filled < vectors.count, let segment = next {
            let bytes = segment.pointee.unsentBytes
            vectors[filled] = iovec(
                iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress),
                iov_len: bytes.count,
            )
            filled += 1
            next = segment.pointee.next
        }
        return filled
    }

    /// Calls the closure with each run of unsent bytes in order, which stays unsent.
    public func forEachSegment(_ body: (Span<UInt8>) -> Void) {
        var next = head
        while let segment = next {
            body(segment.pointee.unsentBytes.span)
            next = segment.pointee.next
        }
    }

    /// A copy of the unsent bytes, for tests and simulations.
    public func copyBytes() -> [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(unsent)
        var next = head
        while let segment = next {
            copy.append(contentsOf: segment.pointee.unsentBytes)
            next = segment.pointee.next
        }
        return copy
    }

    // MARK: - Chunks

    @usableFromInline
    mutating func appendInChunks(_ bytes: UnsafeBufferPointer<UInt8>, pool: inout ChunkPool) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let target: UnsafeMutablePointer<Segment>
            if let tail, tail.pointee.end < tail.pointee.capacity {
                target = tail
            } else {
                target = pool.makeChunk(nextKind(for: rest.count))
                link(target)
            }
            let part = rest.prefix(target.pointee.capacity - target.pointee.end)
            guard let source = UnsafeBufferPointer(rebasing: part).baseAddress else { return }
            (target.pointee.base + target.pointee.end).update(from: source, count: part.count)
            target.pointee.end += part.count
            unsent += part.count
            rest = rest[part.endIndex...]
        }
    }

    /// Small at first and behind a shared segment, where usually only the next packet's header follows.
    private func nextKind(for byteCount: Int) -> Segment.Kind {
        if byteCount > ChunkPool.capacity(of: .small) - ChunkPool.headroom { return .large }
        guard let tail else { return .small }
        return tail.pointee.kind == .shared ? .small : .large
    }

    private mutating func link(_ segment: UnsafeMutablePointer<Segment>) {
        if let tail {
            tail.pointee.next = segment
        } else {
            head = segment
        }
        tail = segment
    }
}

// The queue is the only owner of its segments and cannot be copied; the arrays that they refer to are immutable there.
extension OutputQueue: @unchecked Sendable {}
