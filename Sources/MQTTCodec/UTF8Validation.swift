/// Checks UTF-8 as MQTT wants it: well-formed, without surrogates or overlong forms [MQTT-1.5.4-1].
///
/// Almost every string on the wire is ASCII, so eight bytes are looked at together until one of them is not.
public enum UTF8Validation {
    /// Whether a payload that declares itself to be text is UTF-8; unlike a string it may contain U+0000
    /// [MQTT-3.3.2-4].
    public static func isValid(_ bytes: Span<UInt8>, range: Range<Int>) -> Bool {
        check(bytes, range, alphabet: .payload) == nil
    }

    /// What a text must not contain besides ill-formed sequences.
    enum Alphabet {
        case payload
        case string
        case topicName
    }

    /// What is wrong with a text.
    enum Fault {
        case notUTF8
        case null
        case wildcard
    }

    /// The first fault of the text in `range`, or `nil`.
    static func check(_ bytes: Span<UInt8>, _ range: Range<Int>, alphabet: Alphabet) -> Fault? {
        let text = bytes.extracting(range)
        let count = text.count
        var position = 0
        if count >= 8 {
            let raw = text.bytes
            while true {
                let word = raw.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self)
                if needsCloserLook(word, alphabet) { break }
                position += 8
                if position == count { return nil }
                // The last step overlaps the one before instead of going byte by byte.
                if position + 8 > count { position = count - 8 }
            }
            // An overlapping step may begin inside a word that was plain ASCII, so every position is a boundary.
        }
        return checkBytewise(text, from: position, alphabet: alphabet)
    }

    /// Whether the word holds anything but the harmless ASCII of the alphabet.
    @inline(__always)
    private static func needsCloserLook(_ word: UInt64, _ alphabet: Alphabet) -> Bool {
        let highBits: UInt64 = 0x8080_8080_8080_8080
        var suspects = word & highBits
        if alphabet != .payload { suspects |= zeroBytes(word) }
        if alphabet == .topicName {
            suspects |= zeroBytes(word ^ 0x2B2B_2B2B_2B2B_2B2B) | zeroBytes(word ^ 0x2323_2323_2323_2323)
        }
        return suspects != 0
    }

    /// Not zero exactly when a byte of the word is zero.
    @inline(__always)
    private static func zeroBytes(_ word: UInt64) -> UInt64 {
        (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
    }

    private static func checkBytewise(_ text: Span<UInt8>, from start: Int, alphabet: Alphabet) -> Fault? {
        let count = text.count
        var position = start
        while position < count {
            let byte = text[position]
            if byte < 0x80 {
                if byte == 0, alphabet != .payload { return .null }
                if alphabet == .topicName, byte == UInt8(ascii: "+") || byte == UInt8(ascii: "#") { return .wildcard }
                position += 1
            } else {
                let length = sequenceLength(text, at: position)
                guard length > 0 else { return .notUTF8 }
                position += length
            }
        }
        return nil
    }

    /// Length of the well-formed multi-byte sequence at `position`, or 0 (Unicode, table 3-7).
    private static func sequenceLength(_ text: Span<UInt8>, at position: Int) -> Int {
        let left = text.count - position
        guard left >= 2 else { return 0 }
        let first = text[position]
        let second = text[position + 1]
        let allowed: ClosedRange<UInt8> =
            switch first {
            case 0xE0: 0xA0...0xBF
            case 0xED: 0x80...0x9F
            case 0xF0: 0x90...0xBF
            case 0xF4: 0x80...0x8F
            default: 0x80...0xBF
            }
        guard allowed.contains(second) else { return 0 }
        switch first {
        case 0xC2...0xDF:
            return 2
        case 0xE0...0xEF:
            return left >= 3 && text[position + 2] & 0xC0 == 0x80 ? 3 : 0
        case 0xF0...0xF4:
            return left >= 4 && text[position + 2] & 0xC0 == 0x80 && text[position + 3] & 0xC0 == 0x80 ? 4 : 0
        default:
            return 0
        }
    }
}
