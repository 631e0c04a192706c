/// Base64 with padding (RFC 4648), for the two short values of the handshake.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let padding = UInt8(ascii: "=")

    static func encoded(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index < bytes.count {
            let count = min(3, bytes.count - index)
            var group = UInt32(bytes[index]) << 16
            if count > 1 { group |= UInt32(bytes[index + 1]) << 8 }
            if count > 2 { group |= UInt32(bytes[index + 2]) }
            for digit in 0..<4 {
                let value = Int(group >> UInt32(18 - 6 * digit)) & 0x3F
                text.append(digit <= count ? alphabet[value] : padding)
            }
            index += 3
        }
        return text
    }

    /// Whether the text is the Base64 form of exactly 16 bytes: 22 digits, of which the last carries two bits, and `==`.
    static func isSixteenBytes(_ text: [UInt8]) -> Bool {
        guard text.count == 24, text[22] == padding, text[23] == padding else { return false }
        let values = text[..<22].map { alphabet.firstIndex(of: $0) }
        guard let last = values[21] else { return false }
        return last & 0x0F == 0 && values.allSatisfy { $0 != nil }
    }
}
