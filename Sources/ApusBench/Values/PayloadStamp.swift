/// What a payload says about its message: the first 16 bytes, least significant first, and the last byte.
///
/// | bytes | what |
/// |---|---|
/// | 0..<4 | stream: messages whose order and completeness are looked after together |
/// | 4..<8 | sequence: the message's number in its stream, from 0 |
/// | 8..<16 | nanoseconds of the monotonic clock at which it was due to be sent |
/// | last | the low byte of the sequence again, if there are more than 16 |
///
/// The last byte tells a payload that was cut, padded or mixed with another.
package struct PayloadStamp: Equatable, Sendable {
    package static let byteCount = 16

    package var stream: UInt32
    package var sequence: UInt32
    package var nanoseconds: Int64

    package init(stream: UInt32, sequence: UInt32, nanoseconds: Int64) {
        self.stream = stream
        self.sequence = sequence
        self.nanoseconds = nanoseconds
    }

    /// Reads the stamp of the payload in `range`; nil for one that is damaged or not of `byteCount` bytes.
    ///
    /// `unsafeLoadUnaligned` is bounds-checked; its name warns of types whose bits can be invalid, which integers are not.
    @inline(__always)
    init?(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>, byteCount: Int) {
        guard range.count == byteCount else { return nil }
        let raw = bytes.bytes
        let numbers = raw.unsafeLoadUnaligned(fromByteOffset: range.lowerBound, as: UInt64.self)
        let time = raw.unsafeLoadUnaligned(fromByteOffset: range.lowerBound &+ 8, as: Int64.self)
        stream = UInt32(truncatingIfNeeded: UInt64(littleEndian: numbers))
        sequence = UInt32(truncatingIfNeeded: UInt64(littleEndian: numbers) &>> 32)
        nanoseconds = Int64(littleEndian: time)
        guard byteCount == Self.byteCount || bytes[range.upperBound &- 1] == UInt8(truncatingIfNeeded: sequence) else {
            return nil
        }
    }

    /// Writes the stamp into the payload that begins at `offset` and ends where the bytes end.
    @inline(__always)
    func write(to bytes: inout [UInt8], at offset: Int) {
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        let numbers = UInt64(stream) | UInt64(sequence) &<< 32
        raw.storeBytes(of: numbers.littleEndian, toByteOffset: offset, as: UInt64.self)
        raw.storeBytes(of: nanoseconds.littleEndian, toByteOffset: offset &+ 8, as: Int64.self)
        if bytes.count &- offset > Self.byteCount { bytes[bytes.count &- 1] = UInt8(truncatingIfNeeded: sequence) }
    }
}
