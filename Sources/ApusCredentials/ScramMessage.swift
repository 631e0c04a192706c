internal import ApusCrypto

/// The attributes of a SCRAM message (RFC 5802, section 5.1), read strictly and in order.
struct ScramMessage {
    /// Longer messages are nobody's: user names and nonces are bounded below it.
    static let maximumBytes = 4096

    let text: String
    private var rest: Substring

    init?(_ bytes: [UInt8]) {
        guard bytes.count <= Self.maximumBytes, let text = String(validating: bytes, as: UTF8.self),
            !text.utf8.contains(0)
        else { return nil }
        self.text = text
        rest = text[...]
    }

    /// What has not been read yet.
    var remainder: Substring { rest }

    /// Everything up to the next comma, which is swallowed.
    mutating func nextField() -> Substring {
        let comma = rest.utf8.firstIndex(of: UInt8(ascii: ",")) ?? rest.endIndex
        let field = rest[..<comma]
        rest = comma == rest.endIndex ? "" : rest[rest.utf8.index(after: comma)...]
        return field
    }

    /// The value of the next attribute, when it is the named one.
    mutating func next(_ name: String) -> Substring? {
        let field = nextField()
        guard field.hasPrefix("\(name)=") else { return nil }
        return field.dropFirst(2)
    }

    /// Whether the text can be a nonce: printable ASCII without commas.
    static func isNonce(_ text: Substring) -> Bool {
        (1...512).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ",") }
    }

    /// A user name with `=2C` for a comma and `=3D` for an equals sign; `nil` for any other `=`.
    static func decodedName(_ text: Substring) -> String? {
        let parts = text.split(separator: "=", omittingEmptySubsequences: false)
        var name = String(parts[0])
        for part in parts.dropFirst() {
            if part.hasPrefix("2C") {
                name += ","
            } else if part.hasPrefix("3D") {
                name += "="
            } else {
                return nil
            }
            name += part.dropFirst(2)
        }
        return name.isEmpty ? nil : name
    }

    static func encodedName(_ name: String) -> String {
        name.split(separator: "=", omittingEmptySubsequences: false).joined(separator: "=3D")
            .split(separator: ",", omittingEmptySubsequences: false).joined(separator: "=2C")
    }
}

/// Both arrays, byte by byte; they have the length of one hash.
func exclusiveOr(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
    zip(left, right).map { $0 ^ $1 }
}
