/// A text as one word of a command that a person is to paste into a shell.
enum CommandWord {
    /// As it is where no shell reads anything into it, else in single quotes.
    static func text(_ text: String) -> String {
        let needsNoQuotes = !text.isEmpty && text.utf8.allSatisfy { isPlain($0) }
        return needsNoQuotes ? text : "'" + text.replacing("'", with: #"'\''"#) + "'"
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "_-.@/:+,%".utf8.contains(byte)
        }
    }
}
