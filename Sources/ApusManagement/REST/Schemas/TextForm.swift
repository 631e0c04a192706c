/// Which characters a text may have, as code and as the regular expression of the OpenAPI document (ECMA 262).
struct TextForm: Sendable {
    var pattern: String
    /// In words.
    var words: String
    var allows: @Sendable (String) -> Bool

    /// Letters, digits, `-`, `_`.
    static let name = TextForm(pattern: "^[0-9A-Za-z_-]*$", words: "letters, digits, '-' and '_'") { text in
        text.utf8.allSatisfy { isNameByte($0) }
    }

    /// As `name`, and the dot.
    static let keyID = TextForm(pattern: "^[0-9A-Za-z_.-]*$", words: "letters, digits, '-', '_' and '.'") { text in
        text.utf8.allSatisfy { isNameByte($0) || $0 == UInt8(ascii: ".") }
    }

    static let group = TextForm(
        pattern: "^GID[_-][0-9A-Za-z_-]*$",
        words: "'GID_' or 'GID-', then letters, digits, '-' and '_'",
    ) { text in
        (text.hasPrefix("GID_") || text.hasPrefix("GID-")) && text.utf8.allSatisfy { isNameByte($0) }
    }

    /// ASCII without space and control characters.
    static let secret = TextForm(pattern: "^[!-~]*$", words: "printable ASCII characters without spaces") { text in
        text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    /// What a topic name may hold.
    static let topic = TextForm(
        pattern: "^[^$+#\\x00][^+#\\x00]*$",
        words: "no wildcard, no null character, and no '$' at the beginning",
    ) { text in
        !text.isEmpty && text.utf8.first != UInt8(ascii: "$")
            && !text.utf8.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") || $0 == 0 }
    }

    /// No null character.
    static let text = TextForm(pattern: "^[^\\x00]*$", words: "no null character") { !$0.utf8.contains(0) }

    /// Whatever it is: for answers, and for what is judged otherwise.
    static let any = TextForm(pattern: "", words: "anything") { _ in true }

    /// Where a page begins, as `PageCursor` writes it.
    static let cursor = TextForm(pattern: "^([0-9a-f]{2})*$", words: "what `next` of a page before was") { text in
        text.utf8.count.isMultiple(of: 2)
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
