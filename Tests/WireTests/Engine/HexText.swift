/// Bytes written in a script: text, `"hex:C3 28"` or `{"repeat": "x", "count": 1000}`.
enum HexText {
    static let prefix = "hex:"

    /// Bytes of hexadecimal digits; blanks are ignored.
    static func bytes(hex text: some StringProtocol) throws -> [UInt8] {
        let digits = String(text).filter { !$0.isWhitespace }
        guard digits.count.isMultiple(of: 2) else { throw ScriptError.badScript("odd number of digits in \(text)") }
        var result: [UInt8] = []
        var rest = digits[...]
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16) else { throw ScriptError.badScript("no hex: \(text)") }
            result.append(byte)
            rest = rest.dropFirst(2)
        }
        return result
    }

    static func bytes(of value: JSONValue) throws -> [UInt8] {
        switch value {
        case .string(let text):
            text.hasPrefix(prefix) ? try bytes(hex: text.dropFirst(prefix.count)) : Array(text.utf8)
        case .object(let fields):
            try repeated(fields)
        default:
            throw ScriptError.badScript("no text or bytes: \(value)")
        }
    }

    private static func repeated(_ fields: [String: JSONValue]) throws -> [UInt8] {
        guard let unit = fields["repeat"]?.string, let count = fields["count"]?.integer else {
            throw ScriptError.badScript("want {\"repeat\": text, \"count\": number}, not \(JSONValue.object(fields))")
        }
        return Array(repeatElement(Array(unit.utf8), count: count).joined())
    }

    /// The spelling that scripts compare with: text where the bytes are printable UTF-8.
    static func value(of bytes: [UInt8]) -> JSONValue {
        if !bytes.contains(where: { $0 < 0x20 }), let text = String(validating: bytes, as: UTF8.self) {
            return .string(text)
        }
        return .string(prefix + spaced(bytes))
    }

    static func spaced(_ bytes: some Collection<UInt8>) -> String {
        bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true) }.joined(separator: " ")
    }
}
