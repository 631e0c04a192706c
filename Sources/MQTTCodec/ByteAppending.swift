extension [UInt8] {
    /// Appends all bytes of a span.
    ///
    /// Filling first lets the copy run over a `MutableSpan`, which the compiler vectorises; appending one by one is
    /// five to twenty times slower from 64 bytes on.
    @inlinable
    package mutating func append(copying source: Span<UInt8>) {
        let count = source.count
        // Appending nothing to an empty array, the library writes the count into the object that all empty arrays of the
        // process share: needless traffic between processors, and a race.
        guard count > 0 else { return }
        append(addingCapacity: count) { output in
            output.append(repeating: 0, count: count)
            var target = output.mutableSpan
            for index in 0..<count { target[unchecked: index] = source[unchecked: index] }
        }
    }

    @inlinable
    mutating func append(bigEndian value: UInt16) {
        append(UInt8(truncatingIfNeeded: value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }

    @inlinable
    mutating func append(bigEndian value: UInt32) {
        append(bigEndian: UInt16(truncatingIfNeeded: value >> 16))
        append(bigEndian: UInt16(truncatingIfNeeded: value))
    }
}
