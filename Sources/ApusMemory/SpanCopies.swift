internal import Glibc

// Copies of borrowed bytes, for the places where they outlive the buffer that they came in.

extension Array where Element == UInt8 {
    /// An array with the bytes of the span.
    @inlinable
    public init(copying bytes: Span<UInt8>) {
        self = bytes.withUnsafeBufferPointer { Array($0) }
    }

    /// Appends all bytes of the span.
    @inlinable
    public mutating func append(contentsOf bytes: Span<UInt8>) {
        bytes.withUnsafeBufferPointer { append(contentsOf: $0) }
    }
}

extension String {
    /// The text of the bytes; what is no UTF-8 becomes U+FFFD.
    @inlinable
    public init(copying bytes: Span<UInt8>) {
        self = bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
}

extension Span<UInt8> {
    /// Whether both hold the same bytes.
    public func isEqual(to other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        return withUnsafeBufferPointer { left in
            other.withUnsafeBufferPointer { right in
                guard let left = left.baseAddress, let right = right.baseAddress else { return true }
                return memcmp(left, right, count) == 0
            }
        }
    }
}

extension OutputSpan<UInt8> {
    /// Appends all bytes of the span; there must be room.
    @inlinable
    public mutating func append(copying bytes: Span<UInt8>) {
        precondition(bytes.count <= freeCapacity, "More bytes than there is room.")
        withUnsafeMutableBufferPointer { room, count in
            bytes.withUnsafeBufferPointer { source in
                guard let target = room.baseAddress, let start = source.baseAddress else { return }
                (target + count).update(from: start, count: source.count)
                count &+= source.count
            }
        }
    }
}
