/// The variable byte integer of MQTT: seven bits a byte, least significant first, at most four bytes.
public enum VariableByteInteger {
    /// The largest value that four bytes can hold: 268,435,455.
    public static let maximum = 268_435_455

    /// How many bytes `value` takes, 1 to 4; values beyond ``maximum`` do not fit anywhere and count as 4.
    @inlinable
    public static func size(of value: Int) -> Int {
        if value < 128 { return 1 }
        if value < 16_384 { return 2 }
        return value < 2_097_152 ? 3 : 4
    }

    /// Appends `value`, which must lie in `0...maximum`, in as few bytes as possible [MQTT-1.5.5-1].
    @inlinable
    public static func append(_ value: Int, to out: inout [UInt8]) {
        var rest = value
        while rest > 127 {
            out.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        out.append(UInt8(truncatingIfNeeded: rest))
    }

    /// The value of one that has been checked before, with exactly the extent `range`.
    static func value(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt32 {
        var value: UInt32 = 0
        for index in range.reversed() { value = value << 7 | UInt32(bytes[index] & 0x7F) }
        return value
    }
}
