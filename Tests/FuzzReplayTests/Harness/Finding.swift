/// A rule that an input broke, in words.
package struct Finding: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }

    static func check(_ condition: Bool, _ description: @autoclosure () -> String) throws(Finding) {
        if !condition { throw Finding(description()) }
    }
}

/// Reads an input from front to back; behind its end everything is 0.
struct InputReader {
    private let bytes: [UInt8]
    private var next = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { next >= bytes.count }

    mutating func byte() -> UInt8 {
        guard next < bytes.count else { return 0 }
        defer { next += 1 }
        return bytes[next]
    }

    /// At most `count` bytes.
    mutating func bytes(_ count: Int) -> [UInt8] {
        let end = min(next + count, bytes.count)
        defer { next = end }
        return Array(bytes[min(next, end)..<end])
    }

    mutating func rest() -> [UInt8] { bytes(bytes.count) }
}
