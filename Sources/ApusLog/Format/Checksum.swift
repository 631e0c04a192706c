/// XXH64, the checksum of everything in the log: fast on short records, and any flipped bit changes it.
///
/// It keeps accidents out, not attackers. Payloads are chosen by clients, so each log has a random seed: without it nobody
/// writes a payload that looks like a record when a damaged place is searched for the next good one.
package enum Checksum {
    private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
    private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    private static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
    private static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
    private static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

    /// The checksum of `range`, which must lie within `bytes`.
    package static func xxh64(_ bytes: Span<UInt8>, _ range: Range<Int>, seed: UInt64) -> UInt64 {
        let raw = bytes.bytes
        precondition(range.lowerBound >= 0 && range.upperBound <= raw.byteCount)
        var at = range.lowerBound
        let end = range.upperBound
        var hash = wide(raw, &at, end, seed: seed)
        hash &+= UInt64(truncatingIfNeeded: end &- range.lowerBound)
        while at &+ 8 <= end {
            hash = rotate(hash ^ round(0, raw.word(at)), 27) &* prime1 &+ prime4
            at &+= 8
        }
        if at &+ 4 <= end {
            hash = rotate(hash ^ raw.halfWord(at) &* prime1, 23) &* prime2 &+ prime3
            at &+= 4
        }
        while at < end {
            hash = rotate(hash ^ UInt64(bytes[unchecked: at]) &* prime5, 11) &* prime1
            at &+= 1
        }
        hash = (hash ^ hash >> 33) &* prime2
        hash = (hash ^ hash >> 29) &* prime3
        return hash ^ hash >> 32
    }

    /// Takes in blocks of 32 bytes, as many as there are.
    @inline(__always)
    private static func wide(_ raw: RawSpan, _ at: inout Int, _ end: Int, seed: UInt64) -> UInt64 {
        guard end &- at >= 32 else { return seed &+ prime5 }
        var first = seed &+ prime1 &+ prime2
        var second = seed &+ prime2
        var third = seed
        var fourth = seed &- prime1
        while at &+ 32 <= end {
            first = round(first, raw.word(at))
            second = round(second, raw.word(at &+ 8))
            third = round(third, raw.word(at &+ 16))
            fourth = round(fourth, raw.word(at &+ 24))
            at &+= 32
        }
        var hash = rotate(first, 1) &+ rotate(second, 7) &+ rotate(third, 12) &+ rotate(fourth, 18)
        hash = merge(hash, first)
        hash = merge(hash, second)
        hash = merge(hash, third)
        return merge(hash, fourth)
    }

    @inline(__always)
    private static func round(_ sum: UInt64, _ input: UInt64) -> UInt64 {
        rotate(sum &+ input &* prime2, 31) &* prime1
    }

    @inline(__always)
    private static func merge(_ hash: UInt64, _ sum: UInt64) -> UInt64 {
        (hash ^ round(0, sum)) &* prime1 &+ prime4
    }

    @inline(__always)
    private static func rotate(_ value: UInt64, _ bits: UInt64) -> UInt64 { value &<< bits | value &>> (64 &- bits) }
}

// Little-endian loads; the machines that Apus runs on are little-endian themselves, and elsewhere these swap.
extension RawSpan {
    @inline(__always)
    func word(_ offset: Int) -> UInt64 {
        UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    @inline(__always)
    func halfWord(_ offset: Int) -> UInt64 { UInt64(uint32(offset)) }
    @inline(__always)
    func uint32(_ offset: Int) -> UInt32 {
        UInt32(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    @inline(__always)
    func uint16(_ offset: Int) -> UInt16 {
        UInt16(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }
    @inline(__always)
    func byte(_ offset: Int) -> UInt8 { unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self) }
}

extension Array where Element == UInt8 {
    /// Writes the integer, little-endian, over the bytes from `offset` on.
    @inline(__always)
    mutating func store<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
        var span = mutableSpan
        var raw = span.mutableBytes
        raw.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self)
    }
}
