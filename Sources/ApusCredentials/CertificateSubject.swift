/// The subject of a client certificate as RFC 2253 text.
struct CertificateSubject {
    /// The common name, the most specific one when there are several; `nil` when there is none, or when the text is
    /// not RFC 2253: a certificate is never guessed at.
    let commonName: String?

    init(_ text: String) {
        commonName = Self.firstCommonName(Array(text.utf8))
    }

    private static func firstCommonName(_ text: [UInt8]) -> String? {
        var position = 0
        while position < text.count {
            guard let equals = text[position...].firstIndex(of: UInt8(ascii: "=")) else { return nil }
            let type = String(decoding: text[position..<equals], as: UTF8.self)[...].trimmed
            position = equals + 1
            guard let value = value(in: text, from: &position) else { return nil }
            guard type.uppercased() == "CN" || type == "2.5.4.3" else { continue }
            guard let name = String(validating: value, as: UTF8.self) else { return nil }
            // A zero byte or an empty name is somebody's trick, not a name.
            return name.isEmpty || value.contains(where: { $0 < 0x20 || $0 == 0x7F }) ? nil : name
        }
        return nil
    }

    /// The value up to the next separator, unescaped; leaves `position` behind the separator.
    private static func value(in text: [UInt8], from position: inout Int) -> [UInt8]? {
        var value: [UInt8] = []
        if position < text.count, text[position] == UInt8(ascii: "#") {
            return nil
        }
        while position < text.count {
            let byte = text[position]
            position += 1
            switch byte {
            case UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "+"):
                return value
            case UInt8(ascii: "\""):
                // OpenSSL escapes instead of quoting.
                return nil
            case UInt8(ascii: "\\"):
                guard let escaped = escaped(in: text, from: &position) else { return nil }
                value.append(escaped)
            default:
                value.append(byte)
            }
        }
        return value
    }

    private static func escaped(in text: [UInt8], from position: inout Int) -> UInt8? {
        guard position < text.count else { return nil }
        if position + 1 < text.count, let high = hexValue(text[position]), let low = hexValue(text[position + 1]) {
            position += 2
            return high << 4 | low
        }
        let byte = text[position]
        position += 1
        return hexValue(byte) == nil ? byte : nil
    }

    private static func hexValue(_ digit: UInt8) -> UInt8? {
        Character(UnicodeScalar(digit)).hexDigitValue.map(UInt8.init(truncatingIfNeeded:))
    }
}
