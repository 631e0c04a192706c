internal import Glibc

/// What reading brought.
package enum ReadResult: Equatable, Sendable {
    /// This many bytes came. When `more` is false the source is drained and an edge tells of the next bytes; when it is
    /// true, read again.
    ///
    /// After an event with `isHangUp`, read until `.endOfStream` or `.failed` in any case.
    case bytes(Int, more: Bool)
    case wouldBlock
    /// The peer sends no more.
    case endOfStream
    case failed(StreamFailure)
}

/// The one read buffer of a shard.
///
/// Bytes stay until the next read; whoever keeps some copies them. Owned by one thread. To use `bytes` while other
/// properties of the buffer's owner change, hand the buffer (`borrowing`) and those properties to a static function:
/// a span of a property borrows the whole owner.
package struct ReadBuffer: ~Copyable {
    let base: UnsafeMutablePointer<UInt8>
    package let capacity: Int
    /// How many bytes from the start are filled.
    package internal(set) var count = 0

    /// - Parameter capacity: must be positive.
    package init(capacity: Int = 256 * 1024) {
        precondition(capacity > 0, "A read buffer needs room.")
        self.capacity = capacity
        let memory = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 4096)
        // Zeros, so that no path can ever show bytes that nobody wrote.
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: capacity)
        base = memory.assumingMemoryBound(to: UInt8.self)
    }

    deinit { UnsafeMutableRawPointer(base).deallocate() }

    /// The filled bytes.
    package var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            let span = Span(_unsafeStart: base, count: count)
            return _overrideLifetime(span, borrowing: self)
        }
    }

    /// The filled bytes, to change in place (WebSocket unmasking).
    package var mutableBytes: MutableSpan<UInt8> {
        @_lifetime(&self)
        mutating get {
            let span = MutableSpan(_unsafeStart: base, count: count)
            return _overrideLifetime(span, mutating: &self)
        }
    }

    /// Starts over with these bytes, for example the kept part of a packet before the rest is read behind it.
    ///
    /// - Parameter bytes: must fit.
    package mutating func fill(_ bytes: Span<UInt8>) {
        precondition(bytes.count <= capacity, "More bytes than the buffer holds.")
        bytes.withUnsafeBufferPointer { source in
            guard let start = source.baseAddress else { return }
            base.update(from: start, count: source.count)
        }
        count = bytes.count
    }

    /// Reads once from a socket into the buffer, behind its first `kept` bytes.
    package mutating func receive(_ descriptor: Int32, keeping kept: Int = 0) -> ReadResult {
        precondition(kept >= 0 && kept <= count && kept < capacity, "Kept bytes must be there and leave room.")
        count = kept
        let room = capacity - kept
        while true {
            let received = recv(descriptor, base + kept, room, 0)
            if received > 0 {
                count += received
                return .bytes(received, more: received == room)
            }
            if received == 0 { return .endOfStream }
            switch errno {
            case EAGAIN: return .wouldBlock
            case EINTR: continue
            default: return .failed(.system(.current("recv")))
            }
        }
    }
}

// The buffer is the only owner of its memory and cannot be copied.
extension ReadBuffer: @unchecked Sendable {}
