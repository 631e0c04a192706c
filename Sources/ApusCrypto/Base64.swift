/// Base64 with the standard alphabet and padding (RFC 4648, section 4), strict.
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let padding = UInt8(ascii: "=")

    package static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let first = Int(bytes[start])
            let second = group.count > 1 ? Int(bytes[start + 1]) : 0
            let third = group.count > 2 ? Int(bytes[start + 2]) : 0
            text.append(alphabet[first >> 2])
            text.append(alphabet[(first & 3) << 4 | second >> 4])
            text.append(group.count > 1 ? alphabet[(second & 15) << 2 | third >> 6] : padding)
            text.append(group.count > 2 ? alphabet[third & 63] : padding)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes that the text stands for, or `nil` for anything that `encode` would not have written: a length that
    /// is no multiple of four, white space, missing padding, bits left over.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count % 4 == 0 else { return nil }
        let paddings = characters.suffix(2).reversed().prefix { $0 == padding }.count
        var bytes: [UInt8] = []
        bytes.reserveCapacity(characters.count / 4 * 3)
        var bits = 0
        var pending = 0
        for character in characters.dropLast(paddings) {
            guard let value = value(of: character) else { return nil }
            bits = (bits << 6 | value) & 0xFFF
            pending += 6
            if pending >= 8 {
                pending -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> pending))
            }
        }
        guard bits & (1 << pending - 1) == 0 else { return nil }
        return bytes
    }

    /// The bytes of a text in the URL-safe alphabet without padding (RFC 4648, section 5), as JWTs are written; as strict.
    package static func decodeURLSafe(_ text: some StringProtocol) -> [UInt8]? {
        var standard: [UInt8] = []
        for character in text.utf8 {
            switch character {
            case UInt8(ascii: "-"): standard.append(UInt8(ascii: "+"))
            case UInt8(ascii: "_"): standard.append(UInt8(ascii: "/"))
            case UInt8(ascii: "+"), UInt8(ascii: "/"), padding: return nil
            default: standard.append(character)
            }
        }
        guard standard.count % 4 != 1 else { return nil }
        standard += Array(repeating: padding, count: (4 - standard.count % 4) % 4)
        return decode(String(decoding: standard, as: UTF8.self))
    }

    private static func value(of character: UInt8) -> Int? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(character) - 65
        case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(character) - 97 + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(character) - 48 + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
