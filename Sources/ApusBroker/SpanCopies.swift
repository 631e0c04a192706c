// Copies of borrowed bytes, for the few places where they outlive the buffer that they came in.

extension Array where Element == UInt8 {
    /// An array with the bytes of the span.
    init(copying bytes: Span<UInt8>) {
        self = []
        append(contentsOf: bytes)
    }

    /// Appends all bytes of the span.
    mutating func append(contentsOf bytes: Span<UInt8>) {
        append(addingCapacity: bytes.count) { output in
            for index in bytes.indices { output.append(bytes[index]) }
        }
    }
}

extension String {
    /// The text of bytes that were validated as UTF-8 before.
    init(copying bytes: Span<UInt8>) {
        self.init(decoding: [UInt8](copying: bytes), as: UTF8.self)
    }
}

extension Span<UInt8> {
    func isEqual(to other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in indices where self[index] != other[index] { return false }
        return true
    }
}
