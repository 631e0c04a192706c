/// An IP address with strict reading and canonical writing.
///
/// One form for each address matters: access rules, bans and limits compare the text.
enum InternetAddress: Equatable {
    /// Four bytes.
    case version4([UInt8])
    /// Eight groups of 16 bits.
    case version6([UInt16])

    /// Reads `192.0.2.1`: four numbers without leading zeros, which some programs take for octal.
    static func readVersion4(_ text: [UInt8]) -> InternetAddress? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard (1...3).contains(part.count), part.allSatisfy({ (0x30...0x39).contains($0) }),
                part.count == 1 || part.first != 0x30,
                let byte = UInt8(exactly: part.reduce(0) { $0 * 10 + Int($1 - 0x30) })
            else { return nil }
            bytes.append(byte)
        }
        return .version4(bytes)
    }

    /// Reads the forms of RFC 4291: groups, one `::`, and a dotted IPv4 address at the end; no zone.
    static func readVersion6(_ text: [UInt8]) -> InternetAddress? {
        let colon = UInt8(ascii: ":")
        var front: [UInt16] = []
        var back: [UInt16]?
        var rest = text[...]
        if rest.starts(with: [colon, colon]) {
            back = []
            rest = rest.dropFirst(2)
        }
        while !rest.isEmpty {
            let part = rest.prefix { $0 != colon }
            rest = rest[part.endIndex...]
            guard let groups = groups(part, isLast: rest.isEmpty) else { return nil }
            if back == nil { front += groups } else { back? += groups }
            guard rest.first == colon else { continue }
            rest = rest.dropFirst()
            if rest.first == colon, back == nil {
                back = []
                rest = rest.dropFirst()
            } else if rest.isEmpty {
                return nil
            }
        }
        guard let back else { return front.count == 8 ? .version6(front) : nil }
        let zeros = 8 - front.count - back.count
        guard zeros >= 1 else { return nil }
        return .version6(front + Array(repeating: 0, count: zeros) + back)
    }

    private static func groups(_ part: ArraySlice<UInt8>, isLast: Bool) -> [UInt16]? {
        if isLast, case .version4(let bytes) = readVersion4(Array(part)) {
            return [UInt16(bytes[0]) << 8 | UInt16(bytes[1]), UInt16(bytes[2]) << 8 | UInt16(bytes[3])]
        }
        guard (1...4).contains(part.count) else { return nil }
        var group: UInt16 = 0
        for byte in part {
            switch byte {
            case 0x30...0x39: group = group << 4 | UInt16(byte - 0x30)
            case 0x41...0x46: group = group << 4 | UInt16(byte - 0x41 + 10)
            case 0x61...0x66: group = group << 4 | UInt16(byte - 0x61 + 10)
            default: return nil
            }
        }
        return [group]
    }

    /// The canonical form of RFC 5952; an IPv4 address mapped into IPv6 is written as the IPv4 address that it is.
    var text: String {
        switch self {
        case .version4(let bytes):
            return bytes.map(String.init).joined(separator: ".")
        case .version6(let groups):
            if groups[..<6] == [0, 0, 0, 0, 0, 0xFFFF] {
                let bytes = groups[6...].flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
                return InternetAddress.version4(bytes).text
            }
            let zeros = Self.longestZeros(groups)
            guard zeros.count >= 2 else { return Self.hexadecimal(groups[...]) }
            return Self.hexadecimal(groups[..<zeros.lowerBound]) + "::" + Self.hexadecimal(groups[zeros.upperBound...])
        }
    }

    private static func hexadecimal(_ groups: ArraySlice<UInt16>) -> String {
        groups.map { String($0, radix: 16) }.joined(separator: ":")
    }

    /// The first of the longest runs of zero groups.
    private static func longestZeros(_ groups: [UInt16]) -> Range<Int> {
        var longest = 0..<0
        var start = 0
        for (index, group) in groups.enumerated() {
            if group != 0 {
                start = index + 1
            } else if index + 1 - start > longest.count {
                longest = start..<(index + 1)
            }
        }
        return longest
    }
}
