extension Span<UInt8> {
    /// The index behind the last byte of the level that begins at `start`.
    @inline(__always)
    func endOfLevel(from start: Int) -> Int {
        var end = start
        while end < count, self[end] != .levelSeparator { end &+= 1 }
        return end
    }
}

extension RawSpan {
    /// Whether both hold the same bytes; eight at a time.
    @inline(__always)
    func holdsSameBytes(as other: RawSpan) -> Bool {
        let count = byteCount
        guard count == other.byteCount else { return false }
        guard count >= 8 else {
            for at in 0..<count where byte(at) != other.byte(at) { return false }
            return true
        }
        var at = 0
        while at &+ 8 <= count {
            guard word(at) == other.word(at) else { return false }
            at &+= 8
        }
        // The last word overlaps the one before it, which costs less than a loop over the remaining bytes.
        return word(count &- 8) == other.word(count &- 8)
    }

    @inline(__always)
    func word(_ offset: Int) -> UInt64 { unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self) }
    @inline(__always)
    func halfWord(_ offset: Int) -> UInt64 { UInt64(unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    @inline(__always)
    func byte(_ offset: Int) -> UInt8 { unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self) }
}

extension MutableSpan<UInt8> {
    /// Takes over bytes from a place on, eight at a time.
    @inline(__always)
    mutating func copyBytes(of other: Span<UInt8>, to start: Int) {
        let count = other.count
        guard count >= 8 else {
            for at in 0..<count { self[start &+ at] = other[at] }
            return
        }
        let words = other.bytes
        let last = count &- 8
        var bytes = mutableBytes
        var at = 0
        while at < last {
            bytes.storeBytes(of: words.word(at), toByteOffset: start &+ at, as: UInt64.self)
            at &+= 8
        }
        // The last word overlaps the one before it.
        bytes.storeBytes(of: words.word(last), toByteOffset: start &+ last, as: UInt64.self)
    }
}
